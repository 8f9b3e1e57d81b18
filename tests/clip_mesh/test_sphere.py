"""The parameters of a sphere against plain loops, scipy and the schedules as the paper's code has them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from dreamfusion_engine.clip_mesh.sphere import (
    LEAST_HEIGHT,
    Sphere,
    SpherePlan,
    WeightedRows,
    blurred_map,
    rate_share,
    roughness_weight,
)
from dreamfusion_engine.config.stages import SphereConfig

CPU = torch.device("cpu")
CONFIG = SphereConfig(level=1, limit=1, maps=32)


def sphere(seed: int = 0) -> tuple[Sphere, SpherePlan]:
    plan = SpherePlan(CONFIG, CONFIG.limit)
    return Sphere(CONFIG, plan, seed=seed, device=CPU), plan


def test_it_begins_as_a_ball_of_radius_1_in_noise_with_a_flat_normal_map() -> None:
    made, plan = sphere()
    radius = made.surface().detach().norm(dim=-1)
    assert float(radius.mean()) == pytest.approx(1.0, abs=1e-5) and float(radius.std()) < 0.02
    assert len(plan.triangles) == 4 * len(plan.control) == 320
    assert 0.4 < float(made.colour.detach().mean()) < 0.6 and float(made.colour.detach().min()) >= 0.0
    assert torch.equal(made.colour, sphere()[0].colour) and not torch.equal(made.colour, sphere(1)[0].colour)
    flat = torch.tensor([0.0, 0.0, 1.0]).expand(32, 32, 3)
    torch.testing.assert_close(made.normals(), flat, atol=1e-6, rtol=0.0)


def test_the_surface_is_the_matrix_times_the_control_vertices_and_so_is_the_way_back() -> None:
    made, plan = sphere()
    control = torch.from_numpy(np.random.default_rng(0).normal(size=plan.start.shape).astype(np.float32))
    with torch.no_grad():
        made.control.copy_(control)
    placed = made.surface()
    np.testing.assert_allclose(placed.detach().numpy(), plan.matrix @ control.numpy(), atol=1e-5)
    pull = torch.randn(placed.shape, generator=torch.Generator().manual_seed(1))
    (back,) = torch.autograd.grad(placed, made.control, pull)
    np.testing.assert_allclose(back.numpy(), plan.matrix.T @ pull.numpy(), atol=1e-5)


def test_rows_of_different_length_are_gathered_whole() -> None:
    made, plan = sphere()
    rows = WeightedRows(plan.matrix)
    lengths = np.diff(plan.matrix.indptr)
    assert lengths.min() < lengths.max() == rows.index.shape[1]
    torch.testing.assert_close(rows.weight.sum(1), torch.ones(len(lengths)))


def test_roughness_is_the_uniform_laplacian_of_the_control_mesh() -> None:
    made, plan = sphere()
    points = np.random.default_rng(2).normal(size=plan.start.shape)
    with torch.no_grad():
        made.control.copy_(torch.from_numpy(points.astype(np.float32)))
    around: list[set[int]] = [set() for _ in points]
    for face in plan.control.tolist():
        for vertex in face:
            around[vertex] |= set(face) - {vertex}
    squares = [((points[sorted(near)].mean(0) - points[i]) ** 2).sum() for i, near in enumerate(around)]
    assert float(made.roughness()) == pytest.approx(sum(squares) / (3 * len(points)), rel=1e-5)


@pytest.mark.parametrize("sigma", [0.7, 3.0])
def test_the_blur_is_a_gaussian_of_five_texels_mirrored_at_the_border(sigma: float) -> None:
    texels = np.random.default_rng(0).random((32, 32, 3))
    along = np.array([math.exp(-0.5 * (x / sigma) ** 2) for x in range(-2, 3)])
    along /= along.sum()
    expected = ndimage.correlate1d(ndimage.correlate1d(texels, along, 0, mode="mirror"), along, 1, mode="mirror")
    made = blurred_map(torch.from_numpy(texels.astype(np.float32)), sigma)
    np.testing.assert_allclose(made.numpy(), expected, atol=1e-6)


def test_a_normal_is_unit_and_never_points_below_the_surface() -> None:
    made, _ = sphere()
    with torch.no_grad():
        made.normal.copy_(2.0 * torch.rand(32, 32, 3, generator=torch.Generator().manual_seed(0)) - 1.0)
    normals = made.normals()
    torch.testing.assert_close(normals.norm(dim=-1), torch.ones(32, 32))
    assert float(normals[..., 2].min()) > 0.9 * LEAST_HEIGHT / math.sqrt(2.0 + LEAST_HEIGHT**2)


def test_maps_are_brought_back_into_their_ranges() -> None:
    made, _ = sphere()
    with torch.no_grad():
        made.colour.add_(5.0)
        made.normal.sub_(9.0)
    made.clamp()
    assert float(made.colour.min()) == 1.0 and float(made.normal.max()) == -1.0


def test_schedules_are_those_of_5000_steps_one_after_another() -> None:
    """The published recursions: w <- (w - .6) 10^(-1e-6 k) + .6 from 30 on, and a rate times 10^(-2e-4 k)."""
    config, weight = SphereConfig(), 30.0
    for k in range(5000):
        if k:
            weight = (weight - 0.6) * 10.0 ** (-1e-6 * k) + 0.6
        if k % 250 == 0:
            assert roughness_weight(k / 5000, config) == pytest.approx(weight, rel=2e-3)
            assert rate_share(k / 5000) == pytest.approx(10.0 ** (-2e-4 * k))
    assert roughness_weight(0.0, config) == 30.0 and roughness_weight(1.0, config) == pytest.approx(0.6)
