"""A run that changes the colours and the shape of a part: what may move, its training, and the file with both."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from dreamfusion_engine.config.paint import PaintConfig
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import InputError, RunError
from dreamfusion_engine.events import Report
from dreamfusion_engine.mesh.arrays import Floats
from dreamfusion_engine.mesh.framing import frame_of
from dreamfusion_engine.mesh.gltf.moved import MovedPrimitive, check_movable, with_moved_vertices
from dreamfusion_engine.mesh.gltf.read import GltfFile, read_gltf
from dreamfusion_engine.mesh.surface.topology import vertex_normals
from dreamfusion_engine.optimize.training import NewTraining
from dreamfusion_engine.paint.canvas import DeviceCanvas
from dreamfusion_engine.paint.part.selection import Weights, changes
from dreamfusion_engine.paint.part.surface import PartSurface, ShapedFile
from dreamfusion_engine.paint.part.unchanged import FreeCorners
from dreamfusion_engine.paint.training import SurfaceTraining
from dreamfusion_engine.paint.whole import Layouts
from dreamfusion_engine.refinement.part.render import TurningNormals
from dreamfusion_engine.refinement.part.training import PartShapeTraining
from dreamfusion_engine.refinement.part.welded import welded_part
from dreamfusion_engine.refinement.repair import SurfaceFaults, repaired
from dreamfusion_engine.refinement.shape import MOST_TRIANGLES

SLOPE = 2.0  # widths of the fade for one of the reach, at least: a full move bends the surface by 37 degrees at most


class PartShapeSurface(PartSurface):
    """The part of a file whose colours and shape change, and the rest around it. Arguments as for `PartSurface`.

    Raises InputError also where no vertex of the part can move, or none can be written back.
    """

    def __init__(
        self,
        file: GltfFile,
        weights: Weights,
        layouts: Layouts,
        size: int,
        config: GenerateConfig,
        paint: PaintConfig,
        report: Report,
        advance: Callable[[float], None],
    ) -> None:
        inside = [changes(each, weight) for each, weight in zip(file.primitives, weights, strict=True)]
        check_movable(file, [number for number, those in enumerate(inside) if those.any()])
        _check_size(sum(map(len, inside)))
        super().__init__(file, weights, layouts, size, config, paint, report, advance)
        canvas = self._canvas
        extent = float(np.ptp(canvas.vertices[np.unique(canvas.triangles)], axis=0).max())
        width = max(paint.blend * extent, SLOPE * config.refine.reach)
        self.part = welded_part(canvas, np.concatenate(weights), np.concatenate(inside), width)
        self.moving = len(self.part.triangles)

    def training(self, device: torch.device) -> NewTraining:
        """Return what makes a training. Arguments as for `PartSurface.training`."""
        normals = vertex_normals(self.part.places, self.part.triangles)
        places, triangles, smooth = (
            torch.from_numpy(np.ascontiguousarray(each)).to(device)
            for each in (self.part.places, self.part.triangles, normals.astype(np.float32))
        )
        sent = DeviceCanvas.of(self._plain, device)
        sent = dataclasses.replace(sent, vertices=places, triangles=triangles, normals=smooth)
        return functools.partial(PartShapeTraining, self.part, *self._trained_on(sent, device))

    def _shaped(self, file: bytes, training: SurfaceTraining) -> ShapedFile:
        """The file with its vertices where the training left them, without new folds and crossings."""
        assert isinstance(training, PartShapeTraining)
        part, canvas = self.part, self._canvas
        wanted = np.asarray(training.moves.shape.vertices().cpu().numpy())
        if not np.isfinite(wanted).all():
            raise RunError(
                "run.non_finite",
                what="The changed shape holds values that are not numbers.",
                why=f"{int((~np.isfinite(wanted)).any(1).sum()):,} of {len(wanted):,} vertices are at no place.",
                fix="Lower refine.strength, or give another --seed.",
            )
        made, first, last = repaired(part.places, wanted, part.triangles)
        with torch.no_grad():
            turning = TurningNormals(part, torch.device("cpu"))
            normals = turning.now(torch.from_numpy(made)).numpy()
        frame = frame_of(
            np.concatenate([each.vertices for each in canvas.parts]), canvas.triangles, self._paint.front_deg
        )
        stands, turned = frame.from_box(made), normals.astype(np.float64) @ frame.turn
        has_moved = (made != part.places).any(1)
        around = np.zeros(len(turned), bool)  # groups of triangles that moved
        around[part.corners[has_moved[part.triangles].any(1)]] = True
        around &= part.turns
        moved, free = [], {}
        for number in range(len(canvas.parts)):
            rows = canvas.triangles_of(number)
            at, of = part.triangles[rows], part.corners[rows]
            free[number] = FreeCorners((part.freedom > 0.0)[at], part.turns[of])
            if has_moved[at].any():
                moved.append(
                    MovedPrimitive(
                        primitive=number,
                        vertices=stands[at],
                        moves=has_moved[at],
                        normals=turned[of],
                        turns=around[of],
                    )
                )
        return ShapedFile(
            file=with_moved_vertices(read_gltf(file), moved) if moved else file,
            canvas=dataclasses.replace(canvas, vertices=made[part.place], normals=normals[part.group]),
            report={"shape": _report(part.places, wanted, made, part.freedom, first, last)},
            free=free,
        )


def _report(
    before: Floats, wanted: Floats, made: Floats, freedom: Floats, first: SurfaceFaults, last: SurfaceFaults
) -> dict[str, Any]:
    """What result.json says of the shape; lengths in world units of the box, whose half is 1."""
    on = freedom > 0.0
    asked, moved = (np.linalg.norm(each[on].astype(np.float64) - before[on], axis=1) for each in (wanted, made))
    taken = 1.0 - moved.sum() / asked.sum() if asked.any() else 0.0
    return {
        "closed": last.closed,
        "folds": [first.folds, last.folds],
        "crossings": [first.crossings, last.crossings],
        "free_vertices": int(on.sum()),
        "moved_mean": round(float(moved.mean()), 6),
        "moved_most": round(float(moved.max()), 6),
        "taken_back": round(float(taken), 4),
    }


def _check_size(triangles: int) -> None:
    if triangles > MOST_TRIANGLES:
        raise InputError(
            "input.mesh",
            what="The mesh has too many triangles for its shape to change.",
            why=f"It has {triangles:,}; the limit is {MOST_TRIANGLES:,}.",
            fix="Change the texture of the part alone, or decimate a copy.",
        )
