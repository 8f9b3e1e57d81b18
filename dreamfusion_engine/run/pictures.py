"""The pictures of a run: kept in its folder, shown before it begins, what training compares with, and measured."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.events import Note, Preview, Report
from dreamfusion_engine.guidance.picture_conditioning import TeacherPicture
from dreamfusion_engine.machine.atomic_file import write_atomically
from dreamfusion_engine.machine.disk import output_error
from dreamfusion_engine.machine.run_folder import INPUT, INPUTS
from dreamfusion_engine.mesh.pictures.render import render_mesh, scene_of
from dreamfusion_engine.mesh.projection import texels_along, with_pictures
from dreamfusion_engine.mesh.textured import TexturedMesh
from dreamfusion_engine.optimize.reference import References
from dreamfusion_engine.pictures.decode import Floats
from dreamfusion_engine.pictures.fitting import Fitting
from dreamfusion_engine.pictures.given import MOST
from dreamfusion_engine.pictures.placing import Doubles, picture_cameras, placements
from dreamfusion_engine.pictures.prepare import CutOut, digest_of
from dreamfusion_engine.pictures.viewpoint import checked_viewpoint
from dreamfusion_engine.scene.cameras import Cameras
from dreamfusion_engine.wire.bounded_json import UnsafeJson, read_json_file

GRID = 3  # samples along a pixel's side of a measured view
FEWEST_PIXELS, MOST_PIXELS = 64, 1024  # along a view whose colours go onto the texture
_BY = {"alpha": "by its alpha", "mask": "by the mask", "colours": "by its colours"}


@dataclass(frozen=True)
class RunPictures:
    """Cut-outs of a run.

    cut_outs: V CutOuts.
    config: GenerateConfig of the run.
    """

    cut_outs: tuple[CutOut, ...]
    config: GenerateConfig

    @property
    def digest(self) -> str:
        """SHA-256 of the cut-outs and their viewpoints, hex."""
        return digest_of(self.cut_outs)

    def references(self, device: torch.device) -> References:
        """Return what training compares renders with.

        device: torch.device of the training.
        """
        views = torch.from_numpy(self._fitting.views(self._fitting.guess))
        return References(self._cameras.seen_from(device), views.to(device), self.config, self._fitting)

    def of_teacher(self) -> TeacherPicture:
        """Return the first picture as a teacher is told it, over white and in its place.

        Its camera is the one at which training compares it. A teacher that was taught poses is told from there where a
        view is from.
        """
        pose = self.config.reference.pose
        view = self._fitting.views(self._fitting.guess)[0]
        over = view[:3] + (1.0 - view[3:])
        where = self.cut_outs[0].viewpoint
        return TeacherPicture(
            image=torch.from_numpy(np.ascontiguousarray(over, np.float32))[None].clamp(0.0, 1.0),
            azimuth=math.radians(where.azimuth_deg),
            elevation=math.radians(where.elevation_deg),
            pose=None if pose == "auto" else pose,
        )

    def onto(self, mesh: TexturedMesh, references: References, device: torch.device) -> TexturedMesh:
        """Return a mesh with the pictures' own colours on its texture, where their cameras see it.

        mesh: TexturedMesh in the box.
        references: References as training left them.
        device: torch.device to compute on.
        """
        strength = self.config.reference.texture
        if strength == 0.0:
            return mesh
        rows, cameras = self._rows(references), self._cameras
        # As fine as the finest picture, unless the texture is coarser: it would pick out single pixels.
        finest = min(1.0 / float(rows[:, 0].min()), texels_along(mesh, cameras))
        views = self._fitting.views(rows, int(np.clip(round(finest), FEWEST_PIXELS, MOST_PIXELS)))
        done = with_pictures(mesh, cameras, views, strength=strength, padding=self.config.mesh.padding, device=device)
        return replace(mesh, texture=done.texture)

    def measured(self, mesh: TexturedMesh, references: References, device: torch.device) -> list[dict[str, Any]]:
        """Return how like its pictures a finished mesh is, ready for json.dumps: PSNR in dB over white, and mask IoU.

        mesh: TexturedMesh in the box.
        references: References as training left them.
        device: torch.device to render on.
        """
        wanted = references.pictures.cpu().numpy()
        rows = self._rows(references)
        factor, texels = self._fitting.factor(rows), texels_along(mesh, self._cameras)
        size = wanted.shape[-1]
        seen = render_mesh(scene_of(mesh, device), self._cameras.seen_from(device), size, size, grid=GRID)
        found = []
        for i, each in enumerate(self.cut_outs):
            colour, mask = np.moveaxis(wanted[i, :3], 0, -1), wanted[i, 3]
            error = float(np.mean((over_white(seen.albedo[i], seen.coverage[i]) - over_white(colour, mask)) ** 2))
            found.append(
                {
                    "file": INPUT.format(i),
                    "view": each.viewpoint.text,
                    "azimuth_deg": each.viewpoint.azimuth_deg,
                    "elevation_deg": each.viewpoint.elevation_deg,
                    "cut_out_by": each.by,
                    "size": round(factor, 4),
                    "texels_per_pixel": round(texels * float(rows[i, 0]), 3),
                    "psnr": round(float(-10.0 * np.log10(max(error, 1e-10))), 2),
                    "mask_iou": round(mask_iou(seen.coverage[i], mask), 4),
                }
            )
        return found

    def _rows(self, references: References) -> Doubles:
        """Where the pictures lie in their views, float64[V, 3]."""
        return self._fitting.guess if references.rows is None else np.asarray(references.rows.numpy())

    @cached_property
    def _cameras(self) -> Cameras:
        return picture_cameras([each.viewpoint for each in self.cut_outs], self.config.camera)

    @cached_property
    def _fitting(self) -> Fitting:
        pixels = tuple(each.pixels() for each in self.cut_outs)
        return Fitting(pixels, tuple(placements(pixels, self._cameras)))


def run_pictures(cut_outs: Sequence[CutOut], config: GenerateConfig) -> RunPictures | None:
    """Return the pictures of a run; None for none.

    cut_outs: CutOuts.
    config: GenerateConfig of the run.
    """
    return RunPictures(tuple(cut_outs), config) if cut_outs else None


def over_white(colour: Floats, mask: Floats) -> Floats:
    """Return premultiplied colours over white, float32[H, W, 3].

    colour: float32[H, W, 3], premultiplied.
    mask: float32[H, W] in [0, 1].
    """
    return np.asarray(colour + (1.0 - mask)[..., None], np.float32)


def mask_iou(seen: Floats, wanted: Floats) -> float:
    """Return the shared over the joint area of two masks, each where it is above a half.

    seen, wanted: float32[H, W] in [0, 1].
    """
    a, b = seen > 0.5, wanted > 0.5
    return float((a & b).sum() / max(1, (a | b).sum()))


def show(cut_outs: Sequence[CutOut], report: Report) -> None:
    """Report each cut-out before the run begins, so that a bad one can be stopped.

    cut_outs: CutOuts.
    report: told of previews and notes.
    """
    for i, each in enumerate(cut_outs):
        report(Preview(name=INPUT.format(i).removesuffix(".png"), step=0, png=each.preview()))
        text = f"Picture {i + 1} ({each.viewpoint.text}): the object was cut out {_BY[each.by]}"
        text += f"; it covers {each.share:.0%} of the picture. See {INPUT.format(i)}."
        if each.by == "colours":
            text += " Where that is wrong, stop the run and give a mask."
        if each.cropped:
            text += " It reaches the picture's edge: what lies beyond it is taken to be empty."
        report(Note(code="run.picture", text=text))


def keep_pictures(cut_outs: Sequence[CutOut], folder: Path) -> None:
    """Write the cut-outs into the run's folder, in place of those of an earlier run.

    cut_outs: CutOuts.
    folder: Path of the run.
    Raises InputError where they cannot be written.
    """
    try:
        earlier = _number_kept(folder)
        (folder / INPUTS).unlink(missing_ok=True)
        for i in range(earlier):  # a picture that no run has listed is somebody's own
            (folder / INPUT.format(i)).unlink(missing_ok=True)
        for i, each in enumerate(cut_outs):
            write_atomically(folder / INPUT.format(i), each.png)
        if cut_outs:  # last, so that it never names a picture that is not there
            said = [
                {
                    "azimuth_deg": each.viewpoint.azimuth_deg,
                    "elevation_deg": each.viewpoint.elevation_deg,
                    "by": each.by,
                    "share": each.share,
                    "cropped": each.cropped,
                }
                for each in cut_outs
            ]
            write_atomically(folder / INPUTS, (json.dumps(said, indent=1) + "\n").encode())
    except OSError as error:
        raise output_error(folder, error) from error


def _number_kept(folder: Path) -> int:
    """How many pictures an earlier run has kept in the folder."""
    try:
        said = read_json_file(folder / INPUTS)
    except (OSError, UnsafeJson):
        return 0
    return min(len(said), MOST) if isinstance(said, list) else 0


def kept_pictures(folder: Path) -> tuple[CutOut, ...]:
    """Return the cut-outs that the folder's run began with; none where it had none, or they cannot be read.

    folder: Path of the run.
    """
    found: list[CutOut] = []
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, InputError):
        said = read_json_file(folder / INPUTS)
        for i, each in enumerate(said[:MOST]):
            viewpoint = checked_viewpoint(float(each["azimuth_deg"]), float(each["elevation_deg"]))
            png = (folder / INPUT.format(i)).read_bytes()
            kept = CutOut(
                png=png,
                viewpoint=viewpoint,
                by=each["by"] if each["by"] in _BY else "alpha",
                share=float(each["share"]),
                cropped=bool(each["cropped"]),
            )
            kept.pixels()
            found.append(kept)
        return tuple(found)
    return ()
