"""The finished mesh: plain arrays, ready to be written, shown or measured."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dreamfusion_engine.mesh.arrays import Floats, Ints


@dataclass(frozen=True, kw_only=True)
class TexturedMesh:
    """A closed surface with a base-colour texture. Z up, front -Y, triangles counter-clockwise seen from outside.

    vertices: float32[V, 3], world units, welded (no two at one place for the sake of seams).
    triangles: int32[T, 3].
    normals: float32[V, 3], smooth, unit length.
    uv: float32[T, 3, 2], of every corner, in [0, 1], u to the right and v down from the texture's top left corner.
    texture: uint8[H, W, 3], sRGB.
    normal_map: uint8[H, W, 3], linear, tangent space, +Y up in the texture; None: the normals alone say all.
    occlusion: uint8[h, w], linear, the share of the sky that is seen from there; None: not asked for.
    """

    vertices: Floats
    triangles: Ints
    normals: Floats
    uv: Floats
    texture: NDArray[np.uint8]
    normal_map: NDArray[np.uint8] | None = None
    occlusion: NDArray[np.uint8] | None = None


def standing(mesh: TexturedMesh) -> TexturedMesh:
    """Return the mesh as it is delivered: longest side 1, lowest point at z = 0, centred in x and y."""
    low, high = mesh.vertices.min(0).astype(np.float64), mesh.vertices.max(0).astype(np.float64)
    base = np.array([0.5 * (low[0] + high[0]), 0.5 * (low[1] + high[1]), low[2]])
    return replace(mesh, vertices=((mesh.vertices - base) / (high - low).max()).astype(np.float32))


def framed(mesh: TexturedMesh) -> TexturedMesh:
    """Return the mesh for a portrait: the middle of its box at the origin, every vertex within distance 1 of it."""
    middle = 0.5 * (mesh.vertices.min(0).astype(np.float64) + mesh.vertices.max(0))
    moved = mesh.vertices - middle
    return replace(mesh, vertices=(moved / np.linalg.norm(moved, axis=1).max()).astype(np.float32))
