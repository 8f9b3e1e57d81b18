"""What a contest of seeds is worth: its winner against every seed alone, and against one longer run.

    python benchmarks/seeds.py [--prompts FILE] [--count 8] [--preset draft] [--output DIR] [--most N] [--json]

For each prompt: the contest; every seed alone, to the end; and one run of the first seed with as many more steps as the
contest took steps in all. The figure is the volume IoU with the nearest exact object of the kind (see quality.py). The
winner of a contest is bit for bit what its seed gives alone, so only the losers are trained twice. What is there
already is not made again, so an interrupted run can continue; --most ends it after N runs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.shared.prompt_list import Prompt, prompt_file, read_prompts  # noqa: E402
from benchmarks.shared.shape_distance import distance_to_kind  # noqa: E402
from dreamfusion_engine.config.presets import preset  # noqa: E402
from dreamfusion_engine.contest.rounds import all_steps, rounds_of  # noqa: E402
from dreamfusion_engine.mesh.export import read_glb  # noqa: E402
from dreamfusion_engine.models.pipeline_folder import locate_model, open_pipeline  # noqa: E402

EXACT = 24  # instances of each kind that a mesh is held against


class Enough(Exception):
    """As many runs were made as --most allows."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """IoU in [0, 1] of one prompt: the winner, the mean and the best of the seeds alone, and one longer run."""

    prompt: str
    winner: float
    mean: float
    best: float
    longer: float


class Runs:
    """Makes runs in folders, each once.

    output: Path of all of them.
    arguments: str words of every run.
    most: int, runs to make at most.
    """

    def __init__(self, output: Path, arguments: list[str], most: int) -> None:
        self._output, self._arguments, self._left = output, arguments, most

    def made(self, prompt: Prompt, name: str, more: list[str]) -> Path:
        """Return the folder of a run.

        prompt: Prompt.
        name: str, of the run among those of its prompt.
        more: str words.
        Raises Enough, SystemExit where the engine fails.
        """
        folder = self._output / prompt.text.replace(" ", "-") / name
        if (folder / "result.json").is_file():
            return folder
        if not self._left:
            raise Enough
        self._left -= 1
        command = [
            sys.executable,
            "-m",
            "dreamfusion_engine",
            "generate",
            prompt.text,
            "--output",
            str(folder),
            "--json",
        ]
        begun = (folder / "contest.json").is_file() or (folder / "checkpoint" / "checkpoint.json").is_file()
        command += [*self._arguments, *more, *(["--resume"] if begun else [])]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        if done.returncode:
            raise SystemExit(f"The engine ended with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}")
        return folder


def overlap(prompt: Prompt, folder: Path) -> float:
    """Return the IoU of a run's mesh with the nearest exact object of the prompt's kind."""
    mesh = read_glb(folder / "mesh.glb")
    return distance_to_kind(mesh.positions, mesh.triangles, prompt.kind, prompt.appearance, EXACT)[1]


def row_of(prompt: Prompt, count: int, steps: int, runs: Runs) -> Row:
    """Make what is missing for a prompt, and measure it.

    prompt: Prompt.
    count: int, seeds.
    steps: int, of a whole run.
    runs: Runs.
    """
    contest = runs.made(prompt, "contest", ["--seeds", str(count), "--steps", str(steps)])
    winner = json.loads((contest / "result.json").read_text(encoding="utf-8"))["seed"]
    alone = []
    for seed in range(count):
        same = seed == winner
        folder = contest if same else runs.made(prompt, f"seed-{seed}", ["--seed", str(seed), "--steps", str(steps)])
        alone.append(overlap(prompt, folder))
    total = all_steps(count, steps, rounds_of(count, steps))
    longer = overlap(prompt, runs.made(prompt, "longer", ["--seed", "0", "--steps", str(total)]))
    figures = {"winner": alone[winner], "mean": sum(alone) / count, "best": max(alone), "longer": longer}
    return Row(prompt=prompt.text, **{name: round(value, 3) for name, value in figures.items()})


def summary_of(rows: list[Row]) -> dict[str, Any]:
    """Return the table and what it comes to: over how many prompts the winner is better than the longer run."""
    names = ("winner", "mean", "best", "longer")
    means = {name: round(sum(getattr(row, name) for row in rows) / len(rows), 3) for name in names} if rows else {}
    better = sum(row.winner > row.longer for row in rows)
    return {"prompts": len(rows), **means, "better_than_longer": better, "rows": [asdict(row) for row in rows]}


def main() -> None:
    """Measure every prompt, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--prompts", type=prompt_file, default=ROOT / "benchmarks" / "prompts" / "twelve.txt")
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--preset", default="draft")
    parser.add_argument("--model", default="starter")
    parser.add_argument("--output", type=Path, default=ROOT / "outputs" / "seeds")
    parser.add_argument("--most", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    known = open_pipeline(locate_model(given.model)).card.kinds
    prompts, _ = read_prompts(given.prompts.read_text(encoding="utf-8").splitlines(), known)
    runs = Runs(given.output, ["--preset", given.preset, "--model", given.model], given.most)
    rows: list[Row] = []
    try:
        for prompt in prompts:
            rows.append(row_of(prompt, given.count, preset(given.preset, prompt.text).optimize.steps, runs))
    except Enough:
        print(f"Ended after --most {given.most} runs; the same command goes on.", file=sys.stderr)
    summary = summary_of(rows)
    if given.json:
        print(json.dumps(summary))
        return
    print("| prompt | winner | mean seed | best seed | one longer run |\n|---|---|---|---|---|")
    for row in rows:
        print(f"| {row.prompt} | {row.winner:.2f} | {row.mean:.2f} | {row.best:.2f} | {row.longer:.2f} |")
    print(f"The winner is better than the longer run on {summary['better_than_longer']} of {len(rows)} prompts.")


if __name__ == "__main__":
    main()
