"""Facts about meshes whose answer is known."""

import numpy as np
import pytest
from mesh.shapes import cube, icosphere, joined, lattice_torus, welded

from dreamfusion_engine.mesh import topology


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
