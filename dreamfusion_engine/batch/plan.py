"""What a batch is about and how far it is: batch.json in its folder, so that the same command goes on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import dreamfusion_engine
from dreamfusion_engine.batch.prompt_list import Line
from dreamfusion_engine.errors import InputError, SetupError
from dreamfusion_engine.machine.atomic_file import write_atomically
from dreamfusion_engine.machine.disk import output_error
from dreamfusion_engine.request.output import folder_name
from dreamfusion_engine.wire.bounded_json import UnsafeJson, read_json_file

FORMAT = 1
PLAN = "batch.json"
_PLAN_LIMIT = 256 << 20  # bytes of a plan's file
MOST_JOBS = 100_000
RESULT = "result.json"


@dataclass(kw_only=True)
class Job:
    """One object of a batch: an ordinary run with a folder of its own.

    name: str, of its folder.
    prompt: str.
    seed: int.
    state: 'waiting', 'done' or 'failed'.
    trouble: {"code", "what", "why", "fix"} of a job that failed.
    seconds: float, that it took, over all its processes.
    score: float, the judge's grade; None where there is none.
    """

    name: str
    prompt: str
    seed: int
    state: str = "waiting"
    trouble: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    score: float | None = None


@dataclass(kw_only=True)
class Plan:
    """A batch.

    options: words that every run gets, such as '--preset', 'draft'.
    threads: int, of every run on a CPU: part of what decides a mesh to the bit. 0: as the folder's plan has it.
    jobs: Job each.
    """

    options: list[str]
    threads: int
    jobs: list[Job]

    @property
    def open(self) -> list[Job]:
        """The jobs that are not done."""
        return [job for job in self.jobs if job.state != "done"]

    def count(self, state: str) -> int:
        """Return how many jobs are in a state.

        state: str.
        """
        return sum(job.state == state for job in self.jobs)

    def save(self, folder: Path) -> None:
        """Write batch.json.

        folder: Path of the batch.
        Raises InputError where it cannot be written.
        """
        values = {"format": FORMAT, "engine": dreamfusion_engine.__version__, "options": self.options}
        values |= {"threads": self.threads, "jobs": [asdict(job) for job in self.jobs]}
        try:
            write_atomically(folder / PLAN, (json.dumps(values, indent=1, allow_nan=False) + "\n").encode())
        except OSError as error:
            raise output_error(folder, error) from error


def planned_jobs(lines: Iterable[Line], seeds: Sequence[int]) -> list[Job]:
    """Return the jobs of a list: every prompt with the first seed, then every prompt with the next.

    Two prompts whose folders would have one name get different ones.

    lines: Line each.
    seeds: int each.
    Raises InputError input.list for more than MOST_JOBS.
    """
    lines = list(lines)
    if len(lines) * len(seeds) > MOST_JOBS:
        raise InputError(
            "input.list",
            what="The batch is too large.",
            why=f"{len(lines):,} prompts with {len(seeds):,} seeds are more than {MOST_JOBS:,} objects.",
            fix="Cut the list into several, or give fewer seeds.",
        )
    jobs, taken = [], set[str]()
    for seed in seeds:
        for line in lines:
            name = plain = folder_name(line.prompt, seed)
            number = 2
            while name in taken:
                name, number = f"{plain}-{number}", number + 1
            taken.add(name)
            jobs.append(Job(name=name, prompt=line.prompt, seed=seed))
    return jobs


def load_plan(folder: Path, wanted: Plan) -> Plan:
    """Return the plan in a folder, with what is done; the one that is wanted where there is none yet.

    folder: Path of the batch.
    wanted: Plan of the command.
    Raises InputError input.batch_taken for a folder of another batch, or input.batch_damaged.
    """
    path = folder / PLAN
    if not path.is_file():
        return wanted
    try:
        values = read_json_file(path, limit=_PLAN_LIMIT)
        found_format = values["format"]
        if found_format == FORMAT:
            jobs = [Job(**job) for job in values["jobs"]]
            found = Plan(options=list(values["options"]), threads=int(values["threads"]), jobs=jobs)
            if any(job.state not in ("waiting", "done", "failed") for job in found.jobs):
                raise ValueError("a job is in a state that does not exist")
    except (OSError, UnsafeJson, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            "input.batch_damaged",
            what="The plan of the batch is damaged.",
            why=f"{path}: {type(error).__name__}: {str(error)[:300]}",
            fix="Give another --output folder. The objects that are finished stay in their folders here.",
        ) from error
    if found_format != FORMAT:
        raise SetupError(
            "checkpoint.format",
            what="The batch was begun by another version of DreamFusion.",
            why=f"{path} has format {str(found_format)[:20]}; this version reads format {FORMAT}.",
            fix="Go on with the version that began it, or give another --output folder.",
        )
    differs = _difference(found, wanted)
    if differs:
        raise InputError(
            "input.batch_taken",
            what="The folder holds another batch.",
            why=f"{folder}: {differs}",
            fix="Give another --output folder, or the list and the options that this batch was begun with.",
        )
    return found


def mark_done(plan: Plan, folder: Path) -> None:
    """Bring the states in line with what lies in the folder: a job is done if its result is there, whoever saw it.

    plan: Plan, which is changed.
    folder: Path of the batch.
    """
    for job in plan.jobs:
        made = _is_made(folder / job.name, job)
        if job.state == "done" and not made:
            job.state = "waiting"
        elif job.state != "done" and made:
            job.state, job.trouble = "done", {}


def _is_made(folder: Path, job: Job) -> bool:
    try:
        found = read_json_file(folder / RESULT)
        return bool(found["prompt"] == job.prompt and found["seed"] == job.seed and (folder / "mesh.glb").is_file())
    except (OSError, UnsafeJson, KeyError, TypeError):
        return False


def _difference(found: Plan, wanted: Plan) -> str:
    """Which way a plan is another one, as a sentence; '' where it is the same."""
    if found.options != wanted.options:
        return f"it was begun with {_words(found.options)}, and this command has {_words(wanted.options)}."
    if wanted.threads and found.threads != wanted.threads:
        return f"its runs have --threads {found.threads}, and this command asks for {wanted.threads}."
    old, new = ({(job.prompt, job.seed): job.name for job in plan.jobs} for plan in (found, wanted))
    gone, more = [key for key in old if key not in new], [key for key in new if key not in old]
    for keys, words in ((more, "this command has {} that it has not"), (gone, "it has {} that this command has not")):
        if keys:
            prompt, seed = keys[0]
            things = f"{len(keys):,} objects, {prompt[:60]!r} with seed {seed} for one,"
            return words.format(things) + "."
    return ""


def _words(options: list[str]) -> str:
    return " ".join(options)[:300] or "no options"


def to_values(job: Job) -> dict[str, Any]:
    """Return what a place of work must know of a job, as JSON.

    job: Job.
    """
    return {"name": job.name, "prompt": job.prompt, "seed": job.seed}
