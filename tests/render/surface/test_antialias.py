"""Silhouettes: areas and their derivatives by closed forms, and a search of all edges in plain torch."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from mesh.shapes import cube
from render.surface.surfaces import ball, cameras, seen, square, torus
from torch import Tensor
from twins import torch_surface

from dreamfusion_engine.render.surface.antialias import antialiased, edge_neighbours
from dreamfusion_engine.render.surface.hits import SurfaceHits
from dreamfusion_engine.scene.cameras import Cameras

PIXELS = 64
VIEW = cameras()
SCALE = float(VIEW.focal) * PIXELS / 4.0  # pixels of a world unit at the middle


def turned(vertices: Tensor, angle: float) -> Tensor:
    """Turned around the front camera's view, the axis Y."""
    c, s = math.cos(angle), math.sin(angle)
    return vertices @ torch.tensor([[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]])


def box() -> tuple[Tensor, Tensor]:
    vertices, triangles = cube((-0.7, -0.7, -0.7), 1.4)
    return torch.from_numpy(vertices).float(), torch.from_numpy(triangles)


def coverage(vertices: Tensor, triangles: Tensor, views: Cameras = VIEW, pixels: int = PIXELS) -> Tensor:
    """White on black, [H, W]."""
    hits = seen(vertices.detach(), triangles, views, pixels)
    white = (hits.triangle >= 0).to(vertices.dtype).view(1, pixels, pixels, 1)
    return antialiased(white, hits, vertices, triangles, views)[0, :, :, 0]


@pytest.mark.parametrize("angle", [0.0, 0.2, math.pi / 4, 1.0])
def test_the_coverage_of_a_square_is_its_area_and_grows_as_it_does(angle: float) -> None:
    vertices, triangles = square(size=1.23)
    scale = torch.tensor(1.0, requires_grad=True)
    total = coverage(turned(vertices, angle) * scale, triangles).sum()
    (gradient,) = torch.autograd.grad(total, scale)
    area = (1.23 * SCALE) ** 2
    assert total.item() == pytest.approx(area, rel=0.01)
    assert gradient.item() == pytest.approx(2.0 * area, rel=0.04)


@pytest.mark.parametrize("angle", [0.0, 0.2, math.pi / 4, 1.0])
def test_a_square_that_moves_carries_its_coverage_along(angle: float) -> None:
    """The first moment of the coverage grows by the area for each pixel of the way."""
    vertices, triangles = square(size=1.23)
    shift = torch.zeros(3, requires_grad=True)
    covered = coverage(turned(vertices, angle) + shift, triangles)
    columns = torch.arange(PIXELS) + 0.5
    area = (1.23 * SCALE) ** 2
    (right,) = torch.autograd.grad((covered * columns).sum(), shift, retain_graph=True)
    (down,) = torch.autograd.grad((covered * columns[:, None]).sum(), shift, retain_graph=True)
    (total,) = torch.autograd.grad(covered.sum(), shift)
    assert float(right[0]) == pytest.approx(area * SCALE, rel=0.04)
    assert float(down[2]) == pytest.approx(-area * SCALE, rel=0.04)
    assert max(abs(float(right[2])), abs(float(down[0]))) < 0.04 * area * SCALE
    assert total[[0, 2]].abs().max() < 0.02 * area


def test_a_square_that_leaves_the_picture_loses_what_leaves() -> None:
    """Half in the picture, d area / d x is the height of the square."""
    vertices, triangles = square(size=1.23)
    begin = torch.tensor([-2.0 / float(VIEW.focal), 0.0, 0.0])  # the left border
    shift = torch.zeros(3, requires_grad=True)
    total = coverage(vertices + begin + shift, triangles).sum()
    (gradient,) = torch.autograd.grad(total, shift)
    assert total.item() == pytest.approx(0.5 * (1.23 * SCALE) ** 2, rel=0.02)
    assert float(gradient[0]) == pytest.approx(1.23 * SCALE * SCALE, rel=0.04)  # 26 rows of 26.9


@pytest.mark.parametrize("subdivisions", [2, 5])
def test_a_ball_of_large_and_of_tiny_triangles_grows_as_its_disc(subdivisions: int) -> None:
    """Triangles of the finer ball are smaller than pixels, so the walk must find the edges."""
    vertices, triangles = ball(subdivisions, 0.9)
    scale = torch.tensor(1.0, requires_grad=True)
    total = coverage(vertices * scale, triangles).sum()
    (gradient,) = torch.autograd.grad(total, scale)

    def disc(radius: float) -> float:
        """Seen from 4 away a ball covers the disc of its tangent cone."""
        return math.pi * (float(VIEW.focal) * PIXELS * radius) ** 2 / (16.0 - radius**2)

    assert total.item() == pytest.approx(disc(0.9), rel=0.07 if subdivisions == 2 else 0.01)
    slope = 0.9 * (disc(0.901) - disc(0.899)) / 0.002
    assert gradient.item() == pytest.approx(slope, rel=0.1 if subdivisions == 2 else 0.05)


@pytest.mark.parametrize(("right", "sign"), [(True, 1.0), (False, -1.0)], ids=["right edge", "left edge"])
def test_a_loss_that_wants_more_of_a_side_moves_the_edge_there(right: bool, sign: float) -> None:
    vertices, triangles = square()
    vertices.requires_grad_()
    covered = coverage(vertices, triangles)
    half = covered[:, PIXELS // 2 :] if right else covered[:, : PIXELS // 2]
    (gradient,) = torch.autograd.grad(half.sum(), vertices)
    edge = vertices.detach()[:, 0] * sign > 0.0
    assert (sign * gradient[edge, 0] > 0.0).all()
    assert gradient[~edge, 0].abs().max() < 1e-4


@pytest.mark.parametrize("offset", [0.0, 0.1, 0.3, 0.49, 0.51, 0.7, 0.9])
def test_a_pixel_is_as_white_as_it_is_covered(offset: float) -> None:
    """An upright edge so many pixels from the left side of a pixel covers that share of it, and no other in part."""
    vertices, triangles = square(size=1.0)
    place = math.floor(0.5 * SCALE) + offset
    covered = coverage(vertices * (2.0 * place / SCALE), triangles)[PIXELS // 2]
    expected = torch.zeros(PIXELS)
    expected[PIXELS // 2 : PIXELS // 2 + math.floor(place)] = 1.0
    expected[PIXELS // 2 + math.floor(place)] = offset
    torch.testing.assert_close(covered[PIXELS // 2 :], expected[PIXELS // 2 :], rtol=0.0, atol=1e-3)


@pytest.mark.parametrize("elevation", [0.3, 1.2])
def test_a_torus_grows_as_its_fine_silhouette_does(elevation: float) -> None:
    """Against a count of the pixels of large pictures; parts of the torus hide others, and it has a hole."""
    vertices, triangles = torus(64, 32)
    views = cameras(0.3, elevation)
    scale = torch.tensor(1.5, requires_grad=True)
    total = coverage(vertices * scale, triangles, views).sum()
    (gradient,) = torch.autograd.grad(total, scale)

    def counted(size: float) -> float:
        hits = seen(vertices * size, triangles, views, 768)
        return float((hits.triangle >= 0).sum()) * (PIXELS / 768) ** 2

    assert total.item() == pytest.approx(counted(1.5), rel=0.01)
    assert gradient.item() == pytest.approx((counted(1.55) - counted(1.45)) / 0.1, rel=0.05)


@pytest.mark.parametrize("shape", ["ball", "square", "cube"])
def test_the_walk_finds_what_a_search_of_all_edges_finds(shape: str) -> None:
    vertices, triangles = {"ball": lambda: ball(2), "square": square, "cube": box}[shape]()
    views = cameras(0.4, 0.3)
    pixels = 20
    hits = seen(vertices, triangles, views, pixels)
    image = torch.rand(1, pixels, pixels, 2, generator=torch.Generator().manual_seed(0))
    upstream = torch.randn(image.shape, generator=torch.Generator().manual_seed(1))
    results = []
    for function, precision in ((antialiased, torch.float32), (torch_surface.antialiased, torch.float64)):
        v, picture = (x.detach().to(precision).requires_grad_() for x in (vertices, image))
        exact = Cameras(**{name: x.to(precision) for name, x in vars(views).items()})
        blended = function(picture, hits, v, triangles, exact)
        gradients = torch.autograd.grad(blended, (v, picture), upstream.to(precision))
        results.append([x.detach().float() for x in (blended, *gradients)])
    assert not torch.equal(results[0][0], image)
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)


def test_the_twins_gradients_are_finite_differences_in_double_precision() -> None:
    vertices, triangles = ball(1)
    hits = seen(vertices, triangles, VIEW, 8)
    image = torch.rand(1, 8, 8, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    views = Cameras(**{name: x.double() for name, x in vars(VIEW).items()})

    def function(moved: Tensor, picture: Tensor) -> Tensor:
        return torch_surface.antialiased(picture, hits, moved, triangles, views)

    inputs = (vertices.double().requires_grad_(), image.requires_grad_())
    assert torch.autograd.gradcheck(function, inputs, fast_mode=True)


def test_descent_along_the_gradient_moves_a_ball_to_where_a_picture_shows_it() -> None:
    vertices, triangles = ball(2, 0.6)
    there = torch.tensor([0.25, 0.0, -0.15])
    across = torch.tensor([1.0, 0.0, 1.0])  # nearer and larger look alike
    wanted = coverage(vertices * 1.2 + there, triangles, pixels=32)
    shift, scale = torch.zeros(3, requires_grad=True), torch.ones((), requires_grad=True)
    adam = torch.optim.Adam([shift, scale], lr=0.03)
    for _ in range(30):
        adam.zero_grad()
        (coverage(vertices * scale + shift * across, triangles, pixels=32) - wanted).square().sum().backward()
        adam.step()
    assert (shift - there)[[0, 2]].abs().max() < 0.02
    assert scale.item() == pytest.approx(1.2, abs=0.02)


def test_what_lies_behind_blends_with_nothing() -> None:
    """A small square behind a large one, and the large one's edges beyond the picture."""
    near, far = square(size=8.0), square(size=0.7, y=1.0)
    vertices = torch.cat([near[0], far[0]]).requires_grad_()
    triangles = torch.cat([near[1], far[1] + 4])
    hits = seen(vertices.detach(), triangles, VIEW, 32)
    image = torch.rand(1, 32, 32, 3)
    blended = antialiased(image, hits, vertices, triangles, VIEW)
    assert torch.equal(blended, image)


def test_the_nearer_of_two_squares_has_the_edge() -> None:
    near, far = square(size=0.7), square(size=8.0, y=1.0)
    vertices = torch.cat([near[0], far[0]]).requires_grad_()
    triangles = torch.cat([near[1], far[1] + 4])
    hits = seen(vertices.detach(), triangles, VIEW, PIXELS)
    image = (hits.triangle < 2).float().view(1, PIXELS, PIXELS, 1)
    blended = antialiased(image, hits, vertices, triangles, VIEW)
    assert blended.sum().item() == pytest.approx((0.7 * SCALE) ** 2, rel=0.01)
    (gradient,) = torch.autograd.grad(blended.sum(), vertices)
    assert (gradient[:4] != 0.0).any() and (gradient[4:] == 0.0).all()


def test_inner_edges_of_a_smooth_surface_blend_nothing() -> None:
    """Everything that the picture of a convex body shows is one sheet."""
    vertices, triangles = ball(2, 3.0)
    views = cameras(distance=5.0, fov=0.3)
    hits = seen(vertices, triangles, views, 32)
    assert (hits.triangle >= 0).all()
    image = torch.rand(1, 32, 32, 3)
    assert torch.equal(antialiased(image, hits, vertices, triangles, views), image)


def test_several_views_are_blended_each_by_its_own_camera() -> None:
    vertices, triangles = torus()
    one, two = cameras(0.3, 0.5), cameras(2.0, -0.2, distance=3.0)
    both = Cameras(**{name: torch.cat([vars(one)[name], vars(two)[name]]) for name in vars(one)})
    parts = [
        (hits.triangle >= 0).float().view(1, 24, 24, 1)
        for hits in (seen(vertices, triangles, c, 24) for c in (one, two))
    ]
    alone = [
        antialiased(image, seen(vertices, triangles, c, 24), vertices, triangles, c)
        for image, c in zip(parts, (one, two), strict=True)
    ]
    together = antialiased(torch.cat(parts), seen(vertices, triangles, both, 24), vertices, triangles, both)
    torch.testing.assert_close(together, torch.cat(alone))


def test_a_colour_that_is_the_same_everywhere_stays() -> None:
    vertices, triangles = torus()
    hits = seen(vertices, triangles, VIEW, 32)
    grey = torch.full((1, 32, 32, 3), 0.4)
    assert torch.equal(antialiased(grey, hits, vertices, triangles, VIEW), grey)


def test_vertices_behind_the_camera_are_no_trouble() -> None:
    """A floor that runs under the camera and behind it."""
    vertices = torch.tensor([[-9.0, -9.0, -1.0], [9.0, -9.0, -1.0], [9.0, 9.0, -1.0], [-9.0, 9.0, -1.0]])
    vertices.requires_grad_()
    triangles = torch.tensor([[0, 1, 2], [0, 2, 3]])
    hits = seen(vertices.detach(), triangles, VIEW, 16)
    assert (hits.triangle >= 0).any()
    blended = antialiased(torch.rand(1, 16, 16, 3), hits, vertices, triangles, VIEW)
    (gradient,) = torch.autograd.grad(blended.sum(), vertices)
    assert torch.isfinite(gradient).all()


def test_neighbours_lie_across_their_edges() -> None:
    _, triangles = square()
    assert edge_neighbours(triangles).tolist() == [[-1, -1, 1], [0, -1, -1]]
    _, closed = torus(6, 5)
    around = edge_neighbours(closed)
    for face, row in enumerate(around.tolist()):
        for k, other in enumerate(row):
            edge = {int(closed[face, k]), int(closed[face, (k + 1) % 3])}
            assert other != face and edge < set(closed[other].tolist())


def test_three_triangles_at_an_edge_are_each_others_neighbours_in_turn() -> None:
    fan = torch.tensor([[0, 1, 2], [1, 0, 3], [0, 1, 4]])
    assert edge_neighbours(fan)[:, 0].tolist() == [1, 2, 0]


def test_no_triangles_are_no_trouble() -> None:
    none = torch.zeros(0, 3, dtype=torch.int32)
    assert edge_neighbours(none).shape == (0, 3)
    hits = seen(torch.zeros(0, 3), none, VIEW, 4)
    image = torch.rand(1, 4, 4, 3)
    assert torch.equal(antialiased(image, hits, torch.zeros(0, 3), none, VIEW), image)


@pytest.mark.parametrize("threads", [2, 3])
def test_any_number_of_threads_gives_the_same_bits(threads: int, set_threads: Callable[[int], None]) -> None:
    vertices, triangles = torus()
    vertices.requires_grad_()
    image = torch.rand(1, 96, 96, 3, generator=torch.Generator().manual_seed(0))
    results = []
    for count in (1, threads):
        set_threads(count)
        blended = antialiased(image, seen(vertices.detach(), triangles, VIEW, 96), vertices, triangles, VIEW)
        results.append((blended, *torch.autograd.grad(blended, vertices, torch.ones_like(blended))))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.cuda
def test_cuda_agrees_with_the_cpu() -> None:
    vertices, triangles = torus()
    image = torch.rand(1, 48, 48, 3, generator=torch.Generator().manual_seed(0))
    hits = seen(vertices, triangles, VIEW, 48)
    results = []
    for device in ("cpu", "cuda"):
        v, picture = vertices.to(device).requires_grad_(), image.to(device)
        there = SurfaceHits(*(x.to(device) for x in vars(hits).values()))
        views = Cameras(**{name: x.to(device) for name, x in vars(VIEW).items()})
        blended = antialiased(picture, there, v, triangles.to(device), views)
        (gradient,) = torch.autograd.grad(blended.square().sum(), v)
        results.append([x.detach().cpu() for x in (blended, gradient)])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(theirs, ours, rtol=1e-3, atol=1e-3)
