"""Facts about meshes whose answer is known."""

import numpy as np
import pytest
from mesh.shapes import cube, icosphere, joined, lattice_torus, welded

from dreamfusion_engine.mesh.surface import topology


def test_a_cube_is_closed_manifold_of_genus_0_with_its_volume() -> None:
    vertices, triangles = cube((0.3, -2.0, 1.0), 0.5)
    assert topology.is_closed(triangles) and topology.is_manifold(triangles)
    assert topology.genus(triangles) == 0
    assert topology.volume(vertices, triangles) == pytest.approx(0.125, rel=1e-12)


def test_a_torus_has_one_handle_and_two_tori_have_two() -> None:
    torus = lattice_torus()
    assert topology.genus(torus[1]) == 1
    far = (torus[0] + 3.0, torus[1])
    assert topology.genus(joined(torus, far)[1]) == 2
    assert topology.parts_of(joined(torus, far)[1])[0] == 2


def test_the_volume_of_a_fine_torus_is_that_of_pappus() -> None:
    vertices, triangles = lattice_torus(200, 100, 0.6, 0.25)
    assert topology.volume(vertices, triangles) == pytest.approx(2.0 * np.pi**2 * 0.6 * 0.25**2, rel=2e-3)


def test_part_volumes_are_in_the_order_of_parts() -> None:
    vertices, triangles = joined(cube(size=1.0), cube((5.0, 0.0, 0.0), 2.0))
    number, parts = topology.parts_of(triangles)
    assert number == 2
    volumes = topology.part_volumes(vertices, triangles)
    assert volumes[parts[0]] == pytest.approx(1.0) and volumes[parts[-1]] == pytest.approx(8.0)


def test_a_missing_or_turned_triangle_is_not_closed() -> None:
    triangles = cube()[1]
    assert not topology.is_closed(triangles[1:])
    turned = triangles.copy()
    turned[0] = turned[0, ::-1]
    assert not topology.is_closed(turned)
    assert not topology.is_closed(triangles[:0])


def test_cubes_that_touch_in_a_vertex_are_closed_but_not_manifold() -> None:
    triangles = welded(*joined(cube(), cube((1.0, 1.0, 1.0))))[1]
    assert topology.is_closed(triangles)
    assert not topology.is_manifold(triangles)


def test_normals_of_a_sphere_point_outward_and_those_of_a_cube_to_its_corners() -> None:
    vertices, triangles = icosphere(3)
    normals = topology.vertex_normals(vertices, triangles)
    assert (normals * vertices).sum(1).min() > 0.999
    # Angle weights make a cube's normals diagonal however its faces are cut into triangles.
    vertices, triangles = cube((-0.5, -0.5, -0.5))
    diagonal = vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
    np.testing.assert_allclose(topology.vertex_normals(vertices, triangles), diagonal, atol=1e-12)


def test_compacting_drops_unused_vertices_only() -> None:
    vertices, triangles = joined(cube(), cube((5.0, 0.0, 0.0)))
    points, faces = topology.compacted(vertices, triangles[12:])
    assert len(points) == 8
    np.testing.assert_array_equal(points[faces], vertices[triangles[12:]])


def test_a_cube_turns_by_a_right_angle_at_its_edges_and_not_across_its_sides() -> None:
    vertices, triangles = cube()
    angles, edges = topology.turns(vertices, triangles)
    assert sorted(np.degrees(angles).round(6).tolist()) == [0.0] * 6 + [90.0] * 12
    # Both half-edges of a row have the same ends, the other way round.
    ends = topology.directed_edges(triangles)[edges]
    np.testing.assert_array_equal(ends[:, 0], ends[:, 1, ::-1])
    assert sorted(edges.reshape(-1).tolist()) == list(range(3 * len(triangles)))


def test_neighbour_weights_take_each_vertex_to_the_mean_of_its_neighbours() -> None:
    vertices, triangles = icosphere(2)
    mean = topology.neighbour_weights(len(vertices), triangles) @ vertices
    for vertex in (0, 7, 40):
        around = np.setdiff1d(triangles[(triangles == vertex).any(1)], vertex)
        np.testing.assert_allclose(mean[vertex], vertices[around].mean(0))
