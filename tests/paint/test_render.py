"""Renders of a canvas against what geometry and the shading formula say of them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from mesh.shapes import icosphere
from paint.surfaces import canvas, mirrored, moved, part_of, plane, stripes
from torch import Tensor

from dreamfusion_engine.paint.canvas import Canvas, DeviceCanvas, canvas_of
from dreamfusion_engine.paint.render import SurfaceRenderer
from dreamfusion_engine.render.renderer import Rendering
from dreamfusion_engine.render.shading import AMBIENT
from dreamfusion_engine.scene.cameras import Cameras, camera_rays, orbit_cameras

CPU = torch.device("cpu")
DISTANCE = 4.0
WHITE = torch.ones(3)


def camera(azimuth: float = 0.0, half_view: float = 1.1, target: Tensor | None = None) -> Cameras:
    """One camera that sees as far as `half_view` up and down from the middle."""
    angles = [torch.tensor([x]) for x in (azimuth, 0.0, DISTANCE, 2.0 * math.atan(half_view / DISTANCE))]
    return orbit_cameras(angles[0], angles[1], angles[2], angles[3], target)


def renderer(made: Canvas, grid: int = 1) -> SurfaceRenderer:
    return SurfaceRenderer(DeviceCanvas.of(made, CPU), grid)


def red(points: Tensor) -> Tensor:
    return torch.tensor([0.8, 0.1, 0.2]).expand(len(points), 3)


def field(points: Tensor) -> Tensor:
    return torch.from_numpy(stripes(points.numpy()))


def ball(flipped: bool = False, stored: bool = False, subdivisions: int = 4) -> Canvas:
    vertices, triangles = icosphere(subdivisions)
    mesh = vertices, triangles[:, ::-1] if flipped else triangles, np.zeros((len(triangles), 3, 2), np.float32)
    return canvas_of([part_of(mesh, normals=vertices.astype(np.float32) if stored else None)], 8)


def test_a_square_has_its_colour_and_covers_its_share() -> None:
    made = canvas(plane(1))
    half = float(made.vertices.max())
    seen = renderer(made).render(red, camera(half_view=2.0 * half), 32, background=torch.tensor([0.0, 0.0, 1.0]))
    middle = slice(8, 24)
    torch.testing.assert_close(seen.colour[0, middle, middle], red(torch.zeros(256, 3)).view(16, 16, 3))
    assert float(seen.opacity.sum()) == 256.0 and seen.samples == 256
    assert float(seen.opacity[0, middle, middle].min()) == 1.0
    assert float((seen.colour[0, 0] - torch.tensor([0.0, 0.0, 1.0])).abs().max()) == 0.0
    _, directions = camera_rays(camera(half_view=2.0 * half), 32, 32)
    expected = (DISTANCE / directions[:, 1]).view(32, 32)[middle, middle]
    torch.testing.assert_close(seen.depth[0, middle, middle], expected)
    assert seen.normal is not None
    torch.testing.assert_close(seen.normal[0, 16, 16], torch.tensor([0.0, -1.0, 0.0]))


def test_edges_are_averaged_over_the_samples_of_a_pixel() -> None:
    made = canvas(plane(1))
    half = float(made.vertices.max())
    # 15 pixels across: the square ends in the middle of one, where two of four samples are on it.
    seen = renderer(made, 2).render(red, camera(half_view=15.0 / 8.0 * half), 15, background=WHITE)
    row = seen.opacity[0, 7]
    torch.testing.assert_close(row[3:12], torch.tensor([0.5, *7 * [1.0], 0.5]))
    torch.testing.assert_close(seen.colour[0, 7, 3], 0.5 * red(row[:1])[0] + 0.5)


def test_a_ball_is_lit_by_n_dot_l() -> None:
    light = torch.tensor([[2.0, -3.0, 1.5]])
    size = 48
    origins, directions = camera_rays(camera(), size, size)
    seen = renderer(ball(stored=True)).render(red, camera(), size, background=WHITE, shading="lambertian", light=light)
    radius = 0.83
    along = -(origins * directions).sum(-1)
    inner = along.square() - (origins.square().sum(-1) - radius * radius)
    solid = inner > 0.02  # a little inside the silhouette, where the triangles end early
    point = origins + (along - inner.clamp_min(0.0).sqrt())[:, None] * directions
    towards = torch.nn.functional.normalize(light - point, dim=-1)
    lit = AMBIENT + (1.0 - AMBIENT) * (point / radius * towards).sum(-1).clamp_min(0.0)
    expected = lit[:, None] * red(point)
    assert int(solid.sum()) > 300
    assert float((seen.colour.view(-1, 3) - expected)[solid].abs().max()) < 0.01


@pytest.mark.parametrize("stored", [False, True])
def test_flipped_faces_are_lit_as_the_others(stored: bool) -> None:
    light = torch.tensor([[2.0, -3.0, 1.5]])
    pictures = [
        renderer(ball(flipped, stored)).render(red, camera(), 32, background=WHITE, shading="lambertian", light=light)
        for flipped in (False, True)
    ]
    torch.testing.assert_close(pictures[0].colour, pictures[1].colour, atol=2e-3, rtol=0.0)
    torch.testing.assert_close(pictures[0].normal, pictures[1].normal, atol=5e-3, rtol=0.0)


def test_a_view_of_nothing_is_the_background() -> None:
    away = camera(target=torch.tensor([[0.0, -100.0, 0.0]]))
    colour = torch.ones(3, requires_grad=True)
    seen = renderer(canvas(plane(1)), 2).render(
        lambda points: colour * points, away, 8, background=torch.tensor([[0.2, 0.4, 0.6]]), light=away.position
    )
    torch.testing.assert_close(seen.colour, torch.tensor([0.2, 0.4, 0.6]).expand(1, 8, 8, 3))
    assert float(seen.opacity.abs().max()) == float(seen.depth.abs().max()) == seen.samples == 0.0
    seen.colour.sum().backward()  # type: ignore[no-untyped-call]
    assert colour.grad is not None and float(colour.grad.abs().max()) == 0.0


def test_more_samples_show_the_same_in_the_mean() -> None:
    made = ball(subdivisions=3)
    plain, fine = (renderer(made, grid).render(field, camera(), 64, background=WHITE) for grid in (1, 2))
    assert float((plain.colour.mean((0, 1, 2)) - fine.colour.mean((0, 1, 2))).abs().max()) < 2e-3
    assert float((plain.opacity.mean() - fine.opacity.mean()).abs()) < 2e-3
    solid = (fine.opacity == 1.0) & (plain.opacity == 1.0)
    assert float((plain.colour - fine.colour)[solid].abs().max()) < 0.02
    assert fine.samples > 3.9 * plain.samples


def test_textureless_is_white_under_its_light_and_asks_for_no_colour() -> None:
    def never(points: Tensor) -> Tensor:
        raise AssertionError("a colour was asked for")

    made, light = ball(subdivisions=3), torch.tensor([[0.0, -4.0, 2.0]])
    views = {"cameras": camera(), "size": 24, "background": WHITE, "light": light}
    clay = renderer(made).render(never, shading="textureless", **views)  # type: ignore[arg-type]
    white = renderer(made).render(lambda points: torch.ones_like(points), shading="lambertian", **views)  # type: ignore[arg-type]
    torch.testing.assert_close(clay.colour, white.colour, atol=0.0, rtol=0.0)


def test_shading_without_a_light_is_refused() -> None:
    with pytest.raises(ValueError, match="light"):
        renderer(ball(subdivisions=1)).render(red, camera(), 8, background=WHITE, shading="lambertian")


def test_gradients_reach_the_colours_and_nothing_else() -> None:
    made = DeviceCanvas.of(canvas(plane(1)), CPU)
    half = float(made.vertices.max())
    colour = torch.tensor([0.1, 0.2, 0.3], requires_grad=True)
    asked: list[Tensor] = []

    def colours(points: Tensor) -> Tensor:
        asked.append(points)
        return colour.expand(len(points), 3)

    seen = SurfaceRenderer(made, 2).render(colours, camera(half_view=2.0 * half), 16, background=WHITE)
    seen.colour.sum().backward()  # type: ignore[no-untyped-call]
    assert len(asked) == 1 and not asked[0].requires_grad
    torch.testing.assert_close(colour.grad, torch.full((3,), 64.0))  # a quarter of the picture, each sample a quarter
    assert seen.normal is not None
    assert not any(value.requires_grad for value in (seen.opacity, seen.depth, seen.normal))


def test_the_bits_do_not_depend_on_the_number_of_threads(set_threads: Callable[[int], None]) -> None:
    made = canvas(mirrored(6), moved(plane(3), (0.0, 1.0, 1.0)))
    pictures: list[Rendering] = []
    for count in (1, 2):
        set_threads(count)
        views = orbit_cameras(*(torch.tensor(x) for x in ([0.0, 1.0], [0.2, 0.5], [3.0, 3.5], [0.7, 0.7])))
        drawn = renderer(made, 2).render(field, views, 24, background=WHITE, shading="lambertian", light=views.position)
        pictures.append(drawn)
    for name in ("colour", "opacity", "depth", "normal"):
        assert torch.equal(getattr(pictures[0], name), getattr(pictures[1], name))


@pytest.mark.parametrize("diagonals", [True, False])
def test_mirrored_halves_show_the_same_colours(diagonals: bool) -> None:
    seen = renderer(canvas(mirrored(8, diagonals), texture=128), 2).render(
        field, camera(half_view=0.4), 48, background=WHITE
    )
    assert float(seen.opacity.min()) == 1.0
    right, left = seen.colour[0, :, 26:], seen.colour[0, :, :22].flip(1)  # but for what is near the fold
    assert float((right - left).abs().max()) < 0.02
    assert float((seen.colour[0, :, -1] - seen.colour[0, :, 24]).abs().max()) > 0.2  # the colours themselves vary


def test_stacked_parts_show_colours_of_their_own() -> None:
    """Each part has a texture of its own: only texels of the same one are shared."""
    made = canvas(plane(2), moved(plane(2), (0.0, 1.0, 0.0)))
    sides = (camera(angle) for angle in (0.0, math.pi))
    seen = [renderer(made).render(field, side, 16, background=WHITE).colour[0, 8, 8] for side in sides]
    assert float((seen[0] - seen[1]).abs().max()) > 0.1


def test_a_face_that_repeats_its_texture_shows_it_again_and_again() -> None:
    made = canvas(plane(4, tiles=2.0), texture=64)
    half = float(made.vertices.max())
    seen = renderer(made).render(field, camera(half_view=half), 64, background=WHITE).colour[0]
    assert float((seen[2:30, 2:30] - seen[34:62, 2:30]).abs().max()) < 0.03
    assert float((seen[2:30, 2:30] - seen[2:30, 34:62]).abs().max()) < 0.03
    assert float((seen[2] - seen[29]).abs().max()) > 0.2
