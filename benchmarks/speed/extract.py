"""Time from a density field to a textured mesh and its files, part by part, beside the same with a plain-torch field.

    python benchmarks/speed/extract.py [--json] [--preset draft standard high] [--repeats 3] [--device cpu]

Parts: lattice (density on the lattice, refined along the surface, gaps closed), iso (the level that agrees with the
pictures, marching cubes, vertices onto the level), clean, unwrap, bake, glb, scene, views, turntable. The field is a
hash grid fitted to a hamburger with bumps, soft edges and floaters. Lattice, iso and bake query the field. Those three
are also measured with the plain-torch field, and have a floor: the time that their queries take at least.
`ratio_to_torch` is torch's time over ours for them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / part) for part in (".", "tests")]

from reference import soft_fields  # noqa: E402
from twins.torch_field import TorchField  # noqa: E402

from benchmarks.shared import measurement  # noqa: E402
from benchmarks.shared.measurement import Limits, Threads  # noqa: E402
from benchmarks.shared.work_counts import field_work  # noqa: E402
from dreamfusion_engine.config.presets import PRESET_NAMES, preset  # noqa: E402
from dreamfusion_engine.config.stages import FieldConfig, GenerateConfig  # noqa: E402
from dreamfusion_engine.field.radiance import RadianceField  # noqa: E402
from dreamfusion_engine.machine.device import usable_cores  # noqa: E402
from dreamfusion_engine.mesh.bake import bake_albedo, texel_owners  # noqa: E402
from dreamfusion_engine.mesh.export import write_glb  # noqa: E402
from dreamfusion_engine.mesh.pictures.sheet import portrait_scene, write_turntable, write_views  # noqa: E402
from dreamfusion_engine.mesh.surface.cleanup import cleaned, decimated  # noqa: E402
from dreamfusion_engine.mesh.surface.extract import closed_as_seen, onto_level, surface_of  # noqa: E402
from dreamfusion_engine.mesh.surface.lattice import sample_lattice  # noqa: E402
from dreamfusion_engine.mesh.surface.refine import coarse_resolution, refine_lattice  # noqa: E402
from dreamfusion_engine.mesh.surface.silhouette import ReferenceViews, Silhouettes  # noqa: E402
from dreamfusion_engine.mesh.surface.topology import vertex_normals  # noqa: E402
from dreamfusion_engine.mesh.textured import TexturedMesh  # noqa: E402
from dreamfusion_engine.mesh.uv.unwrap import unwrap  # noqa: E402

ASKING = ("lattice", "iso", "bake")  # parts that ask the field
_FIT_STEPS, _FIT_POINTS = 150, 8192
_VIEWS, _PIXELS = 8, 96


@dataclass
class Asked:
    """A field that counts the points of its queries by part.

    source: the RadianceField or its twin.
    part: str, the part that runs.
    points: the number of points by part.
    """

    source: Any  # a RadianceField or its twin
    part: str = "lattice"
    points: dict[str, int] = field(default_factory=dict)

    @torch.no_grad()
    def density(self, points: Tensor) -> Tensor:
        self._count(points)
        found: Tensor = self.source.density(points)
        return found

    @torch.no_grad()
    def albedo(self, points: Tensor) -> Tensor:
        self._count(points)
        found: Tensor = self.source(points)[1]
        return found

    def _count(self, points: Tensor) -> None:
        self.points[self.part] = self.points.get(self.part, 0) + len(points)


def moved_to(reference: ReferenceViews, device: torch.device) -> ReferenceViews:
    """The reference pictures on another device."""
    return ReferenceViews(
        cameras=type(reference.cameras)(**{k: v.to(device) for k, v in vars(reference.cameras).items()}),
        colour=reference.colour.to(device),
        opacity=reference.opacity.to(device),
    )


def fitted_field(shape: soft_fields.SoftField, device: torch.device) -> RadianceField:
    """A hash-grid field trained to a shape's colours and opacity (of a step of 1/32) at random points."""
    found = RadianceField(FieldConfig(), seed=0, device=device)
    adam = torch.optim.Adam(found.parameters(), lr=1e-2, betas=(0.9, 0.99), eps=1e-15, fused=True)
    generator = torch.Generator(device).manual_seed(0)
    for _ in range(_FIT_STEPS):
        points = 2.0 * torch.rand(_FIT_POINTS, 3, generator=generator, device=device) - 1.0
        density, albedo = found(points)
        solid = -torch.expm1(-shape.density(points) / 32.0)
        loss = (-torch.expm1(-density / 32.0) - solid).square().mean()
        loss = loss + (solid[:, None] * (albedo - shape.albedo(points)).square()).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    return found


def build(
    asked: Asked, reference: ReferenceViews, settings: GenerateConfig, device: torch.device, *, files: bool
) -> dict[str, float]:
    """Make one mesh as `mesh.build.build_mesh` does. Returns seconds by part.

    asked: the field.
    reference: pictures that the level must agree with.
    files: bool, write the files too; if not, the bake is the last part.
    """
    wanted = settings.mesh
    silhouettes = Silhouettes(reference)
    watch = measurement.Stopwatch(device)

    def run(part: str, work: Callable[[], Any]) -> Any:
        asked.part = part
        result = work()
        watch.lap(part)
        return result

    lattice = run("lattice", lambda: sample_lattice(asked.density, coarse_resolution(wanted.resolution), device))
    level = run("iso", partial(silhouettes.level, lattice))
    while lattice.resolution < wanted.resolution:
        lattice = run("lattice", partial(refine_lattice, asked.density, lattice, level, device))
        level = run("iso", partial(silhouettes.level, lattice))
    solid = run("lattice", lambda: closed_as_seen(asked.density, lattice, level, silhouettes, device))
    rough, faces = run("iso", lambda: surface_of(solid, level))
    rough = run("iso", lambda: onto_level(asked.density, solid, level, rough, device))
    vertices, triangles = run(
        "clean",
        lambda: decimated(
            *cleaned(rough, faces, min_part=wanted.min_part, smoothing=wanted.smoothing),
            wanted.triangles,
            wanted.min_part,
            wanted.smoothing,
        ),
    )
    charts = run(
        "unwrap",
        lambda: unwrap(
            vertices, triangles, texture=wanted.texture, padding=wanted.padding, seconds=wanted.unwrap_seconds
        ),
    )
    normals = vertex_normals(vertices, triangles)
    texture = run(
        "bake",
        lambda: bake_albedo(
            asked.density,
            asked.albedo,
            vertices,
            triangles,
            normals,
            texel_owners(charts.uv, wanted.texture, device),
            padding=wanted.padding,
            device=device,
        ),
    )
    if files:
        mesh = TexturedMesh(
            vertices=vertices.astype(np.float32),
            triangles=triangles,
            normals=normals.astype(np.float32),
            uv=charts.uv,
            texture=texture,
        )
        with tempfile.TemporaryDirectory() as folder:
            run("glb", lambda: write_glb(mesh, Path(folder) / "mesh.glb"))
            scene = run("scene", lambda: portrait_scene(mesh, device))
            run("views", lambda: write_views(scene, Path(folder) / "views.png", settings.camera))
            run("turntable", lambda: write_turntable(scene, Path(folder) / "t.mp4", settings.camera))
    return watch.seconds


def measure(
    settings: GenerateConfig,
    source: RadianceField,
    reference: ReferenceViews,
    repeats: int,
    threads: dict[str, Threads],
    limits: Limits,
    device: torch.device,
    *,
    files: bool,
) -> dict[str, Any]:
    """The parts of one preset's mesh, on both sides.

    settings: of the preset.
    source: the field.
    reference: pictures that the level must agree with.
    repeats: int, meshes on our side; the twin makes one, because it is slow.
    threads: of each side.
    limits: of the machine, for the floors.
    files: bool, write the files too.
    """
    ours, twin = Asked(source), Asked(TorchField(source))
    threads["ours"].use()
    each = [build(ours, reference, settings, device, files=files) for _ in range(repeats)]
    threads["torch"].use()
    slow = build(twin, reference, settings, device, files=False)
    threads["ours"].use()
    rows: dict[str, Any] = {}
    for part in each[0]:
        row = measurement.milliseconds([seconds[part] for seconds in each])
        if part in ASKING:
            points = ours.points.get(part, 0) // repeats
            work = field_work(points, source.config, source.grid.table.shape[0], outputs=4 if part == "bake" else 1)
            row["points"] = points
            row["floor_milliseconds"] = round(1e3 * limits.floor(work.operations, work.moved), 3)
            row["torch_milliseconds"] = round(1e3 * slow[part], 3)
            row["ratio_to_torch"] = round(row["torch_milliseconds"] / row["milliseconds"], 2)
        rows[part] = row
    total = sum(row["milliseconds"] for row in rows.values())
    asking = sum(rows[part]["milliseconds"] for part in ASKING)
    return {
        "total_milliseconds": round(total, 1),
        "ratio_to_torch": round(1e3 * sum(slow[part] for part in ASKING) / asking, 2),
        "parts": rows,
    }


def main() -> None:
    """Measure the chosen presets and print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--preset", nargs="+", default=["draft", "standard"], choices=PRESET_NAMES)
    parser.add_argument("--resolution", type=int, help="lattice cells, in the preset's place")
    parser.add_argument("--triangles", type=int, help="budget, in the preset's place")
    parser.add_argument("--texture", type=int, help="pixels, in the preset's place")
    parser.add_argument("--no-files", action="store_true", help="leave out glb, scene, views and turntable")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cores", type=int, default=usable_cores(), help="CPU cores to use")
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    device = torch.device(given.device)
    measurement.Threads(torch=given.cores, kernels=given.cores).use()
    limits = measurement.measured_limits(device)
    shape = soft_fields.hamburger(bumps=0.004, edge=0.008)
    reference = soft_fields.photographs(shape, soft_fields.orbit(_VIEWS), _PIXELS, samples=112)
    moved = moved_to(reference, device)
    measurement.engine_threads(given.cores).use()
    source = fitted_field(shape, device)
    probe = TorchField(source)
    points = 2.0 * torch.rand(1 << 16, 3, device=device) - 1.0
    threads = measurement.both_threads(given.cores, torch.no_grad()(lambda: probe.density(points)), device)
    threads["ours"].use()
    sizes = {"resolution": given.resolution, "triangles": given.triangles, "texture": given.texture}
    overrides = {"mesh": {name: value for name, value in sizes.items() if value}}
    presets = {name: preset(name, "a hamburger", overrides) for name in given.preset}
    build(Asked(source), moved, preset("draft", "a hamburger", overrides), device, files=False)  # warms
    report: dict[str, Any] = {
        "machine": measurement.machine(device),
        "threads": {side: vars(used) for side, used in threads.items()},
        "limits": limits.to_json(),
        "presets": {
            name: measure(settings, source, moved, given.repeats, threads, limits, device, files=not given.no_files)
            for name, settings in presets.items()
        },
    }
    report["ratio_to_torch"] = {name: row["ratio_to_torch"] for name, row in report["presets"].items()}
    lines = []
    for name, found in report["presets"].items():
        lines.append(f"{name}: {found['total_milliseconds'] / 1e3:.2f} s")
        for part, row in found["parts"].items():
            asked = (
                f", {row['points']:,} points, torch {row['torch_milliseconds']:.0f}, {row['ratio_to_torch']} times as "
                f"fast, floor {row['floor_milliseconds']:.1f}"
                if part in ASKING
                else ""
            )
            lines.append(f"  {part:10}{row['milliseconds']:9.0f} ms{asked}")
    measurement.tell(report, lines, as_json=given.json)


if __name__ == "__main__":
    main()
