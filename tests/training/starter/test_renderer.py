"""Facts about the corpus renderer, against closed forms and a plain-torch sphere tracer."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from dreamfusion_engine.scene.cameras import camera_rays, orbit_cameras
from training.starter.objects.kinds import Appearance, kind_named, make_object
from training.starter.primitives import (
    CHECKS,
    DOTS,
    STRIPES,
    Part,
    ball,
    box,
    cone,
    cylinder,
    dome,
    ellipsoid,
    pyramid,
    rod,
    torus,
    wedge,
)
from training.starter.renderer import compose, render_objects

RED = (0.8, 0.1, 0.2)


def cameras_at(azimuth: list[float], elevation: float = 0.3):  # type: ignore[no-untyped-def]
    a = torch.tensor(azimuth)
    one = torch.ones_like(a)
    return orbit_cameras(a, elevation * one, 3.2 * one, math.radians(40) * one)


def trace(
    parts: list[Part], azimuth: float = 0.0, elevation: float = 0.3, pixels: int = 32, samples: int = 1
) -> torch.Tensor:
    cameras = cameras_at([azimuth], elevation)
    return render_objects([parts], cameras, cameras.position, torch.tensor([0.2]), pixels=pixels, samples=samples)[0]


def reference_distance(part: Part, p: torch.Tensor) -> torch.Tensor:
    """The distance of one part in plain torch, from the definition of each solid; float64[N]."""
    local = (p - torch.tensor(part.centre, dtype=p.dtype)) @ torch.tensor(np.asarray(part.rotation), dtype=p.dtype)
    a, b, c, d = part.size
    radial = local[:, :2].norm(dim=1)
    z = local[:, 2]
    if part.shape == 0:
        r = torch.tensor([a, b, c], dtype=p.dtype)
        k = (local / r).norm(dim=1)
        return k * (k - 1) / (local / r**2).norm(dim=1).clamp_min(1e-6)
    if part.shape == 1:
        q = local.abs() - torch.tensor([a, b, c], dtype=p.dtype) + d
        return q.clamp_min(0).norm(dim=1) + q.amax(1).clamp_max(0) - d
    if part.shape == 2:
        q = torch.stack([radial - a + d, z.abs() - b + d], 1)
        return q.clamp_min(0).norm(dim=1) + q.amax(1).clamp_max(0) - d
    if part.shape == 3:  # distance to the outline polygon (0,-h) (a,-h) (b,h) (0,h) in the half plane
        point = torch.stack([radial, z], 1)
        outline = torch.tensor([[0.0, -c], [a, -c], [b, c], [0.0, c]], dtype=p.dtype)
        nearest = torch.full_like(radial, 1e9)
        inside = torch.ones_like(radial, dtype=torch.bool)
        for start, end in ((0, 1), (1, 2), (2, 3)):
            edge = outline[end] - outline[start]
            along = ((point - outline[start]) @ edge / (edge @ edge).clamp_min(1e-12)).clamp(0, 1)
            nearest = torch.minimum(nearest, (point - outline[start] - along[:, None] * edge).norm(dim=1))
            inside &= edge[0] * (point[:, 1] - outline[start, 1]) - edge[1] * (point[:, 0] - outline[start, 0]) > 0
        return torch.where(inside, -nearest, nearest) - d
    if part.shape == 4:
        return torch.stack([radial - a, z], 1).norm(dim=1) - b
    if part.shape in (6, 7):  # the largest signed distance to the planes of the faces, through three corners each
        top, low = [0.0, 0.0, c], -c
        faces = [[[a, -b, low], [a, b, low], top], [[-a, b, low], [-a, -b, low], top]]
        faces += [[[a, -b, low], [-a, -b, low], [-a, b, low]]]
        if part.shape == 7:
            faces += [[[a, b, low], [-a, b, low], top], [[-a, -b, low], [a, -b, low], top]]
        else:
            faces += [[[0, b, 0], [-1, b, 0], [0, b, 1]], [[0, -b, 0], [1, -b, 0], [0, -b, 1]]]
        planes = []
        for corners in faces:
            p0, p1, p2 = (torch.tensor(x, dtype=p.dtype) for x in corners)
            normal = torch.linalg.cross(p1 - p0, p2 - p0)
            planes.append((local - p0) @ (normal / normal.norm()))
        return torch.stack(planes).amax(0)
    if part.shape == 8:
        above = local + torch.tensor([0.0, 0.0, c], dtype=p.dtype)
        r = torch.tensor([a, b, 2 * c], dtype=p.dtype)
        k = (above / r).norm(dim=1)
        return torch.maximum(k * (k - 1) / (above / r**2).norm(dim=1).clamp_min(1e-6), -z - c)
    return torch.stack([radial, z - z.clamp(-b, b)], 1).norm(dim=1) - a


def reference_trace(
    parts: list[Part], azimuth: float, elevation: float, pixels: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Hit mask and albedo by sphere tracing in float64, 400 careful steps."""
    origins, directions = camera_rays(cameras_at([azimuth], elevation), pixels, pixels)
    origins, directions = origins.double(), directions.double()
    t = torch.full((len(origins),), 1.9, dtype=torch.float64)
    for _ in range(400):
        distance = torch.stack([reference_distance(p, origins + t[:, None] * directions) for p in parts])
        t = t + 0.7 * distance.amin(0).clamp_min(-0.1)
    nearest, index = torch.stack([reference_distance(p, origins + t[:, None] * directions) for p in parts]).min(0)
    hit = (nearest < 2e-3) & (t < 6.0)
    colour = torch.tensor([p.colour for p in parts], dtype=torch.float64)[index] * hit[:, None]
    return hit.view(pixels, pixels), colour.view(pixels, pixels, 3)


@pytest.mark.parametrize(
    "part",
    [
        ellipsoid((0.1, 0, 0), (0.7, 0.4, 0.5), RED),
        box((0, 0, 0.1), (0.5, 0.3, 0.6), RED, rounding=0.1, turn=(0.2, 0.5, 0.9)),
        cylinder((0, 0.1, 0), 0.5, 0.4, RED, rounding=0.08, turn=(0.4, 0, 0)),
        cone((0, 0, 0), 0.6, 0.2, 0.5, RED, rounding=0.05),
        torus((0, 0, 0), 0.6, 0.25, RED, turn=(1.0, 0, 0)),
        rod((-0.5, 0, -0.4), (0.5, 0.2, 0.5), 0.2, RED),
        wedge((0, 0, 0), (0.6, 0.4, 0.4), RED, rounding=0.001, turn=(0.2, 0, 0)),
        pyramid((0, 0, 0), (0.6, 0.5, 0.5), RED, rounding=0.001),
        dome((0, 0, -0.2), (0.7, 0.5, 0.6), RED, rounding=0.001),
    ],
    ids=["ellipsoid", "box", "cylinder", "cone", "torus", "capsule", "wedge", "pyramid", "dome"],
)
def test_each_primitive_has_the_silhouette_of_its_plain_torch_twin(part: Part) -> None:
    cover = trace([part], azimuth=0.4)[7] > 0.5
    hit, _ = reference_trace([part], 0.4, 0.3, 32)
    assert (cover != hit).sum() <= 4  # single pixels on the rim may round either way
    assert hit.sum() > 60


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hamburger", "mug", "robot"])
def test_an_object_has_the_colours_of_its_plain_torch_twin(name: str) -> None:
    parts = make_object(np.random.default_rng(3), kind_named(name), Appearance())
    traced = trace(parts, azimuth=0.7)
    hit, colour = reference_trace(parts, 0.7, 0.3, 32)
    assert ((traced[7] > 0.5) != hit).float().mean() < 0.01
    assert (traced[:3].permute(1, 2, 0) - colour).abs().amax(-1).gt(0.05).float().mean() < 0.02


def test_a_ball_covers_the_solid_angle_that_geometry_gives() -> None:
    radius, distance = 0.7, 3.2
    traced = trace([ball((0, 0, 0), radius, RED)], pixels=64, samples=3)
    tangent = radius / math.sqrt(distance**2 - radius**2)  # of the cone that touches the ball
    expected = math.pi * tangent**2 / (2 * math.tan(math.radians(20))) ** 2
    assert float(traced[7].mean()) == pytest.approx(expected, rel=0.01)


def test_light_from_the_camera_is_brightest_where_the_surface_faces_it() -> None:
    clay = trace([ball((0, 0, 0), 0.7, RED)], pixels=33)[6]
    assert float(clay[16, 16]) == pytest.approx(1.0, abs=0.01)
    assert float(clay.max()) <= 1.0 + 1e-6
    rim = clay[16][clay[16] > 0][0]
    assert 0.2 <= float(rim) < 0.6


def test_composing_shows_the_background_exactly_where_nothing_is() -> None:
    traced = trace([ball((0, 0, 0), 0.4, RED)])[None]
    for shading in ("albedo", "lambertian", "textureless"):
        picture = compose(traced, torch.tensor([[0.1, 0.5, 0.9]]), shading)
        torch.testing.assert_close(picture[0, :, 0, 0], torch.tensor([0.1, 0.5, 0.9]))
    flat = compose(traced, torch.zeros(1, 3), "albedo")[0, :, 16, 16]
    torch.testing.assert_close(flat, torch.tensor(RED))


def test_the_front_of_a_robot_has_its_eyes_and_the_back_does_not() -> None:
    parts = make_object(np.random.default_rng(0), kind_named("robot"), Appearance())
    panel = torch.tensor((0.95, 0.83, 0.25))[:, None, None]
    seen = [((trace(parts, azimuth=a)[:3] - panel).abs().amax(0) < 0.05).sum() for a in (0.0, math.pi)]
    assert seen[0] > 5
    assert seen[1] == 0


def test_stripes_run_around_and_checks_take_turns() -> None:
    white, blue = (1.0, 1.0, 1.0), (0.1, 0.2, 0.9)
    column = cylinder((0, 0, 0), 0.5, 0.8, blue)
    striped = trace([replace(column, pattern=STRIPES, second=white)], elevation=0.0, pixels=64)[:3]
    middle = striped[:, 14:50, 32]  # down the front
    changes = ((middle[0, 1:] - middle[0, :-1]).abs() > 0.5).sum()
    assert 5 <= changes <= 10  # 1.6 units high, one change every half of 0.34
    along = striped[0, 14:50, 26:38]
    different = ((along - along[:, 6:7]).abs() > 0.5).float().mean()
    assert float(different) < 0.1  # the same all around, but for the perspective that bends the rings
    checked = trace([replace(column, pattern=CHECKS, second=white)], elevation=0.0, pixels=64)[:3]
    across = checked[0, 32, 22:42]
    assert ((across[1:] - across[:-1]).abs() > 0.5).sum() >= 3


def test_a_pattern_meets_itself_at_the_back() -> None:
    """Turned by one period around, a pattern is the same: there is no seam."""
    blue = (0.1, 0.2, 0.9)
    radius = 0.5
    column = replace(cylinder((0, 0, 0), radius, 0.8, blue), pattern=DOTS, second=(1.0, 1.0, 1.0))
    periods = 2 * round(math.pi * radius / 0.34)
    front = trace([column], azimuth=0.0, elevation=0.0)[:3]
    for k in (1, periods // 2, periods - 1):
        turned = trace([column], azimuth=k * 2 * math.pi / periods, elevation=0.0)[:3]
        assert float(((front - turned).abs().amax(0) > 0.1).float().mean()) < 0.01
