"""The grammar of the command `dreamfusion-engine`: its commands and their options."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from dreamfusion_engine import __version__
from dreamfusion_engine.commands.argument_parser import Mask, Parser, Picture, filled, options_of
from dreamfusion_engine.config.presets import PRESET_NAMES

_DEVICE = "auto | cpu | cuda | cuda:1 | mps | xpu | a card's name, or teacher=...,field=... (default auto)"


def parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return the whole grammar. Parsing raises InputError input.command.

    words: what will be parsed; an error can then say what a word that begins with a dash was meant as.
    """
    top = Parser(
        prog="dreamfusion-engine",
        description="From a text prompt to a textured mesh by score distillation.",
        epilog="Exit codes: 0 done, 2 bad input or set-up, 3 the run failed, 130 cancelled.",
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"dreamfusion-engine {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)

    make = commands.add_parser("generate", help="make an object from a prompt", allow_abbrev=False)
    pictured = any(word.split("=")[0] == "--image" for word in words)
    if pictured or "--resume" in words:  # whether the model can do without a prompt is said later
        make.add_argument("prompt", metavar="PROMPT", nargs="?", default="", help="what the pictures show")
    else:
        make.add_argument("prompt", metavar="PROMPT", help='what to make, such as "a hamburger"')
    make.add_argument(
        "--image",
        dest="images",
        action=Picture,
        metavar="FILE[@VIEW]",
        type=filled,
        help="a picture of the object, seen from VIEW: front (default), right, back, left, or AZIMUTH,ELEVATION in "
        "degrees; may be repeated",
    )
    make.add_argument(
        "--mask",
        dest="images",
        action=Mask,
        metavar="FILE",
        type=filled,
        help="the mask of the --image before it: white is object",
    )
    make.set_defaults(images=[])
    make.add_argument(
        "--from", dest="blockout", metavar="MESH.glb", type=filled, help="begin from this shape, and take its place"
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
        "--part", metavar="NAME", type=filled, help="only this material, object or mesh of the file changes"
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
    serve.add_argument(
        "--on",
        default="local",
        metavar="PLACE",
        type=filled,
        help="local (default), ray, HOST:PORT or ray://HOST:PORT",
    )
    agents = commands.add_parser("mcp", help="serve agents by the Model Context Protocol", allow_abbrev=False)
    agents.add_argument(
        "--folder",
        type=filled,
        default="outputs",
        metavar="DIR",
        help="the only folder that agents may read and write (default: outputs)",
    )
    return top


def _folder(word: str) -> Path:
    """The folder of an option: an empty word would be the folder that one is in."""
    return Path(filled(word))


def _add_batch(many: argparse.ArgumentParser) -> None:
    many.add_argument("list", metavar="LIST", help="text file with a prompt a line; # begins a comment")
    many.add_argument(
        "--seeds", default="0", metavar="SEEDS", help="0-3, 5 or 0,2,7: every prompt with each (default 0)"
    )
    many.add_argument(
        "--output", required=True, type=filled, metavar="DIR|URL", help="folder of the batch; the same command goes on"
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


def _add_run(command: Parser, folder: str, words: Sequence[str]) -> None:
    """Add the options of a run. folder: where it writes by default. words: as for `parser`."""
    _add_model(command)
    command.add_argument("--output", type=_folder, metavar="DIR", help=f"default: {folder}")
    command.add_argument("--seed", type=int, metavar="N", help="another seed, another result (default 0)")
    command.add_argument("--negative", default="", metavar="TEXT", help="what it should not look like")
    command.add_argument("--device", default="auto", help=_DEVICE)
    command.add_argument("--resume", action="store_true", help="go on from the checkpoint in the output folder")
    command.add_argument("--json", action="store_true", help="print progress and result as JSON lines")
    _add_settings(command)
    known = ("--", *options_of(command))
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
        type=filled,
        help="another model, named as for --model, that paints the finished shape",
    )
    command.add_argument(
        "--texture-base", metavar="NAME", type=filled, help="as --base, for a .safetensors file as --texture-model"
    )


def _add_method(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--method", metavar="NAME", type=filled, help="field (default), or clip-mesh: bend a sphere, with a CLIP"
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
        "--cache", type=filled, metavar="DIR", help="folder of downloaded models (default: HF_HUB_CACHE, or the hub's)"
    )
