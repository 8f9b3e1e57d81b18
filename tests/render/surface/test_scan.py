"""What cameras see, triangle after triangle: against rays in plain torch and in Warp's boxes, and closed forms."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import pytest
import torch
from render.surface.surfaces import CPU, ball, cameras, square, torus
from torch import Tensor
from twins import torch_surface

from dreamfusion_engine.render.surface.caster import SurfaceCaster
from dreamfusion_engine.render.surface.hits import SurfaceHits
from dreamfusion_engine.render.surface.scan import TIMES, scanned
from dreamfusion_engine.scene.cameras import Cameras, camera_rays

Shape = tuple[Tensor, Tensor]


def found(shape: Shape, views: Cameras, height: int, width: int) -> SurfaceHits:
    vertices, triangles = shape
    hits = scanned(vertices, triangles.int().contiguous(), views, height, width)
    assert hits is not None
    return hits


def both(one: Cameras, two: Cameras) -> Cameras:
    return Cameras(**{name: torch.cat([vars(one)[name], vars(two)[name]]) for name in vars(one)})


def floor() -> Shape:
    """It runs under the camera and behind it."""
    corners = [[-9.0, -9.0, -1.0], [9.0, -9.0, -1.0], [9.0, 9.0, -1.0], [-9.0, 9.0, -1.0]]
    return torch.tensor(corners), torch.tensor([[0, 1, 2], [0, 2, 3]])


def test_pictures_show_what_plain_torch_finds() -> None:
    vertices, triangles = torus()
    views = both(cameras(0.3, 0.5), cameras(2.0, -0.2, distance=3.0))
    hits = found((vertices, triangles), views, 30, 40)
    origins, directions = (x.double() for x in camera_rays(views, 30, 40))
    expected = torch_surface.cast(vertices.double(), triangles, origins, directions)
    assert 200 < int((expected.triangle >= 0).sum()) < 1200
    same = hits.triangle == expected.triangle
    assert same.float().mean() > 0.998  # the twin's rays are rounded to single precision
    met = same & (expected.triangle >= 0)
    torch.testing.assert_close(hits.depth[same], expected.depth[same].float(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(hits.barycentric[met], expected.barycentric[met].float(), rtol=1e-2, atol=1e-3)
    missed = hits.triangle < 0
    assert torch.isinf(hits.depth[missed]).all() and (hits.barycentric[missed] == 0.0).all()


@pytest.mark.parametrize(
    ("shape", "views"),
    [
        (ball(4), cameras(0.7, 0.4)),
        (torus(96, 50), cameras(0.3, 0.8)),
        (floor(), cameras()),
        (ball(1), cameras(0.2, 0.1, distance=0.3, fov=1.5)),
        (ball(2), cameras(distance=1.02, fov=1.0)),
    ],
    ids=["ball", "tiny triangles", "floor", "from inside", "very near"],
)
def test_pictures_show_what_rays_meet(shape: Shape, views: Cameras) -> None:
    hits = found(shape, views, 48, 48)
    expected = SurfaceCaster(*shape, CPU).cast(*camera_rays(views, 48, 48))
    same = hits.triangle == expected.triangle
    assert same.float().mean() > 0.998
    torch.testing.assert_close(hits.depth[same], expected.depth[same], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(hits.barycentric[same], expected.barycentric[same], rtol=1e-2, atol=1e-3)
    close = torch.isclose(hits.depth, expected.depth, rtol=1e-3) | same
    assert (~close).sum() <= 3  # silhouettes within rounding of a pixel's middle


def test_no_ray_slips_through_a_closed_mesh() -> None:
    """Also where the middles of pixels lie exactly on edges and corners."""
    inside = cameras(distance=1e-3, fov=1.5)
    assert (found(ball(1), inside, 65, 65).triangle >= 0).all()
    across = found(square(size=8.0), cameras(), 32, 32)  # its diagonal goes through the middles of pixels
    assert (across.triangle >= 0).all() and len(across.triangle.unique()) == 2


def test_of_equally_near_triangles_the_first_is_seen() -> None:
    vertices, triangles = square(size=4.0)
    hits = found((vertices, torch.cat([triangles, triangles])), cameras(), 16, 16)
    assert set(hits.triangle.tolist()) == {0, 1}


def test_both_sides_are_seen_and_nothing_behind_the_camera() -> None:
    ahead, behind = square(), square(y=-9.0)
    for turned in (ahead[1], ahead[1].flip(1)):
        assert (found((ahead[0], turned), cameras(), 9, 9).triangle >= 0).any()
    assert (found(behind, cameras(), 9, 9).triangle == -1).all()


def test_triangles_without_area_or_seen_along_their_plane_are_not_seen() -> None:
    vertices = torch.tensor([[-1.0, 0.0, 0.0], [0.3, 0.0, 0.1], [1.6, 0.0, 0.2], [0.0, 1.0, 0.0], [0.0, 2.0, 1.0]])
    flat = torch.tensor([[0, 1, 2], [1, 1, 1], [0, 0, 2]])
    edge_on = torch.tensor([[0.0, -1.0, -1.0], [0.0, 1.0, -1.0], [0.0, 0.0, 1.0]]), torch.tensor([[0, 1, 2]])
    assert (found((vertices, flat), cameras(), 33, 33).triangle == -1).all()
    assert (found(edge_on, cameras(), 33, 33).triangle == -1).all()


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("position", math.nan),
        ("position", math.inf),
        ("rotation", math.nan),
        ("rotation", math.inf),
        ("focal", math.nan),
    ],
)
def test_a_camera_that_is_not_finite_sees_nothing(name: str, bad: float) -> None:
    views = cameras()
    views = dataclasses.replace(views, **{name: torch.full_like(vars(views)[name], bad)})
    assert (found(ball(1), views, 8, 8).triangle == -1).all()


def test_triangles_that_cover_the_picture_too_often_are_left_to_rays() -> None:
    vertices, triangles = square(size=9.0)
    count = TIMES // 2 + 1
    away = torch.linspace(0.0, 1.0, count)[:, None, None] * torch.tensor([0.0, 1.0, 0.0])
    layers = (vertices + away).view(-1, 3), torch.cat([triangles + 4 * k for k in range(count)])
    assert scanned(layers[0], layers[1].int(), cameras(), 16, 16) is None
    hits = SurfaceCaster(*layers, CPU).cast_views(cameras(), 16, 16)
    assert set(hits.triangle.tolist()) == {0, 1}


def test_views_follow_vertices_that_move() -> None:
    vertices, triangles = torus()
    caster, moved = SurfaceCaster(vertices, triangles, CPU), 1.2 * vertices + 0.1
    caster.refit(moved)
    expected = SurfaceCaster(moved, triangles, CPU).cast_views(cameras(), 24, 24)
    hits = caster.cast_views(cameras(), 24, 24)
    assert all(torch.equal(a, b) for a, b in zip(vars(hits).values(), vars(expected).values(), strict=True))


@pytest.mark.parametrize("threads", [2, 3])
def test_any_number_of_threads_gives_the_same_bits(threads: int, set_threads: Callable[[int], None]) -> None:
    results: list[list[Tensor]] = []
    for count in (1, threads):
        set_threads(count)
        results.append(list(vars(found(torus(90, 60), cameras(0.3, 0.5), 50, 60)).values()))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.cuda
def test_cuda_agrees_with_the_cpu() -> None:
    vertices, triangles = torus()
    views = cameras(0.3, 0.5)
    there = Cameras(**{name: x.cuda() for name, x in vars(views).items()})
    hits = SurfaceCaster(vertices, triangles, torch.device("cuda")).cast_views(there, 48, 48)
    expected = SurfaceCaster(vertices, triangles, CPU).cast_views(views, 48, 48)
    same = hits.triangle.cpu() == expected.triangle
    assert same.float().mean() > 0.998
    torch.testing.assert_close(hits.depth.cpu()[same], expected.depth[same], rtol=1e-4, atol=1e-4)
