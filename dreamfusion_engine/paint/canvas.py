"""The surface that is painted: an artist's meshes together in the box, and where in their textures each point lies.

Axis letters: V vertices, T triangles, of all parts together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dreamfusion_engine.mesh.arrays import Floats, Ints
from dreamfusion_engine.mesh.framing import frame_of
from dreamfusion_engine.mesh.surface.topology import vertex_normals
from dreamfusion_engine.paint.texels import TextureMap, no_texture, texture_map


@dataclass(frozen=True, kw_only=True)
class CanvasPart:
    """One part with a texture of its own: a mesh, or what one material of it covers.

    name: str, for people and files.
    vertices: float[V, 3], as the artist has them; Z up, front -Y.
    triangles: int[T, 3].
    uv: float32[T, 3, 2], of every corner, v down; outside [0, 1] it repeats.
    normals: float32[V, 3], unit length; None: smooth ones of the surface.
    """

    name: str
    vertices: NDArray[np.floating]
    triangles: Ints
    uv: Floats
    normals: Floats | None = None


@dataclass(frozen=True, kw_only=True)
class Canvas:
    """All parts in one box, as `canvas_of` makes it.

    parts: the parts as given.
    vertices: float32[V, 3], world units of the box.
    triangles: int32[T, 3].
    normals: float32[V, 3], unit length.
    first: int, first triangle of each part, and T at the end.
    maps: TextureMap of each part.
    """

    parts: tuple[CanvasPart, ...]
    vertices: Floats
    triangles: Ints
    normals: Floats
    first: tuple[int, ...]
    maps: tuple[TextureMap, ...]

    def triangles_of(self, part: int) -> slice:
        """Return the triangles of a part."""
        return slice(self.first[part], self.first[part + 1])


def canvas_of(
    parts: Sequence[CanvasPart],
    texture: int | None,
    front_deg: float = 0.0,
    advance: Callable[[float], None] = lambda share: None,
) -> Canvas:
    """Return the parts as they stand to each other, in one box with their front turned to -Y.

    parts: CanvasParts, at least one.
    texture: int, pixels along each texture; None: the parts are only looked at.
    front_deg: float, degrees counter-clockwise from above, from -Y to the side that is the front.
    advance: told the share done, in [0, 1].
    Raises InputError input.mesh where there is no surface.
    """
    vertices = np.concatenate([np.asarray(part.vertices, np.float64) for part in parts])
    counts = np.cumsum([0, *(len(part.vertices) for part in parts)])
    triangles = np.concatenate(
        [part.triangles.astype(np.int64) + base for part, base in zip(parts, counts, strict=False)]
    )
    frame = frame_of(vertices, triangles, front_deg)
    placed = frame.to_box(vertices)
    normals = []
    for part, base in zip(parts, counts, strict=False):
        own = part.normals
        if own is None:
            own = vertex_normals(placed[base : base + len(part.vertices)], part.triangles).astype(np.float32)
        else:
            own = frame.turned(own).astype(np.float32)
        normals.append(own)
    first = tuple(int(n) for n in np.cumsum([0, *(len(part.triangles) for part in parts)]))
    maps = []
    for number, (part, begin, end) in enumerate(zip(parts, first, first[1:], strict=False)):
        advance(number / len(parts))
        if texture is None:
            maps.append(no_texture(end - begin))
        else:
            maps.append(texture_map(placed, triangles[begin:end], part.uv, texture))
    advance(1.0)
    return Canvas(
        parts=tuple(parts),
        vertices=placed.astype(np.float32),
        triangles=triangles.astype(np.int32),
        normals=np.concatenate(normals).astype(np.float32),
        first=first,
        maps=tuple(maps),
    )


@dataclass(frozen=True, kw_only=True)
class DeviceCanvas:
    """A canvas on the device that paints it.

    vertices: float32[V, 3].
    triangles: int32[T, 3].
    normals: float32[V, 3].
    uv: float32[T, 3, 2].
    reach: float32[T], as `TextureMap.reach`.
    row: int64[T], row of each triangle's part in `owner` and `positions`; -1: no two places share a texel there.
    owner: int32[K, H, W], triangle of each texel, -1: none.
    positions: float32[K, H, W, 3], the point that the texel shows.
    """

    vertices: Tensor
    triangles: Tensor
    normals: Tensor
    uv: Tensor
    reach: Tensor
    row: Tensor
    owner: Tensor
    positions: Tensor

    @classmethod
    def of(cls, canvas: Canvas, device: torch.device) -> DeviceCanvas:
        """Bring what rendering reads to a device.

        canvas: Canvas.
        device: torch.device.
        """

        def sent(array: NDArray[np.generic]) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(device)

        sharing = [part for part, each in enumerate(canvas.maps) if each.shared.any()]
        rows = np.full(len(canvas.parts), -1)
        rows[sharing] = np.arange(len(sharing))
        owners = [np.where(canvas.maps[p].used, canvas.maps[p].owner + canvas.first[p], -1) for p in sharing]
        positions = [canvas.maps[p].positions for p in sharing]
        return cls(
            vertices=sent(canvas.vertices),
            triangles=sent(canvas.triangles),
            normals=sent(canvas.normals),
            uv=sent(np.concatenate([part.uv for part in canvas.parts]).astype(np.float32)),
            reach=sent(np.concatenate([each.reach for each in canvas.maps])),
            row=sent(np.repeat(rows, np.diff(canvas.first))),
            owner=sent(np.stack(owners).astype(np.int32) if sharing else np.zeros((0, 1, 1), np.int32)),
            positions=sent(np.stack(positions) if sharing else np.zeros((0, 1, 1, 3), np.float32)),
        )
