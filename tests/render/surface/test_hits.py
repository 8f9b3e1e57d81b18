"""Gradients of weights, depths and positions: against finite differences in double precision, and closed forms."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from render.surface.surfaces import CPU, ball, cameras, random_rays, seen, square, torus
from torch import Tensor
from twins import torch_surface

from dreamfusion_engine.render.surface.caster import SurfaceCaster
from dreamfusion_engine.render.surface.hits import SurfaceHits, differentiable_hits, interpolated
from dreamfusion_engine.scene.cameras import camera_rays


def torus_hits(count: int = 500) -> tuple[Tensor, Tensor, SurfaceHits, tuple[Tensor, Tensor]]:
    """Vertices that ask for gradients, triangles, hits as cast, and the rays that are not nearly within a triangle."""
    vertices, triangles = torus()
    origins, directions = random_rays(count)
    hits = SurfaceCaster(vertices, triangles, CPU).cast(origins, directions)
    corners = vertices[triangles.long()[hits.triangle.clamp_min(0)]]
    normal = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    clear = (torch.nn.functional.normalize(normal, dim=-1) * directions).sum(-1).abs() > 0.1
    kept = SurfaceHits(*(x[clear] for x in (hits.triangle, hits.barycentric, hits.depth)))
    return vertices.requires_grad_(), triangles, kept, (origins[clear], directions[clear])


def test_weights_and_depths_are_those_that_were_cast() -> None:
    vertices, triangles, hits, rays = torus_hits()
    again = differentiable_hits(hits, vertices, triangles, *rays)
    assert torch.equal(again.triangle, hits.triangle)
    torch.testing.assert_close(again.depth, hits.depth, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(again.barycentric, hits.barycentric, rtol=0.0, atol=1e-3)


def test_hits_follow_vertices_that_have_moved_since_the_cast() -> None:
    vertices, triangles = square()
    origins, directions = torch.tensor([[0.1, -3.0, 0.2]]), torch.tensor([[0.0, 1.0, 0.0]])
    hits = SurfaceCaster(vertices, triangles, CPU).cast(origins, directions)
    moved = differentiable_hits(hits, vertices + torch.tensor([0.05, 0.25, 0.0]), triangles, origins, directions)
    assert float(moved.depth) == pytest.approx(3.25)
    assert float(moved.barycentric[0, 1] - hits.barycentric[0, 1]) == pytest.approx(-0.05, abs=1e-6)


def test_kernels_agree_with_plain_torch_in_values_and_gradients() -> None:
    vertices, triangles, hits, rays = torus_hits()
    values = torch.randn(len(vertices), 5, generator=torch.Generator().manual_seed(4)).requires_grad_()
    upstream = torch.randn(len(hits), 5, generator=torch.Generator().manual_seed(5))
    met = hits.triangle >= 0
    results = []
    for module, precision in ((None, torch.float32), (torch_surface, torch.float64)):
        v, c = (x.detach().to(precision).requires_grad_() for x in (vertices, values))
        o, d = (x.to(precision) for x in rays)
        find = differentiable_hits if module is None else module.differentiable_hits
        mix = interpolated if module is None else module.interpolated
        found = find(hits, v, triangles, o, d)
        carried = mix(c, triangles, found)
        loss = (carried * upstream).sum() + (found.depth[met] * upstream[met, 0]).sum()
        gradients = torch.autograd.grad(loss, [v, c])
        results.append([x.detach().float() for x in (found.barycentric, found.depth, carried, *gradients)])
    for ours, theirs in zip(*results, strict=True):
        scale = float(theirs[torch.isfinite(theirs)].abs().max())
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4 * scale)


def test_the_twins_gradients_are_finite_differences_in_double_precision() -> None:
    vertices, triangles, hits, rays = torus_hits(40)
    met = hits.triangle >= 0
    assert int(met.sum()) > 5

    def function(moved: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        found = torch_surface.differentiable_hits(hits, moved, triangles, rays[0].double(), rays[1].double())
        return found.barycentric, found.depth[met], torch_surface.interpolated(moved, triangles, found)

    assert torch.autograd.gradcheck(function, (vertices.detach().double().requires_grad_(),), fast_mode=True)


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_a_plane_that_comes_nearer_makes_depths_shorter(side: float) -> None:
    """Along the unit ray d a plane across Y that moves by dy changes the depth by dy / d_y."""
    vertices, triangles = square(size=4.0)
    vertices.requires_grad_()
    origins, directions = camera_rays(cameras(), 5, 5)
    flipped = torch.tensor([1.0, side, 1.0])
    origins, directions = origins * flipped, directions * flipped
    hits = SurfaceCaster(vertices, triangles, CPU).cast(origins, directions)
    depth = differentiable_hits(hits, vertices, triangles, origins, directions).depth
    (gradient,) = torch.autograd.grad(depth.sum(), vertices)
    torch.testing.assert_close(gradient[:, 1].sum(), (1.0 / directions[:, 1]).sum())


def test_a_plane_that_slides_in_itself_keeps_depths_and_moves_what_it_carries() -> None:
    vertices, triangles = square(size=4.0)
    vertices.requires_grad_()
    hits = seen(vertices, triangles, cameras(), 6)
    (to_depth,) = torch.autograd.grad(hits.depth.sum(), vertices, retain_graph=True)
    assert to_depth[:, [0, 2]].sum(0).abs().max() < 1e-5
    carried = interpolated(vertices.detach(), triangles, hits)  # what was painted at x
    (to_carried,) = torch.autograd.grad(carried[:, 0].sum(), vertices)
    assert float(to_carried[:, 0].sum()) == pytest.approx(-36.0, rel=1e-4)  # each of 36 pixels sees x - dx


def test_positions_lie_on_their_rays_whatever_moves() -> None:
    """The point under a ray has no gradient across the ray."""
    vertices, triangles = ball(2)
    vertices.requires_grad_()
    origins, directions = camera_rays(cameras(0.4, 0.3), 12, 12)
    hits = seen(vertices, triangles, cameras(0.4, 0.3), 12)
    met = hits.triangle >= 0
    points = interpolated(vertices, triangles, hits)
    torch.testing.assert_close(points[met], (origins + hits.depth[:, None] * directions)[met], rtol=1e-5, atol=1e-5)
    across = torch.linalg.cross(directions, torch.tensor([[0.0, 0.0, 1.0]]).expand_as(directions))
    (gradient,) = torch.autograd.grad((points * across)[met].sum(), vertices)
    assert gradient.abs().max() < 1e-4


def test_corners_may_carry_values_of_their_own() -> None:
    vertices, triangles = square()
    corner_values = torch.arange(6.0).view(2, 3, 1).requires_grad_()
    hits = SurfaceHits(
        triangle=torch.tensor([1, -1, 0]),
        barycentric=torch.tensor([[0.5, 0.25, 0.25], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),
        depth=torch.tensor([1.0, torch.inf, 1.0]),
    )
    found = interpolated(corner_values, triangles, hits)
    assert found[:, 0].tolist() == [3.75, 0.0, 2.0]
    (gradient,) = torch.autograd.grad(found.sum(), corner_values)
    assert gradient.flatten().tolist() == [0.0, 0.0, 1.0, 0.5, 0.25, 0.25]


def test_a_grazing_ray_keeps_its_hit_and_gives_no_gradient() -> None:
    vertices, triangles = square()
    vertices.requires_grad_()
    origins = torch.tensor([[-3.0, -1e-3, 0.1], [-3.0, -1.0, 0.1]])
    directions = torch.nn.functional.normalize(torch.tensor([[3.0, 1e-3, 0.0], [3.0, 1.0, 0.0]]), dim=-1)
    hits = SurfaceCaster(vertices, triangles, CPU).cast(origins, directions)
    assert (hits.triangle >= 0).all()
    found = differentiable_hits(hits, vertices, triangles, origins, directions)
    assert torch.equal(found.depth[0], hits.depth[0]) and torch.equal(found.barycentric[0], hits.barycentric[0])
    gradients = [torch.autograd.grad(depth, vertices, retain_graph=True)[0] for depth in found.depth]
    assert (gradients[0] == 0.0).all() and (gradients[1] != 0.0).any()


def test_misses_give_no_gradient_whatever_comes_from_above() -> None:
    vertices, triangles = ball(1)
    vertices.requires_grad_()
    origins, directions = torch.tensor([[0.0, -3.0, 5.0]]), torch.tensor([[0.0, 1.0, 0.0]])
    hits = SurfaceCaster(vertices, triangles, CPU).cast(origins, directions)
    found = differentiable_hits(hits, vertices, triangles, origins, directions)
    (gradient,) = torch.autograd.grad(found.depth.sum() * torch.nan + found.barycentric.sum() * torch.nan, vertices)
    assert (gradient == 0.0).all()


@pytest.mark.parametrize("count", [0, 3])
def test_no_rays_and_no_triangles_are_no_trouble(count: int) -> None:
    vertices = torch.zeros(count, 3, requires_grad=True)
    triangles = torch.zeros(0, 3, dtype=torch.int32)
    for rays in (random_rays(4), (torch.zeros(0, 3), torch.zeros(0, 3))):
        hits = SurfaceCaster(vertices, triangles, CPU).cast(*rays)
        found = differentiable_hits(hits, vertices, triangles, *rays)
        carried = interpolated(vertices, triangles, found)
        assert carried.shape == (len(rays[0]), 3) and (carried == 0.0).all()
        carried.sum().backward()
        assert vertices.grad is not None and (vertices.grad == 0.0).all()


@pytest.mark.parametrize("threads", [2, 3])
def test_any_number_of_threads_gives_the_same_bits(threads: int, set_threads: Callable[[int], None]) -> None:
    vertices, triangles = ball(3)
    vertices.requires_grad_()
    results = []
    for count in (1, threads):
        set_threads(count)
        hits = seen(vertices, triangles, cameras(), 80)
        carried = interpolated(vertices, triangles, hits).square().sum() + hits.depth[hits.triangle >= 0].sum()
        results.append((hits.barycentric, hits.depth, *torch.autograd.grad(carried, vertices)))
    # Sums by torch of the pictures' values may differ; the gradients are of each ray alone.
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.cuda
def test_cuda_agrees_with_the_cpu() -> None:
    vertices, triangles, hits, rays = torus_hits()
    found = []
    for device in ("cpu", "cuda"):
        v = vertices.detach().to(device).requires_grad_()
        there = SurfaceHits(*(x.to(device) for x in (hits.triangle, hits.barycentric, hits.depth)))
        again = differentiable_hits(there, v, triangles.to(device), *(x.to(device) for x in rays))
        carried = interpolated(v, triangles.to(device), again)
        (gradient,) = torch.autograd.grad(carried.square().sum(), v)
        found.append([x.detach().cpu() for x in (again.barycentric, again.depth, carried, gradient)])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(theirs, ours, rtol=1e-3, atol=1e-3)
