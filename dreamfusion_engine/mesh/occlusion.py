"""Bake ambient occlusion: the share of the sky that each place of a surface sees, cosine-weighted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from dreamfusion_engine.mesh.bake import texel_owners
from dreamfusion_engine.mesh.casting import caster, sky_share
from dreamfusion_engine.mesh.normal_map import spread
from dreamfusion_engine.mesh.surface.topology import Triangles, Vertices

RAYS = 128  # directions of every texel: steps of 2 / 255
REACH = 1.0  # world units within which a surface shades: half of the box
LIFT = 5e-3  # world units by which rays begin above the surface, so that its own facets do not shade it
LARGEST = 1024  # pixels along the picture: occlusion is smooth, and every texel costs RAYS rays
ROWS = 64  # texture rows at a time


def occlusion_size(texture: int) -> int:
    """Return the pixels along the occlusion's picture: half of the texture's, at most LARGEST.

    texture: int, pixels along the base colour.
    """
    return max(1, min(texture // 2, LARGEST))


def bake_occlusion(
    vertices: Vertices,
    triangles: Triangles,
    normals: Vertices,
    uv: NDArray[np.floating],
    *,
    size: int,
    padding: int,
    device: torch.device,
    advance: Callable[[float], None] = lambda share: None,
) -> NDArray[np.uint8]:
    """Return the occlusion map uint8[size, size], linear: 255 sees the whole sky over it, 0 nothing of it.

    vertices: float[V, 3], world units.
    triangles: int[T, 3].
    normals: float[V, 3], unit length.
    uv: float[T, 3, 2] in [0, 1], v down.
    size: int, pixels along the picture.
    padding: int, texels beyond the charts that take the nearest value; the rest is 255.
    device: torch.device to compute on.
    advance: told the share done, in [0, 1].
    """
    face, weights = texel_owners(uv, size, device)
    scene = caster(vertices, triangles, device)
    result = np.full(face.shape, 255, np.uint8)
    for top in range(0, size, ROWS):
        advance(top / size)
        rows = slice(top, top + ROWS)
        texels = face[rows] >= 0
        corners, w = triangles[face[rows][texels]], weights[rows][texels].astype(np.float64)
        point, normal = (np.einsum("tc,tci->ti", w, x[corners]) for x in (vertices, normals))
        normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)
        seen = sky_share(scene, point + LIFT * normal, normal, REACH, RAYS)
        result[rows][texels] = np.rint(255.0 * seen).astype(np.uint8)
    return spread(result, face >= 0, padding)
