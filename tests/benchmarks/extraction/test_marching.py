"""Marching cubes with gradients against scikit-image's own vertices, and against finite differences."""

from __future__ import annotations

import numpy as np
import torch
from skimage.measure import marching_cubes

from benchmarks.extraction.flexible_cubes import closed
from benchmarks.extraction.marching import MarchingCubes, marching_surface
from dreamfusion_engine.mesh.surface.topology import genus, is_manifold

HALF = 1.05


def rough_ball(cells: int = 12) -> torch.Tensor:
    axis = torch.linspace(-HALF, HALF, cells + 1)
    x, y, z = torch.meshgrid(axis, axis, axis, indexing="ij")
    noise = torch.rand(x.shape, generator=torch.Generator().manual_seed(0))
    scalars = torch.sqrt(x**2 + y**2 + z**2) - 0.7 + 0.05 * noise
    return closed(scalars + 0.02 * scalars.sign())  # no corner on the level, where signs change within a difference


def test_vertices_are_those_of_marching_cubes() -> None:
    scalars = rough_ball()
    found = marching_surface(scalars, HALF)
    theirs, triangles, _, _ = marching_cubes(scalars.numpy(), 0.0)
    np.testing.assert_array_equal(found.triangles.numpy(), triangles)
    np.testing.assert_allclose(found.vertices.numpy(), theirs * (2.0 * HALF / 12) - HALF, atol=1e-5)
    assert is_manifold(triangles) and genus(triangles) == 0


def test_gradients_are_those_of_finite_differences() -> None:
    model = MarchingCubes(rough_ball(), HALF)
    direction = torch.tensor([0.3, -0.5, 0.8])

    def value() -> torch.Tensor:
        return (3.0 * model.surface().vertices @ direction).sin().sum()

    value().backward()
    gradient = model.scalars.grad
    assert gradient is not None
    with torch.no_grad():
        for place in gradient.abs().flatten().argsort(descending=True)[:8]:
            at = np.unravel_index(int(place), gradient.shape)
            kept, ends = float(model.scalars[at]), []
            for step in (1e-3, -1e-3):
                model.scalars[at] = kept + step
                ends.append(float(value()))
            model.scalars[at] = kept
            assert abs((ends[0] - ends[1]) / 2e-3 - float(gradient[at])) < 0.02 * float(gradient[at].abs()) + 0.05
