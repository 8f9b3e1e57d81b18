"""Queries against a mesh: the Warp kernels against every triangle in plain torch, and closed forms."""

import numpy as np
import pytest
import torch
from mesh.shapes import icosphere, lattice_torus
from twins.torch_mesh import nearest_distance, ray_hits

from dreamfusion_engine.mesh.casting import caster, cosine_directions, hit_distance, nearest_triangle, open_sky_share
from dreamfusion_engine.mesh.surface import topology

CPU = torch.device("cpu")


def test_rays_hit_what_plain_torch_hits() -> None:
    vertices, triangles = lattice_torus()
    generator = np.random.default_rng(0)
    origins = 2.0 * generator.standard_normal((400, 3))
    directions = 0.4 * generator.standard_normal((400, 3)) - origins
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    found = hit_distance(caster(vertices, triangles, CPU), origins, directions, 100.0)
    expected, _ = ray_hits(*(torch.from_numpy(x) for x in (origins, directions, vertices[triangles])))
    expected = expected.clamp(max=100.0)
    assert 50 < int((expected < 100.0).sum()) < 390
    agree = np.isclose(found, expected.numpy(), atol=1e-4)
    assert agree.mean() > 0.99  # single precision may see a grazing ray the other way


def test_the_nearest_point_is_the_one_plain_torch_finds() -> None:
    vertices, triangles = lattice_torus(12, 6)
    points = np.random.default_rng(1).standard_normal((200, 3)) * 0.6
    face, weights, distance = nearest_triangle(caster(vertices, triangles, CPU), points, 10.0)
    expected = nearest_distance(torch.from_numpy(points), torch.from_numpy(vertices[triangles]))
    np.testing.assert_allclose(distance, expected.numpy(), atol=1e-5)
    on_it = np.einsum("nc,nci->ni", weights, vertices[triangles[face]])
    np.testing.assert_allclose(np.linalg.norm(on_it - points, axis=1), expected.numpy(), atol=1e-5)
    assert (weights > -1e-5).all()


def test_what_is_out_of_reach_is_not_found() -> None:
    scene = caster(*icosphere(2), CPU)
    face, _, distance = nearest_triangle(scene, np.array([[3.0, 0.0, 0.0], [1.05, 0.0, 0.0]]), 0.5)
    assert face[0] == -1 and distance[0] == 0.5
    assert face[1] >= 0 and distance[1] == pytest.approx(0.05, abs=0.02)
    away = hit_distance(scene, np.array([[3.0, 0.0, 0.0]]), np.array([[1.0, 0.0, 0.0]]), 7.0)
    assert away[0] == 7.0


def test_a_ball_sees_the_whole_sky_and_the_inside_of_a_torus_less() -> None:
    vertices, triangles = icosphere(3)
    share = open_sky_share(caster(vertices, triangles, CPU), topology.vertex_normals(vertices, triangles), 5.0)
    assert share.min() > 0.95
    vertices, triangles = lattice_torus(48, 24)
    share = open_sky_share(caster(vertices, triangles, CPU), topology.vertex_normals(vertices, triangles), 5.0)
    radius = np.hypot(vertices[:, 0], vertices[:, 1])
    assert share[radius > 0.84].min() > 0.95 > 0.8 > share[radius < 0.36].max()


def test_sky_directions_are_cosine_weighted_unit_vectors() -> None:
    directions = cosine_directions(4096)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1.0)
    np.testing.assert_allclose(
        directions.mean(0), [0.0, 0.0, 2.0 / 3.0], atol=2e-3
    )  # E[cos] = 2/3 for density cos / pi
