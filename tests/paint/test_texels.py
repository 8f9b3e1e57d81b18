"""What each texel shows: the place of the surface that is drawn there, of several on each other always the same one."""

from __future__ import annotations

import numpy as np
import pytest
from mesh.shapes import icosphere
from paint.surfaces import Mesh, joined, mirrored, moved, plane, unwrapped_ball

from dreamfusion_engine.mesh.arrays import Floats
from dreamfusion_engine.paint.texels import TILES_ALONG, TextureMap, in_tile, texel_of, texture_map

SIZE = 32


def shown(mesh: Mesh, size: int = SIZE) -> TextureMap:
    return texture_map(*mesh, size)


def centres(size: int = SIZE) -> Floats:
    """The middles of the texels in the texture, float32[size, size, 2]."""
    along = (np.arange(size, dtype=np.float32) + 0.5) / size
    return np.stack(np.meshgrid(along, along), -1)


@pytest.mark.parametrize("cells", [1, 5])
def test_each_texel_shows_the_point_that_is_drawn_there(cells: int) -> None:
    found = shown(plane(cells))
    u, v = centres()[..., 0], centres()[..., 1]
    expected = np.stack([2.0 * u - 1.0, np.zeros_like(u), 1.0 - 2.0 * v], -1)
    np.testing.assert_allclose(found.positions, expected, atol=1e-5)
    assert found.used.all() and found.shared.max() == 0.0


@pytest.mark.parametrize("shift", [(1.0, 0.0), (-3.0, 2.0), (7.0, -1.0)])
def test_uvs_moved_by_whole_tiles_show_the_same(shift: tuple[float, float]) -> None:
    vertices, triangles, uv = plane(3)
    here, there = shown((vertices, triangles, uv)), shown((vertices, triangles, uv + np.array(shift, np.float32)))
    np.testing.assert_allclose(there.positions, here.positions, atol=1e-5)
    np.testing.assert_array_equal(there.used, here.used)
    assert there.shared.max() == 0.0


def test_a_square_over_several_tiles_repeats_and_one_of_its_places_owns_each_texel() -> None:
    found = shown(plane(1, tiles=2.0))
    assert found.used.all()
    place = found.positions[..., [0, 2]] * [1.0, -1.0] + 1.0  # in tiles, from the square's top left corner
    np.testing.assert_allclose(place, centres(), atol=1e-4)  # the first tile owns them all
    np.testing.assert_allclose(found.shared, 0.75, atol=0.05)


def test_a_triangle_over_many_tiles_is_drawn_around_its_middle() -> None:
    uv = np.array([[[0, 0], [1e6, 0], [0, 1e6]], [[0, 0], [0.5, 0], [0, 0.5]]], np.float32)
    copies, source = in_tile(uv)
    assert (source == 0).sum() == TILES_ALONG**2 and (source == 1).sum() == 1
    assert np.isfinite(copies).all()
    middle = copies[source == 0].mean(1)
    assert (np.abs(middle) < TILES_ALONG).all()


def test_a_large_triangle_over_many_tiles_fills_the_texture() -> None:
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 0, 1]])
    found = shown((vertices, np.array([[0, 1, 2]], np.int32), 100.0 * np.array([[[1, 1], [1, 0], [0, 1]]], np.float32)))
    assert found.used.all()


@pytest.mark.parametrize("diagonals", [True, False])
def test_of_mirrored_halves_the_first_owns_every_texel(diagonals: bool) -> None:
    mesh = mirrored(8, diagonals)
    found = shown(mesh, 64)
    half = len(mesh[1]) // 2
    assert found.used.all() and found.owner.max() < half
    assert found.shared[:half].max() == 0.0
    away = mesh[0][mesh[1][half:]][..., 0].max(1) < -0.2  # within four texels of the fold both are the same place
    assert found.shared[half:][away].min() == 1.0


def test_of_many_copies_on_each_other_the_first_owns_every_texel() -> None:
    mesh = joined(*(moved(plane(4), (0.0, float(i), 0.0)) for i in range(20)))
    found = shown(mesh)
    first = len(mesh[1]) // 20
    assert found.owner.max() < first and found.used.all()
    assert found.shared[:first].max() == 0.0 and found.shared[first:].min() == 1.0


def test_what_lies_half_on_another_shares_half_of_it() -> None:
    vertices, triangles, uv = plane(8)
    later = moved((vertices, triangles, 0.5 * uv + np.array([0.25, 0.0], np.float32)), (0.0, 1.0, 0.0))
    found = shown(joined((vertices, triangles, 0.5 * uv), later), 64)
    first = len(triangles)
    assert found.shared[:first].max() == 0.0
    assert abs(found.shared[first:].mean() - 0.5) < 0.1
    on = (found.owner >= first).nonzero()
    assert on[1].min() >= 31  # the texels that it has for itself


def test_of_a_small_chart_on_a_large_triangle_is_taken_note() -> None:
    small = moved(plane(1), (0.0, 1.0, 0.0))
    small = small[0], small[1], 0.1 * small[2] + np.float32(0.7)
    for order in ((plane(1), small), (small, plane(1))):
        found = shown(joined(*order), 128)
        assert found.shared.max() > 0.0 and found.used.all()
        assert found.shared[2:].max() > 0.0 and found.shared[:2].max() == 0.0


@pytest.mark.parametrize(("subdivisions", "texture"), [(2, 64), (4, 256), (5, 32)])
def test_no_triangle_of_an_unwrap_is_called_shared(subdivisions: int, texture: int) -> None:
    mesh = unwrapped_ball(subdivisions, texture)  # the last has triangles smaller than a texel
    found = shown(mesh, texture)
    assert found.shared.max() == 0.0
    on = found.positions[found.used]
    assert np.linalg.norm(on, axis=1).min() > 0.85 and np.linalg.norm(on, axis=1).max() < 1.0 + 1e-5


@pytest.mark.parametrize("stretch", [(0.02, 1.0), (1.0, 0.005)])
def test_stretched_uvs_are_not_called_shared(stretch: tuple[float, float]) -> None:
    vertices, triangles, uv = plane(6)
    assert shown((vertices, triangles, uv * np.array(stretch, np.float32))).shared.max() == 0.0


def test_triangles_without_area_break_nothing() -> None:
    vertices, triangles, uv = plane(4)
    uv[3] = uv[3, :1]  # no area in the texture
    uv[7, 2] = 0.5 * (uv[7, 0] + uv[7, 1])  # a line there
    triangles[11] = triangles[11, 0]  # none in space
    with np.errstate(all="raise", under="ignore"):
        found = shown((vertices, triangles, uv))
    assert np.isfinite(found.positions).all() and np.isfinite(found.reach).all() and np.isfinite(found.shared).all()
    assert found.used.mean() > 0.8
    assert found.shared[11] == 0.0


def test_uvs_that_are_all_one_point_show_nothing() -> None:
    vertices, triangles, uv = plane(2)
    found = shown((vertices, triangles, np.zeros_like(uv)))
    assert not found.used.any() and found.shared.max() == 0.0 and np.isfinite(found.reach).all()


def test_a_triangle_that_is_a_point_in_the_texture_shares_what_is_there() -> None:
    vertices, triangles, uv = plane(2)
    far = np.array([[0.0, 5.0, 0.0], [1.0, 5.0, 0.0], [0.0, 5.0, 1.0]])
    point = far, np.array([[0, 1, 2]], np.int32), np.full((1, 3, 2), 0.3, np.float32)
    found = shown(joined((vertices, triangles, uv), point))
    assert found.shared[-1] == 1.0 and found.shared[:-1].max() == 0.0


@pytest.mark.slow
def test_random_uvs_never_give_what_is_no_number() -> None:
    vertices, triangles = icosphere(1)
    rng = np.random.default_rng(0)
    for scale in (1e-6, 1.0, 30.0, 1e7):
        uv = (scale * rng.normal(size=(len(triangles), 3, 2))).astype(np.float32)
        found = shown((vertices, triangles, uv))
        assert np.isfinite(found.positions).all() and np.isfinite(found.reach).all()
        assert ((found.shared >= 0.0) & (found.shared <= 1.0 + 1e-6)).all()


def test_the_same_surface_gives_the_same_map_bit_for_bit() -> None:
    first, second = shown(mirrored(6)), shown(mirrored(6))
    np.testing.assert_array_equal(first.owner, second.owner)
    np.testing.assert_array_equal(first.positions, second.positions)


def test_texels_repeat_with_the_texture() -> None:
    places = np.array([[0.0, 0.99], [1.25, -0.25], [-0.5, 3.5]])
    row, column = texel_of(places, 4)
    np.testing.assert_array_equal(row, [3, 3, 2])
    np.testing.assert_array_equal(column, [0, 1, 2])
