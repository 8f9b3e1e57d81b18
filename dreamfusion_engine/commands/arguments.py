"""The grammar of the command `dreamfusion-engine`: its options, `--set`, and its commands as a user would type them."""

from __future__ import annotations

import argparse
import math
import os
import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from dreamfusion_engine import __version__
from dreamfusion_engine.commands.shell_line import shell_line
from dreamfusion_engine.config.presets import PRESET_NAMES, nearest
from dreamfusion_engine.config.seed_range import SeedRange, typed_range
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.inputs.given_path import shortened
from dreamfusion_engine.wire.assignments import BadAssignment, assigned, nested

COMMANDS = (
    "generate",
    "texture",
    "refine",
    "batch",
    "settings",
    "models",
    "download",
    "doctor",
    "messages",
    "serve",
    "mcp",
)
# How the program was called, when a wrapper such as install.py called it: shown in the advice to resume.
CALLED_AS = "DREAMFUSION_CALLED_AS"


class _Parser(argparse.ArgumentParser):
    """argparse, with errors in the engine's own form and no guessing at abbreviations."""

    dashed = ""  # a word that may have been meant as the prompt, and was read as an option
    before_prompt: tuple[str, ...] = ()  # what a command takes before it

    def error(self, message: str) -> NoReturn:
        known = [*COMMANDS, *_options(self)]
        wrong = [word.strip(",:'\"") for word in message.split()]
        wrong = [word for word in wrong if word not in known and (word.startswith("-") or len(word) > 4)]
        close = (nearest(word, known) for word in wrong)
        guess = next((word for word in close if word), None)
        unread = self.dashed and ("PROMPT" in message or "explicit argument" in message)
        raise InputError(
            "input.command",
            what="The command line cannot be read.",
            why=message[0].upper() + message[1:] + ".",
            fix=(self._after_dashes() if unread else f"Did you mean {guess}? " if guess else "")
            + f"See: {self.prog} --help",
        )

    def _after_dashes(self) -> str:
        words = shlex.join(["--", *self.before_prompt, self.dashed])
        return f"A prompt that begins with a dash goes after the options and two dashes: {self.prog} {words}. "


class _Picture(argparse.Action):
    """Notes a picture, with no mask."""

    def __call__(
        self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: str | None = None
    ) -> None:
        namespace.images = [*namespace.images, (values, "")]


class _Mask(argparse.Action):
    """Gives the last picture its mask."""

    def __call__(
        self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: str | None = None
    ) -> None:
        if not namespace.images or namespace.images[-1][1]:
            raise InputError(
                "input.mask",
                what="A mask has no picture.",
                why="Each --mask belongs to the --image before it, and a picture has one mask.",
                fix="For example: --image chair.png@front --mask chair-mask.png",
            )
        *before, (image, _) = namespace.images
        namespace.images = [*before, (image, values)]


def _filled(word: str) -> str:
    """The word of an option that would be left out unseen if it were empty, as a variable of a shell may be."""
    if not word.strip():
        raise argparse.ArgumentTypeError("nothing was given")
    return word


def _options(parser: argparse.ArgumentParser) -> list[str]:
    """Every option of a parser and of the commands below it."""
    found: list[str] = []
    for action in parser._actions:
        found += action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                found += _options(below)
    return found


def parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return the whole grammar. Parsing raises InputError input.command.

    words: what will be parsed; an error can then say what a word that begins with a dash was meant as.
    """
    top = _Parser(
        prog="dreamfusion-engine",
        description="From a text prompt to a textured mesh by score distillation.",
        epilog="Exit codes: 0 done, 2 bad input or set-up, 3 the run failed, 130 cancelled.",
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"dreamfusion-engine {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)

    make = commands.add_parser("generate", help="make an object from a prompt", allow_abbrev=False)
    pictured = any(word.split("=")[0] == "--image" for word in words)
    if pictured or "--resume" in words:  # whether the model can do without a prompt is said later
        make.add_argument("prompt", metavar="PROMPT", nargs="?", default="", help="what the pictures show")
    else:
        make.add_argument("prompt", metavar="PROMPT", help='what to make, such as "a hamburger"')
    make.add_argument(
        "--image",
        dest="images",
        action=_Picture,
        metavar="FILE[@VIEW]",
        type=_filled,
        help="a picture of the object, seen from VIEW: front (default), right, back, left, or AZIMUTH,ELEVATION in "
        "degrees; may be repeated",
    )
    make.add_argument(
        "--mask",
        dest="images",
        action=_Mask,
        metavar="FILE",
        type=_filled,
        help="the mask of the --image before it: white is object",
    )
    make.set_defaults(images=[])
    make.add_argument(
        "--from", dest="blockout", metavar="MESH.glb", type=_filled, help="begin from this shape, and take its place"
    )
    make.add_argument("--lock", type=float, metavar="0..1", help="how strongly that shape holds (default 0.5)")
    _add_texture_model(make)
    _add_method(make)
    make.add_argument("--seeds", metavar="N|A-B", help="a contest: begin N seeds, or A to B, and finish the best one")
    _add_run(make, "outputs/<prompt>-<seed>", words)
    paint = commands.add_parser("texture", help="paint a mesh that you have, as a prompt says", allow_abbrev=False)
    paint.add_argument(
        "mesh", metavar="MESH.glb", help="binary glTF; its UVs stay as they are, its shape too without --shape"
    )
    paint.add_argument("prompt", metavar="PROMPT", help='what it is to look like, such as "a green robot"')
    paint.add_argument(
        "--part", metavar="NAME", type=_filled, help="only this material, object or mesh of the file changes"
    )
    paint.add_argument(
        "--shape", action="store_const", const=True, help="of a part: its vertices move too, not its colours alone"
    )
    paint.before_prompt = ("MESH.glb",)
    _add_run(paint, "outputs/<mesh>-<prompt>-texture-<seed>", words)
    better = commands.add_parser("refine", help="improve a mesh that you have: shape and colours", allow_abbrev=False)
    better.add_argument("mesh", metavar="MESH.glb", help="binary glTF; it begins with its shape and its colours")
    better.add_argument("prompt", metavar="PROMPT", help='what it is, such as "a green robot"')
    better.before_prompt = ("MESH.glb",)
    _add_run(better, "outputs/<mesh>-<prompt>-refined-<seed>", words)
    _add_batch(commands.add_parser("batch", help="make many objects from a list of prompts", allow_abbrev=False))
    show = commands.add_parser("settings", help="show what a model's runs are set to, and why", allow_abbrev=False)
    _add_model(show)
    _add_texture_model(show)
    _add_method(show)
    show.add_argument("--json", action="store_true", help="print as JSON")
    show.add_argument(
        "--about",
        nargs="?",
        const="",
        metavar="WORD",
        help="list what --set takes, with range, unit and meaning: every setting, or those with WORD in the name",
    )
    _add_settings(show)

    models = commands.add_parser("models", help="list the models here and those worth having", allow_abbrev=False)
    models.add_argument("--json", action="store_true", help="print as JSON")
    _add_cache(models)
    get = commands.add_parser("download", help="download a model, or check and mend one", allow_abbrev=False)
    get.add_argument("name", metavar="OWNER/NAME", help="id of a model at the hub; `models` lists some")
    get.add_argument("--revision", default="main", metavar="NAME", help="branch, tag or commit (default main)")
    get.add_argument("--configs", action="store_true", help="only its configs and vocabularies, for single-file models")
    get.add_argument("--offline", action="store_true", help="ask no network: check what is here")
    get.add_argument("--json", action="store_true", help="print progress and result as JSON lines")
    _add_cache(get)
    doctor = commands.add_parser("doctor", help="check this machine and installation", allow_abbrev=False)
    doctor.add_argument("--json", action="store_true", help="print as JSON")
    said = commands.add_parser("messages", help="show the messages that programs read and write", allow_abbrev=False)
    said.add_argument("--json", action="store_true", help="print as a JSON Schema")
    serve = commands.add_parser("serve", help="take requests on standard input, for the add-on", allow_abbrev=False)
    serve.add_argument("--output-root", type=_folder, default=Path("outputs"), metavar="DIR", help="default: outputs")
    agents = commands.add_parser("mcp", help="serve agents by the Model Context Protocol", allow_abbrev=False)
    agents.add_argument(
        "--folder",
        type=_filled,
        default="outputs",
        metavar="DIR",
        help="the only folder that agents may read and write (default: outputs)",
    )
    return top


def _folder(word: str) -> Path:
    """The folder of an option: an empty word would be the folder that one is in."""
    return Path(_filled(word))


def _add_batch(many: argparse.ArgumentParser) -> None:
    many.add_argument("list", metavar="LIST", help="text file with a prompt a line; # begins a comment")
    many.add_argument(
        "--seeds", default="0", metavar="SEEDS", help="0-3, 5 or 0,2,7: every prompt with each (default 0)"
    )
    many.add_argument(
        "--output", required=True, type=_filled, metavar="DIR|URL", help="folder of the batch; the same command goes on"
    )
    many.add_argument("--on", default="local", metavar="PLACE", help="local | ray | ray://HOST:PORT (default local)")
    many.add_argument("--jobs", type=int, default=0, metavar="N", help="runs at once (default: as many as fit)")
    many.add_argument(
        "--threads", type=int, default=0, metavar="N", help="threads of a run on a CPU (default: by cores)"
    )
    many.add_argument("--negative", default="", metavar="TEXT", help="what they should not look like")
    many.add_argument("--device", default="auto", help=_DEVICE)
    many.add_argument("--json", action="store_true", help="print progress and results as JSON lines")
    _add_model(many)
    _add_texture_model(many)
    _add_method(many)
    _add_settings(many)


def _add_run(command: _Parser, folder: str, words: Sequence[str]) -> None:
    """Add the options of a run. folder: where it writes by default. words: as for `parser`."""
    _add_model(command)
    command.add_argument("--output", type=_folder, metavar="DIR", help=f"default: {folder}")
    command.add_argument("--seed", type=int, metavar="N", help="another seed, another result (default 0)")
    command.add_argument("--negative", default="", metavar="TEXT", help="what it should not look like")
    command.add_argument("--device", default="auto", help=_DEVICE)
    command.add_argument("--resume", action="store_true", help="go on from the checkpoint in the output folder")
    command.add_argument("--json", action="store_true", help="print progress and result as JSON lines")
    _add_settings(command)
    known = ("--", *_options(command))
    command.dashed = next((word for word in words if word.startswith("-") and word.split("=")[0] not in known), "")


def _add_model(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--model", default="starter", help="starter (built in), a diffusers folder, hub id or .safetensors"
    )
    command.add_argument(
        "--base", default="", metavar="NAME", help="folder or hub id that completes a .safetensors file"
    )
    command.add_argument(
        "--lora",
        action="append",
        default=[],
        metavar="FILE[:WEIGHT]",
        help="LoRA (.safetensors) for the model, with its weight (default 1); may be repeated",
    )
    command.add_argument(
        "--embedding",
        action="append",
        default=[],
        metavar="FILE",
        help="textual inversion (.safetensors): a word for the prompt; may be repeated",
    )


def _add_texture_model(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--texture-model",
        metavar="NAME",
        type=_filled,
        help="another model, named as for --model, that paints the finished shape",
    )
    command.add_argument(
        "--texture-base", metavar="NAME", type=_filled, help="as --base, for a .safetensors file as --texture-model"
    )


def _add_method(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--method", metavar="NAME", type=_filled, help="field (default), or clip-mesh: bend a sphere, with a CLIP"
    )


def _add_settings(command: argparse.ArgumentParser) -> None:
    command.add_argument("--preset", default="standard", help=f"{' | '.join(PRESET_NAMES)} (default standard)")
    command.add_argument("--steps", type=int, metavar="N", help="training steps, over the preset's")
    _add_cache(command)
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="STAGE.KEY=VALUE",
        help="any other setting, such as mesh.texture=2048; may be repeated; `settings --about` lists them",
    )


def _add_cache(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--cache", type=_filled, metavar="DIR", help="folder of downloaded models (default: HF_HUB_CACHE, or the hub's)"
    )


_DEVICE = "auto | cpu | cuda | cuda:1 | mps | xpu | a card's name, or teacher=...,field=... (default auto)"
# Settings with an option of their own, which always has a value and would win unseen.
_OWN_OPTIONS = {"seed": "--seed", "negative": "--negative", "device": "--device", "model": "--model", "base": "--base"}
# Settings that an option may give as well.
_SHORT_OPTIONS = {
    "method": "--method",
    "optimize.steps": "--steps",
    "adapters.lora": "--lora",
    "adapters.embeddings": "--embedding",
    "start.lock": "--lock",
    "paint.part": "--part",
    "paint.shape": "--shape",
    "texture.model": "--texture-model",
    "texture.base": "--texture-base",
}


def given_settings(
    assignments: Sequence[str],
    steps: int | None,
    loras: Sequence[str],
    embeddings: Sequence[str],
    lock: float | None = None,
    part: str | None = None,
    shape: bool | None = None,
    texture_model: str | None = None,
    texture_base: str | None = None,
    method: str | None = None,
    seed_option: str = "--seed",
) -> dict[str, Any]:
    """Return what --set and the options that are short for one say, nested by stage. A contradiction is an error.

    assignments: 'stage.key=value' words.
    steps: int; None where not given.
    loras: 'FILE[:WEIGHT]' words.
    embeddings: file names.
    lock: float, of --lock; None where not given.
    part: str, of --part; None where not given.
    shape: bool, whether --shape was given; None where it was not.
    texture_model, texture_base: str, of --texture-model and --texture-base; None where not given.
    method: str, of --method; None where not given.
    seed_option: str, by which the command takes seeds.
    Raises InputError input.set for a --set of what another option gives.
    """
    settings = parse_settings(assignments)
    said = {"optimize.steps": steps, "start.lock": lock, "paint.part": part, "paint.shape": shape}
    said |= {"texture.model": texture_model, "texture.base": texture_base, "method": method}
    more = {name: value for name, value in said.items() if value is not None}
    more |= adapter_settings(loras, embeddings)
    for name, option in (_OWN_OPTIONS | {"seed": seed_option}).items():
        if name in settings:
            raise InputError(
                "input.set",
                what=f"'{name}' cannot be given with --set.",
                why=f"It has an option of its own, {option}, which would win over the --set.",
                fix=f"Use {option} VALUE.",
            )
    for name, option in _SHORT_OPTIONS.items():
        stage, _, key = name.rpartition(".")
        group = settings.get(stage) if stage else settings
        if name in more and isinstance(group, dict) and key in group:
            raise InputError(
                "input.set",
                what=f"{option} and --set {name} contradict each other.",
                why=f"Both give '{name}', and only one of them can count.",
                fix="Keep one of them.",
            )
    return _nested([*settings.items(), *more.items()])


def given_seeds(seeds: str | None, seed: int | None) -> SeedRange | None:
    """Return what --seeds says; None without it.

    seeds, seed: what --seeds and --seed gave; None where not given.
    Raises InputError input.seeds for both at once, and for what is no range.
    """
    if seeds is None:
        return None
    if seed is not None:
        raise InputError(
            "input.seeds",
            what="--seed and --seeds contradict each other.",
            why=f"--seed {seed} is one seed, and --seeds {shortened(seeds)} are those of a contest.",
            fix="Keep one of them.",
        )
    return typed_range(seeds)


def parse_settings(assignments: Sequence[str]) -> dict[str, Any]:
    """Return 'stage.key=value' words as nested settings; a value is JSON where it can be read as such, else text.

    Raises InputError input.set for a word of another form, and for a name that is a value and a group.
    """
    try:
        pairs = [assigned(word) for word in assignments]
    except BadAssignment as error:
        raise _bad(error) from None
    return _nested(pairs)


def adapter_settings(loras: Sequence[str], embeddings: Sequence[str]) -> dict[str, Any]:
    """Return what --lora FILE[:WEIGHT] and --embedding FILE say, by dotted name; nothing for what was not given.

    loras: words FILE[:WEIGHT].
    embeddings: words FILE.
    """
    said: dict[str, Any] = {}
    if loras:
        said["adapters.lora"] = [list(_lora(text)) for text in loras]
    if embeddings:
        said["adapters.embeddings"] = list(embeddings)
    return said


def _nested(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    try:
        return nested(pairs)
    except BadAssignment as error:
        raise _bad(error) from None


def _bad(error: BadAssignment) -> InputError:
    return InputError("input.set", what=error.what, why=error.why, fix=error.fix)


def _lora(text: str) -> tuple[str, float]:
    """File and weight. What follows the last colon is the weight, unless it is the rest of a path (C:\\...)."""
    file, colon, weight = text.rpartition(":")
    if not colon or "/" in weight or "\\" in weight or os.path.isfile(text):
        return text, 1.0
    try:
        value = float(weight)
    except ValueError:
        value = float("nan")
    if not math.isfinite(value):
        raise InputError(
            "input.lora_weight",
            what="The weight of a LoRA cannot be read.",
            why=f"{weight[:40]!r}, after the colon of {text[:200]!r}, is not a finite number.",
            fix="For example: --lora style.safetensors:0.8",
        )
    return file, value


def resume_command(arguments: Sequence[str]) -> str:
    """Return the command that continues this run, as the user would type it."""
    end = list(arguments).index("--") if "--" in arguments else len(arguments)  # after it a word is no option
    options, words = arguments[:end], arguments[end:]
    return again_command([*options, *([] if "--resume" in options else ["--resume"]), *words])


def again_command(arguments: Sequence[str]) -> str:
    """Return these arguments as the user would type them, after the program's name as it was called.

    On Windows these are two lines where cmd and PowerShell need different ones.
    """
    called_as = os.environ.get(CALLED_AS)
    program = [] if called_as else [sys.executable, "-m", "dreamfusion_engine"]
    words = [*program, *arguments[1 if called_as else 0 :]]
    return shell_line(words, before=called_as or "")
