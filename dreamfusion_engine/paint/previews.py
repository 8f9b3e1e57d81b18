"""Pictures and small textures of a run while it paints."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dreamfusion_engine.events import Report, TexturePreview
from dreamfusion_engine.mesh.bake import padded
from dreamfusion_engine.mesh.export import png_bytes
from dreamfusion_engine.mesh.field_queries import query_albedo
from dreamfusion_engine.optimize.previews import ViewPreviews
from dreamfusion_engine.optimize.training import Training
from dreamfusion_engine.paint.canvas import Canvas
from dreamfusion_engine.paint.training import SurfaceTraining

TEXTURE_PIXELS = 256  # along a preview's texture
PARTS_SHOWN = 8  # parts whose textures are sent each time; beyond it the largest
_PADDING = 4


class PaintPreviews(ViewPreviews):
    """Previews of a SurfaceTraining: the views, and the textures of the parts.

    canvas: Canvas that is painted.
    folder, report: as for `ViewPreviews`.
    """

    def __init__(self, canvas: Canvas, folder: Path, report: Report) -> None:
        super().__init__(folder, report)
        self._canvas = canvas
        sizes = np.diff(canvas.first)
        self._parts = sorted(np.argsort(-sizes, kind="stable")[:PARTS_SHOWN].tolist())

    def _show_more(self, training: Training) -> None:
        assert isinstance(training, SurfaceTraining)
        for part in self._parts:
            self._report(TexturePreview(step=training.step, part=part, png=self._texture(training, part)))

    def _texture(self, training: SurfaceTraining, part: int) -> bytes:
        """PNG of a part's texture as it is now, small and without a look at what is hidden."""
        texels = self._canvas.maps[part]
        step = max(1, len(texels.owner) // TEXTURE_PIXELS)
        used, positions = texels.used[::step, ::step], texels.positions[::step, ::step]
        colour = np.zeros((*used.shape, 3), np.float32)
        colour[used] = query_albedo(training.colours, positions[used], training.device)
        return png_bytes(padded(colour, used, _PADDING))
