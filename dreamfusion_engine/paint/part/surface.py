"""A run that changes a part of a mesh: what may change, its training, and the file in which the rest is as it was."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dreamfusion_engine.config.paint import PaintConfig
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.events import Note, Report
from dreamfusion_engine.mesh.arrays import Bools, Doubles, Floats
from dreamfusion_engine.mesh.export import png_bytes
from dreamfusion_engine.mesh.gltf.read import GltfFile, GltfPrimitive
from dreamfusion_engine.mesh.gltf.write import NewTexture, with_textures
from dreamfusion_engine.optimize.training import NewTraining
from dreamfusion_engine.paint.bake import baked_colours
from dreamfusion_engine.paint.canvas import Canvas, DeviceCanvas, canvas_of
from dreamfusion_engine.paint.part.border import Border
from dreamfusion_engine.paint.part.cameras import PartViews
from dreamfusion_engine.paint.part.layer import PartLayer, composed, part_layer
from dreamfusion_engine.paint.part.pictures import own_picture, shown_colours
from dreamfusion_engine.paint.part.previews import PartPreviews
from dreamfusion_engine.paint.part.render import Changing, PartRenderer
from dreamfusion_engine.paint.part.selection import Weights, changes
from dreamfusion_engine.paint.part.training import PartTraining
from dreamfusion_engine.paint.part.unchanged import FreeCorners, changed_outside
from dreamfusion_engine.paint.portrait import GREY, portrait_mesh
from dreamfusion_engine.paint.training import SurfaceTraining
from dreamfusion_engine.paint.whole import UNSEEN_TOLD, Layouts, PaintedMesh, canvas_parts, unseen_note

TEXELS = 1 << 27  # of all textures that change together
KEPT_TOLD = 0.02  # share of the change that shared texels lose, from which the artist is told
ZOOM = 2.0  # a close view's lens is longer by this at most: a teacher must still know what it sees
_PLACES = 1 << 17  # points of the part that the field is fitted to


@dataclass(frozen=True, kw_only=True)
class ShapedFile:
    """A painted file and its shape.

    file: bytes of the GLB.
    canvas: Canvas with the vertices of the file.
    report: of result.json.
    free: by the number of a primitive, its corners that may have moved, and those whose normal may have turned.
    """

    file: bytes
    canvas: Canvas
    report: Mapping[str, Any] = field(default_factory=dict)
    free: Mapping[int, FreeCorners] = field(default_factory=dict)


class PartSurface:
    """The part of a file that changes, and the rest around it.

    file: GltfFile.
    weights: of its primitives, from `selection.chosen_weights`.
    layouts: of its primitives; those that stay may have none that matter.
    size: int, pixels along a texture where there is none yet.
    config: GenerateConfig.
    paint: PaintConfig.
    report: told what cannot change.
    advance: told the share done of what is prepared, in [0, 1].
    Raises InputError where the part cannot change, or its colours cannot be kept.
    """

    moving = 0  # triangles of which the training knows how their corners move

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
        self._file, self._layouts, self._config, self._paint = file, layouts, config, paint
        inside = [changes(each, weight) for each, weight in zip(file.primitives, weights, strict=True)]
        numbers = [number for number, those in enumerate(inside) if those.any()]
        own = {number: own_picture(file, number) for number in numbers}
        sizes = {n: (size, size) if each.flat else each.pixels.shape[:2] for n, each in own.items()}
        _check_sizes(list(sizes.values()))
        canvas = canvas_of(canvas_parts(file, layouts), None, paint.front_deg)
        extent = float(np.ptp(canvas.vertices[np.unique(canvas.triangles)], axis=0).max())
        border = Border(canvas.vertices, canvas.triangles, np.concatenate(inside), paint.blend * extent)
        self.layers: list[PartLayer] = []
        for number in numbers:
            advance(len(self.layers) / len(numbers))
            chosen = weights[number]
            self.layers.append(part_layer(canvas, number, chosen, own[number], sizes[number], border))
        advance(1.0)
        maps = list(canvas.maps)
        for layer in self.layers:
            maps[layer.number] = layer.texels
        self._plain = canvas  # for rays: what a texel shows is asked of the layers
        self._canvas = dataclasses.replace(canvas, maps=tuple(maps))
        _check_and_tell(self._canvas, self.layers, report)
        self._seen = [own[n].shown if n in own else shown_colours(file, n, GREY) for n in range(len(file.primitives))]

    def training(self, device: torch.device) -> NewTraining:
        """Return what makes a training.

        device: torch.device of it.
        """
        return functools.partial(PartTraining, *self._trained_on(DeviceCanvas.of(self._plain, device), device))

    def _trained_on(
        self, sent: DeviceCanvas, device: torch.device
    ) -> tuple[PartRenderer, PartViews, float, Tensor, Tensor]:
        """What a PartTraining begins with. sent: the canvas on the device."""
        changing = Changing.of(self._canvas, self.layers, self._seen, device)
        renderer = PartRenderer(sent, changing, self._paint.samples)
        places, colours = self._present()
        canvas = self._canvas
        views = PartViews(canvas.vertices, canvas.triangles, places, self._config.camera, ZOOM, device)
        where, what = (torch.from_numpy(values.astype(np.float32)).to(device) for values in (places, colours))
        return renderer, views, self._paint.close, where, what

    def previews(self, folder: Path, report: Report) -> PartPreviews:
        """Return what shows the run. Arguments as for `ViewPreviews`."""
        return PartPreviews(self._canvas, self.layers, folder, report)

    def painted(self, training: SurfaceTraining, report: Report, advance: Callable[[float], None]) -> PaintedMesh:
        """Bake the colours of the part, and put them into the file. Arguments as for `WholeSurface.painted`."""
        colours = baked_colours(self._canvas, training.colours, self._config.camera, training.device, advance)
        at = {layer.number: layer for layer in self.layers}
        after, may_differ, unseen = list(self._seen), {}, {}
        pictures: dict[int, bytes] = {}
        for number, (colour, hidden) in enumerate(colours):
            if number in at:
                made, may_differ[number] = composed(at[number], colour, self._config.mesh.padding)
                pictures[number], unseen[number] = png_bytes(made), hidden
                after[number] = dataclasses.replace(at[number].own, pixels=made).shown
                if hidden > UNSEEN_TOLD:
                    report(unseen_note(self._canvas.parts[number].name, hidden))
        advance(1.0)
        new = [
            NewTexture(primitive=n, png=png, uv=self._layouts[n][0] if self._layouts[n][1] else None, same=True)
            for n, png in pictures.items()
        ]
        shaped = self._shaped(with_textures(self._file, new), training)
        return PaintedMesh(
            file=shaped.file,
            pictures=pictures,
            before=portrait_mesh(self._canvas, self._seen),
            after=portrait_mesh(shaped.canvas, after),
            report={
                "parts": [self._part_report(at[n], may_differ[n], unseen[n]) for n in pictures],
                "surface_changed": round(self._surface_changed(), 4),
                **shaped.report,
                "outside_changed": changed_outside(self._file, shaped.file, self.layers, may_differ, shaped.free),
            },
        )

    def _shaped(self, file: bytes, training: SurfaceTraining) -> ShapedFile:
        """The file with its vertices where the training left them: here, where they were."""
        return ShapedFile(file=file, canvas=self._canvas)

    def _present(self) -> tuple[Doubles, Doubles]:
        """Places of the part, and what is seen there now, in [0, 1]; float[N, 3] each."""
        places, colours = [], []
        for layer in self.layers:
            on = np.flatnonzero(layer.weight.reshape(-1) > 0.0)
            chosen = on[:: max(1, len(on) * len(self.layers) // _PLACES)]
            seen = np.broadcast_to(layer.own.shown, (*layer.weight.shape, 3)).reshape(-1, 3)
            places.append(layer.texels.positions.reshape(-1, 3)[chosen])
            colours.append(seen[chosen] / 255.0)
        return np.concatenate(places).astype(np.float64), np.concatenate(colours)

    def _surface_changed(self) -> float:
        """Share of the whole surface of which a texel changes."""
        corners = self._canvas.vertices[self._canvas.triangles].astype(np.float64)
        area = 0.5 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
        rows = self._canvas.triangles_of
        return float(sum(layer.changed * area[rows(layer.number)].sum() for layer in self.layers) / area.sum())

    def _part_report(self, layer: PartLayer, may_differ: Bools, unseen: float) -> dict[str, Any]:
        """What result.json says of a part."""
        part = self._canvas.parts[layer.number]
        return {
            "part": layer.number,
            "name": part.name,
            "triangles": len(part.triangles),
            "texture": list(layer.weight.shape),
            "new_uv": self._layouts[layer.number][1],
            "texels_changed": int(may_differ.sum()),
            "changed": round(layer.changed, 4),
            "kept": round(layer.kept, 4),
            "unseen": round(unseen, 4),
        }


def own_layout(primitive: GltfPrimitive) -> tuple[Floats, bool]:
    """Return the UVs of a primitive that stays, for `Layouts`.

    primitive: GltfPrimitive.
    """
    none = np.zeros((len(primitive.triangles), 3, 2), np.float32)
    return (none if primitive.uv is None else primitive.uv), False


def _check_sizes(sizes: Sequence[tuple[int, ...]]) -> None:
    total = sum(size[0] * size[1] for size in sizes)
    if total > TEXELS:
        raise InputError(
            "paint.part",
            what="The textures of the part are too large.",
            why=f"They have {total >> 20:,} Mi texels together; {TEXELS >> 20} Mi can be changed at once.",
            fix="Select faces of fewer materials, or use smaller textures.",
        )


def _check_and_tell(canvas: Canvas, layers: Sequence[PartLayer], report: Report) -> None:
    """Tell of texels that must stay. Raises InputError where none may change."""
    if not any((layer.weight > 0.0).any() for layer in layers):
        raise InputError(
            "paint.part",
            what="No texel of the selection can change.",
            why="Its texels colour faces outside of it too, as mirrored or overlapping UVs and palettes do.",
            fix="Give the selection UVs of its own (UV Editor, or a material of its own without a texture), or select "
            "all faces that share them.",
        )
    for layer in layers:
        if layer.kept > KEPT_TOLD:
            report(
                Note(
                    code="paint.part_shared",
                    text=f"{canvas.parts[layer.number].name}: {layer.kept:.0%} of the change is left out. Its texels "
                    "colour faces outside the selection too, as mirrored or overlapping UVs do, and those stay.",
                )
            )
