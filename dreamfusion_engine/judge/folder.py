"""Which folder judges a run, and whether it can: the checks that need no loading."""

from __future__ import annotations

import hashlib
from pathlib import Path

from dreamfusion_engine.errors import InputError, SetupError
from dreamfusion_engine.inputs.given_path import UnusablePath, given_path, shortened
from dreamfusion_engine.models.pipeline_folder import locate_model
from dreamfusion_engine.wire.bounded_json import UnsafeJson, read_json_file

WEIGHTS = Path(__file__).parent / "weights"
AUTO, OFF = "auto", "off"
_MODEL = "model.safetensors"
_PIECE = 1 << 20  # bytes read at a time
_FIX = "Give a whole CLIPModel folder: config.json, model.safetensors, tokenizer, preprocessor_config.json. Or 'auto'."


def judge_folder(name: str, *teachers: str) -> Path | None:
    """Return the folder of a run's judge; None where it has none.

    name: 'auto', 'off', or the path of a CLIPModel folder.
    teachers: names of the models that teach, which never judge; "" for none.
    Raises InputError judge.folder for a folder that is no judge, judge.teaches for the teacher's own.
    """
    if name == OFF:
        return None
    if name == AUTO:
        return None if any(_is_teacher(WEIGHTS, teacher) for teacher in teachers if teacher) else WEIGHTS
    try:
        folder = Path(given_path(name))
        if not name.strip() or not folder.is_dir():
            raise UnusablePath("there is no such folder")
        config = read_json_file(folder / "config.json")
        if not isinstance(config, dict) or config.get("model_type") != "clip":
            raise UnusablePath("its config.json is not that of a CLIPModel")
        for tower in ("text_config", "vision_config"):
            if not isinstance(config.get(tower), dict):
                raise UnusablePath(f"it is a CLIP without {tower.partition('_')[0]} tower: no '{tower}'")
        if not (folder / "preprocessor_config.json").is_file():
            raise UnusablePath("it holds no preprocessor_config.json")
    except (OSError, UnsafeJson, UnusablePath) as error:
        at_file = isinstance(error, OSError) and error.strerror and error.filename
        why = f"{Path(str(error.filename)).name}: {error.strerror}" if at_file else error  # type: ignore[union-attr]
        raise InputError(
            "judge.folder",
            what="The judge cannot be used.",
            why=f"{shortened(name) if name.strip() else repr(name)}: {why}.",
            fix=_FIX,
        ) from error
    if any(_is_teacher(folder, teacher) for teacher in teachers if teacher):
        raise InputError(
            "judge.teaches",
            what="The model that teaches cannot judge.",
            why="A result always pleases the model that made it, so its grade would say nothing.",
            fix="Give another CLIP folder as the judge, or 'auto' or 'off'.",
        )
    return folder


def _is_teacher(folder: Path, teacher: str) -> bool:
    """Whether the judge in `folder` is the model that teaches, or a copy of it."""
    try:
        taught = locate_model(teacher)
    except (InputError, SetupError):
        return False  # a single file that was never used; others are refused before this
    if taught.resolve() == folder.resolve():
        return True
    one, other = taught / _MODEL, folder / _MODEL
    if not (one.is_file() and other.is_file()) or one.stat().st_size != other.stat().st_size:
        return False
    return _digest(one) == _digest(other)


def _digest(path: Path) -> bytes:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            found.update(piece)
    return found.digest()
