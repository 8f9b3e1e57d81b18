"""Quality in 3D: prompts to meshes, and how well the meshes fit the prompts, by a judge and by exact shapes.

    python benchmarks/quality.py [--prompts FILE | --full] [--output DIR] [--preset standard] [--seed 0]
                                 [--set STAGE.KEY=VALUE ...] [--judge FOLDER] [--json]

R-Precision as in Dream Fields (arXiv 2112.01455) and DreamFusion (arXiv 2209.14988, table 1): the share of renders,
from 30 degrees above the horizon all around, of which the judge finds the right caption first. In colour it chooses
among two colours of every kind in the corpus, textureless among all kinds. The first row is the same for the corpus's
own objects. Chamfer distance and volume IoU are to the nearest of many exact meshes of the kind, in half lengths of the
box. Meshes that are in the output folder already are not made again, so an interrupted run can continue.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.shared import portraits  # noqa: E402
from benchmarks.shared.prompt_list import Prompt, full_list, read_prompts  # noqa: E402
from benchmarks.shared.shape_distance import distance_to_kind  # noqa: E402
from dreamfusion_engine.judge.folder import WEIGHTS  # noqa: E402
from dreamfusion_engine.judge.model import Judge, load_judge  # noqa: E402
from dreamfusion_engine.judge.portraits import HALF_LENGTH  # noqa: E402
from dreamfusion_engine.judge.scores import r_precision  # noqa: E402
from dreamfusion_engine.mesh.export import read_glb  # noqa: E402
from dreamfusion_engine.models.pipeline_folder import locate_model, open_pipeline  # noqa: E402
from training.starter.captions import describe  # noqa: E402
from training.starter.objects.kinds import KINDS, Appearance, kind_named  # noqa: E402

EXACT = 24  # instances of each kind that a mesh is held against
TRUTH_OBJECTS = 3  # of each prompt in the row of the corpus itself


@dataclass(frozen=True, kw_only=True)
class Row:
    """The figures of one prompt. None where a failed run has none."""

    prompt: str
    colour: float | None  # R-Precision of its views, in [0, 1]
    textureless: float | None
    chamfer: float | None  # half lengths of the box
    iou: float | None
    components: int | None
    folds: int | None  # edges over 120 degrees, where the surface before decimation has `folds_before`
    folds_before: int | None
    crossings: int | None  # pairs of triangles
    health: str
    seconds: float | None
    psnr: float | None  # dB, mesh against the field's own renders


class Grader:
    """The judge, and the captions that it chooses among."""

    def __init__(self, judge: Judge, prompts: Sequence[Prompt]) -> None:
        self._judge = judge
        texts = dict.fromkeys([p.text for p in prompts] + [p.text for p in full_list()])
        self._texts = list(texts)
        self._captions = judge.captions(self._texts)
        self._kinds = judge.captions([describe(kind, Appearance()) for kind in KINDS])

    def grade(self, prompt: Prompt, colour: torch.Tensor, clay: torch.Tensor) -> tuple[float, float]:
        """R-Precision of the views in colour and of the textureless ones, each in [0, 1].

        colour, clay: float32[VIEWS, 3, PIXELS, PIXELS], lit and textureless portraits.
        """
        own, kind = self._texts.index(prompt.text), KINDS.index(prompt.kind)
        return (
            r_precision(self._judge.pictures(colour) @ self._captions.T, [own] * len(colour)),
            r_precision(self._judge.pictures(clay) @ self._kinds.T, [kind] * len(clay)),
        )


def make(prompt: Prompt, folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Make a prompt's mesh, unless an earlier call did. Returns result.json, or {'failed': reason}.

    folder: Path of the run's folder.
    arguments: of the command line.
    Raises SystemExit where the engine was stopped from outside.
    """
    result, failure = folder / "result.json", folder / "failed.txt"
    if not result.is_file() and not failure.is_file():
        command = [sys.executable, "-m", "dreamfusion_engine", "generate", prompt.text, "--output", str(folder)]
        command += ["--seed", str(arguments.seed), "--preset", arguments.preset, "--model", arguments.model]
        command += ["--device", arguments.device, "--json"]
        command += [word for setting in arguments.set for word in ("--set", setting)]
        command += ["--resume"] if (folder / "checkpoint" / "checkpoint.json").is_file() else []
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        if done.returncode:
            if done.returncode not in (2, 3):  # stopped from outside, not refused or failed
                raise SystemExit(f"The engine ended with {done.returncode}:\n{done.stderr[-2000:]}")
            folder.mkdir(parents=True, exist_ok=True)
            failure.write_text(done.stdout[-2000:] + done.stderr[-2000:], encoding="utf-8")
    if failure.is_file():
        return {"failed": failure.read_text(encoding="utf-8").strip().splitlines()[-1]}
    content: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return content


def measure(prompt: Prompt, folder: Path, grader: Grader, arguments: argparse.Namespace) -> Row:
    """Make the mesh of a prompt and grade it.

    folder: Path of the run's folder.
    arguments: of the command line.
    """
    result = make(prompt, folder, arguments)
    if "failed" in result:
        empty = dict.fromkeys(field.name for field in fields(Row) if field.name not in ("prompt", "health"))
        return Row(prompt=prompt.text, health=result["failed"], **empty)
    content = read_glb(folder / "mesh.glb")
    colour, textureless = grader.grade(prompt, *portraits.mesh_portraits(content))
    distance, overlap = distance_to_kind(content.positions, content.triangles, prompt.kind, prompt.appearance, EXACT)
    return Row(
        prompt=prompt.text,
        colour=colour,
        textureless=textureless,
        chamfer=round(distance / HALF_LENGTH, 4),
        iou=round(overlap, 3),
        components=result["mesh"]["components"],
        folds=result["mesh"].get("folds"),  # a mesh of an earlier version says nothing of them
        folds_before=result["mesh"].get("folds_before"),
        crossings=result["mesh"].get("crossings"),
        health=health_words(result["health"]),
        seconds=round(sum(s for name, s in result["seconds"].items() if name != "train_all_sessions"), 1),
        psnr=round(result["mesh"]["fidelity_psnr"], 1),
    )


def health_words(health: Mapping[str, Any]) -> str:
    """A run's health in words for the table: 'good', 'flat', 'good after 2 restarts'.

    health: that part of result.json.
    """
    restarts = int(health["restarts"])
    after = f" after {restarts} restart{'s' if restarts > 1 else ''}" if restarts else ""
    return f"{health['verdict']}{after}"


def truth_row(prompts: Sequence[Prompt], grader: Grader) -> tuple[float, float]:
    """R-Precision of the corpus's own objects, which a perfect mesh would reach."""
    grades = [
        grader.grade(p, *portraits.truth_portraits(p.kind, p.appearance, s))
        for p in prompts
        for s in range(TRUTH_OBJECTS)
    ]
    return float(np.mean([c for c, _ in grades])), float(np.mean([t for _, t in grades]))


def contact_sheet(folders: Sequence[Path], file: Path) -> None:
    """Write a picture with a row for each finished run: four colour views from front to back, and two clay views."""
    rows = []
    for folder in folders:
        if not (folder / "views.png").is_file():
            continue
        views = np.asarray(Image.open(folder / "views.png").convert("RGB"))
        half = views.shape[0] // 2
        colour = [views[:half, i * half : (i + 1) * half] for i in (0, 1, 2, 4)]
        clay = [views[half:, i * half : (i + 1) * half] for i in (1, 3)]
        rows.append(np.concatenate(colour + clay, axis=1))
    if rows:
        sheet = Image.fromarray(np.concatenate(rows))
        sheet.resize((sheet.width // 2, sheet.height // 2), Image.Resampling.LANCZOS).save(file)


def mean(values: Sequence[float | None]) -> float:
    """The mean. A failed run counts as 0."""
    return float(np.mean([v or 0.0 for v in values])) if values else 0.0


def main() -> None:
    """Measure every prompt, print the table, and write summary and sheet into the output folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--prompts", type=Path, default=ROOT / "benchmarks" / "prompts" / "twelve.txt", help="one a line"
    )
    which.add_argument("--full", action="store_true", help="every kind that the model knows, in two colours")
    parser.add_argument("--output", type=Path, default=ROOT / "outputs" / "quality")
    parser.add_argument("--preset", default="standard")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--judge", type=Path, default=WEIGHTS)
    parser.add_argument("--set", action="append", default=[], metavar="STAGE.KEY=VALUE")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    known = open_pipeline(locate_model(given.model)).card.kinds
    if given.full:
        prompts = full_list([kind_named(name) for name in known])
    else:
        prompts, left_out = read_prompts(given.prompts.read_text(encoding="utf-8").splitlines(), known)
        for line in left_out:
            print(f"line {line.line} is left out: {line.why}: {line.text!r}", file=sys.stderr)
    torch.set_num_threads(1)
    grader = Grader(load_judge(given.judge), prompts)
    folders = [given.output / p.text.replace(" ", "-") for p in prompts]
    rows = []
    for prompt, folder in zip(prompts, folders, strict=True):
        rows.append(measure(prompt, folder, grader, given))
        print(row_text(rows[-1]), file=sys.stderr, flush=True)
    contact_sheet(folders, given.output / "sheet.png")
    truth = truth_row(prompts, grader)
    summary = {
        "prompts": len(rows),
        "preset": given.preset,
        "seed": given.seed,
        "settings": given.set,
        "colour": mean([r.colour for r in rows]),
        "textureless": mean([r.textureless for r in rows]),
        "truth_colour": truth[0],
        "truth_textureless": truth[1],
        "chamfer": mean([r.chamfer for r in rows if r.chamfer is not None]),
        "iou": mean([r.iou for r in rows]),
        "failed": sum(r.colour is None for r in rows),
        "one_component": mean([float(r.components == 1) for r in rows]),
        "folds": sum(r.folds or 0 for r in rows),
        "folds_before": sum(r.folds_before or 0 for r in rows),
        "crossings": sum(r.crossings or 0 for r in rows),
        "seconds": mean([r.seconds for r in rows if r.seconds is not None]),
        "rows": [asdict(r) for r in rows],
    }
    (given.output / "quality.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(summary) if given.json else table(summary, rows))


def row_text(row: Row) -> str:
    """One prompt's line of the table, Markdown."""
    if row.colour is None:
        return f"| {row.prompt} | | | | | | | {row.health} | |"
    return (
        f"| {row.prompt} | {row.colour:.0%} | {row.textureless:.0%} | {row.chamfer:.3f} | {row.iou:.2f} "
        f"| {row.components} | {faults_text(row.folds, row.folds_before, row.crossings)} | {row.health} "
        f"| {row.seconds:.0f} |"
    )


def faults_text(folds: int | None, before: int | None, crossings: int | None) -> str:
    """Folds and crossings in words: '0, 0', or '2 of 3, 0' where the surface had 3 folds before decimation.

    folds, before, crossings: int, as in Row; None where they are not known.
    """
    if folds is None or crossings is None:
        return ""
    return f"{folds} of {before}, {crossings}" if before else f"{folds}, {crossings}"


def table(summary: dict[str, Any], rows: Sequence[Row]) -> str:
    """The whole table, Markdown."""
    names = "prompt", "R-Prec. colour", "textureless", "Chamfer", "IoU", "parts", "folds, crossings", "health", "s"
    head = f"| {' | '.join(names)} |\n" + "|---" * len(names) + "|"
    colour, textureless = summary["truth_colour"], summary["truth_textureless"]
    truth = f"| *the corpus's own objects* | {colour:.0%} | {textureless:.0%} | | | | | | |"
    foot = (
        f"| **all {summary['prompts']}** | **{summary['colour']:.0%}** | **{summary['textureless']:.0%}** "
        f"| {summary['chamfer']:.3f} | {summary['iou']:.2f} | {summary['one_component']:.0%} one "
        f"| {faults_text(summary['folds'], summary['folds_before'], summary['crossings'])} "
        f"| {summary['failed']} failed | {summary['seconds']:.0f} |"
    )
    return "\n".join([head, truth, *map(row_text, rows), foot])


if __name__ == "__main__":
    main()
