"""The normal map gives a reduced surface the normals of the detailed one: exact ones are known here."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mesh.shapes import cube, icosphere
from numpy.typing import NDArray

from dreamfusion_engine.mesh.arrays import Bools, Doubles
from dreamfusion_engine.mesh.bake import texel_owners
from dreamfusion_engine.mesh.normal_map import FLAT, Detail, bake_normal_map, encoded, in_tangent_space, spread
from dreamfusion_engine.mesh.surface.cleanup import decimated
from dreamfusion_engine.mesh.surface.topology import Triangles, Vertices, vertex_normals
from dreamfusion_engine.mesh.tangents import corner_tangents
from dreamfusion_engine.mesh.uv.charts import box_charts, packed_without_overlap

CPU = torch.device("cpu")
SIZE = 256
BUMPS, WAVES = 0.03, 9.0  # height, world units, and radians along a unit


def radius(way: Doubles) -> Doubles:
    """Of the bumpy sphere, in unit directions float64[N, 3]."""
    return 0.7 + BUMPS * np.sin(WAVES * way).prod(-1)


def exact_normals(points: Doubles) -> Doubles:
    """The gradient of |p| - radius(p / |p|), unit length, by central differences."""

    def height(p: Doubles) -> Doubles:
        length = np.linalg.norm(p, axis=-1)
        return np.asarray(length - radius(p / length[:, None]))

    steps = 1e-5 * np.eye(3)
    found = np.stack([height(points + step) - height(points - step) for step in steps], -1)
    return np.asarray(found / np.linalg.norm(found, axis=-1, keepdims=True))


def layout(vertices: Vertices, triangles: Triangles) -> NDArray[np.float32]:
    """UVs without a process of their own."""
    return packed_without_overlap(vertices, triangles, *box_charts(vertices, triangles), texture=SIZE, padding=4)[0]


def baked(detail: Detail, vertices: Vertices, triangles: Triangles, uv: NDArray[np.float32]) -> NDArray[np.uint8]:
    normals = vertex_normals(vertices, triangles)
    tangents = corner_tangents(vertices, triangles, normals, uv)
    owners = texel_owners(uv, SIZE, CPU)
    return bake_normal_map(detail, vertices, triangles, normals, tangents, owners, padding=2, device=CPU)


def shaded(
    texture: NDArray[np.uint8], vertices: Vertices, triangles: Triangles, uv: NDArray[np.float32]
) -> tuple[Doubles, Doubles, Doubles]:
    """Points on the surface, and the normals there without and with the map, as a renderer makes them of a texel."""
    rng = np.random.default_rng(0)
    face, w = rng.integers(0, len(triangles), 4000), rng.dirichlet([1.0, 1.0, 1.0], 4000)
    normals = vertex_normals(vertices, triangles)
    tangents = corner_tangents(vertices, triangles, normals, uv)[face].astype(np.float64)
    point, n = (np.einsum("tc,tci->ti", w, x[triangles[face]]) for x in (vertices, normals))
    t = np.einsum("tc,tci->ti", w, tangents[..., :3])
    b = tangents[:, 0, 3:] * np.cross(n, t)
    column, row = np.floor(np.einsum("tc,tci->ti", w, uv[face].astype(np.float64)) * SIZE).astype(int).T
    c = texture[row, column] / 255.0 * 2.0 - 1.0
    mapped = c[:, :1] * t + c[:, 1:2] * b + c[:, 2:] * n
    return point, n / np.linalg.norm(n, axis=-1, keepdims=True), mapped / np.linalg.norm(mapped, axis=-1, keepdims=True)


def degrees(a: Doubles, b: Doubles) -> float:
    """Mean angle."""
    return float(np.degrees(np.arccos(np.clip((a * b).sum(-1), -1.0, 1.0))).mean())


@pytest.fixture(scope="module")
def bumpy() -> Detail:
    """A bumpy sphere of 8192 triangles."""
    way, triangles = icosphere(5)
    return Detail(vertices=way * radius(way)[:, None], triangles=triangles)


@pytest.mark.parametrize("side", ["up", "mirrored"])
def test_a_bumpy_sphere_of_few_triangles_is_shaded_as_the_exact_one(bumpy: Detail, side: str) -> None:
    vertices, triangles = decimated(bumpy.vertices, bumpy.triangles, 1000, 0.01)
    uv = layout(vertices, triangles)
    if side == "mirrored":
        uv = np.stack([1.0 - uv[..., 0], uv[..., 1]], -1)
    point, plain, mapped = shaded(baked(bumpy, vertices, triangles, uv), vertices, triangles, uv)
    way = point / np.linalg.norm(point, axis=-1, keepdims=True)
    exact = exact_normals(way * radius(way)[:, None])
    assert degrees(plain, exact) > 5.0
    assert degrees(mapped, exact) < 1.6


@pytest.mark.slow
def test_halves_that_share_mirrored_texels_are_both_right(bumpy: Detail) -> None:
    """What is symmetric may be laid out once: its bumps are, about x = 0, for an even function of x."""
    way, triangles = icosphere(3)
    even = 0.7 + BUMPS * np.cos(WAVES * way[:, 0]) * np.sin(WAVES * way[:, 2])
    fine, faces = icosphere(5)
    detail = Detail(
        vertices=fine * (0.7 + BUMPS * np.cos(WAVES * fine[:, 0]) * np.sin(WAVES * fine[:, 2]))[:, None],
        triangles=faces,
    )
    vertices = way * even[:, None]
    corners = vertices[triangles]
    front = corners.mean(1)[:, 1] < 0.0
    flat = 0.5 + 0.3 * np.stack([np.abs(corners[..., 0]), -corners[..., 2]], -1)
    uv = (flat - np.where(front, 0.5, 0.0)[:, None, None] * np.array([1.0, 0.0])).astype(np.float32)
    point, plain, mapped = shaded(baked(detail, vertices, triangles, uv), vertices, triangles, uv)
    found = Detail(vertices=detail.vertices, triangles=detail.triangles)
    steep = np.abs(point[:, 1]) > 0.35  # elsewhere a texel is long on the surface
    exact = nearest_normals(found, point)
    assert degrees(plain[steep], exact[steep]) > 2.5 * degrees(mapped[steep], exact[steep])
    for half in (point[:, 0] < 0.0, point[:, 0] > 0.0):
        assert degrees(mapped[steep & half], exact[steep & half]) < 3.0


def nearest_normals(detail: Detail, points: Doubles) -> Doubles:
    """The normal of the nearest vertex."""
    normals = vertex_normals(detail.vertices, detail.triangles)
    nearest = ((points[:, None, :] - detail.vertices[None]) ** 2).sum(-1).argmin(1)
    return np.asarray(normals[nearest])


def test_what_has_nothing_to_add_is_flat_to_the_bit() -> None:
    vertices, triangles = cube()
    texture = baked(Detail(vertices=vertices, triangles=triangles), vertices, triangles, layout(vertices, triangles))
    assert (texture == FLAT).all()


def test_the_other_side_of_a_thin_sheet_is_not_taken_for_this_one() -> None:
    vertices, triangles = cube(size=1.0)
    thin = vertices * [1.0, 1.0, 0.01]
    moved = thin - [0.0, 0.0, 0.009]  # its top is nearest to the bottom of the sheet
    texture = baked(Detail(vertices=moved, triangles=triangles), thin, triangles, layout(thin, triangles))
    assert (texture[..., 2] >= 128).all()


def test_codes_are_those_of_the_format() -> None:
    c = np.array([[0.0, 0.0, 1.0], [1.0, -1.0, 0.0], [-1e-9, 1e-9, 1.0]])
    assert encoded(c).tolist() == [[128, 128, 255], [255, 0, 128], [128, 128, 255]]


def test_shares_of_a_skew_frame_give_the_normal_back() -> None:
    rng = np.random.default_rng(1)
    shown, normal, tangent = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in rng.normal(size=(3, 50, 3)))
    normal, tangent, handed = 0.7 * normal, 0.9 * tangent, rng.choice([-1.0, 1.0], 50)
    c = in_tangent_space(shown, normal, tangent, handed)
    again = c[:, :1] * tangent + c[:, 1:2] * handed[:, None] * np.cross(normal, tangent) + c[:, 2:] * normal
    assert np.allclose(again / np.linalg.norm(again, axis=-1, keepdims=True), shown, atol=1e-9)
    assert np.array_equal(in_tangent_space(shown, normal, 2.0 * normal, handed), np.tile([0.0, 0.0, 1.0], (50, 1)))


def test_texels_beside_a_chart_take_the_nearest_normal_and_those_far_off_stay() -> None:
    texels = np.full((1, 6, 3), 9, np.uint8)
    texels[0, 0] = 200
    known: Bools = np.array([[True, False, False, False, False, False]])
    assert spread(texels, known, 2)[0, :, 0].tolist() == [200, 200, 200, 9, 9, 9]
