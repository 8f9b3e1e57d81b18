"""Which point of a surface each texel of its texture shows, also where UVs repeat, mirror or overlap.

A texel has one colour. Where several triangles use it, one of them owns it, and the others show what the owner shows.
Of charts that lie on each other the first one in the file owns all texels that they share, so that no place is a
mixture of two. Axis letters: T triangles, H W texels, S samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dreamfusion_engine.mesh.arrays import Bools, Doubles, Floats, Ints
from dreamfusion_engine.mesh.bake import texel_owners
from dreamfusion_engine.mesh.surface.topology import parts_of

TILES_ALONG = 8  # tiles along a side, around its middle, in which a triangle is drawn whose UVs span more
SAME_PLACE = 4.0  # texels: an owner's point nearer than that is the triangle's own
ROUNDS = 8  # each leaves at most half of the charts that lie on each other
_CPU = torch.device("cpu")  # texels are the host's work: once a run
# Texels of a triangle from which it is looked at in 4^(n + 1) points.
_LARGE = (0.0, 256.0, 4096.0)


@dataclass(frozen=True, kw_only=True)
class TextureMap:
    """The texture of one part.

    owner: int32[H, W], triangle of each texel; -1: none.
    positions: float32[H, W, 3], the point that the texel shows, world units; 0 where there is none.
    reach: float32[T], world units: a triangle's point further than that from what its texel shows is another place, if
        it is further than the owner's reach too.
    shared: float32[T] in [0, 1], share of each triangle whose texels show another place.
    """

    owner: Ints
    positions: Floats
    reach: Floats
    shared: Floats

    @property
    def used(self) -> Bools:
        """The texels that show something, bool[H, W]."""
        return np.asarray(self.owner >= 0)


def no_texture(triangles: int) -> TextureMap:
    """Return the map of a part that gets no texture: one texel that shows nothing.

    triangles: int, T.
    """
    return TextureMap(
        owner=np.full((1, 1), -1, np.int32),
        positions=np.zeros((1, 1, 3), np.float32),
        reach=np.zeros(triangles, np.float32),
        shared=np.zeros(triangles, np.float32),
    )


def texture_map(
    vertices: Doubles, triangles: NDArray[np.integer], uv: Floats, texture: int | tuple[int, int]
) -> TextureMap:
    """Return what each texel shows.

    vertices: float64[V, 3], world units.
    triangles: int[T, 3].
    uv: float32[T, 3, 2], v down; outside [0, 1] it repeats.
    texture: int, pixels along the texture, or rows and columns of one that is no square.
    """
    # A texture that is no square is a corner of one: a texel is then as long as it is wide.
    height, width = (texture, texture) if isinstance(texture, int) else texture
    texture = max(height, width)
    extent = np.array([width / texture, height / texture])
    reach = _reach(vertices[triangles].astype(np.float64), (uv * extent).astype(np.float32), texture)
    copies, source = in_tile(uv)
    drawing = _Drawing(vertices[triangles[source]].astype(np.float64), copies, extent, reach[source], texture)
    owner, positions = drawing.drawn(np.ones(len(copies), bool))
    pairs = drawing.clashes(owner, positions)
    if len(pairs):
        first, where = owner, positions
        rank = _chart_rank(triangles[source], copies, uv[source])
        kept = np.ones(len(copies), bool)
        for _ in range(ROUNDS):
            pairs = pairs[kept[pairs].all(1) & (pairs[:, 0] != pairs[:, 1])]
            if not len(pairs):
                break
            later = np.lexsort((pairs.T, rank[pairs].T), axis=0)[-1]
            kept[pairs[np.arange(len(pairs)), later]] = False
            owner, positions = drawing.drawn(kept)
            pairs = drawing.clashes(owner, positions)
        left = owner < 0
        owner[left], positions[left] = first[left], where[left]
    shared = drawing.share_elsewhere(owner, positions)
    return TextureMap(
        owner=np.where(owner >= 0, source[owner], -1).astype(np.int32)[:height, :width],
        positions=positions[:height, :width],
        reach=reach.astype(np.float32),
        shared=np.bincount(source, shared, minlength=len(triangles)).clip(0.0, 1.0).astype(np.float32),
    )


def in_tile(uv: Floats) -> tuple[Floats, Ints]:
    """Return triangles moved by whole tiles into [0, 1], once for each tile that they touch, and their sources.

    They are float32[K, 3, 2] and int32[K]; triangle k shows source[k]. Of a triangle that spans more than TILES_ALONG
    tiles along a side, those around its middle count.

    uv: float32[T, 3, 2]; outside [0, 1] it repeats.
    """
    moved = in_first_tile(uv)
    span = np.ceil(moved.max(1) - 1e-6).clip(1.0)
    along = np.minimum(span, TILES_ALONG)
    begin = np.clip(np.floor(moved.mean(1)) - TILES_ALONG // 2, 0.0, span - along)
    pieces, sources = [], []
    for across, down in np.unique(along.astype(int), axis=0):
        rows = np.flatnonzero((along == (across, down)).all(1))
        shifts = np.stack(np.meshgrid(np.arange(across), np.arange(down), indexing="ij"), -1).reshape(1, -1, 1, 2)
        pieces.append(((moved - begin[:, None])[rows, None] - shifts).reshape(-1, 3, 2))
        sources.append(np.repeat(rows, across * down))
    order = np.argsort(np.concatenate(sources), kind="stable")
    return np.concatenate(pieces)[order].astype(np.float32), np.concatenate(sources)[order].astype(np.int32)


def in_first_tile(uv: NDArray[np.floating]) -> Doubles:
    """Return triangles moved by whole tiles so that they begin in [0, 1), float64[T, 3, 2].

    uv: float[T, 3, 2].
    """
    return uv - np.floor(uv.min(1).astype(np.float64) + 1e-6)[:, None]


def texel_of(uv: NDArray[np.floating], texture: int | tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return row and column of the texels at places, int64[N] each.

    uv: float[N, 2], v down; outside [0, 1] it repeats.
    texture: int, pixels along the texture, or its rows and columns.
    """
    height, width = (texture, texture) if isinstance(texture, int) else texture
    place = np.floor((uv - np.floor(uv)) * (width, height)).astype(np.int64).clip(0, (width - 1, height - 1))
    return place[:, 1], place[:, 0]


def areas_of(corners: NDArray[np.floating]) -> Doubles:
    """Return the areas of triangles, float64[T].

    corners: float[T, 3, 2] or float[T, 3, 3].
    """
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    squares = (a * a).sum(1) * (b * b).sum(1) - np.square((a * b).sum(1))
    return np.asarray(0.5 * np.sqrt(np.maximum(squares, 0.0)), np.float64)


def _reach(corners: Doubles, uv: Floats, texture: int) -> Doubles:
    """World units of SAME_PLACE texels on each triangle, float64[T], along the direction in which they are longest."""
    flat = uv.astype(np.float64)
    area, covered = areas_of(corners), areas_of(flat)
    whole = float(covered.sum())
    typical = np.sqrt(float(area.sum()) / whole) / texture if whole > 0.0 else 0.0
    # The largest singular value of the map from UV to space, by its Gram matrix in UV.
    (a, b), (s, t) = ((x[:, 1] - x[:, 0], x[:, 2] - x[:, 0]) for x in (corners, flat))
    aa, ab, bb = (a * a).sum(1), (a * b).sum(1), (b * b).sum(1)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        square = np.square(2.0 * covered)
        e = (aa * t[:, 1] ** 2 - 2.0 * ab * s[:, 1] * t[:, 1] + bb * s[:, 1] ** 2) / square
        g = (aa * t[:, 0] ** 2 - 2.0 * ab * s[:, 0] * t[:, 0] + bb * s[:, 0] ** 2) / square
        f = (ab * (s[:, 0] * t[:, 1] + s[:, 1] * t[:, 0]) - aa * t[:, 0] * t[:, 1] - bb * s[:, 0] * s[:, 1]) / square
        texel = np.sqrt(0.5 * (e + g + np.hypot(e - g, 2.0 * f))) / texture
    longest = np.sqrt(np.maximum(np.maximum(aa, bb), ((a - b) ** 2).sum(1)))
    # Of slivers no more than they are long; they end within the texels of their neighbours.
    texel = np.where(np.isfinite(texel), np.minimum(texel, np.maximum(longest, typical)), typical)
    return np.asarray(SAME_PLACE * texel)


def _chart_rank(triangles: NDArray[np.integer], copies: Floats, uv: Floats) -> NDArray[np.int64]:
    """For each copy the first one of its chart, int64[K].

    A chart here is what hangs together in space and in UV, on one tile and on one side of a fold.

    triangles: int[K, 3]. copies: float32[K, 3, 2], from `in_tile`. uv: float32[K, 3, 2], before that.
    """
    flat = copies.astype(np.float64)
    a, b = flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]
    side = np.sign(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
    tile = np.round(uv[:, 0] - flat[:, 0])
    of_copy = np.repeat(np.column_stack([side, tile])[:, None], 3, 1)
    keys = np.concatenate([triangles[..., None], uv, of_copy], 2).reshape(-1, 6)
    _, corner = np.unique(keys, axis=0, return_inverse=True)
    chart = parts_of(corner.reshape(-1, 3))[1]
    _, first, which = np.unique(chart, return_index=True, return_inverse=True)
    return np.asarray(first[which.reshape(-1)], np.int64)


class _Drawing:
    """Copies of triangles on one texture, some of them drawn, and whether they are what the texture shows.

    corners: float64[K, 3, 3].
    copies: float32[K, 3, 2], from `in_tile`; what leaves [0, 1] is on another copy.
    extent: float64[2], width and height of the texture over its longer side.
    reach: float64[K].
    texture: int, pixels along its longer side.
    """

    def __init__(self, corners: Doubles, copies: Floats, extent: Doubles, reach: Doubles, texture: int) -> None:
        self._corners, self._reach, self._texture, self._extent = corners, reach, texture, extent
        self._copies = (copies * extent).astype(np.float32)
        covered = areas_of(self._copies.astype(np.float64)) * texture * texture
        large = np.searchsorted(_LARGE, covered, side="right") - 1
        self._groups = [(np.flatnonzero(large == n), points_inside(n + 1)) for n in range(len(_LARGE))]
        self._has_area, self._covers = areas_of(corners) > 0.0, covered > 0.0

    def drawn(self, which: Bools) -> tuple[Ints, Floats]:
        """The copy that each texel shows, of those to be drawn, int32[H, W], and its point there."""
        rows = np.flatnonzero(which & self._covers)
        if not len(rows):
            nothing = np.full((self._texture, self._texture), -1, np.int32)
            return nothing, np.zeros((*nothing.shape, 3), np.float32)
        owner, weights = texel_owners(self._copies[rows], self._texture, _CPU)
        on = owner >= 0
        owner[on] = rows[owner[on]]
        positions = np.zeros((*owner.shape, 3), np.float32)
        positions[on] = np.einsum("tc,tci->ti", weights[on], self._corners[owner[on]])
        return owner, positions

    def share_elsewhere(self, owner: Ints, positions: Floats) -> Doubles:
        """Share of each copy's triangle that is on this copy and whose texels show another place, float64[K]."""
        share = np.zeros(len(self._copies))
        for rows, weights in self._groups:
            for weight in weights:
                share[rows] += self._elsewhere(rows, weight, owner, positions)[1] / len(weights)
        return share

    def clashes(self, owner: Ints, positions: Floats) -> NDArray[np.int64]:
        """Copies with a point whose texel shows another place, and the owner of that, int64[S, 2]."""
        found = [np.zeros((0, 2), np.int64)]
        for rows, weights in self._groups:
            for weight in weights:
                owners, there = self._elsewhere(rows, weight, owner, positions)
                found.append(np.stack([rows[there], owners[there]], 1).astype(np.int64))
        return np.unique(np.concatenate(found), axis=0)

    def _elsewhere(
        self, rows: NDArray[np.int64], weight: Doubles, owner: Ints, positions: Floats
    ) -> tuple[Ints, Bools]:
        """Owners of the texels at the points with a barycentric weight, and whether they show another place."""
        place = np.einsum("c,tci->ti", weight, self._copies[rows].astype(np.float64))
        row, column = texel_of(place, len(owner))
        point = np.einsum("c,tci->ti", weight, self._corners[rows])
        owners = owner[row, column]
        limit = np.maximum(self._reach[rows], self._reach[owners])
        away = np.linalg.norm(positions[row, column] - point, axis=1)
        here = ((place >= 0.0) & (place <= self._extent)).all(1)
        return owners, here & (owners >= 0) & (away > limit) & self._has_area[rows]


def points_inside(level: int) -> Doubles:
    """Return barycentric weights of points inside a triangle, float64[4^level, 3].

    level: int, how often it is split in four; the points are the middles of what comes out.
    """
    triangles = np.eye(3)[None]
    for _ in range(level):
        middles = 0.5 * (triangles + np.roll(triangles, -1, 1))
        a, b, c = triangles.transpose(1, 0, 2)
        ab, bc, ca = middles.transpose(1, 0, 2)
        triangles = np.concatenate([np.stack(t, 1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])
    return np.asarray(triangles.mean(1))
