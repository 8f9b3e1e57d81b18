"""From a trained sphere to the mesh: its limit surface within the budget, its maps, and what an artist should know."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from dreamfusion_engine.clip_mesh.sphere import SpherePlan
from dreamfusion_engine.clip_mesh.training import ClipMeshTraining
from dreamfusion_engine.config.stages import MeshConfig
from dreamfusion_engine.errors import RunError
from dreamfusion_engine.mesh.bake import padded, texel_owners, texture_coverage
from dreamfusion_engine.mesh.build import reference_psnr
from dreamfusion_engine.mesh.normal_map import FLAT, encoded, spread
from dreamfusion_engine.mesh.occlusion import bake_occlusion, occlusion_size
from dreamfusion_engine.mesh.surface.folds import Folds, faults_of, unfolded
from dreamfusion_engine.mesh.surface.icosphere import chart_of_triangles
from dreamfusion_engine.mesh.surface.silhouette import ReferenceViews
from dreamfusion_engine.mesh.surface.topology import genus, is_manifold, parts_of, vertex_normals
from dreamfusion_engine.mesh.textured import TexturedMesh
from dreamfusion_engine.mesh.uv.overlap import uv_overlap
from dreamfusion_engine.scene.cameras import turntable_cameras

MOST_LIMIT = 3  # divisions of the control mesh: 64 triangles for each of it, where nothing more can be seen
REFERENCE_VIEWS, REFERENCE_PIXELS = 8, 192  # as for a field's mesh
ELEVATION = math.radians(20.0)
LAYOUT = "icosphere"  # what made the UVs, beside the names of `mesh.uv.unwrap`
_NO_FOLDS = Folds(edges=np.zeros((0, 2), np.int64), angles=np.zeros(0), middles=np.zeros((0, 3)))


@dataclass(frozen=True, kw_only=True)
class ClipMeshReport:
    """Facts about a finished mesh; those that a field's mesh has too have the names of `mesh.build.MeshReport`.

    control_triangles: int, of the control mesh.
    folds_before, crossings_before: int, of the limit surface as it was trained.
    reach: float, distance of the furthest vertex from the middle, world units of the training; a sphere's is 1.
    """

    triangles: int
    control_triangles: int
    components: int
    watertight: bool
    genus: int
    folds: int
    folds_before: int
    crossings: int
    crossings_before: int
    uv_overlap: float
    texture_coverage: float
    unwrap: str
    fidelity_psnr: float
    reach: float

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain values, for result.json."""
        return dataclasses.asdict(self)


def fitting_limit(level: int, triangles: int) -> int:
    """Return the divisions of the control mesh that a budget holds, at most MOST_LIMIT.

    level: int, divisions of the icosahedron that made the control mesh.
    triangles: int, the budget, not below the control mesh's own.
    """
    return max(n for n in range(MOST_LIMIT + 1) if n == 0 or 20 * 4 ** (level + n) <= triangles)


def finished(
    training: ClipMeshTraining, config: MeshConfig, advance: Callable[[float], None] = lambda share: None
) -> tuple[TexturedMesh, ClipMeshReport]:
    """Return the mesh in the middle, at the size at which `ClipMeshTraining.view` shows it, and its report.

    training: ClipMeshTraining at its end.
    config: MeshConfig; its budget, padding and ambient occlusion count.
    advance: told the share done, in [0, 1].
    Raises RunError run.non_finite.
    """
    sphere, device = training.field, training.device
    settings = sphere.config
    control = sphere.control.detach().cpu().numpy().astype(np.float64)
    plan = SpherePlan(settings, fitting_limit(settings.level, config.triangles))
    placed = plan.matrix @ control
    if not np.isfinite(placed).all():
        raise RunError(
            "run.non_finite",
            what="The mesh holds values that are not numbers.",
            why=f"{int((~np.isfinite(control)).any(1).sum()):,} of {len(control):,} control vertices are at no place.",
            fix="Lower optimize.learning_rate, or give another --seed.",
        )
    middle, scale = training.frame()
    placed = scale * (placed - middle)
    # 1. Folds and crossings, which nothing in training forbids, are smoothed away as far as that goes.
    before = faults_of(placed, plan.triangles)
    vertices, faults = unfolded(placed, plan.triangles, _NO_FOLDS)
    advance(0.3)
    # 2. The maps as they were shown, with colours beyond the charts' edges.
    owners = texel_owners(plan.uv, settings.maps, device)
    used = owners[0] >= 0
    with torch.no_grad():
        colours, bumps = (each.cpu().numpy() for each in (sphere.colours(), sphere.normals()))
    normal_map = encoded(bumps.astype(np.float64))
    normal_map[~used] = FLAT
    normals = vertex_normals(vertices, plan.triangles)
    advance(0.5)
    occlusion = None
    if config.ambient_occlusion:
        occlusion = bake_occlusion(
            vertices,
            plan.triangles,
            normals,
            plan.uv,
            size=occlusion_size(settings.maps),
            padding=config.padding,
            device=device,
            advance=lambda share: advance(0.5 + 0.3 * share),
        )
    mesh = TexturedMesh(
        vertices=vertices.astype(np.float32),
        triangles=plan.triangles,
        normals=normals.astype(np.float32),
        uv=plan.uv,
        texture=padded(colours, used, config.padding),
        normal_map=spread(normal_map, used, config.padding),
        occlusion=occlusion,
    )
    advance(0.8)
    cameras = turntable_cameras(
        REFERENCE_VIEWS, elevation=ELEVATION, config=training.config.camera, device=torch.device("cpu")
    )
    seen = training.view(cameras.seen_from(device), REFERENCE_PIXELS)
    fidelity = reference_psnr(mesh, ReferenceViews(cameras=cameras, colour=seen.colour, opacity=seen.opacity))
    advance(1.0)
    radius = np.linalg.norm(placed / scale, axis=1).max()
    return mesh, ClipMeshReport(
        triangles=len(plan.triangles),
        control_triangles=len(plan.control),
        components=parts_of(plan.triangles)[0],
        watertight=is_manifold(plan.triangles),
        genus=genus(plan.triangles),
        folds=faults.folds,
        folds_before=before.folds,
        crossings=faults.crossings,
        crossings_before=before.crossings,
        uv_overlap=uv_overlap(plan.uv),
        texture_coverage=texture_coverage(plan.uv, chart_of_triangles(settings.level + plan.limit), owners[0]),
        unwrap=LAYOUT,
        fidelity_psnr=fidelity,
        reach=round(float(radius), 4),
    )
