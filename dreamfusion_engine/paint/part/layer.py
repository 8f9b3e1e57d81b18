"""The texels of one texture that may change, and how much: the layer that is laid over the old picture.

A texel may change where a triangle of the part owns it and no triangle outside uses it, filtered neighbours included.
So what is rendered outside stays as it is, also where UVs mirror or overlap. Axis letters: T triangles, H W texels.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from dreamfusion_engine.mesh.arrays import Bools, Doubles, Floats
from dreamfusion_engine.mesh.bake import texel_owners
from dreamfusion_engine.paint.canvas import Canvas
from dreamfusion_engine.paint.part.border import Border
from dreamfusion_engine.paint.part.pictures import OwnPicture, Pixels
from dreamfusion_engine.paint.texels import TextureMap, areas_of, in_tile, points_inside, texel_of, texture_map

_CHUNK = 1 << 20  # texels at a time
_LARGE = (0.0, 64.0, 1024.0)  # texels of a triangle from which it is looked at in 4^n points
_CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class PartLayer:
    """What changes of one part of the canvas.

    number: int, of the part.
    own: OwnPicture before.
    texels: TextureMap of the triangles that change; its owners are numbers among all of the part's triangles.
    weight: float32[H, W] in [0, 1], how much of each texel is new; 0: the texel stays bit for bit.
    stays: bool[H, W], the texels that triangles outside use.
    changed: float in [0, 1], share of the part's area of which a texel changes.
    kept: float in [0, 1], share of the change that is lost, because its texels colour what stays as well.
    """

    number: int
    own: OwnPicture
    texels: TextureMap
    weight: Floats
    stays: Bools
    changed: float
    kept: float

    @property
    def before(self) -> Pixels:
        """The old picture, uint8[H, W, 3 or 4], of the layer's size."""
        shape = (*self.weight.shape, self.own.pixels.shape[2])
        return np.ascontiguousarray(np.broadcast_to(self.own.pixels, shape))


def part_layer(
    canvas: Canvas, number: int, chosen: Floats, own: OwnPicture, size: tuple[int, int], border: Border
) -> PartLayer:
    """Return what may change of one part of the canvas.

    canvas: Canvas.
    number: int, of the part.
    chosen: float32[V] in [0, 1], of the part's vertices.
    own: OwnPicture.
    size: int, rows and columns of the texture.
    border: Border of all that changes, in the canvas's triangles.
    """
    part, rows = canvas.parts[number], canvas.triangles_of(number)
    corners = chosen[part.triangles]
    inside = np.asarray((corners > 0.0).any(1))
    which = np.flatnonzero(inside)
    shape = canvas.vertices[canvas.triangles[rows]].astype(np.float64)
    found = texture_map(canvas.vertices.astype(np.float64), canvas.triangles[rows][which], part.uv[which], size)
    texels = _among_all(found, which, len(inside))
    stays = _used_by(part.uv[~inside], size)
    weight = np.zeros(size, np.float32)
    may = np.flatnonzero((texels.used & ~stays).reshape(-1))
    for begin in range(0, len(may), _CHUNK):
        texel = may[begin : begin + _CHUNK]
        owner, place = texels.owner.reshape(-1)[texel], texels.positions.reshape(-1, 3)[texel]
        weight.reshape(-1)[texel] = _wished(shape, corners, owner, place, border, rows.start)
    changed, kept = _shares(shape, corners, part.uv, which, weight, border, rows.start)
    return PartLayer(number=number, own=own, texels=texels, weight=weight, stays=stays, changed=changed, kept=kept)


def composed(layer: PartLayer, colour: Floats, padding: int) -> tuple[Pixels, Bools]:
    """Return the new picture and the texels that may differ from the old one, uint8[H, W, 3 or 4] and bool[H, W].

    t = o + w (c - o), of the old texel o, the new colour c as it must be stored, and the weight w. Texels beside the
    part's islands, which only filtering sees, change with the nearest of the island. Alpha stays.

    layer: PartLayer.
    colour: float32[H, W, 3], sRGB in [0, 1], at the texels that the part owns.
    padding: int, texels of colour around each island.
    """
    before, weight = layer.before, layer.weight
    owned = layer.texels.used | layer.stays
    if padding and layer.texels.used.any():
        distance, nearest = ndimage.distance_transform_edt(~owned, return_indices=True)
        beside = ~owned & (distance <= padding)
        source = tuple(axis[beside] for axis in nearest)  # weight 0 where it is what stays
        weight, colour = weight.copy(), colour.copy()
        weight[beside], colour[beside] = weight[source], colour[source]
    changes = weight > 0.0
    after = before.copy()
    old = before[changes][:, :3] / 255.0
    new = old + weight[changes, None].astype(np.float64) * (layer.own.stored(colour[changes]) - old)
    after[changes, :3] = np.rint(255.0 * np.clip(new, 0.0, 1.0)).astype(np.uint8)
    return after, changes


def _among_all(found: TextureMap, which: NDArray[np.int64], count: int) -> TextureMap:
    """A map of some triangles as one of all `count`."""
    reach, shared = np.zeros(count, np.float32), np.zeros(count, np.float32)
    reach[which], shared[which] = found.reach, found.shared
    owner = np.where(found.owner >= 0, which[found.owner], -1).astype(np.int32)
    return dataclasses.replace(found, owner=owner, reach=reach, shared=shared)


def _used_by(uv: Floats, size: tuple[int, int]) -> Bools:
    """The texels that filtering inside of triangles meets, bool[H, W], across the borders of the texture too."""
    height, width = size
    longest = max(size)
    if len(uv) == 0:
        return np.zeros(size, bool)
    copies, _ = in_tile(uv)
    scaled = (copies * np.array([width / longest, height / longest])).astype(np.float32)
    used = texel_owners(scaled, longest, _CPU)[0][:height, :width] >= 0
    used[0] |= used[-1]
    used[-1] |= used[0]
    used[:, 0] |= used[:, -1]
    used[:, -1] |= used[:, 0]
    return np.asarray(used)


def _wished(
    shape: Doubles, corners: Floats, owner: NDArray[np.integer], place: NDArray[np.floating], border: Border, first: int
) -> Doubles:
    """The weight at points of triangles: what the file says there, and no more than the border lets through.

    shape: float64[T, 3, 3]. corners: float32[T, 3], the file's. owner: int[N]. place: float[N, 3].
    first: int, number among the border's triangles of triangle 0.
    """
    given = np.ones(len(owner))
    partly = ~(corners[owner] == 1.0).all(1)
    if partly.any():
        weights = barycentric(shape[owner[partly]], place[partly].astype(np.float64))
        given[partly] = (weights * corners[owner[partly]]).sum(1)
    return np.minimum(given, border.weight(place, owner + first))


def barycentric(shape: Doubles, points: Doubles) -> Doubles:
    """Return the weights of corners at points, clipped to the triangle, float64[N, 3].

    shape: float64[N, 3, 3], a triangle for each point.
    points: float64[N, 3], in its plane.
    """
    a, b, p = shape[:, 1] - shape[:, 0], shape[:, 2] - shape[:, 0], points - shape[:, 0]
    aa, ab, bb, pa, pb = ((x * y).sum(1) for x, y in ((a, a), (a, b), (b, b), (p, a), (p, b)))
    area = aa * bb - ab * ab
    safe = np.where(area > 0.0, area, 1.0)
    u, v = (bb * pa - ab * pb) / safe, (aa * pb - ab * pa) / safe
    weights = np.clip(np.stack([1.0 - u - v, u, v], 1), 0.0, 1.0)
    weights[area <= 0.0] = 1.0
    return np.asarray(weights / np.maximum(weights.sum(1, keepdims=True), 1e-300))


def _shares(
    shape: Doubles, corners: Floats, uv: Floats, which: NDArray[np.int64], weight: Floats, border: Border, first: int
) -> tuple[float, float]:
    """Share of all triangles' area whose texels change, and share of the wished change that is lost to what stays."""
    area = areas_of(shape)
    texels = areas_of(uv.astype(np.float64)) * weight.size
    changed = wished = lost = 0.0
    level = np.searchsorted(_LARGE, texels[which], side="right") - 1
    for n in np.unique(level.clip(0)):
        rows = which[level.clip(0) == n]
        points = points_inside(int(n))
        for each in points:
            place = np.einsum("c,tci->ti", each, shape[rows])
            wish = _wished(shape, corners, rows, place, border, first)
            has = weight[texel_of(np.einsum("c,tci->ti", each, uv[rows].astype(np.float64)), weight.shape)]
            part = area[rows] / len(points)
            changed += float((part * (has > 0.0)).sum())
            wished += float((part * wish).sum())
            # At the rim of an island a point's texel is another one: what has some weight has its own.
            lost += float((part * wish * (has <= 0.0)).sum())
    return changed / max(float(area.sum()), 1e-300), lost / max(wished, 1e-300)
