"""The texels that may change: whose they are, what the file's weights make of them, and what lies beside an island."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from paint.surfaces import canvas, plane

from dreamfusion_engine.paint.part.border import Border
from dreamfusion_engine.paint.part.layer import PartLayer, barycentric, composed, part_layer
from dreamfusion_engine.paint.part.pictures import OwnPicture

SIZE = 64


def layer_of(mesh: Any, chosen: NDArray[Any], *, blend: float = 0.0, size: tuple[int, int] = (SIZE, SIZE)) -> PartLayer:
    made = canvas(mesh, texture=16)
    weights = chosen.astype(np.float32)
    inside = np.asarray((weights[made.triangles] > 0.0).any(1))
    border = Border(made.vertices, made.triangles, inside, blend)
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    own = OwnPicture(pixels=pixels, factor=np.ones(3), flat=False)
    return part_layer(made, 0, weights, own, size, border)


def test_the_weights_of_vertices_blend_over_their_triangles() -> None:
    """Weights that rise from 0 to 1 across a square: the texels' are their place along it."""
    mesh = plane(4)
    along = 0.5 * (mesh[0][:, 0] + 1.0)
    layer = layer_of(mesh, along)
    u = (np.arange(SIZE) + 0.5) / SIZE
    np.testing.assert_allclose(layer.weight, np.tile(u, (SIZE, 1)), atol=1e-5)
    assert layer.changed > 0.95 and layer.kept == 0.0


def test_no_texel_that_filtering_outside_meets_may_change() -> None:
    vertices, triangles, uv = plane(4)
    split = vertices[triangles].reshape(-1, 3), np.arange(3 * len(triangles)).reshape(-1, 3).astype(np.int32), uv
    chosen = np.repeat(vertices[triangles].mean(1)[:, 0] > 0.0, 3)
    weight = layer_of(split, chosen).weight
    assert (weight[:, : SIZE // 2 + 1] == 0.0).all() and (weight[:, SIZE // 2 + 2 : -1] == 1.0).all()
    assert (weight[:, -1] == 0.0).all()  # what repeats reads it for the texels at u = 0


def test_texels_beside_an_island_change_with_it_and_those_beside_what_stays_do_not() -> None:
    """Two islands with room between them, the right one of which changes."""
    vertices, triangles, uv = plane(4)
    split = vertices[triangles].reshape(-1, 3), np.arange(3 * len(triangles)).reshape(-1, 3).astype(np.int32)
    right = vertices[triangles].mean(1)[:, 0] > 0.0
    apart = 0.8 * uv + [0.0, 0.1]
    apart[right, :, 0] += 0.2
    layer = layer_of((*split, apart.astype(np.float32)), np.repeat(right, 3))
    after, may_differ = composed(layer, np.full((SIZE, SIZE, 3), 0.5, np.float32), 3)
    before = layer.own.pixels
    np.testing.assert_array_equal(after[~may_differ], before[~may_differ])
    assert (np.abs(after[may_differ].astype(int) - 128) <= 1).all()
    left_edge, right_edge = round(0.4 * SIZE), round(0.6 * SIZE)
    row = SIZE // 2
    assert not may_differ[:, : left_edge + 4].any()
    assert may_differ[row, right_edge - 3 : right_edge].all() and not may_differ[row, right_edge - 6]


def test_half_of_a_weight_is_half_of_the_way() -> None:
    mesh = plane(2)
    layer = layer_of(mesh, np.full(len(mesh[0]), 0.5))
    after, _ = composed(layer, np.ones((SIZE, SIZE, 3), np.float32), 0)
    expected = np.rint(127.5 + 0.5 * layer.own.pixels)
    assert np.abs(after - expected).max() <= 1.0


def test_a_picture_that_is_no_square_has_its_texels_where_they_are() -> None:
    mesh = plane(4)
    layer = layer_of(mesh, 0.5 * (mesh[0][:, 0] + 1.0), size=(16, 48))
    np.testing.assert_allclose(layer.weight, np.tile((np.arange(48) + 0.5) / 48, (16, 1)), atol=1e-5)
    z = layer.texels.positions[..., 2]
    assert (np.diff(z, axis=0) < 0.0).all() and np.ptp(z, axis=1).max() < 1e-6


def test_barycentric_weights_give_the_point_back() -> None:
    rng = np.random.default_rng(0)
    shape, share = rng.normal(size=(100, 3, 3)), rng.dirichlet(np.ones(3), 100)
    points = np.einsum("nc,nci->ni", share, shape)
    np.testing.assert_allclose(barycentric(shape, points), share, atol=1e-9)
    flat = np.zeros((1, 3, 3))
    np.testing.assert_allclose(barycentric(flat, np.zeros((1, 3))), 1.0 / 3.0)
