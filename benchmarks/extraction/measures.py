"""How near a mesh is to an exact one: distances, volume, normals, sharp edges, and its own faults.

Axis letters: N points, V vertices, T triangles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import trimesh
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from benchmarks.shared.shape_distance import inside_mesh, iou
from dreamfusion_engine.machine.warp_runtime import launch, vectors
from dreamfusion_engine.mesh.arrays import Bools, Floats, Ints
from dreamfusion_engine.mesh.casting import Caster, caster, nearest_triangle
from dreamfusion_engine.mesh.surface.topology import face_normals, genus, is_closed, parts_of, turns
from dreamfusion_engine.refinement.repair import surface_faults
from training.starter.exact_mesh import lattice_points

POINTS = 20_000  # on each surface
VOLUME_CELLS = 64  # along the box
SHARP = np.radians(35.0)  # between neighbouring triangles, or triangles that follow each other across a chamfer
NEAR = 0.03  # world units from the middles of triangles at a sharp edge
CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class Exact:
    """An exact mesh, prepared once.

    scene: Caster of it.
    normals: float[T, 3], unit length.
    points: float[N, 3], evenly on it.
    owner: int[N], their triangles.
    sharp: bool[N], which of them are near a sharp edge.
    filled: bool[M], which points of a lattice are inside.
    """

    scene: Caster
    normals: NDArray[np.float64]
    points: Floats
    owner: Ints
    sharp: Bools
    filled: Bools


@dataclass(frozen=True, kw_only=True)
class Measures:
    """The figures of one mesh.

    chamfer: float, world units: mean distance from points of one surface to the other, averaged over both ways.
    iou: float, of the volumes, in [0, 1].
    normals: float, degrees: mean angle between the exact surface's normals and those of the nearest triangles.
    edges: float, degrees, the same within NEAR of sharp edges.
    closed: bool.
    crossings, folds: int, pairs of triangles that cross, and edges that fold back.
    parts, handles: int.
    triangles: int, T.
    """

    chamfer: float
    iou: float
    normals: float
    edges: float
    closed: bool
    crossings: int
    folds: int
    parts: int
    handles: int
    triangles: int


def exact_of(vertices: Floats, triangles: Ints, filled: Bools) -> Exact:
    """Prepare an exact mesh.

    vertices: float32[V, 3], world units.
    triangles: int[T, 3], closed; no larger than NEAR, so that their middles are near sharp edges.
    filled: bool[M], which of `lattice_points(VOLUME_CELLS)` are inside.
    """
    points, owner = _on_surface(vertices, triangles)
    angle, edges = turns(vertices, triangles)
    # A fine lattice cuts a sharp edge into two or three that turn by parts of it.
    bent = np.zeros(len(triangles))
    np.maximum.at(bent, edges.reshape(-1) // 3, np.repeat(angle, 2))
    middles = vertices[triangles].mean(1)[bent > 0.5 * SHARP]
    distance = _distance_to(points, middles)
    return Exact(
        scene=caster(vertices, triangles, CPU),
        normals=_unit(face_normals(vertices, triangles)),
        points=points,
        owner=owner,
        sharp=distance < NEAR,
        filled=filled,
    )


def measures_of(vertices: Floats, triangles: Ints, exact: Exact) -> Measures:
    """Measure a mesh against an exact one in the same place.

    vertices: float32[V, 3], world units.
    triangles: int[T, 3].
    exact: Exact.
    """
    mine = caster(vertices, triangles, CPU, winding=True)
    points, _ = _on_surface(vertices, triangles)
    away = nearest_triangle(exact.scene, points, 10.0)[2]
    met, _, back = nearest_triangle(mine, exact.points, 10.0)
    cosine = (_unit(face_normals(vertices, triangles))[met] * exact.normals[exact.owner]).sum(1)
    angle = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    faults = surface_faults(vertices, triangles)
    return Measures(
        chamfer=float(0.5 * (away.mean() + back.mean())),
        iou=iou(filled_points(mine, VOLUME_CELLS), exact.filled),
        normals=float(angle.mean()),
        edges=float(angle[exact.sharp].mean()) if exact.sharp.any() else 0.0,
        closed=is_closed(triangles),
        crossings=faults.crossings,
        folds=faults.folds,
        parts=parts_of(triangles)[0],
        handles=genus(triangles),
        triangles=len(triangles),
    )


def filled_points(scene: Caster, cells: int) -> Bools:
    """Return which of `lattice_points(cells)` a mesh has inside, bool[(cells + 1)^3].

    scene: Caster of the mesh, with winding numbers.
    cells: int, along the box.
    """
    points = lattice_points(cells, CPU)
    out = torch.empty(len(points))
    launch(inside_mesh, len(points), [scene.mesh.id, vectors(points), out], device=CPU)
    return np.asarray(out.numpy() > 0.5)


def _on_surface(vertices: Floats, triangles: Ints) -> tuple[Floats, Ints]:
    mesh = trimesh.Trimesh(vertices, triangles, process=False)
    points, owner = trimesh.sample.sample_surface(mesh, POINTS, seed=0)
    return np.asarray(points, np.float32), np.asarray(owner, np.int32)


def _distance_to(points: Floats, others: Floats) -> NDArray[np.float64]:
    return np.asarray(cKDTree(others).query(points)[0]) if len(others) else np.full(len(points), np.inf)


def _unit(normals: NDArray[np.float64]) -> NDArray[np.float64]:
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)
