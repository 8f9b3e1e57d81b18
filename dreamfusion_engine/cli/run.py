"""The commands that make something: check it, run it, and show how it goes and what came of it."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dreamfusion_engine.cli.early_end import GO_ON, told_early_end
from dreamfusion_engine.cli.options import run_settings
from dreamfusion_engine.commands import console
from dreamfusion_engine.commands.advised_command import again_command, resume_command
from dreamfusion_engine.commands.typed_settings import given_seeds
from dreamfusion_engine.config.seed_range import SeedRange
from dreamfusion_engine.errors import Cancelled
from dreamfusion_engine.events import Event, Result
from dreamfusion_engine.failures import as_engine_error
from dreamfusion_engine.machine.processes import started_as_follower
from dreamfusion_engine.machine.run_folder import can_resume, check_spared
from dreamfusion_engine.machine.stop_signals import stop_on_signals
from dreamfusion_engine.pictures.given import GivenPicture, picture_files, read_given
from dreamfusion_engine.server.work import TASKS, Maker, work
from dreamfusion_engine.wire.messages import event_message
from dreamfusion_engine.wire.printed import JsonLines

FILE_WORDS = {
    "mesh.glb": "the textured mesh: File > Import > glTF 2.0 in Blender",
    "turntable.mp4": "360 degrees, colour next to normals",
    "views.png": "8 views, colour over clay",
    "before.png": "the same views as it was before",
    "result.json": "settings, times, measurements",
}


def generate(options: argparse.Namespace, arguments: list[str], makers: Mapping[str, Maker]) -> int:
    """Make an object, or hold a contest of seeds, and return the exit code.

    options: of the command.
    arguments: str words of the command line.
    makers: as for `cli.main`.
    """
    settings = run_settings(options)
    seeds = given_seeds(options.seeds, options.seed)
    if seeds is not None:
        options.command = "contest"
    mesh = Path(options.blockout) if options.blockout else b""
    return _made(options, arguments, mesh, settings, makers, read_given(options.images), seeds)


def texture(options: argparse.Namespace, arguments: list[str], makers: Mapping[str, Maker]) -> int:
    """Paint a mesh, and return the exit code; arguments as for `generate`."""
    return _made(options, arguments, Path(options.mesh), run_settings(options), makers)


def refine(options: argparse.Namespace, arguments: list[str], makers: Mapping[str, Maker]) -> int:
    """Refine a mesh, and return the exit code; arguments as for `generate`."""
    return _made(options, arguments, Path(options.mesh), run_settings(options), makers)


def _made(
    options: argparse.Namespace,
    arguments: list[str],
    mesh: Path | bytes,
    settings: dict[str, Any],
    makers: Mapping[str, Maker],
    pictures: Sequence[GivenPicture] = (),
    seeds: SeedRange | None = None,
) -> int:
    """Check and run what a command asks for, show how it goes, and return the exit code.

    options: of the command, whose name is that of a task.
    arguments: str words of the command line.
    mesh: Path of the mesh that the run gets; b"" for none.
    settings: nested by stage.
    makers: as for `cli.main`.
    pictures: GivenPictures of the object.
    seeds: SeedRange of a contest.
    """
    asked = TASKS[options.command].check(
        options.prompt,
        mesh,
        pictures,
        preset_name=options.preset,
        settings=settings,
        output=options.output,
        resume=options.resume,
        **({} if seeds is None else {"seeds": seeds}),
    )
    given = [mesh] if isinstance(mesh, Path) else []
    check_spared(asked.output, [*given, *picture_files(getattr(options, "images", ()))], resume=options.resume)
    new = [p for p in (asked.output, *asked.output.parents) if not p.exists()]
    screen = console.ProgressDisplay(sys.stderr)
    lines = None
    if options.json:
        lines = JsonLines(console.claim_stdout(), options.command, follows=started_as_follower())

    def gone() -> bool:
        """Whether nobody reads any more, which stops the run as Ctrl-C does."""
        return screen.gone or (lines is not None and lines.gone)

    def report(event: Event) -> None:
        if lines is None:
            screen.show(event)
        else:
            lines.say(event_message(event)[0])

    began = time.monotonic()
    try:
        with stop_on_signals() as stopped:
            result = work(
                options.command,
                asked,
                report,
                lambda: "cancel" if stopped() or gone() else "continue",
                makers,
            )
    except (Exception, KeyboardInterrupt) as error:
        screen.clear()
        at_once = isinstance(error, KeyboardInterrupt)
        ours = _interrupted(asked.output) if at_once else as_engine_error(error, asked.output)
        _remove_empty(new)
        if started_as_follower() and isinstance(ours, Cancelled):
            return ours.exit_code
        goes_on = isinstance(ours, Cancelled) and can_resume(asked.output)
        command = resume_command if goes_on else again_command
        return told_early_end(ours, lines, GO_ON if goes_on else "To begin again", command(arguments))
    screen.clear()
    if started_as_follower():
        return 0
    if lines is not None:
        lines.say(event_message(result)[0])
    else:
        _print_result(result, time.monotonic() - began)
    return 0


def _interrupted(output: Path) -> Cancelled:
    return Cancelled(
        "cancelled",
        what="Stopped at once.",
        why="Ctrl-C was pressed twice.",
        fix=f"The last checkpoint, if the run had come to one, is in {output}.",
    )


def _remove_empty(folders: Sequence[Path]) -> None:
    """Take back folders that this run made and left empty."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _print_result(result: Result, seconds: float) -> None:
    print(f"Done in {console.duration_text(seconds)}: {result.folder}")
    for name, path in result.files.items():
        words = FILE_WORDS.get(Path(path).name)
        print(f"  {Path(path).name:<14}  {words}" if words else f"  {name:<14}  {path}")
    for line in console.verdict_lines(result.report):
        print(f"  {line}")
