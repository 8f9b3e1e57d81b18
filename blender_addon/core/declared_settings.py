"""The engine's settings that the add-on shows, as the engine declares them. No bpy.

engine_settings.json is made from the engine's declarations by docs/settings_table.py, and read once, when the add-on is
enabled. Nothing here is written by hand a second time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .bounded_json import read_json_file

FILE = Path(__file__).with_name("engine_settings.json")


@dataclass(frozen=True)
class Declared:
    """One setting.

    label, says: str, its name and its line for artists.
    value_type: str, 'bool', 'int', 'float' or 'choice'.
    default: its value where no preset says another; a word for a number that may be a word.
    range: lowest and highest value of its property; empty where it is no number.
    usual: ends of the slider, None for those of the range; empty for none.
    unit: str, of its number; "" for none.
    count: int, how many numbers it is.
    words: what it may be in words, each with its label and its line.
    sizes: the only numbers that a menu offers; empty for any.
    number: float, with which it begins where its default is a word.
    digits: int, decimals.
    step: float, what a click on the arrow adds; None for Blender's.
    rising: bool, whether a pair must rise, or stay level.
    under: str, the setting whose numbers must be above these; "" for none.
    group: str, the heading above it; "" for none.
    """

    label: str
    says: str
    value_type: str
    default: Any
    range: tuple[float, ...] = ()
    usual: tuple[float | None, ...] = ()
    unit: str = ""
    count: int = 1
    words: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    sizes: tuple[int, ...] = ()
    number: float = 0.0
    digits: int = 2
    step: float | None = None
    rising: bool = False
    under: str = ""
    group: str = ""

    @property
    def word(self) -> str:
        """The word that a number may be; "" where it is always a number."""
        return next(iter(self.words), "") if self.value_type in ("int", "float") else ""


@dataclass(frozen=True)
class EngineSettings:
    """What the file holds.

    stages: stage to setting to what it is; "" is the run's own.
    presets: what each preset changes, nested by stage.
    limits: largest numbers of what is not a property of its own.
    trouble: str, why the file cannot be read; "" where it was.
    """

    stages: Mapping[str, Mapping[str, Declared]] = field(default_factory=dict)
    presets: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)
    trouble: str = ""


def read(path: Path = FILE) -> EngineSettings:
    """The settings of a file. One that is missing or damaged gives none, and says why in `trouble`.

    path: Path of the file.
    """
    try:
        told = read_json_file(path)
        stages = {
            str(stage): {str(key): _declared(line) for key, line in settings.items()}
            for stage, settings in told["stages"].items()
        }
        return EngineSettings(stages, dict(told["presets"]), dict(told["limits"]))
    except OSError as error:
        return EngineSettings(trouble=f"{path.name} cannot be read: {error.strerror or error}.")
    except (ValueError, TypeError, KeyError, AttributeError):
        return EngineSettings(trouble=f"{path.name} is damaged.")


def _declared(line: Mapping[str, Any]) -> Declared:
    """A setting of the file; lists become tuples. Raises TypeError for one of another form."""
    made: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in line.items()}
    return Declared(**made)


ENGINE = read()
