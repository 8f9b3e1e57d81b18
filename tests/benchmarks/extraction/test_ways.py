"""Every way brings a ball nearer to a larger one, and each keeps what it promises."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.extraction.exact_shapes import WAYS
from benchmarks.extraction.views import cameras_around, picture_loss, sight_of
from dreamfusion_engine.mesh.surface.topology import is_manifold
from training.starter.exact_mesh import REACH

CELLS = 12


def ball(radius: float) -> torch.Tensor:
    """A ball's distances in cells."""
    axis = torch.linspace(-REACH, REACH, CELLS + 1)
    x, y, z = torch.meshgrid(axis, axis, axis, indexing="ij")
    return (torch.sqrt(x**2 + y**2 + z**2) - radius) * (0.5 * CELLS / REACH)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(WAYS))
def test_a_ball_grows_to_a_larger_one_in_the_pictures(name: str) -> None:
    cameras = cameras_around(2, seed=0)
    vertices, triangles = WAYS["flexible"](ball(0.65)).surface()
    wanted = sight_of(vertices.detach(), triangles, cameras, 32)
    way = WAYS[name](ball(0.55))
    before = np.linalg.norm(way.result()[0], axis=1).mean()
    losses = []
    for step in range(12):
        seen = sight_of(*way.surface(), cameras, 32)
        loss = picture_loss(seen, wanted)
        way.step(loss, step / 12)
        losses.append(float(loss.detach()))
    vertices_after, triangles_after = way.result()
    assert losses[-1] < losses[0]
    assert before < np.linalg.norm(vertices_after, axis=1).mean() < 0.68
    assert is_manifold(triangles_after) and vertices_after.dtype == np.float32
