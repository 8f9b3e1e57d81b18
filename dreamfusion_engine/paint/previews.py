"""Pictures and small textures of a run while it paints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from dreamfusion_engine.events import Preview, Report, TexturePreview
from dreamfusion_engine.machine.atomic_file import write_atomically
from dreamfusion_engine.machine.disk import output_error
from dreamfusion_engine.mesh.bake import padded
from dreamfusion_engine.mesh.field_queries import query_albedo
from dreamfusion_engine.optimize.previews import KEEP_EVERY, PIXELS, png, preview_cameras
from dreamfusion_engine.optimize.training import Training
from dreamfusion_engine.paint.canvas import Canvas
from dreamfusion_engine.paint.training import SurfaceTraining

TEXTURE_PIXELS = 256  # along a preview's texture
PARTS_SHOWN = 8  # parts whose textures are sent each time; beyond it the largest
_PADDING = 4
_BACKGROUND = 0.6


class PaintPreviews:
    """Reports the latest render, a row of four views and the parts' textures; keeps a picture every KEEP_EVERY steps.

    canvas: Canvas that is painted.
    folder: Path for the kept pictures.
    report: told of each preview.
    """

    def __init__(self, canvas: Canvas, folder: Path, report: Report) -> None:
        self._canvas = canvas
        self._folder = folder
        self._report = report
        self._kept = -1
        sizes = np.diff(canvas.first)
        self._parts = sorted(np.argsort(-sizes, kind="stable")[:PARTS_SHOWN].tolist())

    def __call__(self, training: Training) -> None:
        """Show the state of `training`, a SurfaceTraining.

        Raises InputError where the folder cannot be written.
        """
        assert isinstance(training, SurfaceTraining)
        cameras = preview_cameras(training)
        row = training.view(cameras, PIXELS, background=_BACKGROUND, shading="lambertian").colour
        self._report(Preview(name="latest", step=training.step, png=png(row[0])))
        self._report(Preview(name="views", step=training.step, png=png(torch.cat(list(row[1:]), dim=1))))
        for part in self._parts:
            self._report(TexturePreview(step=training.step, part=part, png=self._texture(training, part)))
        if training.step // KEEP_EVERY != self._kept:
            self._kept = training.step // KEEP_EVERY
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                write_atomically(self._folder / f"step-{training.step:06d}.png", png(torch.cat(list(row), dim=1)))
            except OSError as error:
                raise output_error(self._folder, error) from error

    def _texture(self, training: SurfaceTraining, part: int) -> bytes:
        """PNG of a part's texture as it is now, small and without a look at what is hidden."""
        texels = self._canvas.maps[part]
        step = max(1, len(texels.owner) // TEXTURE_PIXELS)
        used, positions = texels.used[::step, ::step], texels.positions[::step, ::step]
        colour = np.zeros((*used.shape, 3), np.float32)
        colour[used] = query_albedo(training.colours, positions[used], training.device)
        return png(torch.from_numpy(padded(colour, used, _PADDING).astype(np.float32) / 255.0))
