"""Render a canvas of which a part changes: old colours everywhere, and the field's over them where the part is.

Axis letters: T triangles, N hits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from dreamfusion_engine.paint.canvas import Canvas, DeviceCanvas
from dreamfusion_engine.paint.part.layer import PartLayer
from dreamfusion_engine.paint.part.pictures import Pixels
from dreamfusion_engine.paint.render import Colours, SurfaceRenderer
from dreamfusion_engine.render.surface.hits import SurfaceHits, interpolated

LOOKED_AT = 1024  # pixels along an old picture in training, at most: renders are smaller


@dataclass(frozen=True, kw_only=True)
class Table:
    """Pictures of several sizes in one list of values.

    values: float32[sum of H W, C].
    start: int64[T], where the picture of each triangle begins; -1: it has none.
    height, width: int64[T].
    """

    values: Tensor
    start: Tensor
    height: Tensor
    width: Tensor

    @classmethod
    def of(cls, pictures: Sequence[NDArray[np.float32] | None], first: Sequence[int], device: torch.device) -> Table:
        """Make one.

        pictures: float32[H, W, C] of each part, or None.
        first: int, first triangle of each part, and T at the end.
        device: torch.device.
        """
        starts, heights, widths, values, size = [], [], [], [], 0
        for picture in pictures:
            starts.append(-1 if picture is None else size)
            heights.append(1 if picture is None else picture.shape[0])
            widths.append(1 if picture is None else picture.shape[1])
            if picture is not None:
                values.append(picture.reshape(-1, picture.shape[2]))
                size += len(values[-1])
        counts = np.diff(first)

        def sent(numbers: list[int]) -> Tensor:
            return torch.from_numpy(np.repeat(np.array(numbers, np.int64), counts)).to(device)

        whole = np.concatenate(values) if values else np.zeros((1, 1), np.float32)
        there = torch.from_numpy(np.ascontiguousarray(whole)).to(device)
        return cls(values=there, start=sent(starts), height=sent(heights), width=sent(widths))

    def nearest(self, triangle: Tensor, uv: Tensor) -> Tensor:
        """Return the values of the texels at places, float32[N, C]. Every triangle must have a picture.

        triangle: int64[N].
        uv: float32[N, 2], v down; outside [0, 1] it repeats.
        """
        height, width = self.height[triangle], self.width[triangle]
        place = uv - uv.floor()
        column = torch.minimum((place[:, 0] * width).long(), width - 1)
        row = torch.minimum((place[:, 1] * height).long(), height - 1)
        return self.values[self.start[triangle] + row * width + column]

    def smooth(self, triangle: Tensor, uv: Tensor) -> Tensor:
        """Return values between the four nearest texels, float32[N, C]. Arguments as for `nearest`."""
        start, height, width = self.start[triangle], self.height[triangle], self.width[triangle]
        place = (uv - uv.floor()) * torch.stack([width, height], -1) - 0.5
        base = place.floor()
        share = (place - base).unsqueeze(-1)
        column, row = base.long().unbind(-1)
        rows, columns = (row % height, (row + 1) % height), (column % width, (column + 1) % width)
        top, bottom = (
            torch.lerp(
                self.values[start + y * width + columns[0]], self.values[start + y * width + columns[1]], share[:, 0]
            )
            for y in rows
        )
        return torch.lerp(top, bottom, share[:, 1])


@dataclass(frozen=True, kw_only=True)
class Changing:
    """What a renderer needs to know of a part that changes, on its device.

    own: Table of the old colours, C = 3, in [0, 1], of every triangle.
    weight: Table of the layers' weights, C = 1.
    shown: Table of the places that texels show, C = 3; of parts in which texels are shared.
    """

    own: Table
    weight: Table
    shown: Table

    @classmethod
    def of(cls, canvas: Canvas, layers: Sequence[PartLayer], own: Sequence[Pixels], device: torch.device) -> Changing:
        """Bring it to a device.

        canvas: Canvas.
        layers: PartLayer of each part that changes.
        own: uint8[H, W, 3] that is seen of each part of the canvas.
        device: torch.device.
        """
        at = {layer.number: layer for layer in layers}
        numbers = range(len(canvas.parts))
        weights = [at[n].weight[..., None] if n in at else None for n in numbers]
        places = [at[n].texels.positions if n in at and at[n].texels.shared.any() else None for n in numbers]
        return cls(
            own=Table.of([_looked_at(picture) for picture in own], canvas.first, device),
            weight=Table.of(weights, canvas.first, device),
            shown=Table.of(places, canvas.first, device),
        )


class PartRenderer(SurfaceRenderer):
    """What cameras see of a canvas of which a part changes.

    canvas: DeviceCanvas.
    changing: Changing of it.
    grid: int, as for `SurfaceRenderer`.
    """

    def __init__(self, canvas: DeviceCanvas, changing: Changing, grid: int = 2) -> None:
        super().__init__(canvas, grid)
        self.changing = changing

    def coloured(self, colours: Colours, met: SurfaceHits, point: Tensor) -> Tensor:
        """Return o + w (c - o): the old colour o, the field's c where the weight w is above 0.

        colours, met, point: as for `SurfaceRenderer.coloured`.
        """
        triangle = met.triangle.long()
        uv = interpolated(self.canvas.uv, self.canvas.triangles, met)
        old = self.changing.own.smooth(triangle, uv)
        has = (self.changing.weight.start[triangle] >= 0).nonzero()[:, 0]
        weight = self.changing.weight.nearest(triangle[has], uv[has])[:, 0]
        has, weight = has[weight > 0.0], weight[weight > 0.0]
        place = point[has]
        elsewhere = (self.changing.shown.start[triangle[has]] >= 0).nonzero()[:, 0]
        if len(elsewhere):
            there = self.changing.shown.nearest(triangle[has][elsewhere], uv[has][elsewhere])
            place = place.index_copy(0, elsewhere, there)
        new = colours(place)
        return old.index_copy(0, has, torch.lerp(old[has], new, weight[:, None]))


def _looked_at(picture: Pixels) -> NDArray[np.float32]:
    """A picture in [0, 1], scaled down to LOOKED_AT."""
    height, width = picture.shape[:2]
    if max(height, width) > LOOKED_AT:
        share = LOOKED_AT / max(height, width)
        size = max(1, round(width * share)), max(1, round(height * share))
        picture = np.asarray(Image.fromarray(np.ascontiguousarray(picture)).resize(size, Image.Resampling.BOX))
    return (picture / 255.0).astype(np.float32)
