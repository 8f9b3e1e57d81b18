"""Normals as functions of the vertices: against the exported mesh's, finite differences and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from render.surface.surfaces import ball, cameras, seen, square, torus
from torch import Tensor

from dreamfusion_engine.mesh.surface import topology
from dreamfusion_engine.render.surface.hits import interpolated
from dreamfusion_engine.render.surface.normals import face_normals, vertex_normals


def test_vertex_normals_are_those_of_the_exported_mesh() -> None:
    vertices, triangles = torus()
    expected = topology.vertex_normals(vertices.numpy(), triangles.numpy())
    np.testing.assert_allclose(vertex_normals(vertices.double(), triangles).numpy(), expected, atol=1e-9)


def test_face_normals_point_out_of_a_ball_and_have_unit_length() -> None:
    vertices, triangles = ball(3)
    normals = face_normals(vertices, triangles)
    middles = torch.nn.functional.normalize(vertices[triangles.long()].mean(1), dim=-1)
    torch.testing.assert_close(normals.norm(dim=-1), torch.ones(len(triangles)))
    assert ((normals * middles).sum(-1) > 0.99).all()


def test_normals_between_the_vertices_of_a_ball_are_its_radii() -> None:
    vertices, triangles = ball(4)
    hits = seen(vertices, triangles, cameras(0.3, 0.2), 32)
    met = hits.triangle >= 0
    normals = torch.nn.functional.normalize(
        interpolated(vertex_normals(vertices, triangles), triangles, hits)[met], dim=-1
    )
    points = torch.nn.functional.normalize(interpolated(vertices, triangles, hits)[met], dim=-1)
    assert float((normals * points).sum(-1).min()) > 0.9999


@pytest.mark.parametrize("function", [face_normals, vertex_normals])
def test_gradients_are_finite_differences(function: object) -> None:
    vertices, triangles = ball(1)
    generator = torch.Generator().manual_seed(0)
    rough = (vertices + 0.1 * torch.randn(vertices.shape, generator=generator)).double().requires_grad_()

    def normals(moved: Tensor) -> Tensor:
        found: Tensor = function(moved, triangles)  # type: ignore[operator]
        return found

    assert torch.autograd.gradcheck(normals, (rough,))


@pytest.mark.parametrize("function", [face_normals, vertex_normals])
def test_triangles_without_area_have_no_normal_and_no_gradient(function: object) -> None:
    vertices = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [5.0, 5.0, 5.0]], requires_grad=True)
    triangles = torch.tensor([[0, 1, 2], [1, 1, 1]])
    normals: Tensor = function(vertices, triangles)  # type: ignore[operator]
    expected = [0.0, 0.0, 0.0] if function is face_normals else [0.0, 0.0, 1.0]
    assert normals.tolist() == [expected] * len(normals)
    (gradient,) = torch.autograd.grad(normals.sum(), vertices)
    assert (gradient == 0.0).all()


def test_no_triangles_are_no_trouble() -> None:
    none = torch.zeros(0, 3, dtype=torch.int32)
    assert face_normals(square()[0], none).shape == (0, 3)
    assert vertex_normals(square()[0], none).tolist() == [[0.0, 0.0, 1.0]] * 4
