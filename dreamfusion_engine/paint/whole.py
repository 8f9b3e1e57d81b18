"""A run that paints all of a mesh: its canvas, its training, and the file that comes of it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dreamfusion_engine.config.paint import PaintConfig
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.events import Note, Report
from dreamfusion_engine.mesh.arrays import Floats
from dreamfusion_engine.mesh.export import png_bytes
from dreamfusion_engine.mesh.gltf.read import GltfFile
from dreamfusion_engine.mesh.gltf.write import NewTexture, with_textures
from dreamfusion_engine.mesh.textured import TexturedMesh
from dreamfusion_engine.optimize.training import NewTraining
from dreamfusion_engine.paint.bake import PaintedPart, bake
from dreamfusion_engine.paint.canvas import Canvas, CanvasPart, DeviceCanvas, canvas_of
from dreamfusion_engine.paint.portrait import before_textures, portrait_mesh
from dreamfusion_engine.paint.previews import PaintPreviews
from dreamfusion_engine.paint.render import SurfaceRenderer
from dreamfusion_engine.paint.training import SurfaceTraining

SHARED_TOLD = 0.02  # share of a part's area with shared texels from which the artist is told
UNSEEN_TOLD = 0.02  # share of a part's texels that no camera saw, likewise
Layouts = Sequence[tuple[Floats, bool]]  # each part's UVs float32[T, 3, 2], and whether they are new


@dataclass(frozen=True, kw_only=True)
class PaintedMesh:
    """What a run that paints leaves.

    file: bytes of the GLB with its new textures.
    pictures: PNG of each new texture, by the number of its part.
    before, after: TexturedMesh, for pictures.
    report: of result.json.
    """

    file: bytes
    pictures: dict[int, bytes]
    before: TexturedMesh
    after: TexturedMesh
    report: dict[str, Any]


class WholeSurface:
    """All parts of a file, to be painted.

    file: GltfFile.
    layouts: of its primitives.
    size: int, pixels along each texture.
    config: GenerateConfig.
    paint: PaintConfig.
    advance: told the share done of what is prepared, in [0, 1].
    """

    moving = 0  # triangles whose corners move

    def __init__(
        self,
        file: GltfFile,
        layouts: Layouts,
        size: int,
        config: GenerateConfig,
        paint: PaintConfig,
        advance: Callable[[float], None],
    ) -> None:
        self._file, self._layouts, self._config, self._paint = file, layouts, config, paint
        self._canvas = canvas_of(canvas_parts(file, layouts), size, paint.front_deg, advance)

    def training(self, device: torch.device) -> NewTraining:
        """Return what makes a training.

        device: torch.device of it.
        """
        renderer = SurfaceRenderer(DeviceCanvas.of(self._canvas, device), self._paint.samples)
        return functools.partial(SurfaceTraining, renderer)

    def previews(self, folder: Path, report: Report) -> PaintPreviews:
        """Return what shows the run. Arguments as for `ViewPreviews`."""
        return PaintPreviews(self._canvas, folder, report)

    def painted(self, training: SurfaceTraining, report: Report, advance: Callable[[float], None]) -> PaintedMesh:
        """Bake the colours, and put them into the file.

        training: SurfaceTraining at its end.
        report: told what textures cannot have.
        advance: told the share done, in [0, 1].
        Raises RunError run.non_finite.
        """
        painted = bake(
            self._canvas,
            training.colours,
            self._config.camera,
            padding=self._config.mesh.padding,
            device=training.device,
            advance=advance,
        )
        _tell(self._canvas, painted, report)
        pictures = [png_bytes(each.texture) for each in painted]
        new = [
            NewTexture(primitive=i, png=picture, uv=uv if made else None)
            for i, (picture, (uv, made)) in enumerate(zip(pictures, self._layouts, strict=True))
        ]
        own_uvs = [each.uv for each in self._file.primitives]
        return PaintedMesh(
            file=with_textures(self._file, new),
            pictures=dict(enumerate(pictures)),
            before=portrait_mesh(self._canvas, before_textures(self._file), own_uvs),
            after=portrait_mesh(self._canvas, [each.texture for each in painted]),
            report={"parts": _part_reports(self._canvas, painted, [made for _, made in self._layouts])},
        )


def canvas_parts(file: GltfFile, layouts: Layouts) -> list[CanvasPart]:
    """Return the primitives of a file as parts of a canvas.

    file: GltfFile.
    layouts: of its primitives.
    """
    return [
        CanvasPart(name=each.name, vertices=each.vertices, triangles=each.triangles, uv=uv, normals=each.normals)
        for each, (uv, _) in zip(file.primitives, layouts, strict=True)
    ]


def _tell(canvas: Canvas, painted: list[PaintedPart], report: Report) -> None:
    """Tell the artist what the textures cannot have."""
    for part, each in zip(canvas.parts, painted, strict=True):
        if each.shared > SHARED_TOLD:
            report(
                Note(
                    code="paint.shared_uv",
                    text=f"{part.name}: {each.shared:.0%} of the surface shares its texels with another part of it, "
                    "as mirrored or overlapping UVs do. Both show the same colours. For colours of their own, make new "
                    "UVs.",
                )
            )
    for part, each in zip(canvas.parts, painted, strict=True):
        if each.unseen > UNSEEN_TOLD:
            report(unseen_note(part.name, each.unseen))


def unseen_note(name: str, unseen: float) -> Note:
    """Return what the artist is told of texels that no camera sees.

    name: str, of the part.
    unseen: float in [0, 1], their share.
    """
    return Note(
        code="paint.unseen",
        text=f"{name}: no camera sees {unseen:.0%} of the texture. It took the colours of the "
        "nearest places that are seen.",
    )


def _part_reports(canvas: Canvas, painted: list[PaintedPart], made: list[bool]) -> list[dict[str, Any]]:
    """What result.json says of each part."""
    return [
        {
            "name": part.name,
            "triangles": len(part.triangles),
            "texture": len(each.texture),
            "new_uv": new,
            "unseen": round(each.unseen, 4),
            "shared": round(each.shared, 4),
            "seam": round(each.seam, 3),
        }
        for part, each, new in zip(canvas.parts, painted, made, strict=True)
    ]
