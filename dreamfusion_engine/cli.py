"""The command `dreamfusion-engine`: generate, texture, refine, batch, settings, models and so on. Only it prints.

Exit codes: 0 done; 2 bad input or set-up; 3 the run failed; 130 cancelled, a checkpoint is kept.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dreamfusion_engine.commands import arguments as command_line
from dreamfusion_engine.commands import console
from dreamfusion_engine.commands.settings_table import about_json, about_text, settings_about, settings_text
from dreamfusion_engine.config.recipes import RECIPES
from dreamfusion_engine.config.seed_range import SeedRange
from dreamfusion_engine.errors import Cancelled
from dreamfusion_engine.events import Downloaded, Event, Result
from dreamfusion_engine.failures import as_engine_error
from dreamfusion_engine.hub.address import cache_folder, hub_address
from dreamfusion_engine.machine.processes import started_as_follower
from dreamfusion_engine.machine.run_folder import can_resume, check_spared
from dreamfusion_engine.machine.stop_signals import STOP_DOWNLOAD, stop_on_signals
from dreamfusion_engine.models.pipeline_folder import model_facts
from dreamfusion_engine.pictures.given import GivenPicture, picture_files, read_given
from dreamfusion_engine.request.settings import settings_for
from dreamfusion_engine.server.work import TASKS, Maker, work
from dreamfusion_engine.wire.messages import error_message, event_message
from dreamfusion_engine.wire.protocol import encode

FILE_WORDS = {
    "mesh.glb": "the textured mesh: File > Import > glTF 2.0 in Blender",
    "turntable.mp4": "360 degrees, colour next to normals",
    "views.png": "8 views, colour over clay",
    "before.png": "the same views as it was before",
    "result.json": "settings, times, measurements",
}


def main(argv: Sequence[str] | None = None, **makers: Maker) -> int:
    """Run the command line and return its exit code.

    argv: str words without the program's name; None for sys.argv's.
    makers: by task, functions that stand in for the engine's own, such as generate=...; these are imported once the
        request has been found good.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        options = command_line.parser(arguments).parse_args(arguments)
        if options.command is None:
            command_line.parser().print_help()
            return 2
        if getattr(options, "cache", None):
            os.environ["HF_HUB_CACHE"] = os.path.abspath(cache_folder({"HF_HUB_CACHE": options.cache}))
        if options.command == "generate":
            return _generate(options, arguments, makers)
        if options.command == "texture":
            return _texture(options, arguments, makers)
        if options.command == "refine":
            return _refine(options, arguments, makers)
        if options.command == "batch":
            return _batch(options, arguments)
        if options.command == "settings":
            return _settings(options)
        if options.command == "models":
            return _models(options)
        if options.command == "download":
            return _download(options, arguments)
        if options.command == "doctor":
            return _doctor(options)
        return _serve(options, makers)
    except BrokenPipeError:  # whoever read our output has gone: head, less, a closed window
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return Cancelled.exit_code
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return Cancelled.exit_code
    except Exception as error:  # the last net: bugs too are shown on one screen, with their log
        ours = as_engine_error(error)
        if "--json" in arguments:
            print(json.dumps(error_message(ours)))
        else:
            _tell(console.error_text(ours))
        return ours.exit_code


def _generate(options: argparse.Namespace, arguments: list[str], makers: Mapping[str, Maker]) -> int:
    settings = _run_settings(options)
    seeds = command_line.given_seeds(options.seeds, options.seed)
    if seeds is not None:
        options.command = "contest"
    mesh = Path(options.blockout) if options.blockout else b""
    return _made(options, arguments, mesh, settings, makers, read_given(options.images), seeds)


def _texture(options: argparse.Namespace, arguments: list[str], makers: Mapping[str, Maker]) -> int:
    return _made(options, arguments, Path(options.mesh), _run_settings(options), makers)


def _refine(options: argparse.Namespace, arguments: list[str], makers: Mapping[str, Maker]) -> int:
    return _made(options, arguments, Path(options.mesh), _run_settings(options), makers)


def _batch(options: argparse.Namespace, arguments: list[str]) -> int:
    from dreamfusion_engine.batch.command import batch_command

    settings = _given_settings(options) | {"negative": options.negative, "device": options.device}
    screen = console.ProgressDisplay(sys.stderr)
    lines = console.claim_stdout() if options.json else None
    try:
        return batch_command(options, settings, screen, lines)
    except (Exception, KeyboardInterrupt) as error:
        screen.clear()
        at_once = isinstance(error, KeyboardInterrupt)
        ours = _interrupted(Path(options.output)) if at_once else as_engine_error(error)
        if lines is not None:
            lines.write(encode(error_message(ours)))
            lines.flush()
        else:
            _tell(console.error_text(ours))
            if isinstance(ours, Cancelled):
                _tell(f"\nTo go on where it stopped:\n  {command_line.again_command(arguments)}")
        return ours.exit_code


def _run_settings(options: argparse.Namespace) -> dict[str, Any]:
    """What the options of a run say, nested by stage."""
    return _given_settings(options) | {
        "seed": options.seed or 0,
        "negative": options.negative,
        "device": options.device,
    }


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
    makers: as for `main`.
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
    lines = console.claim_stdout() if options.json else None
    gone = False

    def say(message: dict[str, Any]) -> None:
        nonlocal gone
        if lines is not None and not gone:
            try:
                lines.write(encode(message))
                lines.flush()
            except OSError:  # the reader has gone: stop as on Ctrl-C
                gone = True

    def report(event: Event) -> None:
        if lines is None:
            screen.show(event)
        else:
            say(event_message(event)[0])

    began = time.monotonic()
    try:
        with stop_on_signals() as stopped:
            result = work(
                options.command,
                asked,
                report,
                lambda: "cancel" if stopped() or gone or screen.gone else "continue",
                makers,
            )
    except (Exception, KeyboardInterrupt) as error:
        screen.clear()
        at_once = isinstance(error, KeyboardInterrupt)
        ours = _interrupted(asked.output) if at_once else as_engine_error(error, asked.output)
        _remove_empty(new)
        if started_as_follower() and isinstance(ours, Cancelled):
            return ours.exit_code
        say(error_message(ours))
        if lines is None:
            _tell(console.error_text(ours))
            if isinstance(ours, Cancelled):
                goes_on = can_resume(asked.output)
                words = "To go on where it stopped" if goes_on else "To begin again"
                command = command_line.resume_command if goes_on else command_line.again_command
                _tell(f"\n{words}:\n  {command(arguments)}")
        return ours.exit_code
    screen.clear()
    if started_as_follower():
        return 0
    say(event_message(result)[0])
    if lines is None:
        _print_result(result, time.monotonic() - began)
    return 0


def _tell(text: str) -> None:
    """Print on standard error; where a terminal is gone there is nobody to tell."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr)


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


def _given_settings(options: argparse.Namespace) -> dict[str, Any]:
    """What --set, --model, --base and the options that are short for a --set say, nested by stage."""
    lock, part = (getattr(options, name, None) for name in ("lock", "part"))  # each of one command
    settings = command_line.given_settings(
        options.set, options.steps, options.lora, options.embedding, lock=lock, part=part
    )
    return settings | {"model": options.model, "base": options.base}


def _settings(options: argparse.Namespace) -> int:
    if options.about is not None:
        found = settings_about(options.about)
        print(json.dumps([about_json(about) for about in found]) if options.json else about_text(found))
        return 0
    facts = model_facts(options.model, options.base)
    made = settings_for(facts, options.preset, "an object", _given_settings(options))
    if options.json:
        recipe = {"name": made.config.recipe, "experimental": RECIPES[made.config.recipe].experimental}
        print(json.dumps({"recipe": recipe, "preset": options.preset, "settings": made.to_json()}))
    else:
        print(settings_text(made))
    return 0


def _models(options: argparse.Namespace) -> int:
    from dreamfusion_engine.commands.doctor import model_lists
    from dreamfusion_engine.commands.model_table import models_text

    here, to_get = ([line.to_json() for line in lines] for lines in model_lists())
    print(json.dumps([*here, *to_get]) if options.json else models_text(here, to_get))
    return 0


def _download(options: argparse.Namespace, arguments: list[str]) -> int:
    from dreamfusion_engine.models.hub_models import download_model

    address = hub_address()
    if options.offline:
        address = dataclasses.replace(address, offline=True)
    screen = console.ProgressDisplay(sys.stderr)
    lines = console.claim_stdout() if options.json else None

    def report(event: Event) -> None:
        if lines is None:
            screen.show(event)
        else:
            lines.write(encode(event_message(event)[0]))
            lines.flush()

    try:
        with stop_on_signals(STOP_DOWNLOAD) as stopped:
            got = download_model(
                options.name,
                address,
                revision=options.revision,
                weights=not options.configs,
                report=report,
                control=lambda: "cancel" if stopped() or screen.gone else "continue",
            )
    except (Exception, KeyboardInterrupt) as error:
        screen.clear()
        ours = as_engine_error(error)
        if lines is not None:
            lines.write(encode(error_message(ours)))
            lines.flush()
        else:
            _tell(console.error_text(ours))
            if isinstance(ours, Cancelled):
                _tell(f"\nTo go on where it stopped:\n  {command_line.again_command(arguments)}")
        return ours.exit_code
    screen.clear()
    if lines is not None:
        done = Downloaded(model=options.name, folder=str(got.folder), size=got.bytes, license=got.license)
        lines.write(encode(event_message(done)[0]))
        lines.flush()
        return 0
    what = f"{got.files} files, {got.bytes / 1e6:,.0f} MB, every checksum is right"
    print(f"{options.name}: {what}")
    print(f"  {got.folder}")
    if got.license:
        print(f"  licence: {got.license}")
    if not options.configs:
        print(f'  To use it: dreamfusion-engine generate "a hamburger" --model {options.name}')
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from dreamfusion_engine.commands.doctor import examine

    lines = console.claim_stdout() if options.json else None
    checks = examine(Path("outputs"))
    fatal = any(check.fatal for check in checks)
    if lines is not None:
        lines.write(encode({"ready": not fatal, "checks": [check.to_json() for check in checks]}))
        lines.flush()
    else:
        for check in checks:
            mark = "FAIL" if check.fatal else ("warn" if check.fix else "ok")
            print(console.labelled(f"{mark:<4} {check.name:<9}", check.detail))
            if check.fix:
                print(console.labelled("     fix", check.fix))
        print("Not ready: see the lines marked FAIL." if fatal else "Ready.")
    return 2 if fatal else 0


def _serve(options: argparse.Namespace, makers: Mapping[str, Maker]) -> int:
    commands, wire = console.claim_stdin(), console.claim_stdout()
    from dreamfusion_engine.server.server import serve

    return serve(makers=makers, stdin=commands, stdout=wire, output_root=options.output_root)
