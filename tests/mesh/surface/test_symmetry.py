"""Surfaces that are their own mirror image: to the bit, closed, and also where the half touches the plane oddly."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mesh.shapes import Mesh, icosphere, joined, lattice_torus
from reference import soft_fields
from scipy import ndimage
from torch import Tensor

from dreamfusion_engine.mesh.arrays import Doubles, Floats
from dreamfusion_engine.mesh.surface import cleanup, topology
from dreamfusion_engine.mesh.surface.extract import extract_surface, surface_of
from dreamfusion_engine.mesh.surface.folds import faults_of, folds_of
from dreamfusion_engine.mesh.surface.lattice import Lattice
from dreamfusion_engine.mesh.surface.silhouette import ReferenceViews, Silhouettes
from dreamfusion_engine.mesh.surface.symmetry import (
    closed_by_its_image,
    half_of,
    is_mirrored,
    mirrored_again,
    mirrored_lattice,
)

FIELD = soft_fields.hamburger(bumps=0.006, edge=0.008)
CPU = torch.device("cpu")


def density(points: Tensor) -> Tensor:
    """The hamburger's right half and its image; its bumps differ from side to side."""
    return FIELD.density(torch.cat([points[:, :1].abs(), points[:, 1:]], -1))


@pytest.fixture(scope="module")
def silhouettes() -> Silhouettes:
    views = soft_fields.photographs(
        soft_fields.SoftField(distance=FIELD.distance, colour=FIELD.colour, edge=0.008), soft_fields.orbit(2), 32
    )
    return Silhouettes(ReferenceViews(cameras=views.cameras, colour=views.colour, opacity=views.opacity))


@pytest.mark.parametrize("resolution", [32, 41])
def test_the_way_from_a_field_to_few_triangles_is_mirrored_to_the_bit(
    silhouettes: Silhouettes, resolution: int
) -> None:
    found = extract_surface(density, resolution, 8.0, silhouettes, CPU, mirrored=True)[:2]
    assert is_mirrored(*found) and topology.is_manifold(found[1])
    surface = cleanup.cleaned(*found, min_part=0.01, smoothing=20, mirrored=True)
    assert is_mirrored(*surface) and topology.is_manifold(surface[1])
    assert topology.parts_of(surface[1])[0] == 1
    for budget in (1500, 300):
        points, faces = cleanup.decimated(*surface, budget, 0.01, 20, mirrored=True)
        assert is_mirrored(points, faces) and is_mirrored(points.astype(np.float32), faces)
        assert len(faces) <= budget and topology.is_manifold(faces) and topology.parts_of(faces)[0] == 1
        assert faults_of(points, faces, folds_of(*surface)).count == 0
        assert topology.volume(points, faces) == pytest.approx(topology.volume(*surface), rel=0.1)


def noise(seed: int, cells: int = 24) -> Lattice:
    """Mirrored random blobs that touch the plane, each other and themselves."""
    values = np.random.default_rng(seed).normal(size=(cells + 1,) * 3).astype(np.float32)
    values = np.exp(4.0 * ndimage.gaussian_filter(values, 1.0)).astype(np.float32)
    for axis in range(3):
        np.moveaxis(values, axis, 0)[[0, -1]] = 0.0
    values = mirrored_lattice(values)
    return Lattice(values=values, known=np.ones(values.shape, bool))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_noise_is_mirrored_and_closed(seed: int) -> None:
    vertices, triangles = surface_of(noise(seed), 1.0, half=True)
    points, faces = closed_by_its_image(vertices, triangles, np.abs(vertices[:, 0]) < 1e-9)
    assert is_mirrored(points, faces) and topology.is_manifold(faces)
    assert topology.volume(points, faces) == pytest.approx(2.0 * topology.volume(vertices, triangles), rel=1e-3)
    surface = cleanup.cleaned(points, faces, min_part=0.01, smoothing=4, mirrored=True)
    found = cleanup.decimated(*surface, len(surface[1]) // 4, 0.01, 4, mirrored=True)
    assert is_mirrored(*found) and topology.is_manifold(found[1])


def test_a_lattice_gets_the_half_at_positive_x() -> None:
    values: Floats = np.arange(5, dtype=np.float32)[:, None, None] * np.ones((1, 2, 2), np.float32)
    assert mirrored_lattice(values)[:, 0, 0].tolist() == [4.0, 3.0, 2.0, 3.0, 4.0]


def shapes() -> dict[str, Mesh]:
    sphere, faces = icosphere(2)
    aside = sphere + [3.0, 0.0, 0.0], faces
    return {
        "sphere": (sphere, faces),
        "torus": lattice_torus(24, 12),
        "two apart": joined(aside, (aside[0] * [-1.0, 1.0, 1.0], faces[:, ::-1])),
    }


@pytest.mark.parametrize("name", ["sphere", "torus", "two apart"])
def test_a_half_and_its_image_are_the_whole(name: str) -> None:
    vertices, triangles = shapes()[name]
    vertices = np.where(np.abs(vertices) < 1e-12, 0.0, vertices)
    half, faces, plane = half_of(vertices, triangles)
    assert 2 * len(faces) == len(triangles) and plane.any() == (name != "two apart")
    points, whole = closed_by_its_image(half, faces, plane)
    assert len(points) == len(vertices) and is_mirrored(points, whole) and topology.is_manifold(whole)
    assert topology.volume(points, whole) == pytest.approx(topology.volume(vertices, triangles))


def test_what_moved_is_mirrored_again() -> None:
    vertices, triangles = icosphere(2)
    vertices = np.where(np.abs(vertices) < 1e-12, 0.0, vertices)
    moved: Doubles = vertices + 0.02 * np.random.default_rng(0).normal(size=vertices.shape)
    assert not is_mirrored(moved, triangles)
    points, faces = mirrored_again(vertices, moved, triangles)
    assert is_mirrored(points, faces) and topology.is_manifold(faces) and len(faces) == len(triangles)
    assert set(map(tuple, moved[vertices[:, 0] > 0.0])) <= set(map(tuple, points))


TETRAHEDRON = np.array([[0, 2, 1], [0, 3, 2], [0, 1, 3], [1, 2, 3]], np.int32)


@pytest.mark.parametrize("touching", [[0], [0, 1]])
def test_what_only_touches_the_plane_comes_off_it(touching: list[int]) -> None:
    vertices = np.array([[0.2, 0.0, 0.0], [0.2, 0.0, 1.0], [1.0, 1.0, 0.5], [1.0, -1.0, 0.5]])
    triangles = TETRAHEDRON if topology.volume(vertices, TETRAHEDRON) > 0.0 else TETRAHEDRON[:, ::-1]
    vertices[touching, 0] = 0.0
    points, faces = closed_by_its_image(vertices, triangles, vertices[:, 0] == 0.0)
    assert topology.is_manifold(faces) and is_mirrored(points, faces)
    assert topology.parts_of(faces)[0] == 2
    assert topology.volume(points, faces) == pytest.approx(2.0 * topology.volume(vertices, triangles), rel=1e-2)


def test_halves_that_meet_at_a_vertex_of_the_plane_are_cut_apart_there() -> None:
    """Two cones with half their round on the plane, tip to tip."""
    angle = np.linspace(-0.5 * np.pi, 0.5 * np.pi, 7)
    rim = np.stack([np.cos(angle), np.sin(angle), np.ones(7)], -1)
    rim[[0, -1], 0] = 0.0
    vertices = np.concatenate([[[0.0, 0.0, 0.0]], rim, rim * [1.0, 1.0, -1.0], [[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]]])
    triangles = []
    for k in range(1, 7):
        triangles += [(0, k + 1, k), (15, k, k + 1), (0, k + 7, k + 8), (16, k + 8, k + 7)]
    faces = np.array(triangles, np.int32)
    points, whole = closed_by_its_image(vertices, faces, vertices[:, 0] == 0.0)
    assert topology.is_manifold(whole) and is_mirrored(points, whole) and topology.parts_of(whole)[0] == 2
    assert abs(topology.volume(points, whole)) == pytest.approx(2.0 * abs(topology.volume(vertices, faces)), rel=1e-2)


def test_bits_are_told() -> None:
    vertices, triangles = icosphere(1)
    vertices = np.where(np.abs(vertices) < 1e-12, 0.0, vertices)
    assert is_mirrored(vertices, triangles)
    other = vertices.copy()
    other[np.argmax(vertices[:, 0]), 0] = np.nextafter(vertices[:, 0].max(), 2.0)
    assert not is_mirrored(other, triangles) and not is_mirrored(vertices, triangles[1:])
