"""A run of the engine that is made once and graded: its row of figures, and those of the corpus's own objects."""

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

from benchmarks.shared import portraits
from benchmarks.shared.colour_distance import colour_distance, exact_surface, mesh_surface
from benchmarks.shared.grader import Grade, Grader, mean_grade
from benchmarks.shared.prompt_list import Prompt
from benchmarks.shared.shape_distance import distance_to_kind
from dreamfusion_engine.judge.portraits import HALF_LENGTH
from dreamfusion_engine.mesh.export import read_glb

ROOT = Path(__file__).resolve().parents[2]
EXACT = 24  # instances of each kind that a mesh is held against
TRUTH_OBJECTS = 3  # of each prompt in the row of the corpus itself


@dataclass(frozen=True, kw_only=True)
class Row:
    """The figures of one prompt. None where a failed run has none."""

    prompt: str
    colour: float | None  # R-Precision of its views, in [0, 1], as those below
    textureless: float | None
    kind: float | None = None
    own_colour: float | None = None  # also None where the prompt names no colour
    part: float | None = None  # also None where the prompt names no part's colour
    second_colour: float | None = None  # by the second judge; None where there is none
    second_textureless: float | None = None
    cielab: float | None = None  # mean distance of visible colours from the nearest exact object's
    part_cielab: float | None = None  # the same of the part whose colour the prompt names
    chamfer: float | None  # half lengths of the box
    iou: float | None
    components: int | None
    folds: int | None  # edges over 120 degrees, where the surface before decimation has `folds_before`
    folds_before: int | None
    crossings: int | None  # pairs of triangles
    health: str
    seconds: float | None
    psnr: float | None  # dB, mesh against the field's own renders


def finished(folder: Path) -> bool:
    """Whether a run ended, well or not, so that `make` does not begin it again."""
    return (folder / "result.json").is_file() or (folder / "failed.txt").is_file()


def make(prompt: Prompt, folder: Path, arguments: argparse.Namespace, words: Sequence[str] = ()) -> dict[str, Any]:
    """Make a prompt's mesh, unless an earlier call did. Returns result.json, or {'failed': reason}.

    folder: Path of the run's folder.
    arguments: of the command line.
    words: more words of the engine's command.
    Raises SystemExit where the engine was stopped from outside.
    """
    result, failure = folder / "result.json", folder / "failed.txt"
    if not finished(folder):
        command = [sys.executable, "-m", "dreamfusion_engine", "generate", prompt.text, "--output", str(folder)]
        command += ["--seed", str(arguments.seed), "--preset", arguments.preset, "--model", arguments.model]
        command += ["--device", arguments.device, "--json", *words]
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


def measure(
    prompt: Prompt,
    folder: Path,
    grader: Grader,
    arguments: argparse.Namespace,
    second: Grader | None = None,
    words: Sequence[str] = (),
) -> Row:
    """Make the mesh of a prompt and grade it.

    folder: Path of the run's folder.
    arguments: of the command line.
    second: Grader of the second judge.
    words: more words of the engine's command.
    """
    result = make(prompt, folder, arguments, words)
    if "failed" in result:
        empty = dict.fromkeys(field.name for field in fields(Row) if field.name not in ("prompt", "health"))
        return Row(prompt=prompt.text, health=result["failed"], **empty)
    content = read_glb(folder / "mesh.glb")
    views = portraits.mesh_portraits(content)
    beside = second.grade(prompt, *views) if second else None
    distance, overlap = distance_to_kind(content.positions, content.triangles, prompt.kind, prompt.appearance, EXACT)
    colours = colour_distance(mesh_surface(content), prompt.kind, prompt.appearance)
    return Row(
        prompt=prompt.text,
        **asdict(grader.grade(prompt, *views)),
        second_colour=beside.colour if beside else None,
        second_textureless=beside.textureless if beside else None,
        cielab=round(colours.whole, 2),
        part_cielab=None if colours.part is None else round(colours.part, 2),
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


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What the corpus's own objects get, which a perfect mesh would reach.

    first, second: Grades by the two judges; None where there is no second one.
    cielab: float, mean distance of their visible colours from those of the nearest of the others.
    """

    first: Grade
    second: Grade | None
    cielab: float


def truth_of(prompts: Sequence[Prompt], grader: Grader, second: Grader | None = None) -> Truth:
    """Grade the corpus's own objects of the prompts, by one judge or two."""
    objects = [(p, seed) for p in prompts for seed in range(TRUTH_OBJECTS)]
    views = [portraits.truth_portraits(p.kind, p.appearance, seed) for p, seed in objects]
    first, beside = (
        mean_grade([each.grade(p, *seen) for (p, _), seen in zip(objects, views, strict=True)]) if each else None
        for each in (grader, second)
    )
    assert first is not None
    surfaces = [(p, exact_surface(p.kind, p.appearance, seed, 11)) for p, seed in objects]
    apart = [colour_distance(surface, p.kind, p.appearance).whole for p, surface in surfaces]
    return Truth(first=first, second=beside, cielab=float(np.mean(apart)))


def mean(values: Sequence[float | None]) -> float:
    """The mean. A failed run counts as 0."""
    return float(np.mean([v or 0.0 for v in values])) if values else 0.0


def known_mean(values: Sequence[float | None]) -> float | None:
    """The mean of those that are known; None where none is."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
