"""The folder of a run: its name, and whether a run can be written there. Nothing is left in it."""

from __future__ import annotations

import os
import re
import tempfile
import unicodedata
from pathlib import Path

from dreamfusion_engine.config.seed_range import SeedRange
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.config.texture_stage import texture_config
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.inputs.given_path import UnusablePath, absence, given_path, shortened
from dreamfusion_engine.machine.disk import check_room

_DISK_NEEDED = 200 << 20  # bytes: textures, video and previews, and room; two checkpoints come on top
SLUG_LIMIT = 60  # characters
_LONGEST_NAME = "checkpoint/" + 50 * "x"  # of what a run makes in its folder, with room for temporary names


def output_folder(given: Path) -> Path:
    """The absolute path of an output folder. Raises InputError for a path that no folder can have."""
    try:
        return Path(os.path.abspath(given_path(given, holds=_LONGEST_NAME)))
    except UnusablePath as error:
        raise InputError(
            "input.output",
            what="The output folder cannot be written.",
            why=f"{shortened(given)}: {error}.",
            fix="Give another --output folder.",
        ) from error


def contest_name(prompt: str, seeds: SeedRange) -> str:
    """Return the name of a contest's folder: of its prompt and of its first and last seed.

    prompt: str.
    seeds: SeedRange.
    """
    return f"{folder_name(prompt, seeds.first)}-to-{seeds.seeds[-1]}"


def folder_name(prompt: str, seed: int) -> str:
    """A name that every file system takes: 'A red mug!' with seed 3 -> 'a-red-mug-3'. Letters of any script stay.

    prompt: str.
    seed: int.
    """
    plain = unicodedata.normalize("NFKC", prompt).lower()
    words = re.sub(r"[\W_]+", "-", plain).strip("-")[:SLUG_LIMIT].strip("-")
    return f"{words or 'object'}-{seed}"


def disk_needed(config: GenerateConfig, seeds: int = 1) -> int:
    """Bytes that a run may take on the disk: checkpoints of field and optimizer, one more than seeds, and its files."""
    second = _table(texture_config(config)) if config.texture.model and config.texture.recipe else 0
    return _DISK_NEEDED + (seeds + 1) * 3 * _table(config) + 2 * 3 * second  # Adam keeps two moments of each


def _table(config: GenerateConfig) -> int:
    """Bytes of a run's hash grid at most."""
    field = config.field
    return field.levels * field.features * (4 << field.log2_table)  # float32; a coarse level has fewer entries


def check_output(folder: Path, needed: int = _DISK_NEEDED) -> None:
    """Raise InputError unless `folder` can be made and written, with room on its disk. Leaves no trace.

    folder: Path.
    needed: int, bytes that must be free.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(
            "input.output_file",
            what="The output must be a folder, and this is a file.",
            why=f"{folder} is a file.",
            fix="Give another --output, or leave it out for outputs/<prompt>-<seed>.",
        )
    parent = folder
    try:
        while not parent.exists():
            if parent.is_symlink():
                raise _dangling(folder, parent)
            parent = parent.parent
        if not parent.is_dir():
            raise NotADirectoryError(f"{parent} is a file, not a folder")
        with tempfile.TemporaryFile(dir=parent):
            pass
        check_room(
            parent,
            needed,
            what="There is too little room on the disk.",
            needs="A run",
            fix="Make room, or give an --output folder on another disk.",
        )
    except OSError as error:
        raise InputError(
            "input.output",
            what="The output folder cannot be written.",
            why=f"{folder}: {error.strerror or error}",
            fix="Give another --output folder, or change the permissions of this one.",
        ) from error


def _dangling(folder: Path, link: Path) -> InputError:
    return InputError(
        "input.output",
        what="The output folder cannot be made.",
        why=f"{link} {absence(link)}" + (f", and {folder} is below it." if folder != link else "."),
        fix="Make the folder that the link leads to (is its disk connected?), or give another --output.",
    )
