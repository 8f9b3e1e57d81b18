"""The command `batch`: its options as a batch, a place for it to run, and the exit code."""

from __future__ import annotations

import argparse
import contextlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dreamfusion_engine.batch.news import News
from dreamfusion_engine.batch.plan import Plan
from dreamfusion_engine.batch.ray_place import RayPlace
from dreamfusion_engine.batch.remote import Remote, is_url, with_saving
from dreamfusion_engine.batch.run import BatchRequest, Place, checked_batch, local_place, run_batch
from dreamfusion_engine.batch.view import View
from dreamfusion_engine.commands.console import ProgressDisplay
from dreamfusion_engine.errors import Cancelled, InputError, RunError
from dreamfusion_engine.machine.stop_signals import stop_on_signals
from dreamfusion_engine.wire.printed import JsonLines

STOPPING = b"\nStopping every run after its step, with a checkpoint. Press Ctrl-C again to stop at once.\n"
_DEFAULTS = {  # of options that every run gets
    "model": "starter",
    "base": "",
    "texture_model": None,
    "texture_base": None,
    "method": None,
    "preset": "standard",
    "negative": "",
    "device": "auto",
}


def run_words(options: argparse.Namespace) -> list[str]:
    """Return the words by which every run of a batch is told what the command was told.

    options: of the command.
    """
    words: list[str] = []
    for name, default in _DEFAULTS.items():
        value = getattr(options, name)
        if value != default:
            words.append(f"--{name.replace('_', '-')}={value}")
    words += [f"--steps={options.steps}"] if options.steps is not None else []
    words += [f"--cache={options.cache}"] if options.cache else []
    for option, values in (("--lora", options.lora), ("--embedding", options.embedding), ("--set", options.set)):
        words += [f"{option}={value}" for value in values]
    return words


def batch_command(
    options: argparse.Namespace, settings: Mapping[str, Any], screen: ProgressDisplay, lines: JsonLines | None
) -> int:
    """Run a batch as the command says, and return the exit code: 0, 3 where an object failed, 2 for lines left out.

    options: of the command.
    settings: what its options say, nested by stage.
    screen: ProgressDisplay for people.
    lines: JsonLines, in place of the screen; None for none.
    Raises InputError or SetupError before anything runs, Cancelled when it was stopped.
    """
    remote = Remote(options.output) if is_url(options.output) else None
    asked = checked_batch(
        Path(options.list),
        options.seeds,
        preset_name=options.preset,
        settings=settings,
        options=run_words(options),
        folder=Path(options.output) if remote is None else remote.folder,
        threads=options.threads,
    )
    place = place_named(options.on, asked, options.jobs)
    view = View(options.output if remote else asked.folder, screen, lines)
    for bad in asked.bad:
        view.left_out(bad)
    with contextlib.ExitStack() as stack:
        stopped = stack.enter_context(stop_on_signals(STOPPING))
        if remote is not None:
            stack.enter_context(remote.held())
        hear: Callable[[News], None] = view.hear

        def stop() -> bool:
            return stopped() or view.gone

        def begin(plan: Plan) -> None:
            nonlocal hear
            if remote is not None:
                remote.save(plan, [job.name for job in plan.jobs])
                hear = with_saving(remote, plan, view.hear)
            view.begin(plan)

        plan = run_batch(asked, place, begin, lambda news: hear(news), stop)
        if remote is not None:
            remote.save(plan, [job.name for job in plan.open])
        cut = stop() and bool(plan.count("waiting"))
    view.end(plan, len(asked.bad), stopped=cut)
    if cut:
        raise Cancelled(
            "cancelled",
            what="The batch was stopped.",
            why="You asked for it. Objects that are done stay.",
            fix="Give the same command to go on: a run begins at its last checkpoint, or anew where it has none.",
        )
    return RunError.exit_code if plan.count("failed") else InputError.exit_code if asked.bad else 0


def place_named(name: str, asked: BatchRequest, most: int) -> Place:
    """Return the place of that name.

    name: 'local', 'ray', 'ray://HOST:PORT' or 'HOST:PORT'.
    asked: BatchRequest that will run there.
    most: int, runs at once; 0: as many as there is room for.
    Raises InputError input.place for another name.
    """
    if name == "local":
        return local_place(asked, most)
    if re.fullmatch(r"ray|(ray://)?[^\s:/]+:\d{1,5}", name):
        return RayPlace(name, asked.config, asked.needs, most=most)
    raise InputError(
        "input.place",
        what="There is no such place for a batch.",
        why=f"--on {name[:100]!r} is none.",
        fix="Give --on local, --on ray, or --on ray://HOST:PORT.",
    )
