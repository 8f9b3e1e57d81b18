"""Quality in 3D: prompts to meshes, and how well the meshes fit the prompts, by a judge and by exact shapes.

    python benchmarks/quality.py [--prompts FILE | --full] [--output DIR] [--preset standard] [--seed 0]
                                 [--set STAGE.KEY=VALUE ...] [--judge FOLDER] [--json]

R-Precision as in Dream Fields (arXiv 2112.01455) and DreamFusion (arXiv 2209.14988, table 1): the share of renders,
from 30 degrees above the horizon all around, of which the judge finds the right caption first. In colour it chooses
among two colours of every kind in the corpus, its own kind in every colour, and its part in every colour; textureless
among all kinds. Kind, colour and part are the same for a question about that alone. `--judge` is a second judge, whose
R-Precision stands beside the built-in one's. CIELAB is the mean distance of visible colours from those of the nearest
exact object, in brackets that of the part whose colour the prompt names. The first row is the same for the corpus's own
objects. Chamfer distance and volume IoU are to the nearest of many exact meshes of the kind, in half lengths of the
box. Meshes that are in the output folder already are not made again, so an interrupted run can continue.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.shared.graded_run import Row, Truth, known_mean, mean, measure, truth_of  # noqa: E402
from benchmarks.shared.grader import Grader, second_judge  # noqa: E402
from benchmarks.shared.prompt_list import full_list, prompt_file, read_prompts  # noqa: E402
from benchmarks.shared.sheets import contact_sheet  # noqa: E402
from dreamfusion_engine.judge.model import load_judge  # noqa: E402
from dreamfusion_engine.models.pipeline_folder import locate_model, open_pipeline  # noqa: E402
from training.starter.objects.kinds import kind_named  # noqa: E402


def main() -> None:
    """Measure every prompt, print the table, and write summary and sheet into the output folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--prompts", type=prompt_file, default=ROOT / "benchmarks" / "prompts" / "twelve.txt", help="one a line"
    )
    which.add_argument("--full", action="store_true", help="every kind that the model knows, in two colours")
    parser.add_argument("--output", type=Path, default=ROOT / "outputs" / "quality")
    parser.add_argument("--preset", default="standard")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--judge", type=Path, metavar="FOLDER", help="a CLIP that judges beside the built-in one")
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
    grader, beside = Grader(load_judge(), prompts), second_judge(given.judge)
    second = Grader(beside, prompts) if beside else None
    folders = [given.output / p.text.replace(" ", "-") for p in prompts]
    rows = []
    for prompt, folder in zip(prompts, folders, strict=True):
        rows.append(measure(prompt, folder, grader, given, second))
        print(row_text(rows[-1], second is not None), file=sys.stderr, flush=True)
    contact_sheet(folders, given.output / "sheet.png")
    truth = truth_of(prompts, grader, second)
    summary = {"preset": given.preset, "seed": given.seed, "settings": given.set, **summary_of(rows, truth)}
    (given.output / "quality.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(summary) if given.json else table(rows, truth))


def summary_of(rows: Sequence[Row], truth: Truth) -> dict[str, Any]:
    """What the rows come to. A failed run counts as 0 where more is better, and not at all elsewhere."""
    return {
        "prompts": len(rows),
        "colour": mean([r.colour for r in rows]),
        "textureless": mean([r.textureless for r in rows]),
        "second_colour": mean([r.second_colour for r in rows]) if truth.second else None,
        "second_textureless": mean([r.second_textureless for r in rows]) if truth.second else None,
        "kind": mean([r.kind for r in rows]),
        **{name: known_mean([getattr(r, name) for r in rows]) for name in ("own_colour", "part", "cielab")},
        "part_cielab": known_mean([r.part_cielab for r in rows]),
        "truth": asdict(truth),
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


def row_text(row: Row, two: bool) -> str:
    """One prompt's line of the table, Markdown.

    two: bool, whether there is a second judge.
    """
    if row.colour is None or row.chamfer is None or row.iou is None or row.seconds is None:
        return f"| {row.prompt} |{' |' * (12 if two else 10)} {row.health} | |"
    shares = [row.colour, row.textureless, *([row.second_colour, row.second_textureless] if two else [])]
    cells = [*map(share_text, [*shares, row.kind, row.own_colour, row.part]), distances_text(row)]
    cells += [f"{row.chamfer:.3f}", f"{row.iou:.2f}", str(row.components)]
    cells += [faults_text(row.folds, row.folds_before, row.crossings), row.health, f"{row.seconds:.0f}"]
    return f"| {row.prompt} | {' | '.join(cells)} |"


def share_text(share: float | None) -> str:
    """A share in percent; nothing where there is none."""
    return "" if share is None else f"{share:.0%}"


def distances_text(row: Row) -> str:
    """CIELAB distances in words: '6.1', or '6.1 (20.3)' where the prompt names a part's colour."""
    part = "" if row.part_cielab is None else f" ({row.part_cielab:.1f})"
    return "" if row.cielab is None else f"{row.cielab:.1f}{part}"


def faults_text(folds: int | None, before: int | None, crossings: int | None) -> str:
    """Folds and crossings in words: '0, 0', or '2 of 3, 0' where the surface had 3 folds before decimation.

    folds, before, crossings: int, as in Row; None where they are not known.
    """
    if folds is None or crossings is None:
        return ""
    return f"{folds} of {before}, {crossings}" if before else f"{folds}, {crossings}"


def table(rows: Sequence[Row], truth: Truth) -> str:
    """The whole table, Markdown."""
    two = truth.second is not None
    names = ["prompt", "R-Prec. colour", "textureless", *(["second judge: colour", "textureless"] if two else [])]
    names += ["kind", "colour", "part", "CIELAB", "Chamfer", "IoU", "parts", "folds, crossings", "health", "s"]
    head = f"| {' | '.join(names)} |\n" + "|---" * len(names) + "|"
    first, second, sums = truth.first, truth.second, summary_of(rows, truth)
    grades = [first, *([second] if second else [])]
    shares = [share for grade in grades for share in (grade.colour, grade.textureless)]
    seen = [share_text(share) for share in (*shares, first.kind, first.own_colour, first.part)]
    exact = f"| *the corpus's own objects* | {' | '.join([*seen, f'{truth.cielab:.1f}'])} | | | | | | |"
    names = ["colour", "textureless", *(["second_colour", "second_textureless"] if two else [])]
    cells = [f"**{sums[name]:.0%}**" for name in names] + [
        share_text(sums[name]) for name in ("kind", "own_colour", "part")
    ]
    cells += ["" if sums["cielab"] is None else f"{sums['cielab']:.1f}"]
    cells += [f"{sums['chamfer']:.3f}", f"{sums['iou']:.2f}", f"{sums['one_component']:.0%} one"]
    cells += [faults_text(sums["folds"], sums["folds_before"], sums["crossings"])]
    foot = f"| **all {len(rows)}** | {' | '.join(cells)} | {sums['failed']} failed | {sums['seconds']:.0f} |"
    return "\n".join([head, exact, *(row_text(row, two) for row in rows), foot])


if __name__ == "__main__":
    main()
