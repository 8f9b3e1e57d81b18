"""Table 1 of DreamFusion (arXiv 2209.14988) on the corpus: the baselines and DreamFusion, by two judges.

    python benchmarks/baselines.py --judge FOLDER [--teacher FOLDER] [--prompts FILE] [--output DIR]
                                   [--preset standard] [--seed 0] [--only METHOD ...] [--set STAGE.KEY=VALUE ...]
                                   [--most N] [--json]

Rows: the corpus's own objects, Dream Fields (arXiv 2112.01455), CLIP-Mesh (arXiv 2203.13333) where the engine has it,
and DreamFusion. Columns: R-Precision in colour and textureless (see quality.py), by the built-in judge and by the CLIP
of `--judge`, which must have been trained apart from it. The baselines learn from `--teacher`, which is the built-in
judge unless another CLIP is given. What a judge says of the methods that it taught is in brackets, as in the paper.
CIELAB and IoU ask no judge. A failed run counts as nothing found.

Runs that are in the output folder already are not made again, so the same command goes on; `--most N` ends it after N
runs, and `--most 0` prints the table of what is there. `baselines.md` in the output folder has the rows for the docs.
"""

from __future__ import annotations

import argparse
import filecmp
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.shared.graded_run import Row, Truth, finished, known_mean, mean, measure, truth_of  # noqa: E402
from benchmarks.shared.grader import Grader, second_judge  # noqa: E402
from benchmarks.shared.prompt_list import Prompt, prompt_file, read_prompts  # noqa: E402
from benchmarks.shared.sheets import contact_sheet  # noqa: E402
from dreamfusion_engine.judge.folder import WEIGHTS  # noqa: E402
from dreamfusion_engine.judge.model import load_judge  # noqa: E402
from dreamfusion_engine.models.pipeline_folder import locate_model, open_pipeline  # noqa: E402

_MODEL = "model.safetensors"
CLIP_MESH = "clip-mesh"


@dataclass(frozen=True, kw_only=True)
class Method:
    """A row of the table.

    title: str, in the table.
    by_clip: bool, whether the CLIP of `--teacher` teaches, and not the model of `--model`.
    words: more words of the engine's command.
    """

    title: str
    by_clip: bool = False
    words: tuple[str, ...] = ()


METHODS: Mapping[str, Method] = {
    "dream-fields": Method(title="Dream Fields", by_clip=True),
    CLIP_MESH: Method(title="CLIP-Mesh", by_clip=True, words=("--method", CLIP_MESH)),
    "dreamfusion": Method(title="DreamFusion (ours)"),
}


def known_methods() -> list[str]:
    """Return the methods that this engine has, in order: CLIP-Mesh only if `generate` names it."""
    helped = [sys.executable, "-m", "dreamfusion_engine", "generate", "--help"]
    options = subprocess.run(helped, capture_output=True, text=True, cwd=ROOT, check=True).stdout
    return [name for name in METHODS if name != CLIP_MESH or CLIP_MESH in options]


def teaches(judge: Path | None, teacher: Path) -> bool:
    """Whether a judge is the CLIP that teaches, or a copy of it.

    judge, teacher: Paths of CLIPModel folders.
    """
    if judge is None:
        return False
    if judge.resolve() == teacher.resolve():
        return True
    one, other = judge / _MODEL, teacher / _MODEL
    return one.is_file() and other.is_file() and filecmp.cmp(one, other, shallow=False)


def line_of(title: str, rows: Sequence[Row], brackets: tuple[bool, bool], two: bool, asked: int) -> str:
    """One method's line, Markdown.

    title: str, of the method.
    rows: of the runs that are there.
    brackets: bool each, whether the first and the second judge taught the method.
    two: bool, whether there is a second judge.
    asked: int, prompts in the table.
    """
    if not rows:
        return f"| {title} |{' |' * (8 if two else 6)}"
    first = [mean([row.colour for row in rows]), mean([row.textureless for row in rows])]
    second = [mean([row.second_colour for row in rows]), mean([row.second_textureless for row in rows])] if two else []
    shares = [(share, brackets[0]) for share in first] + [(share, brackets[1]) for share in second]
    cells = [f"({share:.0%})" if bracket else f"{share:.0%}" for share, bracket in shares]
    failed = sum(row.colour is None for row in rows)
    notes = [f"{len(rows)} of {asked}"] if len(rows) < asked else []
    notes += [f"{failed} failed"] if failed else []
    colours, seconds = (known_mean([getattr(row, name) for row in rows]) for name in ("cielab", "seconds"))
    cells += ["" if colours is None else f"{colours:.1f}", f"{mean([row.iou for row in rows]):.2f}"]
    cells += ["" if seconds is None else f"{seconds:.0f}", ", ".join(notes)]
    return f"| {title} | {' | '.join(cells)} |"


def table(
    rows: Mapping[str, Sequence[Row]], truth: Truth, brackets: Mapping[str, tuple[bool, bool]], asked: int
) -> str:
    """The whole table, Markdown.

    rows: of each method.
    truth: of the corpus's own objects.
    brackets: of each method, as in `line_of`.
    asked: int, prompts in the table.
    """
    two = truth.second is not None
    names = ["", "colour", "textureless", *(["second judge: colour", "textureless"] if two else [])]
    names += ["CIELAB", "IoU", "s", ""]
    head = f"| {' | '.join(names)} |\n" + "|---" * len(names) + "|"
    grades = [truth.first, *([truth.second] if truth.second else [])]
    shares = [f"{share:.0%}" for grade in grades for share in (grade.colour, grade.textureless)]
    own = f"| *the corpus's own objects* | {' | '.join(shares)} | {truth.cielab:.1f} | | | |"
    lines = [line_of(METHODS[name].title, made, brackets[name], two, asked) for name, made in rows.items()]
    return "\n".join([head, own, *lines])


def arguments_of(method: Method, given: argparse.Namespace) -> argparse.Namespace:
    """Return the command line as one method's runs have it: with the model that teaches it."""
    return argparse.Namespace(**{**vars(given), "model": str(given.teacher) if method.by_clip else given.model})


def grade_all(
    prompts: Sequence[Prompt], names: Sequence[str], grader: Grader, second: Grader | None, given: argparse.Namespace
) -> dict[str, list[Row]]:
    """Make what is missing, at most `--most` runs, and return the rows of what is there then, by method.

    prompts: of the table.
    names: of the methods.
    grader, second: of the judges.
    given: the command line.
    """
    rows: dict[str, list[Row]] = {name: [] for name in names}
    left = given.most
    for prompt in prompts:  # prompt by prompt, so that a table which is not whole compares the same ones
        for name in names:
            folder = given.output / name / prompt.text.replace(" ", "-")
            if not finished(folder):
                if left <= 0:
                    continue
                left -= 1
            method = METHODS[name]
            rows[name].append(measure(prompt, folder, grader, arguments_of(method, given), second, method.words))
            found = rows[name][-1]
            print(f"{method.title}: {prompt.text}: {found.colour}, {found.textureless}", file=sys.stderr, flush=True)
    return rows


def main() -> None:
    """Make what is missing, print the table, and write it and the sheets into the output folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--prompts", type=prompt_file, default=ROOT / "benchmarks" / "prompts" / "twelve.txt")
    parser.add_argument("--output", type=Path, default=ROOT / "outputs" / "baselines")
    parser.add_argument("--preset", default="standard")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="starter", help="DreamFusion's teacher")
    parser.add_argument("--teacher", type=Path, default=WEIGHTS, metavar="FOLDER", help="the baselines' CLIP")
    parser.add_argument("--judge", type=Path, metavar="FOLDER", help="a CLIP that judges beside the built-in one")
    parser.add_argument("--only", nargs="+", choices=list(METHODS), default=list(METHODS), metavar="METHOD")
    parser.add_argument("--set", action="append", default=[], metavar="STAGE.KEY=VALUE", help="of every method")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--most", type=int, default=10_000, metavar="N", help="runs to make at most")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    known = open_pipeline(locate_model(given.model)).card.kinds
    prompts, _ = read_prompts(given.prompts.read_text(encoding="utf-8").splitlines(), known)
    torch.set_num_threads(1)
    names = [name for name in known_methods() if name in given.only]
    for name in given.only:
        if name not in names:
            print(f"{METHODS[name].title} is left out: this engine does not have it.", file=sys.stderr)
    grader, beside = Grader(load_judge(), prompts), second_judge(given.judge)
    second = Grader(beside, prompts) if beside else None
    if second is None:
        print("There is no second judge: give one with --judge.", file=sys.stderr)
    taught = teaches(WEIGHTS, given.teacher), teaches(given.judge, given.teacher)
    brackets = {name: taught if METHODS[name].by_clip else (False, False) for name in names}
    rows = grade_all(prompts, names, grader, second, given)
    for name in names:
        contact_sheet([given.output / name / p.text.replace(" ", "-") for p in prompts], given.output / f"{name}.png")
    truth = truth_of(prompts, grader, second)
    text = table(rows, truth, brackets, len(prompts))
    summary: dict[str, Any] = {
        "preset": given.preset,
        "seed": given.seed,
        "settings": given.set,
        "teacher": str(given.teacher),
        "judge": str(given.judge) if given.judge else None,
        "taught_by_first": taught[0],
        "taught_by_second": taught[1],
        "truth": asdict(truth),
        "methods": {name: [asdict(row) for row in made] for name, made in rows.items()},
    }
    given.output.mkdir(parents=True, exist_ok=True)
    (given.output / "baselines.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    (given.output / "baselines.md").write_text(text + "\n", encoding="utf-8")
    print(json.dumps(summary) if given.json else text)


if __name__ == "__main__":
    main()
