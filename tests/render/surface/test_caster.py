"""Nearest hits: against every triangle in plain torch, against closed forms, and on meshes that are not sound."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from render.surface.surfaces import CPU, ball, cameras, random_rays, square, torus
from torch import Tensor
from twins import torch_surface

from dreamfusion_engine.render.surface.caster import SurfaceCaster
from dreamfusion_engine.scene.cameras import camera_rays


def test_rays_meet_what_plain_torch_finds() -> None:
    vertices, triangles = torus()
    origins, directions = random_rays()
    found = SurfaceCaster(vertices, triangles, CPU).cast(origins, directions)
    expected = torch_surface.cast(vertices.double(), triangles, origins.double(), directions.double())
    assert 50 < int((expected.triangle >= 0).sum()) < 490
    same = found.triangle == expected.triangle
    assert same.float().mean() > 0.99  # single precision may see a ray near an edge the other way
    torch.testing.assert_close(found.depth[same], expected.depth[same].float(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.barycentric[same], expected.barycentric[same].float(), rtol=1e-2, atol=1e-3)


def test_a_plane_is_met_at_its_known_depth_and_weights() -> None:
    vertices, triangles = square(size=4.0, y=0.5)
    origins, directions = camera_rays(cameras(), 9, 9)
    hits = SurfaceCaster(vertices, triangles, CPU).cast(origins, directions)
    assert (hits.triangle >= 0).all()
    expected = 4.5 / directions[:, 1]
    torch.testing.assert_close(hits.depth, expected, rtol=1e-6, atol=1e-6)
    points = (hits.barycentric[:, :, None] * vertices[triangles.long()[hits.triangle]]).sum(1)
    torch.testing.assert_close(points, origins + expected[:, None] * directions, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(hits.barycentric.sum(1), torch.ones(81))


def test_a_ball_is_met_no_deeper_than_its_triangles_cut_it() -> None:
    """A triangle with edges up to e cuts the unit ball at most 1 - sqrt(1 - e^2 / 3) deep, along its normal."""
    vertices, triangles = ball(4)
    corners = vertices[triangles.long()]
    edge = float((corners - corners.roll(1, 1)).norm(dim=-1).max())
    sagitta = 1.0 - math.sqrt(1.0 - edge**2 / 3.0)
    origins, directions = camera_rays(cameras(0.7, 0.4), 64, 64)
    hits = SurfaceCaster(vertices, triangles, CPU).cast(origins, directions)
    along = (origins * directions).sum(-1)
    inside = along.square() - origins.square().sum(-1) + 1.0
    front = -along - inside.clamp_min(0.0).sqrt()
    sure = inside > 0.05  # a cosine of 0.22 and more at the surface
    assert int(sure.sum()) > 500
    deeper = hits.depth[sure] - front[sure]
    assert (deeper > -1e-5).all()
    assert (deeper * inside[sure].sqrt() < 1.3 * sagitta).all()
    assert torch.isinf(hits.depth[inside < -0.01]).all()


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_both_sides_of_a_triangle_are_met(side: float) -> None:
    caster = SurfaceCaster(*square(), CPU)
    hits = caster.cast(torch.tensor([[0.1, 3.0 * side, 0.2]]), torch.tensor([[0.0, -side, 0.0]]))
    assert float(hits.depth) == pytest.approx(3.0)


def test_what_lies_behind_is_not_met_and_the_nearer_of_two_is() -> None:
    near, far = square(y=0.0), square(y=1.0)
    vertices = torch.cat([far[0], near[0]])
    triangles = torch.cat([far[1], near[1] + 4])
    caster = SurfaceCaster(vertices, triangles, CPU)
    origin = torch.tensor([[0.1, -3.0, 0.2]])
    assert int(caster.cast(origin, torch.tensor([[0.0, 1.0, 0.0]])).triangle) in (2, 3)
    assert int(caster.cast(origin, torch.tensor([[0.0, -1.0, 0.0]])).triangle) == -1


def test_a_miss_is_minus_one_with_no_weight_at_no_depth() -> None:
    hits = SurfaceCaster(*ball(1), CPU).cast(torch.tensor([[0.0, -3.0, 5.0]]), torch.tensor([[0.0, 1.0, 0.0]]))
    assert hits.triangle.tolist() == [-1]
    assert hits.barycentric.tolist() == [[0.0, 0.0, 0.0]]
    assert hits.depth.tolist() == [math.inf]


@pytest.mark.parametrize(("share", "slip"), [(0.5, 0.0), (0.3, 0.0), (0.0, 0.01)], ids=["middles", "thirds", "corners"])
def test_rays_at_edges_of_a_closed_mesh_do_not_slip_through(share: float, slip: float) -> None:
    """At a corner that is also a corner of boxes their rounding may lose a ray: 6 of 1536 here."""
    vertices, triangles = ball(3)
    corners = vertices[triangles.long()]
    aims = corners.lerp(corners.roll(1, 1), share).view(-1, 3)
    origin = torch.tensor([0.1, -0.05, 0.2])  # inside, so that every ray must meet the ball
    directions = torch.nn.functional.normalize(aims - origin, dim=-1)
    hits = SurfaceCaster(vertices, triangles, CPU).cast(origin.expand_as(aims), directions)
    met = hits.triangle >= 0
    assert float((~met).float().mean()) <= slip
    torch.testing.assert_close(hits.depth[met], (aims - origin).norm(dim=-1)[met], rtol=1e-4, atol=1e-4)
    assert (hits.barycentric > -1e-6).all()


def test_a_ray_within_the_plane_of_a_triangle_does_not_meet_it() -> None:
    origins = torch.tensor([[-3.0, 0.0, 0.1], [-3.0, 1e-6, 0.1]])
    hits = SurfaceCaster(*square(), CPU).cast(origins, torch.tensor([[1.0, 0.0, 0.0]]).expand(2, 3))
    assert hits.triangle.tolist() == [-1, -1]
    assert (hits.barycentric == 0.0).all()


def test_a_refitted_mesh_finds_what_a_fresh_one_finds() -> None:
    vertices, triangles = torus()
    generator = torch.Generator().manual_seed(3)
    moved = 1.2 * vertices + 0.03 * torch.randn(vertices.shape, generator=generator) + 0.1
    refitted, fresh = SurfaceCaster(vertices, triangles, CPU), SurfaceCaster(moved, triangles, CPU)
    refitted.refit(moved)
    rays = random_rays(2000)
    found, expected = refitted.cast(*rays), fresh.cast(*rays)
    assert torch.equal(found.depth, expected.depth)
    same = found.triangle == expected.triangle
    assert same.float().mean() > 0.998  # of two triangles at the same depth either may be named
    assert torch.equal(found.barycentric[same], expected.barycentric[same])


def test_the_caster_has_copies_of_what_it_is_given() -> None:
    vertices, triangles = ball(2)
    caster, rays = SurfaceCaster(vertices, triangles, CPU), random_rays()
    before = caster.cast(*rays)
    vertices.mul_(5.0)
    triangles.zero_()
    assert torch.equal(caster.cast(*rays).depth, before.depth)


def test_a_mesh_without_triangles_is_met_by_no_ray() -> None:
    for vertices in (torch.zeros(0, 3), torch.zeros(3, 3)):
        caster = SurfaceCaster(vertices, torch.zeros(0, 3, dtype=torch.int32), CPU)
        caster.refit(vertices)
        assert (caster.cast(*random_rays(5)).triangle == -1).all()


def test_no_rays_are_no_trouble() -> None:
    hits = SurfaceCaster(*ball(1), CPU).cast(torch.zeros(0, 3), torch.zeros(0, 3))
    assert (hits.triangle.shape, hits.barycentric.shape, hits.depth.shape) == ((0,), (0, 3), (0,))


def test_triangles_without_area_are_met_by_no_ray() -> None:
    vertices = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [2.0, 0.0, 0.0]])
    triangles = torch.tensor([[0, 1, 2], [1, 1, 1], [0, 0, 1]])
    origins = torch.tensor([[0.5, -1.0, 0.0], [1.0, -1.0, 0.0], [-1.0, 0.0, 0.0]])
    directions = torch.tensor([[0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    assert (SurfaceCaster(vertices, triangles, CPU).cast(origins, directions).triangle == -1).all()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("late", [False, True], ids=["at first", "by a refit"])
def test_triangles_with_a_corner_that_is_not_finite_are_left_out(bad: float, late: bool) -> None:
    vertices, triangles = ball(2)
    broken = vertices.clone()
    broken[5, 1] = bad
    left = triangles[(triangles != 5).all(1)]
    caster = SurfaceCaster(vertices if late else broken, triangles, CPU)
    if late:
        caster.refit(broken)
    rays = random_rays(1000)
    found, expected = caster.cast(*rays), SurfaceCaster(vertices, left, CPU).cast(*rays)
    assert torch.equal(found.depth, expected.depth)
    caster.refit(vertices)
    assert torch.equal(caster.cast(*rays).depth, SurfaceCaster(vertices, triangles, CPU).cast(*rays).depth)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_rays_that_are_not_finite_meet_nothing(bad: float) -> None:
    origins = torch.tensor([[0.1, -3.0, 0.1], [bad, -3.0, 0.1], [0.1, -3.0, 0.1]])
    directions = torch.tensor([[0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [bad, 1.0, 0.0]])
    assert (SurfaceCaster(*ball(1), CPU).cast(origins, directions).triangle >= 0).tolist() == [True, False, False]


@pytest.mark.parametrize("triangles", [[[0, 1, 4]], [[-1, 0, 1]]])
def test_a_corner_that_is_no_vertex_is_refused(triangles: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="vertices 0 to 3"):
        SurfaceCaster(square()[0], torch.tensor(triangles), CPU)


def test_another_number_of_vertices_is_refused() -> None:
    with pytest.raises(ValueError, match="new caster"):
        SurfaceCaster(*square(), CPU).refit(torch.zeros(5, 3))


def test_a_mesh_of_200_thousand_triangles_is_met_all_over() -> None:
    vertices, triangles = torus(500, 200)
    assert len(triangles) == 200_000
    origins, directions = camera_rays(cameras(0.3, 0.8), 64, 64)
    hits = SurfaceCaster(vertices, triangles, CPU).cast(origins, directions)
    met = hits.triangle >= 0
    points = (origins + hits.depth[:, None] * directions)[met]
    tube = ((points[:, :2].norm(dim=-1) - 0.6).square() + points[:, 2].square()).sqrt()
    assert int(met.sum()) > 500
    torch.testing.assert_close(tube, torch.full_like(tube, 0.25), rtol=0.0, atol=2e-4)


@pytest.mark.parametrize("threads", [2, 3])
def test_any_number_of_threads_gives_the_same_bits(threads: int, set_threads: Callable[[int], None]) -> None:
    vertices, triangles = torus()
    results: list[list[Tensor]] = []
    for count in (1, threads):
        set_threads(count)
        results.append(list(vars(SurfaceCaster(vertices, triangles, CPU).cast(*random_rays(4000))).values()))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.cuda
def test_cuda_agrees_with_the_cpu() -> None:
    vertices, triangles = torus()
    rays, moved = random_rays(2000), 1.1 * vertices
    caster = SurfaceCaster(vertices, triangles, torch.device("cuda"))
    caster.refit(moved.cuda())
    found = caster.cast(*(x.cuda() for x in rays))
    expected = SurfaceCaster(moved, triangles, CPU).cast(*rays)
    same = found.triangle.cpu() == expected.triangle
    assert same.float().mean() > 0.99
    torch.testing.assert_close(found.depth.cpu()[same], expected.depth[same], rtol=1e-4, atol=1e-4)
