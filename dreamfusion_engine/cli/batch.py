"""The command that makes many objects of a list."""

from __future__ import annotations

import argparse
import sys

from dreamfusion_engine.cli.early_end import GO_ON, told_early_end
from dreamfusion_engine.cli.options import given_settings
from dreamfusion_engine.commands import console
from dreamfusion_engine.commands.advised_command import again_command
from dreamfusion_engine.errors import Cancelled, EngineError
from dreamfusion_engine.failures import as_engine_error
from dreamfusion_engine.wire.printed import JsonLines


def batch(options: argparse.Namespace, arguments: list[str]) -> int:
    """Make the objects of a list, show how it goes, and return the exit code.

    options: of the command.
    arguments: str words of the command line.
    """
    from dreamfusion_engine.batch.command import batch_command

    settings = given_settings(options) | {"negative": options.negative, "device": options.device}
    screen = console.ProgressDisplay(sys.stderr)
    lines = JsonLines(console.claim_stdout(), "batch") if options.json else None
    try:
        return batch_command(options, settings, screen, lines)
    except (Exception, KeyboardInterrupt) as error:
        screen.clear()
        ours = _at_once() if isinstance(error, KeyboardInterrupt) else as_engine_error(error)
        return told_early_end(ours, lines, GO_ON, again_command(arguments))


def _at_once() -> EngineError:
    return Cancelled(
        "cancelled",
        what="Stopped at once.",
        why="Ctrl-C was pressed twice.",
        fix="Give the same command to go on from the last checkpoints.",
    )
