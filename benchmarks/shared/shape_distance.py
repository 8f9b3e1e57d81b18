"""The distance of a mesh from the exact shapes of its kind: Chamfer distance and volume IoU, by their definitions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import warp as wp
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from dreamfusion_engine.judge.portraits import HALF_LENGTH, to_box
from dreamfusion_engine.machine.warp_runtime import launch, vectors
from training.starter.exact_mesh import exact_mesh, lattice_points, signed_distance
from training.starter.objects.kinds import Appearance, Kind, make_object

try:
    import trimesh
except ModuleNotFoundError:  # it comes with the tests alone
    raise SystemExit(
        "error: This program needs the package trimesh, which compares shapes.\n"
        "  why: The engine does without it, so `python3 install.py engine` leaves it out.\n"
        "  fix: Run `python3 install.py test tests/benchmarks/test_sheets.py`, which installs what the tests need."
    ) from None

Floats = NDArray[np.float32]
CPU = torch.device("cpu")
SURFACE_POINTS = 4096
LATTICE = 48  # cells along the box for volumes
EXACT_RESOLUTION = 64  # cells along the box of the exact meshes
_TURNS = 12  # about the vertical axis, for kinds without a front


@wp.kernel(enable_backward=False)
def inside_mesh(begin: int, mesh: wp.uint64, points: wp.array(dtype=wp.vec3), out: wp.array(dtype=float)) -> None:
    i = begin + wp.tid()
    found = wp.mesh_query_point_sign_winding_number(mesh, points[i], 10.0)
    out[i] = 0.0
    if found.result and found.sign < 0.0:
        out[i] = 1.0


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A solid shape.

    points: float32[SURFACE_POINTS, 3], on its surface.
    filled: bool[(LATTICE + 1)^3], which lattice points are inside.
    """

    points: Floats
    filled: NDArray[np.bool_]


def surface_points(vertices: Floats, triangles: NDArray[np.int32], seed: int = 0) -> Floats:
    """SURFACE_POINTS points, spread evenly over the surface: float32[SURFACE_POINTS, 3].

    vertices: float32[V, 3].
    triangles: int32[T, 3].
    seed: int, chooses the points.
    """
    mesh = trimesh.Trimesh(vertices, triangles, process=False)
    return np.asarray(trimesh.sample.sample_surface(mesh, SURFACE_POINTS, seed=seed)[0], np.float32)


def shape_of_mesh(vertices: Floats, triangles: NDArray[np.int32]) -> Shape:
    """The shape of a closed mesh, fitted into the corpus's box. Vertices that were split at seams are joined again.

    vertices: float32[V, 3].
    triangles: int32[T, 3].
    """
    mesh = trimesh.Trimesh(to_box(vertices), triangles, process=False)
    mesh.merge_vertices(merge_tex=True, merge_norm=True)
    corners = torch.from_numpy(np.asarray(mesh.vertices, np.float32))
    faces = torch.from_numpy(np.asarray(mesh.faces, np.int32).reshape(-1).copy())
    queried = wp.Mesh(
        points=wp.from_torch(corners, dtype=wp.vec3, requires_grad=False),
        indices=wp.from_torch(faces),
        support_winding_number=True,
    )
    points = lattice_points(LATTICE, CPU)
    out = torch.empty(len(points))
    launch(inside_mesh, len(points), [queried.id, vectors(points), out], device=CPU)
    return Shape(points=surface_points(corners.numpy(), np.asarray(mesh.faces, np.int32)), filled=out.numpy() > 0.5)


@lru_cache(maxsize=16)  # prompts: a table asks for the same ones again
def exact_shapes(kind: Kind, appearance: Appearance, count: int) -> list[Shape]:
    """Exact objects of a kind, each in the box into which `to_box` fits a mesh.

    kind, appearance: of the objects.
    count: int, their number.
    """
    shapes = []
    for seed in range(count):
        parts = make_object(np.random.default_rng([7, seed]), kind, appearance)
        vertices, triangles = exact_mesh(parts, EXACT_RESOLUTION, CPU)
        low, high = vertices.min(0), vertices.max(0)
        scale = (high - low).max() / (2.0 * HALF_LENGTH)
        lattice = lattice_points(LATTICE, CPU) * scale + torch.from_numpy(0.5 * (low + high))
        filled = signed_distance(parts, lattice.float()).numpy() < 0.0
        shapes.append(Shape(points=surface_points(to_box(vertices), triangles, seed), filled=filled))
    return shapes


def chamfer(a: Floats, b: Floats) -> float:
    """The mean distance from a point of one set to the nearest of the other, averaged over both ways, in world units.

    a, b: float32[N, 3].
    """
    return float(0.5 * (cKDTree(b).query(a)[0].mean() + cKDTree(a).query(b)[0].mean()))


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Shared volume over joint volume."""
    return float((a & b).sum() / max(1, (a | b).sum()))


def turned(vertices: Floats, angle: float) -> Floats:
    """The vertices turned about the vertical axis.

    vertices: float32[V, 3].
    angle: float, radians.
    """
    c, s = math.cos(angle), math.sin(angle)
    return np.asarray(vertices @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]], np.float32), np.float32)


def distance_to_kind(
    vertices: Floats, triangles: NDArray[np.int32], kind: Kind, appearance: Appearance, count: int
) -> tuple[float, float]:
    """The Chamfer distance to the nearest exact object of a kind, and the best volume IoU with one.

    vertices: float32[V, 3].
    triangles: int32[T, 3].
    count: int, exact objects to compare with.

    A mesh of a kind without a front may stand turned about its axis, so several angles are tried.
    """
    angles = [0.0] if kind.front else [i * 2.0 * math.pi / _TURNS for i in range(_TURNS)]
    shapes = [shape_of_mesh(turned(vertices, angle), triangles) for angle in angles]
    exact = exact_shapes(kind, appearance, count)
    nearest = min(chamfer(mine.points, other.points) for mine in shapes for other in exact)
    return nearest, max(iou(mine.filled, other.filled) for mine in shapes for other in exact)
