"""Pictures and coarse meshes of a run while it trains."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dreamfusion_engine.errors import RunError
from dreamfusion_engine.events import MeshPreview, Preview, Report
from dreamfusion_engine.machine.atomic_file import write_atomically
from dreamfusion_engine.machine.disk import output_error
from dreamfusion_engine.mesh.arrays import Doubles
from dreamfusion_engine.mesh.export import png_bytes
from dreamfusion_engine.mesh.preview import preview_mesh
from dreamfusion_engine.optimize.training import Training
from dreamfusion_engine.optimize.volume_training import VolumeTraining
from dreamfusion_engine.scene.cameras import Cameras, mid_orbit_cameras

PIXELS = 128
KEEP_EVERY = 100  # steps between the previews that stay on disk
BACKGROUND = 0.6  # grey, on which white and black objects are seen


class ViewPreviews:
    """Reports the latest render and a row of four views, and keeps a picture every KEEP_EVERY steps.

    folder: Path for the kept pictures.
    report: told of each preview.
    """

    def __init__(self, folder: Path, report: Report) -> None:
        self._folder = folder
        self._report = report
        self._kept = -1

    def __call__(self, training: Training) -> None:
        """Show the state of `training`.

        Raises InputError where the folder cannot be written.
        """
        row = training.view(preview_cameras(training), PIXELS, background=BACKGROUND, shading="lambertian").colour
        self._report(Preview(name="latest", step=training.step, png=png(row[0])))
        self._report(Preview(name="views", step=training.step, png=png(torch.cat(list(row[1:]), dim=1))))
        self._show_more(training)
        if training.step // KEEP_EVERY != self._kept:
            self._kept = training.step // KEEP_EVERY
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                write_atomically(self._folder / f"step-{training.step:06d}.png", png(torch.cat(list(row), dim=1)))
            except OSError as error:
                raise output_error(self._folder, error) from error

    def _show_more(self, training: Training) -> None:
        """Report what a kind of training shows besides."""


class Previews(ViewPreviews):
    """Previews of a VolumeTraining: the views, and a coarse mesh.

    folder, report: as for `ViewPreviews`.
    place: gives the mesh's vertices where the object will stand; None: in the box.
    """

    def __init__(
        self, folder: Path, report: Report, place: Callable[[NDArray[np.floating]], Doubles] | None = None
    ) -> None:
        super().__init__(folder, report)
        self._place = place

    def _show_more(self, training: Training) -> None:
        assert isinstance(training, VolumeTraining)
        level = self._level(training)
        if level is None:
            return
        try:
            mesh = preview_mesh(*training.frozen(), level, step=training.step, device=training.device)
        except RunError as error:
            if error.code != "run.empty":  # what is dense may be too small for the coarse lattice
                raise
        else:
            self._report(mesh if self._place is None else _moved(mesh, self._place))

    @staticmethod
    def _level(training: VolumeTraining) -> float | None:
        """A density level for the coarse mesh: one at which a step through the field is half opaque.

        While nothing is that dense, early in training, half the highest density: the object shows from its first haze.
        """
        level = math.log(2.0) / (2.0 / training.config.render.steps)
        highest = float(training.occupancy.density.max())
        return min(level, 0.5 * highest) if highest > 0.0 else None


def _moved(mesh: MeshPreview, place: Callable[[NDArray[np.floating]], Doubles]) -> MeshPreview:
    vertices = np.frombuffer(mesh.vertices, "<f4").reshape(-1, 3)
    return dataclasses.replace(mesh, vertices=place(vertices).astype("<f4").tobytes())


def preview_cameras(training: Training) -> Cameras:
    """Return the cameras of previews: three quarters from above, then front, side, back and top."""
    azimuth = torch.tensor([0.6, 0.0, 0.5 * math.pi, math.pi, 0.0], device=training.device)
    elevation = torch.deg2rad(torch.tensor([25.0, 15.0, 15.0, 15.0, 80.0], device=training.device))
    return mid_orbit_cameras(azimuth, elevation, training.config.camera)


def png(picture: Tensor) -> bytes:
    """Return the PNG bytes of a picture float32[H, W, 3], sRGB in [0, 1]."""
    pixels = (picture.clamp(0.0, 1.0) * 255.0 + 0.5).to(torch.uint8).cpu().numpy()
    return png_bytes(np.ascontiguousarray(pixels))
