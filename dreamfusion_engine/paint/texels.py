"""Which point of a surface each texel of its texture shows, also where UVs repeat, mirror or overlap.

A texel has one colour. Where several triangles use it, one of them owns it, and the others show what the owner shows.
Axis letters: T triangles, H W texels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dreamfusion_engine.mesh.arrays import Bools, Doubles, Floats, Ints
from dreamfusion_engine.mesh.bake import texel_owners

MOST_COPIES = 64  # of a triangle whose UVs span more than the texture; beyond it the texture is all its own anyway
SAME_PLACE = 4.0  # texels: an owner's point nearer than that is the triangle's own
# Barycentric weights of the points at which a triangle is compared with the owner of its texels.
_INSIDE = np.array([[1, 1, 1], [4, 1, 1], [1, 4, 1], [1, 1, 4]], np.float64) / np.array([[3], [6], [6], [6]])
_CPU = torch.device("cpu")  # texels are the host's work: once a run


@dataclass(frozen=True, kw_only=True)
class TextureMap:
    """The texture of one part.

    owner: int32[H, W], triangle of each texel; -1: none.
    weights: float32[H, W, 3], barycentric weights in it.
    positions: float32[H, W, 3], the point that the texel shows, world units; 0 where there is none.
    shared: bool[T], triangles whose texels another one owns.
    """

    owner: Ints
    weights: Floats
    positions: Floats
    shared: Bools

    @property
    def used(self) -> Bools:
        """The texels that show something, bool[H, W]."""
        return np.asarray(self.owner >= 0)


def texture_map(vertices: Doubles, triangles: NDArray[np.integer], uv: Floats, texture: int) -> TextureMap:
    """Return what each texel shows.

    vertices: float64[V, 3], world units.
    triangles: int[T, 3].
    uv: float32[T, 3, 2], v down; outside [0, 1] it repeats.
    texture: int, pixels along the texture.
    """
    copies, source = in_tile(uv)
    owner, weights = texel_owners(copies, texture, _CPU)
    on = owner >= 0
    owner[on] = source[owner[on]]
    positions = np.zeros((*owner.shape, 3), np.float32)
    corners = vertices[triangles[owner[on]]]
    positions[on] = np.einsum("tc,tci->ti", weights[on], corners)
    return TextureMap(
        owner=owner,
        weights=weights,
        positions=positions,
        shared=_shared(vertices[triangles], uv, owner, positions),
    )


def in_tile(uv: Floats) -> tuple[Floats, Ints]:
    """Return triangles moved by whole tiles into [0, 1], once for each tile that they touch, and their sources.

    They are float32[K, 3, 2] and int32[K]; triangle k shows source[k].

    uv: float32[T, 3, 2]; outside [0, 1] it repeats.
    """
    low = np.floor(uv.min(1).astype(np.float64) + 1e-6)
    moved = uv - low[:, None]
    span = np.ceil(moved.max(1) - 1e-6).astype(np.int64).clip(1)
    pieces, sources = [moved[(span == 1).all(1)]], [np.flatnonzero((span == 1).all(1))]
    for triangle in np.flatnonzero((span > 1).any(1)):
        across, down = span[triangle]
        shifts = [(i, j) for i in range(across) for j in range(down)][:MOST_COPIES]
        pieces.append(moved[triangle][None] - np.array(shifts, np.float64)[:, None])
        sources.append(np.full(len(shifts), triangle))
    order = np.argsort(np.concatenate(sources), kind="stable")
    return np.concatenate(pieces)[order].astype(np.float32), np.concatenate(sources)[order].astype(np.int32)


def texel_of(uv: NDArray[np.floating], texture: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return row and column of the texels at places, int64[N] each.

    uv: float[N, 2], v down; outside [0, 1] it repeats.
    texture: int, pixels along the texture.
    """
    place = np.floor((uv - np.floor(uv)) * texture).astype(np.int64).clip(0, texture - 1)
    return place[:, 1], place[:, 0]


def _shared(corners: Doubles, uv: Floats, owner: Ints, positions: Floats) -> Bools:
    """bool[T]: whether the texels inside a triangle show another place of the surface. corners: float64[T, 3, 3]."""
    size = len(owner)
    sides = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = 0.5 * np.linalg.norm(np.cross(*sides), axis=1)
    flat = (uv[:, 1] - uv[:, 0]).astype(np.float64), (uv[:, 2] - uv[:, 0]).astype(np.float64)
    covered = 0.5 * np.abs(flat[0][:, 0] * flat[1][:, 1] - flat[0][:, 1] * flat[1][:, 0])
    with np.errstate(divide="ignore", invalid="ignore"):
        texel = np.sqrt(area / covered) / size  # world units of a texel on this triangle
    longest = np.linalg.norm(np.ptp(corners, axis=1), axis=1)
    texel = np.where(np.isfinite(texel), np.minimum(texel, longest), longest)
    apart = np.ones(len(corners), bool)
    for weight in _INSIDE:
        row, column = texel_of(np.einsum("c,tci->ti", weight, uv.astype(np.float64)), size)
        point = np.einsum("c,tci->ti", weight, corners)
        far = np.linalg.norm(positions[row, column] - point, axis=1) > SAME_PLACE * texel
        apart &= far & (owner[row, column] >= 0)
    return np.asarray(apart & (area > 0.0))
