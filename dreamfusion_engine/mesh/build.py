"""Make a textured mesh of a density, and report what an artist should know about it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from dreamfusion_engine.config.stages import MeshConfig
from dreamfusion_engine.events import Stage
from dreamfusion_engine.mesh.bake import bake_albedo, texel_owners, texture_coverage
from dreamfusion_engine.mesh.field_queries import Albedo, Density
from dreamfusion_engine.mesh.normal_map import Detail, bake_normal_map
from dreamfusion_engine.mesh.occlusion import bake_occlusion, occlusion_size
from dreamfusion_engine.mesh.pictures.render import over, psnr, render_mesh, scene_of
from dreamfusion_engine.mesh.surface.cleanup import cleaned, decimated
from dreamfusion_engine.mesh.surface.extract import extract_surface
from dreamfusion_engine.mesh.surface.folds import faults_of, folds_of
from dreamfusion_engine.mesh.surface.silhouette import ReferenceViews, Silhouettes
from dreamfusion_engine.mesh.surface.topology import genus, is_manifold, parts_of, vertex_normals
from dreamfusion_engine.mesh.tangents import corner_tangents
from dreamfusion_engine.mesh.textured import TexturedMesh
from dreamfusion_engine.mesh.uv.overlap import uv_overlap
from dreamfusion_engine.mesh.uv.unwrap import unwrap

FIDELITY_GRID = 3  # samples along a pixel's side when the mesh is held against the reference


@dataclass(frozen=True, kw_only=True)
class MeshReport:
    """Facts about a finished mesh. seconds: by stage, 'extract', 'unwrap', 'bake'."""

    triangles: int
    components: int
    watertight: bool  # closed, and every vertex in one fan
    genus: int  # handles over all parts
    folds: int  # edges at which the surface turns by more than 120 degrees
    folds_before: int  # of the surface before decimation
    crossings: int  # pairs of triangles that pass through each other
    uv_overlap: float  # share of the UV area that is used twice
    texture_coverage: float  # share of triangles whose texels are all their chart's
    unwrap: str  # 'uvunwrap', 'xatlas', 'repacked' or 'box', the simple one
    unwrap_trouble: str  # why it is the simple one, '' otherwise
    iso: float  # density level of the surface, 1 / world unit
    fidelity_psnr: float  # dB, albedo renders of the mesh against the reference views, over white
    seconds: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain values, for result.json."""
        return dataclasses.asdict(self)


def build_mesh(
    density: Density,
    albedo: Albedo,
    reference: ReferenceViews,
    config: MeshConfig,
    report_stage: Callable[[Stage, float], None],
    *,
    mirrored: bool = False,
) -> tuple[TexturedMesh, MeshReport]:
    """Return the textured mesh of a field, in world units, and its report. The same input gives the same bits on a CPU.

    density and albedo are called without gradients, in chunks, with points on the device of the reference cameras.

    density: float32[N, 3], world units, to float32[N], 1 / world unit.
    albedo: float32[N, 3], world units, to float32[N, 3], sRGB in [0, 1].
    reference: ReferenceViews, the field's renders.
    config: MeshConfig.
    report_stage: told the stage and the share of it that is done, in [0, 1]; what it raises passes through.
    mirrored: bool, whether the field is its own image in x = 0; then the mesh is too, every vertex to the bit.
    Raises RunError run.empty where there is no surface, run.non_finite where the field is not finite.
    """
    device = reference.cameras.position.device
    clock = _Clock()

    # 1. The surface where the silhouettes agree best with the renders.
    report_stage("extract", 0.0)
    vertices, triangles, iso = extract_surface(
        density,
        config.resolution,
        config.iso,
        Silhouettes(reference),
        device,
        lambda share: report_stage("extract", 0.8 * share),
        mirrored=mirrored,
    )
    # 2. Real parts only, smooth, within the budget.
    surface = cleaned(vertices, triangles, min_part=config.min_part, smoothing=config.smoothing, mirrored=mirrored)
    vertices, triangles = decimated(*surface, config.triangles, config.min_part, config.smoothing, mirrored=mirrored)
    faults = faults_of(vertices, triangles)
    normals = vertex_normals(vertices, triangles)
    report_stage("extract", 1.0)
    clock.lap("extract")

    # 3. UV coordinates.
    charts = unwrap(
        vertices,
        triangles,
        texture=config.texture,
        padding=config.padding,
        seconds=config.unwrap_seconds,
        advance=lambda share: report_stage("unwrap", 0.95 * share),
    )
    overlap = uv_overlap(charts.uv)
    report_stage("unwrap", 1.0)
    clock.lap("unwrap")

    # 4. The field's albedo as a texture, and what decimation took of the surface as a normal map.
    owners = texel_owners(charts.uv, config.texture, device)
    texture = bake_albedo(
        density,
        albedo,
        vertices,
        triangles,
        normals,
        owners,
        padding=config.padding,
        device=device,
        advance=lambda share: report_stage("bake", 0.8 * share),
    )
    normal_map = None
    if config.normal_map:
        normal_map = bake_normal_map(
            Detail(vertices=surface[0], triangles=surface[1]),
            vertices,
            triangles,
            normals,
            corner_tangents(vertices, triangles, normals, charts.uv),
            owners,
            padding=config.padding,
            device=device,
            advance=lambda share: report_stage("bake", 0.8 + 0.1 * share),
        )
    occlusion = None
    if config.ambient_occlusion:
        occlusion = bake_occlusion(
            vertices,
            triangles,
            normals,
            charts.uv,
            size=occlusion_size(config.texture),
            padding=config.padding,
            device=device,
            advance=lambda share: report_stage("bake", 0.9 + 0.08 * share),
        )
    mesh = TexturedMesh(
        vertices=vertices.astype(np.float32),
        triangles=triangles,
        normals=normals.astype(np.float32),
        uv=charts.uv,
        texture=texture,
        normal_map=normal_map,
        occlusion=occlusion,
    )
    fidelity = reference_psnr(mesh, reference)
    report_stage("bake", 1.0)
    clock.lap("bake")
    return mesh, MeshReport(
        triangles=len(triangles),
        components=parts_of(triangles)[0],
        watertight=is_manifold(triangles),
        genus=genus(triangles),
        folds=faults.folds,
        folds_before=len(folds_of(*surface).edges),
        crossings=faults.crossings,
        uv_overlap=overlap,
        texture_coverage=texture_coverage(charts.uv, charts.chart, owners[0]),
        unwrap=charts.method,
        unwrap_trouble=charts.trouble,
        iso=iso,
        fidelity_psnr=fidelity,
        seconds=clock.laps,
    )


def reference_psnr(mesh: TexturedMesh, reference: ReferenceViews) -> float:
    """Return the PSNR, dB, of the mesh's albedo renders against the reference views, over white, all views together.

    mesh: TexturedMesh.
    reference: ReferenceViews.
    """
    _, height, width, _ = reference.colour.shape
    plain = dataclasses.replace(mesh, normal_map=None)  # colours without light, in which normals have no part
    scene = scene_of(plain, reference.cameras.position.device)
    views = render_mesh(scene, reference.cameras, height, width, grid=FIDELITY_GRID)
    return psnr(over(views.albedo, views.coverage, np.ones(3, np.float32)), reference.colour.cpu().numpy())


class _Clock:
    """Seconds since the last lap, by name."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = round(now - self._last, 3)
        self._last = now
