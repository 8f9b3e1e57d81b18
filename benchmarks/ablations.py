"""What each part of the method is good for: the same prompts and seeds with one part left out at a time.

    python benchmarks/ablations.py [--only NAME ...] [--seeds 3] [--prompts FILE] [--output DIR] [--preset draft]
                                   [--judge FOLDER] [--set STAGE.KEY=VALUE ...] [--most N] [--json]

Every figure is the mean over the prompts, and then over the seeds, with the standard deviation of a seed's mean. It is
measured as quality.py measures. "Exact cameras" takes the words for them out of a copy of the model's card, so that it
is asked in the words for eight headings; without view words it is told no side at all.

Runs that are in the output folder already are not made again, so the same command goes on; `--most N` ends it after N
runs, and `--most 0` prints the table of what is there. `sheet.png` has a row for each part left out, of the first seed;
`NAME.png` has all of that part's runs; `ablations.md` has the rows for the docs.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.shared.graded_run import Row, finished, known_mean, mean, measure  # noqa: E402
from benchmarks.shared.grader import Grader, second_judge  # noqa: E402
from benchmarks.shared.prompt_list import Prompt, prompt_file, read_prompts  # noqa: E402
from benchmarks.shared.sheets import contact_sheet, variants_sheet  # noqa: E402
from dreamfusion_engine.judge.model import load_judge  # noqa: E402
from dreamfusion_engine.models.card_file import CARD_NAME  # noqa: E402
from dreamfusion_engine.models.pipeline_folder import locate_model, open_pipeline  # noqa: E402

EXACT_CAMERAS = "azimuths", "elevations"  # what the card of a model that was taught them lists


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """A part of the method that is left out.

    title: str, in the table.
    settings: STAGE.KEY=VALUE each, with which it is left out.
    headings: bool, whether the model is asked in words for headings in place of exact cameras.
    """

    title: str
    settings: tuple[str, ...] = ()
    headings: bool = False


ABLATIONS: Mapping[str, Ablation] = {
    "nothing": Ablation(title="**nothing**"),
    "view-words": Ablation(title="view words", settings=("guidance.view_prompts=off",)),
    "exact-cameras": Ablation(title="exact cameras", headings=True),
    "lighting": Ablation(title="lighting", settings=("optimize.albedo_until=1.0",)),
    "textureless": Ablation(title="textureless renders", settings=("optimize.textureless=0",)),
    "annealing": Ablation(title="annealing", settings=("guidance.t_min=[0.02,0.02]", "guidance.t_max=[0.98,0.98]")),
    "entropy": Ablation(title="entropy", settings=("optimize.entropy=0",)),
    "smoothness": Ablation(title="smoothness", settings=("optimize.smoothness=0",)),
}
# Columns: name, field of Row, digits after the point; shares in percent have None.
COLUMNS: tuple[tuple[str, str, int | None], ...] = (
    ("R-Prec. colour", "colour", None),
    ("textureless", "textureless", None),
    ("CIELAB", "cielab", 1),
    ("Chamfer", "chamfer", 3),
    ("IoU", "iou", 2),
    ("PSNR, dB", "psnr", 1),
)
SECOND: tuple[tuple[str, str, int | None], ...] = (
    ("second judge: colour", "second_colour", None),
    ("textureless", "second_textureless", None),
)
MORE_IS_BETTER = {"colour", "textureless", "second_colour", "second_textureless", "iou"}  # a failed run has 0 of these


def without_exact_cameras(model: Path, folder: Path) -> Path:
    """Return a copy of a model whose card knows no exact cameras, and make it if it is not there.

    model: Path of a pipeline folder with a card.
    folder: Path of the copy.
    Raises SystemExit for a model that was not taught exact cameras and headings.
    """
    if (folder / CARD_NAME).is_file():
        return folder
    card = json.loads((model / CARD_NAME).read_text(encoding="utf-8")) if (model / CARD_NAME).is_file() else {}
    if not card.get("headings") or not all(card.get(name) for name in EXACT_CAMERAS):
        raise SystemExit(
            f"Exact cameras cannot be left out.\n  why: {model} was not taught them and headings beside them.\n"
            "  fix: Give the other ablations by --only, or the starter as --model."
        )
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(model, part)
    kept = {name: value for name, value in card.items() if name not in EXACT_CAMERAS}
    (part / CARD_NAME).write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
    return folder


def spread(values: Sequence[float]) -> float | None:
    """The standard deviation of a sample; None for fewer than two values."""
    return statistics.stdev(values) if len(values) > 1 else None


def figures(by_seed: Mapping[int, Sequence[Row]], field: str) -> tuple[float | None, float | None]:
    """The mean over the seeds of a field's mean over the prompts, and its spread.

    by_seed: rows of each seed.
    field: str, of Row. A failed run counts as 0 where more is better, and not at all elsewhere.
    """
    each = []
    for rows in by_seed.values():
        values = [getattr(row, field) for row in rows]
        found = mean(values) if field in MORE_IS_BETTER and rows else known_mean(values)
        each += [] if found is None else [found]
    return (statistics.fmean(each) if each else None), spread(each)


def cell(value: float | None, deviation: float | None, digits: int | None) -> str:
    """A figure with its spread: '0.061 ± 0.004', '94 ± 3 %'."""
    if value is None:
        return ""
    if digits is None:
        return f"{100 * value:.0f} %" if deviation is None else f"{100 * value:.0f} ± {100 * deviation:.0f} %"
    return f"{value:.{digits}f}" if deviation is None else f"{value:.{digits}f} ± {deviation:.{digits}f}"


def line_of(ablation: Ablation, by_seed: Mapping[int, Sequence[Row]], two: bool, asked: int) -> str:
    """One ablation's line, Markdown.

    by_seed: rows of each seed.
    two: bool, whether there is a second judge.
    asked: int, runs that belong to the ablation.
    """
    rows = [row for each in by_seed.values() for row in each]
    settings = "the card without exact cameras" if ablation.headings else f"`{' '.join(ablation.settings)}`"
    cells = [cell(*figures(by_seed, field), digits) for _, field, digits in columns(two)]
    failed, several = sum(row.colour is None for row in rows), sum((row.components or 1) > 1 for row in rows)
    restarts = sum("restart" in row.health for row in rows)
    notes = [f"{len(rows)} of {asked}"] if len(rows) < asked else []
    named = ((failed, "failed"), (several, "of several parts"), (restarts, "began anew"))
    notes += [f"{count} {what}" for count, what in named if count]
    shown = settings if ablation.settings or ablation.headings else ""
    return f"| {ablation.title} | {shown} | {' | '.join(cells)} | {', '.join(notes)} |"


def columns(two: bool) -> tuple[tuple[str, str, int | None], ...]:
    """The columns, with those of a second judge."""
    return (*COLUMNS[:2], *SECOND, *COLUMNS[2:]) if two else COLUMNS


def table(rows: Mapping[str, Mapping[int, Sequence[Row]]], two: bool, asked: int) -> str:
    """The whole table, Markdown.

    rows: of each ablation and seed.
    two: bool, whether there is a second judge.
    asked: int, runs that belong to each ablation.
    """
    names = ["left out", "set", *(name for name, _, _ in columns(two)), ""]
    head = f"| {' | '.join(names)} |\n" + "|---" * len(names) + "|"
    return "\n".join([head, *(line_of(ABLATIONS[name], by_seed, two, asked) for name, by_seed in rows.items())])


def folder_of(output: Path, name: str, seed: int, prompt: Prompt) -> Path:
    """The folder of one run."""
    return output / name / f"seed-{seed}" / prompt.text.replace(" ", "-")


def grade_all(
    prompts: Sequence[Prompt], grader: Grader, second: Grader | None, given: argparse.Namespace
) -> dict[str, dict[int, list[Row]]]:
    """Make what is missing, at most `--most` runs, and return the rows of what is there then, by ablation and seed.

    prompts: of the table.
    grader, second: of the judges.
    given: the command line.
    """
    rows: dict[str, dict[int, list[Row]]] = {name: {seed: [] for seed in range(given.seeds)} for name in given.only}
    headings = ""
    if any(ABLATIONS[name].headings for name in given.only):
        headings = str(without_exact_cameras(locate_model(given.model), given.output / "model-without-exact-cameras"))
    left = given.most
    for seed in range(given.seeds):  # seed by seed, so that a table which is not whole compares the same ones
        for prompt in prompts:
            for name in given.only:
                folder, ablation = folder_of(given.output, name, seed, prompt), ABLATIONS[name]
                if not finished(folder):
                    if left <= 0:
                        continue
                    left -= 1
                changed = {"seed": seed, "set": [*given.set, *ablation.settings]}
                changed |= {"model": headings} if ablation.headings else {}
                arguments = argparse.Namespace(**{**vars(given), **changed})
                row = measure(prompt, folder, grader, arguments, second)
                rows[name][seed].append(row)
                said = f"without {name}, seed {seed}, {prompt.text}: {row.colour}, {row.textureless}"
                print(said, file=sys.stderr, flush=True)
    return rows


def main() -> None:
    """Make what is missing, print the table, and write it and the sheets into the output folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(ABLATIONS), default=list(ABLATIONS), metavar="NAME")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="from 0 on")
    parser.add_argument("--prompts", type=prompt_file, default=ROOT / "benchmarks" / "prompts" / "four.txt")
    parser.add_argument("--output", type=Path, default=ROOT / "outputs" / "ablations")
    parser.add_argument("--preset", default="draft")
    parser.add_argument("--model", default="starter")
    parser.add_argument("--judge", type=Path, metavar="FOLDER", help="a CLIP that judges beside the built-in one")
    parser.add_argument("--set", action="append", default=[], metavar="STAGE.KEY=VALUE", help="of every run")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--most", type=int, default=10_000, metavar="N", help="runs to make at most")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    known = open_pipeline(locate_model(given.model)).card.kinds
    prompts, _ = read_prompts(given.prompts.read_text(encoding="utf-8").splitlines(), known)
    torch.set_num_threads(1)
    grader, beside = Grader(load_judge(), prompts), second_judge(given.judge)
    second = Grader(beside, prompts) if beside else None
    rows = grade_all(prompts, grader, second, given)
    for name in given.only:
        runs = [folder_of(given.output, name, seed, p) for seed in range(given.seeds) for p in prompts]
        contact_sheet(runs, given.output / f"{name}.png")
    firsts = [[folder_of(given.output, name, 0, prompt) for prompt in prompts] for name in given.only]
    given.output.mkdir(parents=True, exist_ok=True)
    variants_sheet(firsts, given.output / "sheet.png")
    text = table(rows, second is not None, given.seeds * len(prompts))
    summary: dict[str, Any] = {
        "preset": given.preset,
        "seeds": given.seeds,
        "settings": given.set,
        "judge": str(given.judge) if given.judge else None,
        "ablations": {
            name: {
                "settings": list(ABLATIONS[name].settings),
                "figures": {field: figures(by_seed, field) for _, field, _ in columns(second is not None)},
                "rows": {seed: [asdict(row) for row in made] for seed, made in by_seed.items()},
            }
            for name, by_seed in rows.items()
        },
    }
    (given.output / "ablations.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    (given.output / "ablations.md").write_text(text + "\n", encoding="utf-8")
    print(json.dumps(summary) if given.json else text)


if __name__ == "__main__":
    main()
