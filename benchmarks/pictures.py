"""Objects from pictures: is the given view kept, and is the shape the better, the more views are given?

The pictures are of exact objects of the starter model's corpus, so the truth is known from every side. For each prompt
an object is made from the words alone, and from 1, 2 and 4 pictures besides. Bars: PSNR at the given views of at least
25 dB, mask IoU of at least 0.95, and Chamfer distance and volume IoU the better, the more pictures.

    python benchmarks/pictures.py --prompts "a red car" "a blue chair" --preset draft
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.shared.prompt_list import Prompt, read_prompts  # noqa: E402
from benchmarks.shared.shape_distance import EXACT_RESOLUTION, chamfer, iou, shape_of_mesh  # noqa: E402
from dreamfusion_engine.config.stages import CameraConfig  # noqa: E402
from dreamfusion_engine.judge.portraits import HALF_LENGTH  # noqa: E402
from dreamfusion_engine.mesh.export import read_glb  # noqa: E402
from dreamfusion_engine.models.pipeline_folder import locate_model, open_pipeline  # noqa: E402
from dreamfusion_engine.scene.cameras import mid_orbit_cameras  # noqa: E402
from training.starter.exact_mesh import exact_mesh  # noqa: E402
from training.starter.objects.kinds import make_object  # noqa: E402
from training.starter.primitives import Part  # noqa: E402
from training.starter.renderer import render_objects  # noqa: E402

VIEWS: dict[int, tuple[float, ...]] = {0: (), 1: (0.0,), 2: (0.0, 180.0), 4: (0.0, 90.0, 180.0, 270.0)}  # azimuths
PIXELS = 320
CPU = torch.device("cpu")
BAR_PSNR, BAR_MASK = 25.0, 0.95


@dataclass(frozen=True, kw_only=True)
class Row:
    """A run. psnr, mask_iou: of the worst given view; None without one. chamfer: in half lengths."""

    prompt: str
    views: int
    psnr: float | None
    mask_iou: float | None
    chamfer: float
    iou: float
    seconds: float


def object_of(prompt: Prompt, seed: int) -> list[Part]:
    """The exact object that a prompt's pictures are of.

    seed: int, chooses it.
    """
    return make_object(np.random.default_rng([13, seed]), prompt.kind, prompt.appearance)


def take_pictures(parts: list[Part], azimuths: Sequence[float], elevation: float, folder: Path) -> list[str]:
    """Write pictures with alpha, in flat colours, of an object; return them as words for --image.

    parts: of the object.
    azimuths, elevation: degrees.
    folder: Path.
    """
    words = []
    for azimuth in azimuths:
        angles = torch.tensor([[math.radians(azimuth)], [math.radians(elevation)]])
        camera = mid_orbit_cameras(angles[0], angles[1], CameraConfig())
        traced = render_objects([parts], camera, camera.position, torch.ones(1), pixels=PIXELS, samples=3)[0].numpy()
        colour = traced[:3] / np.maximum(traced[7:], 1e-6)
        pixels = np.concatenate([colour, traced[7:]]).transpose(1, 2, 0).clip(0.0, 1.0)
        path = folder / f"picture-{azimuth:.0f}.png"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray((255.0 * pixels + 0.5).astype(np.uint8)).save(path)
        words.append(f"{path}@{azimuth:g},{elevation:g}")
    return words


def measure(prompt: Prompt, views: int, given: argparse.Namespace) -> Row:
    """Make the object, unless an earlier call did, and compare it with the truth.

    views: int, pictures that are given, a key of VIEWS.
    given: of the command line.
    """
    parts = object_of(prompt, given.object)
    folder = given.output / prompt.text.replace(" ", "-") / str(views)
    words = take_pictures(parts, VIEWS[views], given.elevation, folder.parent / "pictures")
    if not (folder / "result.json").is_file():
        command = [sys.executable, "-m", "dreamfusion_engine", "generate", prompt.text, "--output", str(folder)]
        command += ["--seed", str(given.seed), "--preset", given.preset, "--model", given.model, "--json"]
        command += [word for picture in words for word in ("--image", picture)]
        command += [word for setting in given.set for word in ("--set", setting)]
        command += ["--resume"] if (folder / "checkpoint" / "checkpoint.json").is_file() else []
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        if done.returncode:
            raise SystemExit(f"The engine ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    made = read_glb(folder / "mesh.glb")
    mine = shape_of_mesh(made.positions, made.triangles)
    true = shape_of_mesh(*exact_mesh(parts, EXACT_RESOLUTION, CPU))
    seen = result.get("pictures", [])
    return Row(
        prompt=prompt.text,
        views=views,
        psnr=min((each["psnr"] for each in seen), default=None),
        mask_iou=min((each["mask_iou"] for each in seen), default=None),
        chamfer=round(chamfer(mine.points, true.points) / HALF_LENGTH, 4),
        iou=round(iou(mine.filled, true.filled), 3),
        seconds=round(sum(s for name, s in result["seconds"].items() if name != "train_all_sessions"), 1),
    )


def row_text(row: Row) -> str:
    """A run's line of the table, Markdown."""
    psnr = "" if row.psnr is None else f"{row.psnr:.1f}"
    mask = "" if row.mask_iou is None else f"{row.mask_iou:.3f}"
    return f"| {row.prompt} | {row.views} | {psnr} | {mask} | {row.chamfer:.4f} | {row.iou:.3f} | {row.seconds:.0f} |"


def sheet(prompt: Prompt, counts: Sequence[int], output: Path) -> None:
    """Write a picture of a prompt's runs: given pictures, then for each run the front, right, back and left.

    counts: pictures of the runs.
    output: Path of the benchmark's folder.
    """
    folder, side = output / prompt.text.replace(" ", "-"), 192
    rows = []
    pictures = []
    for azimuth in VIEWS[4]:
        path = folder / "pictures" / f"picture-{azimuth:.0f}.png"
        tile = Image.new("RGB", (side, side), (190, 190, 190))
        if path.is_file():
            shown = Image.open(path).resize((side, side))
            tile.paste(shown, mask=shown.getchannel("A"))
        pictures.append(np.asarray(tile))
    rows.append(np.concatenate([*pictures, *[np.full_like(pictures[0], 255)] * 4], 1))
    for count in counts:
        views = Image.open(folder / str(count) / "views.png").convert("RGB")
        wide = np.asarray(views.resize((8 * side, 2 * side)))
        tiles = [wide[row * side : (row + 1) * side, i * side : (i + 1) * side] for row in (0, 1) for i in (0, 2, 4, 6)]
        rows.append(np.concatenate(tiles, 1))
    Image.fromarray(np.concatenate(rows)).save(folder / "sheet.png")


def main() -> None:
    """Measure every prompt with every number of pictures; print the table, write a summary and sheets."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--prompts", nargs="+", default=["a red car", "a blue chair"])
    parser.add_argument("--views", type=int, nargs="+", default=list(VIEWS), choices=list(VIEWS))
    parser.add_argument("--output", type=Path, default=ROOT / "outputs" / "pictures")
    parser.add_argument("--preset", default="draft")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--object", type=int, default=0, help="which of a prompt's objects the pictures are of")
    parser.add_argument("--elevation", type=float, default=15.0, help="degrees, of the pictures' cameras")
    parser.add_argument("--model", default="starter")
    parser.add_argument("--set", action="append", default=[], metavar="STAGE.KEY=VALUE")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    known = open_pipeline(locate_model(given.model)).card.kinds
    prompts, _ = read_prompts(given.prompts, known)
    rows = []
    for prompt in prompts:
        for views in given.views:
            rows.append(measure(prompt, views, given))
            print(row_text(rows[-1]), file=sys.stderr, flush=True)
        sheet(prompt, given.views, given.output)
    kept = [r for r in rows if r.psnr is not None and r.mask_iou is not None]
    summary = {
        "preset": given.preset,
        "settings": given.set,
        "bars": {
            "psnr": all((r.psnr or 0.0) >= BAR_PSNR for r in kept),
            "mask_iou": all((r.mask_iou or 0.0) >= BAR_MASK for r in kept),
        },
        "rows": [asdict(r) for r in rows],
    }
    (given.output / "pictures.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    if given.json:
        print(json.dumps(summary))
        return
    print("| prompt | pictures | PSNR, dB | mask IoU | Chamfer | IoU | s |\n|---|---|---|---|---|---|---|")
    print("\n".join(map(row_text, rows)))


if __name__ == "__main__":
    main()
