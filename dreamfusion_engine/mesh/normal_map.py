"""Bake the normals of a detailed surface into a tangent-space normal map of a reduced one.

What a program does with a texel c is N = c_x t + c_y b + c_z n, with the interpolated tangent t and normal n, not made
unit, and b = w (n x t). The map is the inverse of exactly that, so the reduced surface is shaded as the detailed one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from dreamfusion_engine.mesh.arrays import Bools, Doubles, Floats, Ints
from dreamfusion_engine.mesh.casting import caster, nearest_triangle
from dreamfusion_engine.mesh.surface.topology import Triangles, Vertices, vertex_normals

FLAT = (128, 128, 255)  # the texel of a surface that has nothing to add
REACH = 0.1  # world units within which the detailed surface is looked for
FACING = 0.2  # cosine between the two normals under which what was found is another side
ROWS = 256  # texture rows at a time
_HALF_UP = 128.0 + 1e-3  # rounds what is 0 but for the last bits up, as FLAT has it


@dataclass(frozen=True, kw_only=True)
class Detail:
    """The surface that has the details. vertices: float[V, 3], world units. triangles: int[T, 3]."""

    vertices: Vertices
    triangles: Triangles


def bake_normal_map(
    detail: Detail,
    vertices: Vertices,
    triangles: Triangles,
    normals: Vertices,
    tangents: Floats,
    owners: tuple[Ints, Floats],
    *,
    padding: int,
    device: torch.device,
    advance: Callable[[float], None] = lambda share: None,
) -> NDArray[np.uint8]:
    """Return the normal map uint8[H, W, 3] of a surface: +X right, +Y up in the texture, as glTF and Blender have it.

    detail: Detail, whose smooth normals the map shows.
    vertices: float[V, 3], world units, of the surface that gets the map.
    triangles: int[T, 3].
    normals: float[V, 3], unit length.
    tangents: float32[T, 3, 4], from `corner_tangents`.
    owners: from `bake.texel_owners`.
    padding: int, texels beyond the charts that take the nearest normal; the rest is FLAT.
    device: torch.device to compute on.
    advance: told the share done, in [0, 1].
    """
    face, weights = owners
    scene = caster(detail.vertices, detail.triangles, device)
    detailed = vertex_normals(detail.vertices, detail.triangles)
    result = np.empty((*face.shape, 3), np.uint8)
    result[:] = FLAT
    for top in range(0, len(face), ROWS):
        advance(top / len(face))
        rows = slice(top, top + ROWS)
        texels = face[rows] >= 0
        triangle, w = face[rows][texels], weights[rows][texels].astype(np.float64)
        point, normal = (np.einsum("tc,tci->ti", w, x[triangles[triangle]]) for x in (vertices, normals))
        tangent = np.einsum("tc,tci->ti", w, tangents[triangle][..., :3].astype(np.float64))
        found, place, _ = nearest_triangle(scene, point, REACH)
        shown = np.einsum("tc,tci->ti", place, detailed[detail.triangles[found]])
        shown /= np.maximum(np.linalg.norm(shown, axis=-1, keepdims=True), 1e-12)
        smooth = normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)
        other = (found < 0) | ((shown * smooth).sum(-1) < FACING)
        shown[other] = smooth[other]
        result[rows][texels] = encoded(in_tangent_space(shown, normal, tangent, tangents[triangle, 0, 3]))
    return spread(result, face >= 0, padding)


def in_tangent_space(shown: Doubles, normal: Doubles, tangent: Doubles, handed: NDArray[np.floating]) -> Doubles:
    """Return unit c float64[N, 3] with c_x t + c_y b + c_z n along N, b = w (n x t); (0, 0, 1) where t, n are one line.

    shown: float64[N, 3], N, unit length.
    normal, tangent: float64[N, 3], n and t, interpolated.
    handed: float[N], w.
    """
    bitangent = handed[:, None] * np.cross(normal, tangent)
    square = (bitangent**2).sum(-1)
    # t and n are not quite across each other inside a triangle: two equations for their two shares.
    tt, nn, tn = (tangent**2).sum(-1), (normal**2).sum(-1), (tangent * normal).sum(-1)
    st, sn = (shown * tangent).sum(-1), (shown * normal).sum(-1)
    whole = np.maximum(square, 1e-12)  # tt nn - tn^2 = |n x t|^2
    c = np.stack([nn * st - tn * sn, (shown * bitangent).sum(-1), tt * sn - tn * st], -1) / whole[:, None]
    c[square < 1e-6] = (0.0, 0.0, 1.0)
    return np.asarray(c / np.maximum(np.linalg.norm(c, axis=-1, keepdims=True), 1e-12))


def encoded(c: Doubles) -> NDArray[np.uint8]:
    """Return 127.5 c + 127.5, rounded, uint8[..., 3]. c: float64[..., 3], each in [-1, 1]."""
    return np.clip(np.floor(127.5 * c + _HALF_UP), 0.0, 255.0).astype(np.uint8)


def spread(texels: NDArray[np.uint8], baked: Bools, padding: int) -> NDArray[np.uint8]:
    """Return the texels with those up to `padding` away from baked ones like the nearest of them.

    texels: uint8[H, W, ...].
    baked: bool[H, W].
    padding: int, texels.
    """
    if not baked.any():
        return texels
    distance, nearest = ndimage.distance_transform_edt(~baked, return_indices=True)
    filled = distance <= padding
    result = texels.copy()
    result[filled] = texels[tuple(nearest)][filled]
    return result
