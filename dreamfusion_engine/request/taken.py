"""Whether a run would replace what was made of something else: in its folder, or by a job that waits or runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dreamfusion_engine.config.seed_range import SeedRange
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.machine.run_folder import CONTEST, INPUT, INPUTS, SOURCE
from dreamfusion_engine.request.run import Request
from dreamfusion_engine.wire.bounded_json import UnsafeJson, read_json_file

if TYPE_CHECKING:
    from dreamfusion_engine.pictures.prepare import CutOut

# By task: what it makes, in a word, and the key of result.json that only such a run writes.
RESULTS = {
    "texture": ("texture", "paint"),
    "refine": ("refinement", "refine"),
    "contest": ("contest", "contest"),
    "generate": ("object", "prompt"),
}
_FIX = "Give another --output folder, or move the old result away."
_MADE = ("mesh.glb", "views.png", "turntable.mp4")  # what every run writes, besides its report
_TRACES = ("checkpoint*", "previews*", INPUTS, SOURCE, CONTEST)  # by which a folder is known for a run's


def check_not_taken(
    folder: Path, config: GenerateConfig, task: str = "generate", seeds: SeedRange | None = None
) -> None:
    """Raise InputError when `folder` holds the finished result of another run, which this one would replace.

    It is another one if its prompt, seeds or task are. `check_same_inputs` looks at its mesh and pictures.

    folder: Path of the run.
    config: GenerateConfig of the run.
    task: str, of RESULTS.
    seeds: SeedRange of a contest.
    """
    report = folder / "result.json"
    if not report.is_file():
        return
    try:
        found = json.loads(report.read_text(encoding="utf-8"))
        prompt, seed = found["prompt"], found["contest"]["seeds"] if "contest" in found else found["seed"]
        made = next((name for name, (_, key) in RESULTS.items() if key in found), "generate")
    except (OSError, ValueError, KeyError, TypeError):
        prompt, seed, made = "something that is not a result of this engine", None, task
    if (prompt, seed, made) != (config.prompt, config.seed if seeds is None else list(seeds.seeds), task):
        called = "result" if made == task else RESULTS[made][0]
        of = f"for {str(prompt)[:80]!r}" if prompt else "of a picture"
        shown = prompt if seed is None else f"the {called} {of}, seed {seed}"
        raise _taken(f"{report} is {shown}; this run would replace it.", _FIX)


def check_same_inputs(folder: Path, mesh: bytes = b"", pictures: Sequence[CutOut] = ()) -> None:
    """Raise InputError when `folder` holds the finished result of another mesh or other pictures, or somebody's files.

    folder: Path of the run; prompt, seeds and task are those of its result, by `check_not_taken`.
    mesh: bytes that the new run begins from, or is about; b"" for none.
    pictures: CutOuts of the new run.
    """
    report = folder / "result.json"
    if not report.is_file():
        _check_own(folder, len(pictures))
        return
    if other := _other_inputs(folder, mesh, pictures):
        raise _taken(f"{report} was made {other}; this run would replace it.", _FIX)


def _check_own(folder: Path, pictures: int) -> None:
    """Raise InputError where no run has worked in a folder, and files by the names that one writes are there."""
    if any(found for name in _TRACES for found in folder.glob(name)):
        return
    for name in (*_MADE, *(INPUT.format(i) for i in range(pictures))):
        if (folder / name).exists():
            raise _taken(
                f"{folder / name} is there, and no run has made it; this run would write over it.",
                "Give another --output folder, or move the file away.",
            )


def check_apart(task: str, asked: Request, jobs: Iterable[tuple[str, Request]]) -> None:
    """Raise InputError where a new run would replace what a job that waits or runs makes of something else.

    task: str, of RESULTS.
    asked: Request of the new run.
    jobs: task and Request of each job that is not over.
    """
    if asked.resume:  # it goes on with what is there at its turn, and says where that is another run's
        return
    for other_task, other in jobs:
        if other.output == asked.output and not _alike(task, asked, other_task, other):
            called = other.config.prompt[:80]
            of = f"for {called!r}" if called else "without a prompt"
            raise _taken(
                f"{asked.output} is where a job {of}, seed {other.config.seed}, writes that waits or runs; "
                "this run has other inputs, and would replace its result.",
                "Give each of them an --output folder of its own, or another seed.",
            )


def _alike(task: str, asked: Request, other_task: str, other: Request) -> bool:
    """Whether two runs have the same inputs; settings beside the seed are none."""
    if task != other_task or asked.seeds != other.seeds:
        return False
    if (asked.config.prompt, asked.config.seed) != (other.config.prompt, other.config.seed):
        return False
    if other.resume and not other.mesh and not other.pictures:  # it goes on with those of its folder
        return not _other_inputs(other.output, asked.mesh, asked.pictures)
    return (asked.mesh, asked.pictures) == (other.mesh, other.pictures)


def _other_inputs(folder: Path, mesh: bytes, pictures: Sequence[CutOut]) -> str:
    """What a folder's run began with, in words, where that is not this mesh and these pictures; else ""."""
    source = folder / SOURCE
    try:
        if mesh and not source.is_file():
            return "without this mesh"
        if not mesh and source.is_file():
            return f"from a mesh, {source.name}"
        if mesh and (source.stat().st_size != len(mesh) or source.read_bytes() != mesh):
            return f"from another mesh, {source.name}"
    except OSError:
        return f"from a mesh that cannot be read, {source.name}"
    kept = _views_kept(folder)
    if kept and not pictures:
        return f"from pictures, {INPUT.format(0)}" + (" and others" if len(kept) > 1 else "")
    if pictures and not kept:
        return "without a picture"
    if kept != [(each.viewpoint.azimuth_deg, each.viewpoint.elevation_deg) for each in pictures]:
        return f"from other pictures or other views of them, {INPUTS}"
    try:
        for i, each in enumerate(pictures):
            if (folder / INPUT.format(i)).read_bytes() != each.png:
                return f"from another picture, {INPUT.format(i)}"
    except OSError:
        return f"from pictures that cannot be read, {INPUT.format(0)}"
    return ""


def _views_kept(folder: Path) -> list[tuple[float, float]]:
    """Azimuth and elevation of each picture that the folder's run began with, degrees."""
    try:
        said = read_json_file(folder / INPUTS)
        return [(float(each["azimuth_deg"]), float(each["elevation_deg"])) for each in said]
    except FileNotFoundError:
        return []
    except (OSError, UnsafeJson, ValueError, KeyError, TypeError):
        return [(float("nan"), float("nan"))]  # there were some, and nobody knows which: like none that are given


def _taken(why: str, fix: str) -> InputError:
    return InputError("input.output_taken", what="The output folder is taken.", why=why, fix=fix)
