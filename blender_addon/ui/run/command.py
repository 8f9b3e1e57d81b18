"""The command `blender --command dreamfusion`: generate and install-engine, for terminals, scripts and render farms.

Blender has such commands since 4.2. Before, `blender -b --addons dreamfusion --python-expr` calls `main` directly.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import bpy

from ...core.assignments import BadAssignment, assigned, nested
from ...core.bounded_json import parse_json
from ..settings import preferences, scene_settings
from . import headless

NAME = "dreamfusion"
_commands: list[Any] = []  # what Blender gave for the registered command


def main(arguments: Sequence[str]) -> int:
    """Run the command line.

    arguments: words after the command's name.
    Returns the exit code: 0 done, 2 asked wrongly, 3 failed, 130 interrupted.
    """
    try:
        options = _parsed(list(arguments))
    except SystemExit as ending:  # argparse has said why
        return int(ending.code or 0)
    try:
        if options.command == "install-engine":
            return _install()
        return _generate(options)
    except headless.HeadlessFailed as failure:
        _say(f"error: {failure}", error=True)
        return 3
    except KeyboardInterrupt:
        _say("Stopped.", error=True)
        return 130


def _parsed(words: list[str]) -> argparse.Namespace:
    """The options of a command line. Ends as argparse does where they are wrong."""
    parser = _parser()
    options = parser.parse_args(words)
    if options.command == "generate" and not options.prompt.strip() and not options.image:
        parser.error('generate needs a prompt, such as "a hamburger", or a picture: --image FILE')
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"blender --command {NAME}", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("generate", help="make an object from a prompt", allow_abbrev=False)
    make.add_argument("prompt", nargs="?", default="", help='what to make, such as "a hamburger"')
    make.add_argument(
        "--image",
        action="append",
        default=[],
        metavar="FILE[@VIEW]",
        help="a picture of the object, seen from VIEW: front (default), right, back, left, or AZIMUTH,ELEVATION in "
        "degrees; may be repeated",
    )
    make.add_argument("--output", default="", metavar="FILE.blend", help="save the scene with the object")
    make.add_argument("--picture", default="", metavar="FILE.png", help="render the object")
    make.add_argument("--seed", type=int, default=0, help="another seed gives another object (default 0)")
    make.add_argument(
        "--best-of",
        type=int,
        default=1,
        choices=range(1, scene_settings.BEST_OF_LIMIT + 1),
        metavar="N",
        help="begin N seeds, from --seed on, and finish the best one (default 1)",
    )
    make.add_argument("--preset", default="standard", help="draft | standard | high (default standard)")
    make.add_argument("--model", default="starter", help="starter (built in), a diffusers folder or hub id")
    make.add_argument(
        "--texture-model", default="", metavar="NAME", help="another model, which paints the finished shape"
    )
    make.add_argument("--method", default="", help="field (default), or clip-mesh: bend a sphere, with a CLIP")
    make.add_argument("--negative", default="", help="what it should not look like")
    make.add_argument("--size", type=float, default=1.0, help="longest side in Blender units (default 1)")
    make.add_argument("--empty", action="store_true", help="begin with an empty scene, not the start-up file's")
    make.add_argument("--engine-python", default="", metavar="PYTHON", help="a Python that has the engine, this once")
    make.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="STAGE.KEY=VALUE",
        help="any other setting of the engine, such as optimize.steps=300; may be repeated",
    )
    commands.add_parser("install-engine", help="make the engine's own environment (downloads packages)")
    return parser


def _generate(options: argparse.Namespace) -> int:
    try:
        settings = nested(assigned(word, lambda text: parse_json(text.encode("utf-8"))) for word in options.set)
    except BadAssignment as error:
        _say(f"error: {error.what}\n  why: {error.why}\n  fix: {error.fix}", error=True)
        return 2
    if options.engine_python:
        chosen = preferences.of()  # not saved: Blender saves preferences only when its window closes
        chosen.engine, chosen.python = "python", options.engine_python
    if options.empty:
        bpy.ops.wm.read_homefile(use_empty=True)
    headless.generate(
        options.prompt,
        images=options.image,
        negative=options.negative,
        seed=options.seed,
        best_of=options.best_of,
        model=options.model,
        texture_model=options.texture_model,
        method=options.method,
        preset=options.preset,
        settings=settings,
        size=options.size,
        output=options.output,
        picture=options.picture,
        tell=_say,
    )
    return 0


def _install() -> int:
    if not getattr(bpy.app, "online_access", True):
        _say("error: Blender is not allowed to go online.\n  fix: blender --online-mode --command ...", error=True)
        return 2
    _say(f"The engine is ready: {headless.install_engine(_say)}")
    return 0


def _say(text: str, *, error: bool = False) -> None:
    stream = sys.stderr if error else sys.stdout
    stream.write(text + "\n")
    stream.flush()


def register() -> None:
    """Register the command, in Blender versions that have commands."""
    if hasattr(bpy.utils, "register_cli_command"):
        _commands.append(bpy.utils.register_cli_command(NAME, main))


def unregister() -> None:
    """Remove the command again."""
    while _commands:
        bpy.utils.unregister_cli_command(_commands.pop())
