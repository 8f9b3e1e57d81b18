"""Pictures and small textures of a run while it changes a part."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dreamfusion_engine.events import Report
from dreamfusion_engine.mesh.export import png_bytes
from dreamfusion_engine.mesh.field_queries import query_albedo
from dreamfusion_engine.paint.canvas import Canvas
from dreamfusion_engine.paint.part.layer import PartLayer
from dreamfusion_engine.paint.previews import PARTS_SHOWN, TEXTURE_PIXELS, PaintPreviews
from dreamfusion_engine.paint.training import SurfaceTraining


class PartPreviews(PaintPreviews):
    """Previews of a PartTraining: the views, and the textures that change.

    canvas: Canvas.
    layers: PartLayer of each part that changes.
    folder, report: as for `ViewPreviews`.
    """

    def __init__(self, canvas: Canvas, layers: Sequence[PartLayer], folder: Path, report: Report) -> None:
        super().__init__(canvas, folder, report)
        self._layers = {layer.number: layer for layer in layers}
        largest = sorted(self._layers, key=lambda number: (-int((self._layers[number].weight > 0.0).sum()), number))
        self._parts = largest[:PARTS_SHOWN]

    def _texture(self, training: SurfaceTraining, part: int) -> bytes:
        """PNG of a part's texture as it is now, small."""
        layer = self._layers[part]
        step = max(1, max(layer.weight.shape) // TEXTURE_PIXELS)
        weight, positions = layer.weight[::step, ::step], layer.texels.positions[::step, ::step]
        seen = np.broadcast_to(layer.own.shown, (*layer.weight.shape, 3))[::step, ::step]
        picture = seen.astype(np.float32) / 255.0
        on = weight > 0.0
        new = query_albedo(training.colours, positions[on], training.device)
        picture[on] += weight[on, None] * (new - picture[on])
        return png_bytes(np.rint(255.0 * np.clip(picture, 0.0, 1.0)).astype(np.uint8))
