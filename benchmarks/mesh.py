"""Time and quality from a density field to mesh.glb, views.png and turntable.mp4, by preset.

    python benchmarks/mesh.py [--json] [--preset draft standard high] [--threads 2] [--device cpu]

The field is a hamburger with bumps, soft edges and floaters, cheap to ask, so the seconds are the mesh's own: a trained
field adds its queries, whose number is given (`asked`, in millions). `ratio_to_standard` is each preset's total over
the standard one's in the same run.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from reference import soft_fields  # noqa: E402

from dreamfusion_engine import config  # noqa: E402
from dreamfusion_engine.mesh.build import build_mesh  # noqa: E402
from dreamfusion_engine.mesh.export import write_glb  # noqa: E402
from dreamfusion_engine.mesh.preview import preview_mesh  # noqa: E402
from dreamfusion_engine.mesh.sheet import write_turntable, write_views  # noqa: E402
from dreamfusion_engine.mesh.silhouette import ReferenceViews  # noqa: E402


def measure(
    preset: str, field: soft_fields.SoftField, reference: ReferenceViews, device: torch.device
) -> dict[str, object]:
    """Seconds by stage and the mesh's report for one preset."""
    asked = 0

    def density(points: Tensor) -> Tensor:
        nonlocal asked
        asked += len(points)
        return field.density(points)

    def albedo(points: Tensor) -> Tensor:
        nonlocal asked
        asked += len(points)
        return field.albedo(points)

    settings = config.preset(preset, "a hamburger")
    started = time.perf_counter()
    mesh, report = build_mesh(density, albedo, reference, settings.mesh, lambda stage, share: None)
    total = time.perf_counter() - started
    seconds = dict(report.seconds)
    with tempfile.TemporaryDirectory() as folder:
        for name, write in (
            ("mesh.glb", lambda path: write_glb(mesh, path)),
            ("views.png", lambda path: write_views(mesh, path, settings.camera, device)),
            ("turntable.mp4", lambda path: write_turntable(mesh, path, settings.camera, device)),
        ):
            start = time.perf_counter()
            write(Path(folder) / name)
            seconds[name] = round(time.perf_counter() - start, 3)
    start = time.perf_counter()
    preview_mesh(field.density, field.albedo, report.iso, device=device)
    seconds["preview"] = round(time.perf_counter() - start, 3)
    return {**report.to_json(), "total": round(total, 2), "asked": round(asked / 1e6, 2), "seconds": seconds}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--preset", nargs="+", default=["draft", "standard"], choices=config.PRESET_NAMES)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    device = torch.device(given.device)
    field = soft_fields.hamburger(bumps=0.004, edge=0.008)
    reference = soft_fields.photographs(field, soft_fields.orbit(8), 96, samples=112)
    moved = ReferenceViews(
        cameras=type(reference.cameras)(**{k: v.to(device) for k, v in vars(reference.cameras).items()}),
        colour=reference.colour.to(device),
        opacity=reference.opacity.to(device),
    )
    measure("draft", field, moved, device)  # compiles the kernels
    found = {preset: measure(preset, field, moved, device) for preset in dict.fromkeys([*given.preset, "standard"])}
    ratios = {preset: round(row["total"] / found["standard"]["total"], 2) for preset, row in found.items()}
    if given.json:
        print(json.dumps({"threads": given.threads, "presets": found, "ratio_to_standard": ratios}))
        return
    for preset, row in found.items():
        print(
            f"{preset}: {row['total']} s to the mesh, {ratios[preset]} x standard, {row['asked']} million points asked"
        )
        print("  " + ", ".join(f"{name} {value} s" for name, value in row["seconds"].items()))
        print(f"  PSNR {row['fidelity_psnr']:.1f} dB, {row['triangles']} triangles, unwrap {row['unwrap']}")


if __name__ == "__main__":
    main()
