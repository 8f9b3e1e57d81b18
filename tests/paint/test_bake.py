"""The bake: albedo at the place of each texel, colours of neighbours where no camera looks, and seams that are told."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest
import torch
from mesh.shapes import cube
from numpy.typing import NDArray
from paint.surfaces import Mesh, canvas, joined, mirrored, moved, plane, stripes, unwrapped_ball
from torch import Tensor

from dreamfusion_engine.config.stages import CameraConfig
from dreamfusion_engine.errors import RunError
from dreamfusion_engine.mesh.field_queries import Albedo
from dreamfusion_engine.paint.bake import PaintedPart, bake, seam_difference
from dreamfusion_engine.paint.canvas import Canvas

CPU = torch.device("cpu")


def smooth(points: Tensor) -> Tensor:
    return torch.from_numpy(stripes(points.numpy()))


def baked(made: Canvas, albedo: Albedo = smooth, cameras: CameraConfig | None = None) -> list[PaintedPart]:
    return bake(made, albedo, cameras or CameraConfig(), padding=4, device=CPU)


def boxed(size: float = 2.0) -> Mesh:
    """A cube around the middle, each triangle in a cell of the texture of its own."""
    vertices, triangles = cube((-0.5, -0.5, -0.5))
    column, row = np.arange(12) % 4, np.arange(12) // 4
    corners = np.array([[0.1, 0.1], [0.9, 0.1], [0.1, 0.9]])
    uv = (np.stack([column, row], -1)[:, None] + corners) / 4.0
    return size * vertices, triangles, uv.astype(np.float32)


def own_uv(mesh: Mesh, scale: float, shift: tuple[float, float]) -> Mesh:
    vertices, triangles, uv = mesh
    return vertices, triangles, (scale * uv + shift).astype(np.float32)


def in_255ths(values: NDArray[np.floating]) -> NDArray[np.floating]:
    return 255.0 * values


@pytest.mark.parametrize("mesh", [plane(3), unwrapped_ball(3)], ids=["square", "ball"])
def test_the_texture_is_the_fields_colour_at_the_place_of_each_texel(mesh: Mesh) -> None:
    made = canvas(mesh, texture=128)
    everywhere = CameraConfig(elevation_deg=(-90.0, 90.0))
    (part,) = baked(made, cameras=everywhere)
    on = made.maps[0].used
    expected = in_255ths(stripes(made.maps[0].positions[on]))
    assert np.abs(part.texture[on] - expected).max() <= 0.51
    assert part.unseen == 0.0 and part.shared == 0.0
    assert part.texture.dtype == np.uint8 and part.texture.shape == (128, 128, 3)


def test_islands_are_padded_and_the_rest_is_their_mean() -> None:
    made = canvas(own_uv(plane(2), 0.5, (0.25, 0.25)), texture=64)
    (part,) = baked(made)
    used = made.maps[0].used
    mean = part.texture[used].mean(0)
    assert np.abs(part.texture[0, 0] - mean).max() < 2.0
    inside = np.argwhere(used)
    top, left = inside.min(0)
    np.testing.assert_array_equal(part.texture[top - 4 : top, 32], np.tile(part.texture[top, 32], (4, 1)))
    assert np.abs(part.texture[top - 6, 32] - mean).max() < 2.0 and left > 10


def test_a_box_in_a_box_is_hidden_and_takes_the_colours_around_it() -> None:
    inner = own_uv(boxed(0.6), 0.4, (0.55, 0.05))
    made = canvas(joined(own_uv(boxed(), 0.5, (0.0, 0.0)), inner), texture=128)

    def by_place(points: Tensor) -> Tensor:
        """Green outside; where no camera looks, a red that must not be seen."""
        outside = points.abs().amax(-1, keepdim=True) > 0.5
        return torch.where(outside, torch.tensor([0.2, 0.8, 0.4]), torch.tensor([1.0, 0.0, 0.0]))

    (part,) = baked(made, by_place, CameraConfig(elevation_deg=(-90.0, 90.0)))
    texels = made.maps[0]
    hidden = texels.owner >= 12
    assert abs(part.unseen - hidden.sum() / texels.used.sum()) < 0.01
    np.testing.assert_array_equal(part.texture[hidden], np.tile(np.array([51, 204, 102], np.uint8), (hidden.sum(), 1)))


def test_an_underside_below_the_cameras_is_hidden() -> None:
    made = canvas(boxed(), texture=256)
    texels = made.maps[0]
    below = np.isin(texels.owner, np.flatnonzero((made.vertices[made.triangles][..., 2] < -0.1).all(1)))
    (low,) = baked(made, cameras=CameraConfig(elevation_deg=(-60.0, 80.0)))
    (high,) = baked(made, cameras=CameraConfig(elevation_deg=(10.0, 80.0)))
    assert low.unseen == 0.0
    assert abs(high.unseen - below.sum() / texels.used.sum()) < 0.02
    above = texels.used & ~below
    assert np.abs(high.texture[above].astype(int) - low.texture[above]).mean() < 0.3
    assert np.abs(high.texture[below].astype(int) - low.texture[below]).mean() > 3.0


def test_what_only_a_copy_shows_counts_as_seen() -> None:
    """The first of two boxes on the same texels is hidden in a third; the second stands outside."""
    stacked = own_uv(boxed(0.5), 0.4, (0.55, 0.05))
    shell = own_uv(boxed(), 0.5, (0.0, 0.0))
    made = canvas(joined(stacked, moved(stacked, (2.0, 0.0, 0.0)), shell), texture=128)
    (part,) = baked(made, cameras=CameraConfig(elevation_deg=(-90.0, 90.0)))
    assert made.maps[0].shared[12:24].min() > 0.9
    assert part.unseen < 0.02  # of the 38 % that they have
    assert 0.02 < part.shared < 0.2  # the area of one of them among all three


def test_a_part_that_is_not_seen_at_all_takes_colours_of_the_others() -> None:
    made = canvas(boxed(), own_uv(boxed(0.5), 0.9, (0.05, 0.05)), texture=32)
    blue = torch.tensor([0.2, 0.4, 0.8])
    shell, inner = baked(made, lambda points: blue.expand(len(points), 3), CameraConfig(elevation_deg=(-90.0, 90.0)))
    assert shell.unseen == 0.0 and inner.unseen == 1.0
    np.testing.assert_array_equal(
        inner.texture, np.broadcast_to(np.array([51, 102, 204], np.uint8), inner.texture.shape)
    )


def test_a_part_whose_uvs_show_nothing_is_grey_and_breaks_nothing() -> None:
    vertices, triangles, _ = plane(2)
    nothing = vertices, triangles, np.zeros((len(triangles), 3, 2), np.float32)
    for made in (canvas(nothing, texture=16), canvas(nothing, moved(plane(1), (0, 1, 0)), texture=16)):
        part = baked(made)[0]
        assert part.unseen == 0.0 and part.seam == 0.0
        assert (np.abs(part.texture.astype(int) - 128) <= 1).all()


def test_mirrored_halves_are_half_shared_and_have_the_firsts_colours() -> None:
    made = canvas(mirrored(8), texture=64)
    (part,) = baked(made)
    assert 0.4 < part.shared <= 0.5
    right = made.maps[0].positions[..., 0]
    assert right.min() > -0.02  # the first half is the one at +X
    assert np.abs(part.texture - in_255ths(stripes(made.maps[0].positions))).max() <= 0.51


def test_a_smooth_colour_has_no_seams_and_one_by_chart_has() -> None:
    made = canvas(unwrapped_ball(3, 256), texture=256)
    everywhere = CameraConfig(elevation_deg=(-90.0, 90.0))
    (part,) = baked(made, cameras=everywhere)
    assert 0.0 < part.seam < 2.0
    texels = made.maps[0]
    noise = np.random.default_rng(0).integers(0, 255, (len(made.triangles), 3)).astype(np.uint8)
    assert seam_difference(made, 0, noise[np.maximum(texels.owner, 0)]) > 30.0


def test_seams_at_the_border_of_the_texture_are_looked_up_inside_it() -> None:
    """Two squares side by side in space: one ends at u = 1, the other begins at u = 0."""
    right = moved(own_uv(plane(1), 0.5, (0.0, 0.5)), (2.0, 0.0, 0.0))
    made = canvas(joined(own_uv(plane(1), 0.5, (0.5, 0.0)), right), texture=64)
    (part,) = baked(made)
    assert part.seam < 5.0
    wrong = part.texture.copy()
    wrong[32:, :8] = 255
    assert seam_difference(made, 0, wrong) > 50.0


def test_what_has_no_seams_has_no_difference() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (32, 32, 3)).astype(np.uint8)
    for mesh in (plane(4), own_uv(plane(4), 3.0, (0.0, 0.0))):
        assert seam_difference(canvas(mesh, texture=32), 0, noise) == 0.0


def test_light_is_no_part_of_it() -> None:
    """Only points are asked for: what the field is asked knows neither light nor view."""
    asked: list[Tensor] = []

    def albedo(points: Tensor) -> Tensor:
        asked.append(points)
        return smooth(points)

    baked(canvas(boxed(), texture=32), albedo)
    assert asked and all(points.shape[1:] == (3,) for points in asked)
    assert not {"light", "shading"} & set(inspect.signature(bake).parameters)


def test_colours_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(RunError) as refused:
        baked(canvas(plane(1), texture=16), lambda points: points * math.nan)
    assert refused.value.code == "run.non_finite"


def test_it_says_how_far_it_is() -> None:
    shares: list[float] = []
    made = canvas(plane(1), moved(plane(1), (0.0, 1.0, 0.0)), texture=16)
    bake(made, smooth, CameraConfig(), padding=2, device=CPU, advance=shares.append)
    assert shares[0] == 0.0 and shares[-1] == 1.0 and shares == sorted(shares) and len(shares) >= 4
