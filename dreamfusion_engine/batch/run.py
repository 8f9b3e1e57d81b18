"""A batch, step by step: check the list, hold the folder, plan or take up the plan, let a place work, keep the plan."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from dreamfusion_engine.batch import engine_process
from dreamfusion_engine.batch.local import Work, work_here
from dreamfusion_engine.batch.needs import Needs, needs_of
from dreamfusion_engine.batch.news import News
from dreamfusion_engine.batch.plan import PLAN, RESULT, Plan, load_plan, mark_done, planned_jobs, to_values
from dreamfusion_engine.batch.prompt_list import BadLine, read_list, usable
from dreamfusion_engine.batch.room import Card, Slot, cards, numbered, shared_threads, slots
from dreamfusion_engine.batch.seed_list import typed_seeds
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.machine.device import usable_cores
from dreamfusion_engine.machine.disk import output_error
from dreamfusion_engine.machine.main_memory import available_bytes
from dreamfusion_engine.machine.run_folder import can_resume, held_by
from dreamfusion_engine.models.pipeline_folder import ModelFacts, model_facts
from dreamfusion_engine.request.generate import checked_request
from dreamfusion_engine.request.output import output_folder
from dreamfusion_engine.request.run import prompted
from dreamfusion_engine.request.texture_stage import check_stage_prompt

LOCK = ".batch.lock"
MOST_THREADS = 256
MOST_PROCESSES = 1024


@dataclass(frozen=True, kw_only=True)
class BatchRequest:
    """A batch that can be started.

    plan: Plan of the command.
    bad: lines of the list that are left out.
    config: GenerateConfig of one of its runs.
    needs: Needs of a run.
    folder: Path of the batch.
    """

    plan: Plan
    bad: tuple[BadLine, ...]
    config: GenerateConfig
    needs: Needs
    folder: Path


class Place(Protocol):
    """Where jobs run."""

    def __call__(self, work: Work, tell: Callable[[News], None], stopped: Callable[[], bool]) -> None:
        """Run the jobs to their ends, or until they have been stopped."""


def checked_batch(
    path: Path,
    seeds: str,
    *,
    preset_name: str,
    settings: Mapping[str, Any],
    options: Sequence[str],
    folder: Path,
    threads: int = 0,
) -> BatchRequest:
    """Return a batch that can be started. Nothing is written.

    path: Path of the list.
    seeds: str, as typed.
    preset_name: str.
    settings: nested by stage, over the preset.
    options: words that say both to the command `generate`.
    folder: Path of the batch.
    threads: int, of a run on a CPU; 0: as the plan that is there has it, else by the cores.
    Raises InputError or SetupError for a list without a good line, and for every bad seed, setting, model or folder.
    """
    if not 0 <= threads <= MOST_THREADS:
        raise InputError(
            "input.threads",
            what="A run cannot have so many threads.",
            why=f"{threads} is not from 1 to {MOST_THREADS}.",
            fix="Leave --threads out, or give the cores that a run is to use.",
        )
    numbers = typed_seeds(seeds)
    lines, bad = read_list(path)
    folder = output_folder(folder)
    found: list[GenerateConfig] = []

    given = {**settings, "seed": numbers[0]}
    facts: list[ModelFacts] = []

    def check(prompt: str) -> str:
        if facts:  # the first good prompt has been checked together with everything else
            config = prompted(prompt, preset_name, given, facts[0])
            if config.texture.model:
                check_stage_prompt(replace(config, texture=found[0].texture), facts[1])
            return config.prompt
        asked = checked_request(prompt, preset_name=preset_name, settings=given, output=folder / "any")
        found.append(asked.config)
        facts.append(model_facts(asked.config.model, asked.config.base))
        if asked.config.texture.model:
            facts.append(model_facts(asked.config.texture.model, asked.config.texture.base))
        return asked.config.prompt

    good, refused = usable(lines, check)
    plan = Plan(options=list(options), threads=threads, jobs=planned_jobs(good, numbers))
    every = tuple(sorted([*bad, *refused], key=lambda line: line.number))
    return BatchRequest(plan=plan, bad=every, config=found[0], needs=needs_of(found[0]), folder=folder)


def run_batch(
    asked: BatchRequest,
    place: Place,
    begin: Callable[[Plan], None],
    tell: Callable[[News], None],
    stopped: Callable[[], bool],
) -> Plan:
    """Run a batch, or go on with it; return its plan, which says what became of every job.

    asked: BatchRequest.
    place: where its jobs run.
    begin: called with the plan before the first of them.
    tell: called with News, once the plan has it.
    stopped: asked whether to stop and keep checkpoints.
    Raises InputError for a folder of another batch, or one that another process works on.
    """
    with held_batch(asked.folder):
        plan = _plan(asked)
        plan.save(asked.folder)
        begin(plan)
        jobs = {job.name: job for job in plan.jobs}

        def hear(news: News) -> None:
            if news.kind == "ended" and news.outcome is not None:
                job, outcome = jobs[news.job], news.outcome
                job.seconds = round(job.seconds + outcome.seconds, 2)
                if outcome.fate in ("done", "failed"):
                    job.state, job.trouble, job.score = outcome.fate, outcome.trouble, outcome.score
                plan.save(asked.folder)
            tell(news)

        waiting = plan.open
        for job in waiting:
            job.state, job.trouble = "waiting", {}
        if waiting:
            work = Work(
                jobs=[to_values(job) for job in waiting],
                folder=asked.folder,
                options=plan.options,
                threads=plan.threads,
                program=engine_process.PROGRAM,
            )
            place(work, hear, stopped)
            plan.save(asked.folder)
        return plan


def local_place(asked: BatchRequest, most: int = 0) -> Place:
    """Return this machine as the place of a batch.

    asked: BatchRequest.
    most: int, processes at once; 0: as many as there is room for.
    """
    if not 0 <= most <= MOST_PROCESSES:
        raise InputError(
            "input.jobs",
            what="So many runs cannot go side by side.",
            why=f"--jobs {most} is not from 1 to {MOST_PROCESSES}.",
            fix="Leave --jobs out: then there are as many as the cores, the memory and the cards allow.",
        )

    def work(work: Work, tell: Callable[[News], None], stopped: Callable[[], bool]) -> None:
        work_here(work, _slots_here(asked, work.threads, cards(asked.config.device), most), tell, stopped)

    return work


@contextlib.contextmanager
def held_batch(folder: Path) -> Iterator[None]:
    """Hold a folder for one batch. It is made, and taken back at the end if it is still empty.

    folder: Path of the batch.
    Raises InputError input.batch_busy while another process has it, or where it cannot be written.
    """

    def busy(holder: str) -> InputError:
        return InputError(
            "input.batch_busy",
            what="Another batch works in this folder.",
            why=f"{folder} is held by {holder}.",
            fix="Wait for that batch, or stop it, or give another --output folder.",
        )

    try:
        with held_by(folder, LOCK, busy):
            yield
    except OSError as error:
        raise output_error(folder, error) from error


def _plan(asked: BatchRequest) -> Plan:
    """The plan in the folder, or the command's own."""
    known = (asked.folder / PLAN).is_file()
    plan = load_plan(asked.folder, asked.plan)
    if known:
        mark_done(plan, asked.folder)
    else:
        _check_free(plan, asked.folder)
    if not plan.threads:
        found = cards(asked.config.device)
        at_once = len(_slots_here(asked, 1, found)) if found else usable_cores()
        plan.threads = shared_threads(usable_cores(), min(at_once, len(plan.jobs)))
    return plan


def _slots_here(asked: BatchRequest, threads: int, found: Sequence[Card], most: int = 0) -> list[Slot]:
    """The room of this machine. found: its cards."""
    room = slots(
        cores=usable_cores(),
        threads=threads,
        main_memory=available_bytes(),
        needs=asked.needs.main,
        cards=found,
        needs_of_card=asked.needs.card,
        most=most,
    )
    return [replace(slot, environment={}) for slot in room] if numbered(asked.config.device) else room


def _check_free(plan: Plan, folder: Path) -> None:
    """Raise InputError where a new batch would write over the result of something else, or into a run's own folder."""
    if (folder / RESULT).exists() or can_resume(folder):
        raise InputError(
            "input.output_taken",
            what="The output folder is that of a single run.",
            why=f"{folder} holds {RESULT if (folder / RESULT).exists() else 'the checkpoint of a run'} and no {PLAN}.",
            fix="Give another --output folder: a batch makes one in it for every object.",
        )
    for job in plan.jobs:
        if (folder / job.name / RESULT).exists():
            raise InputError(
                "input.output_taken",
                what="The output folder is taken.",
                why=f"{folder / job.name} holds a result, and {folder} has no {PLAN}: no batch made it.",
                fix="Give another --output folder, or move that result away.",
            )
