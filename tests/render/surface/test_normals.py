"""Normals as functions of the vertices: against the exported mesh's, finite differences and closed forms."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from render.surface.surfaces import ball, cameras, seen, square, torus
from torch import Tensor
from twins import torch_surface

from dreamfusion_engine.mesh.surface import topology
from dreamfusion_engine.render.surface.hits import interpolated
from dreamfusion_engine.render.surface.normals import face_normals, vertex_normals

Function = Callable[[Tensor, Tensor], Tensor]


def test_vertex_normals_are_those_of_the_exported_mesh() -> None:
    vertices, triangles = torus()
    expected = topology.vertex_normals(vertices.numpy(), triangles.numpy())
    np.testing.assert_allclose(vertex_normals(vertices, triangles).numpy(), expected, atol=1e-5)


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


def rough_ball(subdivisions: int) -> tuple[Tensor, Tensor]:
    vertices, triangles = ball(subdivisions)
    generator = torch.Generator().manual_seed(0)
    return vertices + 0.1 * torch.randn(vertices.shape, generator=generator), triangles


@pytest.mark.parametrize(
    ("ours", "twin"), [(face_normals, torch_surface.face_normals), (vertex_normals, torch_surface.vertex_normals)]
)
def test_kernels_agree_with_plain_torch_in_values_and_gradients(ours: Function, twin: Function) -> None:
    vertices, triangles = rough_ball(3)
    results = []
    for function, precision in ((ours, torch.float32), (twin, torch.float64)):
        v = vertices.to(precision).requires_grad_()
        normals = function(v, triangles)
        upstream = torch.randn(normals.shape, generator=torch.Generator().manual_seed(1)).to(precision)
        results.append((normals.detach().float(), torch.autograd.grad(normals, v, upstream)[0].float()))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4 * float(b.abs().max()))


@pytest.mark.parametrize("twin", [torch_surface.face_normals, torch_surface.vertex_normals])
def test_the_twins_gradients_are_finite_differences_in_double_precision(twin: Function) -> None:
    vertices, triangles = rough_ball(1)
    assert torch.autograd.gradcheck(lambda moved: twin(moved, triangles), (vertices.double().requires_grad_(),))


def test_normals_of_what_is_shown_are_the_same_bits_without_the_rest() -> None:
    vertices, triangles = rough_ball(3)
    hits = seen(vertices, triangles, cameras(0.3, 0.2), 12)
    hits = hits.of((hits.triangle >= 0).nonzero()[:, 0])
    assert 20 < len(hits) < len(triangles)
    results = []
    for shown in (None, hits.triangle):
        moving = vertices.clone().requires_grad_()
        found = interpolated(vertex_normals(moving, triangles, shown), triangles, hits)
        (gradient,) = torch.autograd.grad(found, moving, torch.ones_like(found).cumsum(0))
        results.append((found.detach(), gradient))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize("function", [face_normals, vertex_normals])
def test_triangles_without_area_have_no_normal_and_no_gradient(function: Function) -> None:
    vertices = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [5.0, 5.0, 5.0]], requires_grad=True)
    triangles = torch.tensor([[0, 1, 2], [1, 1, 1]])
    normals = function(vertices, triangles)
    expected = [0.0, 0.0, 0.0] if function is face_normals else [0.0, 0.0, 1.0]
    assert normals.tolist() == [expected] * len(normals)
    (gradient,) = torch.autograd.grad(normals.sum(), vertices)
    assert (gradient == 0.0).all()


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e30])
def test_a_vertex_that_is_not_finite_counts_nowhere(bad: float) -> None:
    """Or so far away that its triangles' areas are not."""
    vertices, triangles = ball(2)
    sound = torch.ones(len(vertices), dtype=torch.bool)
    sound[5] = False
    expected = vertex_normals(vertices, triangles[(triangles != 5).all(1)])[sound]
    vertices[5, 1] = bad
    vertices.requires_grad_()
    found = vertex_normals(vertices, triangles)
    torch.testing.assert_close(found[sound], expected)
    (gradient,) = torch.autograd.grad(found.sum(), vertices)
    assert torch.isfinite(gradient).all() and (gradient[5] == 0.0).all()


def test_no_triangles_are_no_trouble() -> None:
    none = torch.zeros(0, 3, dtype=torch.int32)
    assert face_normals(square()[0], none).shape == (0, 3)
    assert vertex_normals(square()[0], none).tolist() == [[0.0, 0.0, 1.0]] * 4


@pytest.mark.parametrize("threads", [2, 3])
def test_any_number_of_threads_gives_the_same_bits(threads: int, set_threads: Callable[[int], None]) -> None:
    vertices, triangles = rough_ball(4)
    vertices.requires_grad_()
    results = []
    for count in (1, threads):
        set_threads(count)
        normals = vertex_normals(vertices, triangles)
        results.append((normals, *torch.autograd.grad(normals, vertices, torch.ones_like(normals).cumsum(0))))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.cuda
def test_cuda_agrees_with_the_cpu() -> None:
    results = []
    for device in ("cpu", "cuda"):
        vertices, triangles = (x.to(device) for x in rough_ball(3))
        normals = vertex_normals(vertices.requires_grad_(), triangles)
        (gradient,) = torch.autograd.grad(normals[:, 0].sum(), vertices)
        results.append([x.detach().cpu() for x in (normals, gradient)])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(theirs, ours, rtol=1e-3, atol=1e-3)
