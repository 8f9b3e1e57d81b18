"""What cameras see of a ball, and that a loss of pictures pulls its vertices the right way."""

from __future__ import annotations

import math

import numpy as np
import torch
from mesh.shapes import icosphere

from benchmarks.extraction.views import DISTANCE, cameras_around, picture_loss, sight_of

CAMERAS = cameras_around(2, seed=0)


def ball(radius: float) -> tuple[torch.Tensor, torch.Tensor]:
    vertices, triangles = icosphere(3, radius)
    return torch.from_numpy(vertices.astype(np.float32)), torch.from_numpy(triangles)


def test_a_ball_has_its_area_depth_and_normals() -> None:
    seen = sight_of(*ball(0.6), CAMERAS, 64)
    angle = math.tan(math.asin(0.6 / DISTANCE)) * float(CAMERAS.focal[0]) * 64
    np.testing.assert_allclose(seen.mask.sum((1, 2)), math.pi * angle**2, rtol=0.02)
    middle = seen.depth[:, 31:33, 31:33]
    np.testing.assert_allclose(middle, DISTANCE - 0.6, atol=0.01)
    towards = torch.nn.functional.normalize(CAMERAS.position, dim=-1)
    assert ((seen.normal[:, 31:33, 31:33] * towards[:, None, None]).sum(-1) > 0.98).all()
    assert (seen.normal[~seen.met] == 0.0).all() and not seen.met.all()


def test_the_loss_is_nothing_on_the_wanted_surface_and_pulls_a_small_ball_outward() -> None:
    wanted = sight_of(*ball(0.6), CAMERAS, 64)
    assert float(picture_loss(wanted, wanted)) == 0.0
    vertices, triangles = ball(0.55)
    moved = vertices.clone().requires_grad_()
    loss = picture_loss(sight_of(moved, triangles, CAMERAS, 64), wanted)
    (gradient,) = torch.autograd.grad(loss, moved)
    assert float(loss.detach()) > 0.1 and float((gradient * vertices).sum()) < 0.0


def test_some_views_are_those_rows() -> None:
    seen = sight_of(*ball(0.6), CAMERAS, 16)
    second = seen.rows(torch.tensor([1]))
    assert torch.equal(second.mask[0], seen.mask[1]) and torch.equal(second.normal[0], seen.normal[1])
