"""Scores of `guidance.score`, and ways of saying views, compared on the starter model: quality, views, seconds.

    python benchmarks/guidance/scores.py [--only NAME ...] [--prompts FILE] [--output DIR] [--preset draft] [--seed 0]
                                [--model starter] [--judge FOLDER] [--json]

Every variant makes the same prompts from the same seed, and is measured as `benchmarks/quality.py` measures. Eight
renders around the object are judged. `views` is the share of them whose side (front, side or back) the judge names
right. `fronts` is the share that it takes for the front, for kinds that have one. `guidance` is the score's part of one
training step of two views: the least of several rounds, because other programs only ever add to it. Meshes that are in
the output folder already are not made again, so an interrupted run can continue.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from reference.distillation_step import distillation_step  # noqa: E402

from benchmarks.shared import portraits  # noqa: E402
from benchmarks.shared.graded_run import Row, mean, measure  # noqa: E402
from benchmarks.shared.grader import Grader  # noqa: E402
from benchmarks.shared.lone_views import lone_pipeline  # noqa: E402
from benchmarks.shared.prompt_list import Prompt, prompt_file, read_prompts  # noqa: E402
from benchmarks.shared.sheets import variants_sheet  # noqa: E402
from dreamfusion_engine.commands.typed_settings import parse_settings  # noqa: E402
from dreamfusion_engine.config.presets import preset  # noqa: E402
from dreamfusion_engine.guidance.distillation import ScoreDistillation  # noqa: E402
from dreamfusion_engine.judge.folder import WEIGHTS  # noqa: E402
from dreamfusion_engine.judge.model import Judge, load_judge  # noqa: E402
from dreamfusion_engine.judge.portraits import ELEVATION, judge_cameras  # noqa: E402
from dreamfusion_engine.mesh.export import read_glb  # noqa: E402
from dreamfusion_engine.models.load import load_teacher  # noqa: E402
from dreamfusion_engine.models.views import View, view_of  # noqa: E402
from training.starter.captions import VIEW_WORDS, describe  # noqa: E402
from training.starter.objects.kinds import Appearance  # noqa: E402

PLAIN = "guidance.perp_neg=off"
VARIANTS: dict[str, tuple[str, ...]] = {
    "sds": (PLAIN,),
    "sampled": (PLAIN, "guidance.score=sampled"),
    "csd": (PLAIN, "guidance.score=csd"),
    "nfsd": (PLAIN, "guidance.score=nfsd"),
    "vsd": (PLAIN, "guidance.score=vsd", "score.lora_rate=0.01"),  # a short run: the copy must learn quickly
    "sdi": (PLAIN, "guidance.score=sdi", "score.inversion_steps=3"),  # ten take three times as long
    "perp-neg": ("guidance.perp_neg=on",),
    "interpolated": (PLAIN, "guidance.view_prompts=interpolated"),
    "no-view-words": (PLAIN, "guidance.view_prompts=off"),
}
AROUND: tuple[View, ...] = ("front", "side", "back")
TRUTH_OBJECTS = 3  # exact objects of each kind in the row of the corpus itself


@dataclass(frozen=True, kw_only=True)
class Sides:
    """How the judge sees the sides of one object.

    views: float, share of renders whose side it names right, in [0, 1].
    fronts: float, share that it takes for the front, in [0, 1].
    """

    views: float
    fronts: float


def sides_of(judge: Judge, prompt: Prompt, pictures: torch.Tensor) -> Sides | None:
    """How the judge sees the sides of an object; None for a kind without a front.

    pictures: float32[VIEWS, 3, H, W], lit portraits from all around.
    """
    if not prompt.kind.front:
        return None
    captions = judge.captions([f"{describe(prompt.kind, Appearance())}, {VIEW_WORDS[view]}" for view in AROUND])
    said = [AROUND[int(i)] for i in (judge.pictures(pictures) @ captions.T).argmax(dim=1)]
    true = [view_of(float(azimuth), ELEVATION) for azimuth in judge_cameras().azimuth]
    return Sides(
        views=sum(a == b for a, b in zip(said, true, strict=True)) / len(said),
        fronts=said.count("front") / len(said),
    )


def true_sides(judge: Judge, prompts: Sequence[Prompt]) -> list[Sides]:
    """`sides_of` exact objects of the corpus, which a perfect mesh would reach with this judge."""
    found = [
        sides_of(judge, prompt, portraits.truth_portraits(prompt.kind, prompt.appearance, seed)[0])
        for prompt in prompts
        for seed in range(TRUTH_OBJECTS)
    ]
    return [sides for sides in found if sides is not None]


def guidance_milliseconds(names: Sequence[str], model: str, rounds: int = 12) -> dict[str, float]:
    """Milliseconds of each variant's part of a step, on one thread of the CPU.

    names: of the variants.
    model: str, the teacher.
    rounds: int; the variants take turns, and the least of each counts.
    """
    pipeline = lone_pipeline(model)
    teacher = load_teacher(pipeline, torch.device("cpu"), precision="bfloat16")
    made = {}
    for name in names:
        config = preset("draft", "a red car", parse_settings(VARIANTS[name]))
        made[name] = ScoreDistillation(teacher, "a red car", "", pipeline.card, config.guidance, score=config.score)
    generator = torch.Generator().manual_seed(0)
    azimuth, level = torch.tensor([0.3, 2.0]), torch.zeros(2)
    least = dict.fromkeys(names, float("inf"))
    for _ in range(rounds):
        for name, distillation in made.items():
            images = torch.rand(2, 3, 48, 48, generator=generator, requires_grad=True)
            begun = time.perf_counter()
            loss, _ = distillation_step(distillation, images, azimuth, level, "albedo", 0.3, generator)
            loss.backward()
            least[name] = min(least[name], 1000.0 * (time.perf_counter() - begun))
    return least


def line(name: str, rows: Sequence[Row], sides: Sequence[Sides], milliseconds: float) -> str:
    """One variant's line of the table, Markdown.

    name: str, of the variant.
    rows: its prompts' figures.
    sides: how the judge sees its objects' sides.
    milliseconds: float, its part of a step.
    """
    done = [row for row in rows if row.colour is not None]
    if not done:
        return f"| {name} | | | | | | | {len(rows)} failed | | {milliseconds:.0f} |"
    seen = f"{mean([s.views for s in sides]):.0%} | {mean([s.fronts for s in sides]):.0%}" if sides else " | "
    health = f"{len(rows) - len(done)} failed" if len(done) < len(rows) else ""
    notes = [row.health for row in done if row.health != "good"]
    health = ", ".join(filter(None, [health, *notes])) or "good"
    return (
        f"| {name} | {mean([r.colour for r in rows]):.0%} | {mean([r.textureless for r in rows]):.0%} "
        f"| {mean([r.chamfer for r in done]):.3f} | {mean([r.iou for r in rows]):.2f} | {seen} | {health} "
        f"| {mean([r.seconds for r in done]):.0f} | {milliseconds:.0f} |"
    )


def main() -> None:
    """Measure every variant and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=list(VARIANTS), default=list(VARIANTS), metavar="NAME")
    parser.add_argument("--prompts", type=prompt_file, default=ROOT / "benchmarks" / "prompts" / "four.txt")
    parser.add_argument("--output", type=Path, default=ROOT / "outputs" / "scores")
    parser.add_argument("--preset", default="draft")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--judge", type=Path, default=WEIGHTS)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    known = lone_pipeline(given.model).card.kinds
    prompts, _ = read_prompts(given.prompts.read_text(encoding="utf-8").splitlines(), known)
    torch.set_num_threads(1)
    judge = load_judge(given.judge)
    grader = Grader(judge, prompts)
    perfect = true_sides(judge, prompts)
    truth = f"{mean([s.views for s in perfect]):.0%} | {mean([s.fronts for s in perfect]):.0%}"
    lines = ["| | R-Prec. colour | textureless | Chamfer | IoU | views | fronts | health | s | guidance, ms |"]
    lines.append("|---" * 10 + "|")
    lines.append(f"| *the corpus's own objects* | | | | | {truth} | | | |")
    cost = guidance_milliseconds(given.only, given.model)
    results, folders = {}, []
    for name in given.only:
        arguments = argparse.Namespace(**{**vars(given), "set": list(VARIANTS[name])})
        places = [given.output / name / prompt.text.replace(" ", "-") for prompt in prompts]
        rows, sides = [], []
        for prompt, folder in zip(prompts, places, strict=True):
            rows.append(measure(prompt, folder, grader, arguments))
            seen = None
            if rows[-1].colour is not None:
                seen = sides_of(judge, prompt, portraits.mesh_portraits(read_glb(folder / "mesh.glb"))[0])
            sides += [seen] if seen else []
        folders.append(places)
        lines.append(line(name, rows, sides, cost[name]))
        results[name] = {
            "guidance_ms": cost[name],
            "rows": [asdict(r) for r in rows],
            "sides": [asdict(s) for s in sides],
        }
        print(lines[-1], file=sys.stderr, flush=True)
        variants_sheet(folders, given.output / "sheet.png")
        (given.output / "scores.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(results) if given.json else "\n".join(lines))


if __name__ == "__main__":
    main()
