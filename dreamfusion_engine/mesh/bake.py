"""Bake the field's albedo into a texture.

A volume render does not show the colour on the iso surface but a mixture over the depth in which the density
absorbs the ray. So every texel averages the albedo at several depths along the normal. They are chosen so that each
stands for the same share of the colour that a render composites.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from dreamfusion_engine.mesh.arrays import Bools, Doubles, Floats, Ints
from dreamfusion_engine.mesh.casting import caster, hit_distance, nearest_triangle
from dreamfusion_engine.mesh.field_queries import Albedo, Density, query_albedo, query_density
from dreamfusion_engine.mesh.surface.topology import Triangles, Vertices

REACH = 0.15  # world units before and behind the surface in which colours are looked for: five training steps of 2 / 64
PROFILE = 33  # density samples over twice that
SHARES = np.array(
    [0.1, 0.3, 0.5, 0.7, 0.9]
)  # of the composited colour, one depth each: the middles of five equal parts
FOOTPRINT = 1.5  # texels: bilinear filtering inside a triangle touches texel centres up to sqrt(2) away from it
ROWS = 256  # texture rows at a time


def compositing_depths(
    density: Density, vertices: Vertices, triangles: Triangles, normals: Vertices, device: torch.device
) -> Doubles:
    """Return depths float64[V, 5] against the normal, world units, where a render has composited SHARES of the colour.

    Along the ray that falls onto each vertex against its normal: w(s) = T(s) sigma(s), T(s) = exp(-int sigma). The ray
    starts at most half way to the next surface. The depth is 0 where nearly nothing absorbs.

    density: as for `build_mesh`.
    vertices: float[V, 3], world units.
    triangles: int[T, 3].
    normals: float[V, 3], unit length.
    device: torch.device of the field.
    Source: NeRF, Mildenhall 2020, arXiv 2003.08934, eq. 1.
    """
    scene = caster(vertices, triangles, device)
    free = hit_distance(scene, vertices + 1e-3 * normals, normals, 2.0 * REACH)
    depth = np.linspace(-1.0, 1.0, PROFILE)[None] * REACH * np.ones((len(vertices), 1))
    points = vertices[:, None, :] - depth[:, :, None] * normals[:, None, :]
    sigma = query_density(density, points.reshape(-1, 3), device).reshape(depth.shape).astype(np.float64)
    sigma[depth < -0.5 * free[:, None]] = 0.0
    thickness = np.cumsum(0.5 * (sigma[:, 1:] + sigma[:, :-1]) * np.diff(depth, axis=1), axis=1)
    opacity = np.concatenate([np.zeros((len(vertices), 1)), 1.0 - np.exp(-thickness)], 1)
    wanted = SHARES[None] * opacity[:, -1:]
    after = np.clip((opacity[:, None, :] < wanted[:, :, None]).sum(2), 1, PROFILE - 1)
    rows = np.arange(len(vertices))[:, None]
    low, high = opacity[rows, after - 1], opacity[rows, after]
    share = np.clip((wanted - low) / np.maximum(high - low, 1e-12), 0.0, 1.0)
    found = depth[rows, after - 1] + share * (depth[rows, after] - depth[rows, after - 1])
    return np.where(opacity[:, -1:] > 0.1, found, 0.0)


def texel_owners(uv: NDArray[np.floating], texture: int, device: torch.device) -> tuple[Ints, Floats]:
    """Return the triangle of each texel, int32[H, W], -1: none, and barycentric weights float32[H, W, 3].

    A texel belongs to the triangle nearest to its centre within FOOTPRINT. So even triangles smaller than a texel have
    one, and filtering inside any triangle meets only texels that are baked.

    uv: float[T, 3, 2] in [0, 1].
    texture: int, pixels along the texture.
    device: torch.device to compute on.
    """
    corners = np.zeros((3 * len(uv), 3), np.float32)
    corners[:, :2] = uv.reshape(-1, 2) * texture
    scene = caster(corners, np.arange(len(corners), dtype=np.int32).reshape(-1, 3), device)
    face = np.empty((texture, texture), np.int32)
    weights = np.empty((texture, texture, 3), np.float32)
    for top in range(0, texture, ROWS):
        y, x = np.mgrid[top : min(top + ROWS, texture), 0:texture].astype(np.float32) + 0.5
        points = np.stack([x, y, np.zeros_like(x)], -1)
        found, barycentric, _ = nearest_triangle(scene, points.reshape(-1, 3), FOOTPRINT)
        face[top : top + ROWS] = found.reshape(x.shape)
        weights[top : top + ROWS] = barycentric.reshape(*x.shape, 3)
    return face, weights


def bake_albedo(
    density: Density,
    albedo: Albedo,
    vertices: Vertices,
    triangles: Triangles,
    normals: Vertices,
    owners: tuple[Ints, Floats],
    *,
    padding: int,
    device: torch.device,
    advance: Callable[[float], None] = lambda share: None,
) -> NDArray[np.uint8]:
    """Return the base-colour texture uint8[H, W, 3], sRGB, as `padded` leaves it.

    density, albedo: as for `build_mesh`.
    vertices: float[V, 3], world units.
    triangles: int[T, 3].
    normals: float[V, 3], unit length.
    owners: from `texel_owners`.
    padding: int, texels, as for `padded`.
    device: torch.device of the field.
    advance: told the share done, in [0, 1].
    """
    face, weights = owners
    depths = compositing_depths(density, vertices, triangles, normals, device)
    colour = np.zeros((*face.shape, 3), np.float32)
    for top in range(0, len(face), ROWS):
        advance(top / len(face))
        rows = slice(top, top + ROWS)
        texels = face[rows] >= 0
        corners, w = triangles[face[rows][texels]], weights[rows][texels]
        point, normal, depth = (np.einsum("tc,tci->ti", w, x[corners]) for x in (vertices, normals, depths))
        normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)
        points = point[:, None, :] - depth[:, :, None] * normal[:, None, :]
        found = query_albedo(albedo, points.reshape(-1, 3), device)
        colour[rows][texels] = found.reshape(*depth.shape, 3).mean(1)
    return padded(colour, face >= 0, padding)


def padded(colour: Floats, baked: Bools, padding: int) -> NDArray[np.uint8]:
    """Return uint8[H, W, 3]: baked texels, their nearest colour up to `padding` texels away, the mean colour elsewhere.

    It is grey where nothing is baked at all.

    colour: float32[H, W, 3], sRGB in [0, 1].
    baked: bool[H, W].
    padding: int, texels.
    """
    if not baked.any():
        return np.full(colour.shape, 128, np.uint8)
    distance, nearest = ndimage.distance_transform_edt(~baked, return_indices=True)
    spread = colour[tuple(nearest)]
    filled = np.where((distance <= padding)[..., None], spread, colour[baked].mean(0))
    return np.rint(np.clip(filled, 0.0, 1.0) * 255.0).astype(np.uint8)


def texture_coverage(uv: NDArray[np.floating], chart: Ints, face: Ints) -> float:
    """Return the share of triangles whose bilinear colour at corners and centre comes from their own chart only.

    uv: float[T, 3, 2] in [0, 1].
    chart: int32[T], chart of each triangle.
    face: int32[H, W], from `texel_owners`.
    """
    size = face.shape[0]
    places = np.concatenate([uv, uv.mean(1, keepdims=True)], 1).astype(np.float64) * size - 0.5
    base = np.floor(places).astype(np.int64)
    covered = np.ones(len(uv), bool)
    for dx in (0, 1):
        for dy in (0, 1):
            tap = base + np.array([dx, dy])
            counts = np.abs(places - tap).max(-1) < 1.0 - 1e-4  # a tap without weight does not matter
            owner = face[np.clip(tap[..., 1], 0, size - 1), np.clip(tap[..., 0], 0, size - 1)]
            own = (owner >= 0) & (chart[np.maximum(owner, 0)] == chart[:, None])
            covered &= (own | ~counts).all(1)
    return float(covered.mean())
