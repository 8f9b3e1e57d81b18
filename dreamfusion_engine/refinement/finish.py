"""From a trained refinement to the mesh: sound vertices, a baked texture, and what an artist should know of both."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from dreamfusion_engine.errors import RunError
from dreamfusion_engine.mesh.arrays import Bools, Floats
from dreamfusion_engine.mesh.bake import padded
from dreamfusion_engine.mesh.field_queries import query_albedo
from dreamfusion_engine.mesh.surface.topology import vertex_normals
from dreamfusion_engine.mesh.textured import TexturedMesh
from dreamfusion_engine.paint.bake import COARSE, coarse_seen
from dreamfusion_engine.refinement.repair import repaired
from dreamfusion_engine.refinement.surface import RefinedSurface
from dreamfusion_engine.refinement.training import RefineTraining


@dataclass(frozen=True, kw_only=True)
class RefineReport:
    """Facts about a refinement.

    closed: bool, whether the surface is closed; a refinement cannot change that.
    folds, crossings: int, before and after. Folds of an open surface are not counted.
    moved_mean, moved_most: float, world units of the box, whose half is 1.
    sharpness: float, mean step between neighbouring texels, in 255ths, before and after.
    taken_back: float in [0, 1], share of the moves that was taken back, for the sake of folds and crossings.
    unseen: float in [0, 1], share of the texels that no camera saw; they keep their colour.
    """

    closed: bool
    folds: tuple[int, int]
    crossings: tuple[int, int]
    moved_mean: float
    moved_most: float
    taken_back: float
    sharpness: tuple[float, float]
    unseen: float

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain values, for result.json."""
        return dataclasses.asdict(self)


def finished(
    surface: RefinedSurface,
    training: RefineTraining,
    *,
    padding: int,
    advance: Callable[[float], None] = lambda share: None,
) -> tuple[TexturedMesh, RefineReport]:
    """Return the refined mesh, where the artist has it, and its report.

    surface: RefinedSurface, as it began.
    training: RefineTraining at its end.
    padding: int, texels of colour beyond the texture's islands.
    advance: told the share done, in [0, 1].
    Raises RunError run.non_finite.
    """
    canvas, before = surface.canvas, surface.canvas.vertices
    after = np.asarray(training.shape.vertices().cpu().numpy())
    if not np.isfinite(after).all():
        raise RunError(
            "run.non_finite",
            what="The refined mesh holds values that are not numbers.",
            why=f"{int((~np.isfinite(after)).any(1).sum()):,} of {len(after):,} vertices are at no place.",
            fix="Lower refine.strength, or give another --seed.",
        )
    advance(0.0)
    vertices, first, last = repaired(before, after, canvas.triangles)
    advance(0.3)
    texture, unseen = _texture(surface, training, padding)
    advance(0.9)
    wanted, made = (np.linalg.norm(each.astype(np.float64) - before, axis=1) for each in (after, vertices))
    mesh = _placed(surface, vertices, texture)
    used = surface.texels.used
    report = RefineReport(
        closed=last.closed,
        folds=(first.folds, last.folds),
        crossings=(first.crossings, last.crossings),
        moved_mean=round(float(made.mean()), 6),
        moved_most=round(float(made.max()), 6),
        taken_back=round(float(1.0 - made.sum() / max(float(wanted.sum()), 1e-12)) if wanted.any() else 0.0, 4),
        sharpness=(round(sharpness(surface.mesh.texture, used), 3), round(sharpness(texture, used), 3)),
        unseen=round(unseen, 4),
    )
    advance(1.0)
    return mesh, report


def sharpness(texture: NDArray[np.uint8], used: Bools) -> float:
    """Return the mean difference of a texel from the next one to the right and below, in 255ths, where both are used.

    texture: uint8[H, W, 3].
    used: bool[H, W].
    """
    values = texture.astype(np.float64)
    total, count = 0.0, 0
    for axis in (0, 1):
        a, b = np.split(used, [1], axis)[1], np.delete(used, -1, axis)
        both = a & b
        total += float(np.abs(np.diff(values, axis=axis))[both].mean(-1).sum())
        count += int(both.sum())
    return total / max(count, 1)


def _placed(surface: RefinedSurface, vertices: Floats, texture: NDArray[np.uint8]) -> TexturedMesh:
    """The mesh where the artist has it; a vertex that did not move is that of before, bit for bit."""
    mesh, canvas = surface.mesh, surface.canvas
    stays = (vertices == canvas.vertices).all(1)
    if stays.all():
        return dataclasses.replace(mesh, texture=texture)
    back = np.where(stays[:, None], mesh.vertices, surface.frame.from_box(vertices)).astype(np.float32)
    return dataclasses.replace(
        mesh,
        vertices=back,
        normals=vertex_normals(back, mesh.triangles).astype(np.float32),
        texture=texture,
    )


def _texture(surface: RefinedSurface, training: RefineTraining, padding: int) -> tuple[NDArray[np.uint8], float]:
    """The new texture uint8[H, W, 3], and the share of its texels that no camera saw."""
    texels, device = surface.texels, training.device
    size = len(texels.owner)
    looked = coarse_seen(surface.canvas, 0, training.config.camera, device)
    seen = texels.used & np.kron(looked, np.ones((COARSE, COARSE), bool))[:size, :size]
    colour = surface.mesh.texture.astype(np.float32) / 255.0
    rows, columns = np.nonzero(seen)
    # A place's UV is the middle of its texel: there the old texture is what it is.
    uv = np.stack([(columns + 0.5) / size, (rows + 0.5) / size], -1).astype(np.float32)
    places = np.concatenate([texels.positions[rows, columns], uv], 1)

    def albedo(rows: Tensor) -> Tensor:
        return training.colours(rows[:, :3].contiguous(), rows[:, 3:].contiguous())

    colour[rows, columns] = query_albedo(albedo, places, device)
    hidden = texels.used & ~seen
    texture = padded(colour, texels.used, padding)
    beside = ndimage.distance_transform_edt(~texels.used) > padding  # may be another object's
    texture[beside] = surface.mesh.texture[beside]
    return texture, float(hidden.sum() / max(1, int(texels.used.sum())))
