"""Writes what other places say of the settings: python docs/settings_table.py

That is the tables of docs/settings.md, and blender_addon/core/engine_settings.json, from which the add-on makes its
properties, presets and panels. The settings themselves are declared in dreamfusion_engine/config/stages/.
"""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from dreamfusion_engine.commands.settings_table import value_text  # noqa: E402
from dreamfusion_engine.config.paint import PaintConfig  # noqa: E402
from dreamfusion_engine.config.presets import PRESET_NAMES, dotted, nested, preset  # noqa: E402
from dreamfusion_engine.config.prompt_text import PROMPT_LIMIT  # noqa: E402
from dreamfusion_engine.config.setting import Setting, Stage, declared, every_setting, stages_below  # noqa: E402
from dreamfusion_engine.config.stages import GenerateConfig  # noqa: E402
from dreamfusion_engine.pictures.decode import PIXEL_LIMIT  # noqa: E402
from dreamfusion_engine.pictures.given import FILE_LIMIT, MOST  # noqa: E402
from dreamfusion_engine.pictures.viewpoint import APART_DEG  # noqa: E402

PAGE = ROOT / "docs" / "settings.md"
ADDON = ROOT / "blender_addon" / "core" / "engine_settings.json"
COLUMNS = 124  # of a line, as tests/test_docs.py has it
BEGIN, END = "<!-- tables: python docs/settings_table.py -->", "<!-- end of the tables -->"


def stage_table(stage_class: type[Stage]) -> str:
    """A stage's settings, a row each; a star marks what Blender shows."""
    lines = ["| setting | default | range | unit | what it is |", "|---|---|---|---|---|"]
    for about in declared(stage_class).values():
        star = "\\*" if about.shown else ""
        default = "" if about.default is None else value_text(about.default)
        allowed = ", ".join(about.choices) if about.choices else ""
        allowed += (" or " if allowed else "") + about.range_text if about.range_text else ""
        says = about.says.replace("|", "\\|").replace("*", "\\*")
        lines += _narrow(f"| `{about.name}`{star} | {default} | {allowed} | {about.unit} | ", says)
    return "\n".join(lines)


def _narrow(start: str, says: str) -> list[str]:
    """A row as lines of COLUMNS at most; what its last cell cannot hold goes on in rows that have nothing else."""
    first, *rest = textwrap.wrap(says, COLUMNS - len(start) - len(" |"), break_long_words=False) or [""]
    following = textwrap.wrap(" ".join(rest), COLUMNS - len("| | | | |  |"))
    return [f"{start}{first} |", *(f"| | | | | {text} |" for text in following)]


def preset_table() -> str:
    """What the presets change, a column each."""
    values = {name: dotted(preset(name, "a")) for name in PRESET_NAMES}
    changed = [key for key in every_setting(GenerateConfig) if key != "preset" and len(_texts(values, key)) > 1]
    lines = [f"| setting | {' | '.join(PRESET_NAMES)} |", "|---|" + "---|" * len(PRESET_NAMES)]
    lines += [f"| `{key}` | {' | '.join(value_text(row[key]) for row in values.values())} |" for key in changed]
    return "\n".join(lines)


def _texts(values: dict[str, dict[str, Any]], key: str) -> set[str]:
    return {value_text(row[key]) for row in values.values()}


def renewed(page: str) -> str:
    """The page with fresh tables."""
    before, _, rest = page.partition(BEGIN)
    parts = [BEGIN, "## Of the run", stage_table(GenerateConfig)]
    for stage, stage_class in stages_below(GenerateConfig).items():
        parts += [f"## {stage}", (stage_class.__doc__ or "").partition("\n")[0], stage_table(stage_class)]
    parts += ["## paint", "For `dreamfusion-engine texture`: how meshes are painted.", stage_table(PaintConfig)]
    parts += ["## Presets", "What is not here is the default in every preset.", preset_table(), END]
    return before + "\n\n".join(parts) + rest.partition(END)[2]


def addon_text() -> str:
    """The add-on's file: JSON, with a setting a line."""
    shown = addon_settings(GenerateConfig)
    presets = {name: _changes(name, shown) for name in PRESET_NAMES}
    limits = {"prompt": PROMPT_LIMIT, "lora_weight": every_setting(GenerateConfig)["adapters.lora"].high}
    limits |= {"pictures": MOST, "picture_bytes": FILE_LIMIT, "picture_pixels": PIXEL_LIMIT}
    limits |= {"pictures_apart_deg": APART_DEG}
    stages = [f"{_line(stage)}: {_block(settings)}" for stage, settings in shown.items()]
    parts = [
        f'"made_by": {_line("python docs/settings_table.py")}',
        f'"presets": {_block(presets)}',
        f'"limits": {_line(limits)}',
        '"stages": {\n' + ",\n".join(stages) + "\n}",
    ]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def addon_settings(stage_class: type[Stage]) -> dict[str, dict[str, dict[str, Any]]]:
    """What the add-on shows of a stage and of those below it: stage to setting to what its property needs."""
    own = declared(stage_class)
    uppers = {about.under for about in own.values()}
    shown = {key: _property(about, key in uppers) for key, about in own.items() if about.shown}
    found = {stage_class.stage: shown} if shown else {}
    for below in stages_below(stage_class).values():
        found |= addon_settings(below)
    return found


def _property(about: Setting, is_upper: bool) -> dict[str, Any]:
    """One setting as its property needs it; what is as usual is left out."""
    shown = about.shown
    assert shown is not None
    last = 10.0**-shown.digits  # how far a property stays from an end that is outside the range
    low = about.low if about.above is None else about.above + last
    high = about.high if about.below is None else about.below - last
    if is_upper and low is not None:
        low += last  # room for the end below it
    if about.under and high is not None:
        high -= last
    ends = [low, shown.most if high is None else high]
    words = {word: list(shown.words[word]) for word in about.choices}
    line: dict[str, Any] = {
        "label": shown.label,
        "says": shown.says or about.says,
        "value_type": _value_type(about),
        "default": about.default,
        "range": [each if each is None else round(each, 9) for each in ends] if about.is_numeric else [],
        "usual": list(shown.usual) if any(end is not None for end in shown.usual) else [],
        "unit": about.unit,
        "count": about.count if about.count != 1 else None,
        "words": words,
        "sizes": list(shown.sizes),
        "number": shown.number,
        "digits": shown.digits if shown.digits != 2 else None,
        "step": shown.step,
        "rising": about.rising,
        "under": about.under,
        "group": shown.group,
    }
    return {key: value for key, value in line.items() if key == "default" or not _is_empty(value)}


def _is_empty(value: Any) -> bool:
    return value is None or value is False or (isinstance(value, str | list | dict) and not value)


def _value_type(about: Setting) -> str:
    """'bool', 'int', 'float', 'text' or 'choice'; a number that may be a word is a number."""
    if about.choices and not about.is_numeric:
        return "choice"
    plain = (about.hint, *getattr(about.hint, "__args__", ()))
    return next(word for word, value_type in _VALUE_TYPES if value_type in plain)


_VALUE_TYPES = (("float", float), ("int", int), ("bool", bool), ("text", str))


def _changes(name: str, shown: dict[str, dict[str, dict[str, Any]]]) -> dict[str, Any]:
    """What a preset changes of the settings that are shown, nested by stage."""
    every, values = every_setting(GenerateConfig), dotted(preset(name, "a"))
    names = [f"{stage}.{key}".lstrip(".") for stage, settings in shown.items() for key in settings]
    return nested({key: values[key] for key in names if value_text(values[key]) != value_text(every[key].default)})


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True)


def _block(lines: dict[str, Any]) -> str:
    """An object with an entry a line."""
    return "{\n" + ",\n".join(f"  {_line(key)}: {_line(value)}" for key, value in lines.items()) + "\n}"


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    ADDON.write_text(addon_text(), encoding="utf-8", newline="\n")
