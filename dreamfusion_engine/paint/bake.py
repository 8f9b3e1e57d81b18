"""Bake the colours of a canvas into the textures of its parts.

Only albedo is baked, as the field has it: no light. Texels that no camera sees were never judged, so the field says
nothing sensible there. They take the colours of the nearest places that are seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree
from torch import Tensor

from dreamfusion_engine.config.stages import CameraConfig
from dreamfusion_engine.mesh.arrays import Bools, Floats
from dreamfusion_engine.mesh.bake import padded
from dreamfusion_engine.mesh.casting import caster, hit_distance
from dreamfusion_engine.mesh.field_queries import Albedo, query_albedo
from dreamfusion_engine.paint.canvas import Canvas
from dreamfusion_engine.paint.texels import TextureMap, areas_of, in_first_tile, points_inside, texel_of
from dreamfusion_engine.render.surface.texture import sample_texture
from dreamfusion_engine.scene.cameras import mid_orbit_cameras

COARSE = 4  # texels along a side that are looked at together: seen or not
AROUND = 12  # azimuths of the cameras that look, ...
ABOVE = 5  # ... and elevations, over the range of training
CLEARANCE = 2e-3  # world units from the surface at which a look begins, so that it does not meet its own triangle
POINTS = 4.0  # for each coarse texel of a triangle that shows what another one owns, about, ...
MOST_POINTS = 1 << 21  # ... and of all of them
NEAREST = 8  # seen places whose colours an unseen texel takes, weighed by 1 / distance
_CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class PaintedPart:
    """The texture of one part, and what an artist should know about it.

    texture: uint8[H, W, 3], sRGB.
    unseen: float in [0, 1], share of its texels that no camera saw.
    shared: float in [0, 1], share of its area whose texels show another place.
    seam: float, mean difference across UV seams, in 255ths; 0 without seams.
    """

    texture: NDArray[np.uint8]
    unseen: float
    shared: float
    seam: float


def bake(
    canvas: Canvas,
    albedo: Albedo,
    cameras: CameraConfig,
    *,
    padding: int,
    device: torch.device,
    advance: Callable[[float], None] = lambda share: None,
) -> list[PaintedPart]:
    """Return the texture of every part.

    canvas: Canvas.
    albedo: points float32[N, 3], world units, to sRGB in [0, 1], float32[N, 3].
    cameras: CameraConfig of the training, whose views count as seen.
    padding: int, texels of colour around each island.
    device: torch.device of the field.
    advance: told the share done, in [0, 1].
    Raises RunError run.non_finite.
    """
    painted = []
    for part, (colour, unseen) in enumerate(baked_colours(canvas, albedo, cameras, device, advance)):
        texture = padded(colour, canvas.maps[part].used, padding)
        painted.append(
            PaintedPart(
                texture=texture,
                unseen=unseen,
                shared=_shared_area(canvas, part),
                seam=seam_difference(canvas, part, texture),
            )
        )
    advance(1.0)
    return painted


def baked_colours(
    canvas: Canvas,
    albedo: Albedo,
    cameras: CameraConfig,
    device: torch.device,
    advance: Callable[[float], None] = lambda share: None,
) -> Iterator[tuple[Floats, float]]:
    """Give the colours of every part's used texels, float32[H, W, 3], and the share of these that no camera saw.

    canvas, albedo, cameras, device, advance: as for `bake`.
    Raises RunError run.non_finite.
    """
    advance(0.0)
    seen = [coarse_seen(canvas, part, cameras, device) for part in range(len(canvas.parts))]
    advance(0.4)
    known = _SeenColours(canvas, seen, albedo, device)
    for part, (texels, looked) in enumerate(zip(canvas.maps, seen, strict=True)):
        advance(0.5 + 0.5 * part / len(canvas.parts))
        height, width = texels.owner.shape
        visible = np.kron(looked, np.ones((COARSE, COARSE), bool))[:height, :width]
        colour = np.zeros((height, width, 3), np.float32)
        on, hidden = texels.used & visible, texels.used & ~visible
        colour[on] = query_albedo(albedo, texels.positions[on], device)
        colour[hidden] = known.at(texels.positions[hidden])
        yield colour, float(hidden.sum() / max(1, texels.used.sum()))


def coarse_seen(canvas: Canvas, part: int, cameras: CameraConfig, device: torch.device) -> Bools:
    """Return whether a camera of the training sees a place that texels colour, bool[H / COARSE, W / COARSE].

    canvas: Canvas.
    part: int, index of the part.
    cameras: CameraConfig of the training.
    device: torch.device to compute on.
    """
    texels = canvas.maps[part]
    owner, position = _coarse(texels)
    rows = np.flatnonzero(owner.reshape(-1) >= 0)
    more, blocks = _sharing(canvas, part)
    points = np.concatenate([position.reshape(-1, 3)[rows], more])
    seen = np.zeros(len(points), bool)
    scene = caster(canvas.vertices, canvas.triangles, device)
    for eye in _eyes(cameras):
        left = np.flatnonzero(~seen)
        if len(left) == 0:
            break
        towards = eye - points[left]
        distance = np.linalg.norm(towards, axis=1, keepdims=True)
        towards /= distance
        free = hit_distance(scene, points[left] + CLEARANCE * towards, towards, float(distance.max()))
        seen[left[free >= distance[:, 0] - 2.0 * CLEARANCE]] = True
    whole = np.ones(owner.size, bool)  # texels without an owner are neither
    whole[rows] = seen[: len(rows)]
    copied = np.zeros(owner.size, bool)
    copied[blocks[seen[len(rows) :]]] = True
    # The points are inside the triangles: the texels at their rims are beside those that are met.
    return np.asarray(
        whole.reshape(owner.shape) | ndimage.binary_dilation(copied.reshape(owner.shape), np.ones((3, 3)))
    )


def _sharing(canvas: Canvas, part: int) -> tuple[Floats, NDArray[np.int64]]:
    """Points of triangles that show what others own, float32[N, 3], and the coarse texels that they show."""
    texels = canvas.maps[part]
    shape = texels.owner.shape
    rows = np.flatnonzero(texels.shared > 0.0)
    uv = canvas.parts[part].uv[rows].astype(np.float64)
    corners = canvas.vertices[canvas.triangles[canvas.triangles_of(part)][rows]]
    wanted = POINTS * areas_of(uv) * shape[0] * shape[1] / COARSE**2
    level = np.ceil(np.log2(np.clip(wanted, 1.0, 4.0**9)) / 2.0).astype(int)
    while len(level) and (4.0**level).sum() > MOST_POINTS and level.max() > 0:
        level = np.minimum(level, level.max() - 1)
    points, blocks = [np.zeros((0, 3), np.float32)], [np.zeros(0, np.int64)]
    for each in np.unique(level):
        of_level, weights = level == each, points_inside(each)
        points.append(np.einsum("pc,tci->tpi", weights, corners[of_level]).reshape(-1, 3).astype(np.float32))
        row, column = texel_of(np.einsum("pc,tci->tpi", weights, uv[of_level]).reshape(-1, 2), shape)
        blocks.append(row // COARSE * -(-shape[1] // COARSE) + column // COARSE)
    return np.concatenate(points), np.concatenate(blocks)


def _coarse(texels: TextureMap) -> tuple[NDArray[np.int32], Floats]:
    """Owner and position of one texel of each COARSE x COARSE: the first that shows something."""
    pads = [(0, -size % COARSE) for size in texels.owner.shape]
    owner = np.pad(texels.owner, pads, constant_values=-1)
    position = np.pad(texels.positions, (*pads, (0, 0)))
    blocks = owner.reshape(len(owner) // COARSE, COARSE, -1, COARSE).swapaxes(1, 2)
    places = position.reshape(len(owner) // COARSE, COARSE, -1, COARSE, 3).swapaxes(1, 2)
    flat = blocks.reshape(*blocks.shape[:2], -1)
    # The texel in the middle where it shows something, else the first that does.
    order = np.argsort(np.abs(np.arange(COARSE * COARSE) - (COARSE * COARSE + COARSE) // 2), kind="stable")
    which = order[np.argmax(flat[..., order] >= 0, axis=-1)][..., None]
    place = np.take_along_axis(places.reshape(*flat.shape, 3), which[..., None], 2)[:, :, 0]
    return np.take_along_axis(flat, which, 2)[..., 0], place


def _eyes(config: CameraConfig) -> Floats:
    """Positions of the cameras that look, float32[AROUND * ABOVE, 3]."""
    low, high = (math.radians(angle) for angle in config.elevation_deg)
    azimuth = torch.arange(AROUND, dtype=torch.float32) * (2.0 * math.pi / AROUND)
    elevation = torch.linspace(low, high, ABOVE)
    angles = torch.cartesian_prod(azimuth, elevation)
    position: Tensor = mid_orbit_cameras(angles[:, 0], angles[:, 1], config).position
    return np.asarray(position.numpy())


class _SeenColours:
    """The colours of all places that are seen, over all parts."""

    def __init__(self, canvas: Canvas, seen: list[Bools], albedo: Albedo, device: torch.device) -> None:
        places = []
        for texels, looked in zip(canvas.maps, seen, strict=True):
            owner, position = _coarse(texels)
            places.append(position[(owner >= 0) & looked])
        self._places = np.concatenate(places)
        self._colours = query_albedo(albedo, self._places, device)
        self._tree = cKDTree(self._places) if len(self._places) else None

    def at(self, points: Floats) -> Floats:
        """Colours float32[N, 3] at points: of the nearest places; grey where nothing at all is seen."""
        if self._tree is None or len(points) == 0:
            return np.full((len(points), 3), 0.5, np.float32)
        count = min(NEAREST, len(self._places))
        distance, which = self._tree.query(points, k=count)
        weight = 1.0 / np.maximum(distance.reshape(len(points), count), 1e-6)
        weight /= weight.sum(1, keepdims=True)
        return np.einsum("nk,nkc->nc", weight, self._colours[which.reshape(len(points), count)]).astype(np.float32)


def _shared_area(canvas: Canvas, part: int) -> float:
    """Share of the part's area whose texels show another place."""
    corners = canvas.vertices[canvas.triangles[canvas.triangles_of(part)]].astype(np.float64)
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    return float((area * canvas.maps[part].shared).sum() / max(float(area.sum()), 1e-12))


def seam_difference(canvas: Canvas, part: int, texture: NDArray[np.uint8]) -> float:
    """Return the mean difference of a texture across the seams of its UVs, in 255ths; 0 without seams.

    Both sides of every edge that two triangles share with different UVs are looked up at its middle.

    canvas: Canvas.
    part: int, index of the part.
    texture: uint8[H, W, 3].
    """
    rows = canvas.triangles_of(part)
    _, welded = np.unique(canvas.vertices, axis=0, return_inverse=True)  # files split vertices at seams
    corners = welded.reshape(-1)[canvas.triangles[rows]].astype(np.int64)
    ends = np.stack([corners, np.roll(corners, -1, 1)], -1).reshape(-1, 2)
    uv = canvas.parts[part].uv
    places = in_first_tile(uv)  # where an edge at u = 1 is not one at u = 0
    places = np.stack([places, np.roll(places, -1, 1)], 2).reshape(-1, 2, 2)
    swap = ends[:, 0] > ends[:, 1]
    ends[swap], places[swap] = ends[swap, ::-1], places[swap, ::-1]
    order = np.lexsort((ends[:, 1], ends[:, 0]))
    ends, places = ends[order], places[order]
    change = np.flatnonzero((ends[1:] != ends[:-1]).any(1)) + 1
    first = np.concatenate([[0], change])
    first = first[np.diff(np.concatenate([first, [len(ends)]])) == 2]
    between = places[first] - places[first + 1]
    apart = np.abs(between - np.round(between)).max((1, 2)) > 1e-6  # whole tiles apart is the same place
    first = first[apart & (ends[first, 0] != ends[first, 1])]
    if len(first) == 0:
        return 0.0
    sides = []
    for side in (first, first + 1):
        middle = places[side].mean(1)
        inside = np.where(middle > 1.0, middle - np.floor(middle), middle)
        sides.append(sample_texture(torch.from_numpy(texture).float(), torch.from_numpy(inside.astype(np.float32))))
    return float((sides[0] - sides[1]).abs().mean())
