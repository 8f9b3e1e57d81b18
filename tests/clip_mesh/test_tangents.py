"""Tangents with gradients against those of the exported file, and against differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from dreamfusion_engine.clip_mesh.sphere import SpherePlan
from dreamfusion_engine.clip_mesh.tangents import CornerTangents
from dreamfusion_engine.config.stages import SphereConfig
from dreamfusion_engine.mesh.surface.topology import vertex_normals as normals_of
from dreamfusion_engine.mesh.tangents import corner_tangents
from dreamfusion_engine.render.surface.normals import vertex_normals

PLAN = SpherePlan(SphereConfig(level=1, limit=1, maps=64), 1)
TANGENTS = CornerTangents(PLAN.triangles, PLAN.uv, torch.device("cpu"))


def bent(seed: int = 0) -> Tensor:
    control = PLAN.start + 0.15 * np.random.default_rng(seed).normal(size=PLAN.start.shape)
    return torch.from_numpy((PLAN.matrix @ control).astype(np.float32))


def test_they_are_those_of_the_file() -> None:
    vertices = bent()
    made = TANGENTS(vertices, vertex_normals(vertices, torch.from_numpy(PLAN.triangles)))
    points = vertices.numpy()
    expected = corner_tangents(points, PLAN.triangles, normals_of(points, PLAN.triangles), PLAN.uv)
    assert (expected[..., 3] == 1.0).all(), "no chart is mirrored"
    np.testing.assert_allclose(made.numpy(), expected[..., :3], atol=2e-4)


def test_gradients_agree_with_finite_differences() -> None:
    vertices = bent(3).requires_grad_(True)
    triangles = torch.from_numpy(PLAN.triangles)
    weights = torch.randn(len(triangles), 3, 3, generator=torch.Generator().manual_seed(0))

    def value(points: Tensor) -> Tensor:
        return (weights * TANGENTS(points, vertex_normals(points, triangles))).sum()

    (gradient,) = torch.autograd.grad(value(vertices), vertices)
    direction, h = gradient / gradient.norm(), 2e-3
    ends = [float(value(vertices.detach() + sign * h * direction)) for sign in (1.0, -1.0)]
    assert (ends[0] - ends[1]) / (2.0 * h) == pytest.approx(float(gradient.norm()), rel=0.02)
