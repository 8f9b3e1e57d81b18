"""Ambient occlusion against closed forms: an open plane, the corner of two, the bottom of a cup."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mesh.shapes import Mesh, cube, icosphere

from dreamfusion_engine.mesh.arrays import Doubles
from dreamfusion_engine.mesh.casting import caster, sky_share
from dreamfusion_engine.mesh.occlusion import LARGEST, bake_occlusion, occlusion_size
from dreamfusion_engine.mesh.surface.topology import vertex_normals
from dreamfusion_engine.mesh.uv.charts import box_charts, packed_without_overlap

CPU = torch.device("cpu")
UP = np.array([[0.0, 0.0, 1.0]])


def sheet(first: list[float], second: list[float], side: float = 100.0) -> Mesh:
    """A square of two triangles from the origin along two directions, and as far against the first one."""
    a, b = side * np.array(first), side * np.array(second)
    return np.stack([-a, a, a + b, -a + b]), np.array([[0, 1, 2], [0, 2, 3]], np.int32)


def seen(mesh: Mesh, points: Doubles, normals: Doubles, rays: int = 1024, reach: float = 1e3) -> Doubles:
    return sky_share(caster(*mesh, CPU), points, normals, reach, rays).astype(np.float64)


def test_an_open_plane_sees_the_whole_sky() -> None:
    points = np.array([[0.0, 1.0, 1e-3], [3.0, 20.0, 1e-3]])
    assert np.array_equal(seen(sheet([1, 0, 0], [0, 1, 0]), points, np.repeat(UP, 2, 0)), [1.0, 1.0])


def test_beside_a_wall_half_of_it_is_seen_and_further_off_what_the_angle_says() -> None:
    """An endless wall up to the angle a over the horizon, on one side, takes (1 - cos a) / 2 of it (Lambert)."""
    wall = sheet([1, 0, 0], [0, 0, 1])
    assert seen(wall, np.array([[0.0, 1e-3, 0.0]]), UP)[0] == pytest.approx(0.5, abs=0.01)
    low = sheet([1, 0, 0], [0, 0, 0.01])  # one unit high
    for distance in (0.5, 1.0, 2.0):
        angle = np.arctan2(1.0, distance)
        found = seen(low, np.array([[0.0, distance, 0.0]]), UP)[0]
        assert found == pytest.approx(0.5 * (1.0 + np.cos(angle)), abs=0.01)


def test_from_the_bottom_of_half_a_ball_half_of_the_sky_is_seen() -> None:
    vertices, triangles = icosphere(4)
    bowl = vertices, triangles[(vertices[triangles][..., 2] < 1e-9).all(1)][:, ::-1]
    bottom = np.array([[0.0, 0.0, -0.99]])
    rim = np.arctan2(1.0, 0.99)
    assert seen(bowl, bottom, UP)[0] == pytest.approx(np.sin(rim) ** 2, abs=0.01)


def test_what_is_out_of_reach_does_not_shade() -> None:
    roof = sheet([1, 0, 0], [0, 1, 0])
    roof = roof[0] + [0.0, -50.0, 2.0], roof[1]
    assert seen(roof, np.array([[0.0, 0.0, 0.0]]), UP, reach=1.9)[0] == 1.0
    assert seen(roof, np.array([[0.0, 0.0, 0.0]]), UP)[0] < 0.01


def baked(mesh: Mesh, size: int = 64) -> np.ndarray:
    uv = packed_without_overlap(*mesh, *box_charts(*mesh), texture=size, padding=4)[0]
    return bake_occlusion(*mesh, vertex_normals(*mesh), uv, size=size, padding=2, device=CPU)


def test_a_ball_is_white_and_what_stands_in_a_room_is_not() -> None:
    assert (baked(icosphere(3)) == 255).all()
    vertices, triangles = cube((-0.2, -0.2, -0.2), 0.4)
    room = baked((vertices, triangles[:, ::-1]))  # seen from inside: there is no sky
    assert (room == 0).mean() > 0.4 and set(np.unique(room)) <= {0, 255}


def test_pictures_have_half_of_the_textures_pixels() -> None:
    assert [occlusion_size(texture) for texture in (64, 1024, 8192)] == [32, 512, LARGEST]
