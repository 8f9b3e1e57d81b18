"""Which settings are the artist's: those that differ from what the add-on last showed, and those that did before.

`kept` holds the names that stayed the artist's when model or preset changed. `shown` holds what the add-on wrote into
all others, as JSON: a preset and what differs from it. A file of an earlier version has neither, and there the plain
preset is what was shown. Nothing here listens to single properties but the score, which decides what the recipe says of
others; so scripts, saved presets and undo count as well.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import bpy

from ...core import engine_preset
from ...core.engine_preset import ALL, OF_PRESETS, PRESETS, same
from . import engine_report, model_recipe
from .model_recipe import NOISE_ENDS, SCORE, Setting

_settling = False  # settings are being written here, and not by the artist
_settled: object = ()  # the engine's list of models by which the scenes show their settings


def changed(settings: Any) -> set[Setting]:
    """The settings that are the artist's. Writes nothing. settings: `scene.dreamfusion`."""
    return _kept(settings) | _differing(settings, _shown(settings))


def overrides(settings: Any) -> dict[str, dict[str, Any]]:
    """What the artist changed, as `generate` takes it, nested by stage."""
    wanted = changed(settings)
    if wanted & set(NOISE_ENDS):  # the other end may have had to give way, and the engine takes both only in order
        base = model_recipe.base(settings, _score(settings, wanted))
        wanted |= {end for end in NOISE_ENDS if not same(engine_preset.read_one(settings, *end), base[end])}
    found: dict[str, dict[str, Any]] = {}
    for stage, key in ALL:
        if (stage, key) in wanted:
            found.setdefault(stage, {})[key] = engine_preset.read_one(settings, stage, key)
    return found


def settle(settings: Any) -> None:
    """Show the chosen model's values, in the chosen preset, wherever the artist changed nothing."""
    _settle(settings, changed(settings))


def settle_score(guidance: Any, _context: Any) -> None:
    """As `settle`, after another score was chosen: the recipe may have other values with it. Its own is given back."""
    if _settling:
        return
    settings = guidance.id_data.dreamfusion
    mine = changed(settings)
    if same(engine_preset.read_one(settings, *SCORE), model_recipe.base(settings)[SCORE]):
        mine.discard(SCORE)
    _settle(settings, mine)


def settle_preset(settings: Any) -> None:
    """As `settle`, right after another preset was chosen."""
    if settings.shown:
        settle(settings)
        return
    # A file of an earlier version, and nothing says which preset it was: the one that fits its values best.
    values = {setting: engine_preset.read_one(settings, *setting) for setting in OF_PRESETS}
    plain = {name: {setting: engine_preset.preset_value(name, *setting) for setting in ALL} for name in PRESETS}
    likely = max(
        ("standard", *PRESETS),
        key=lambda name: sum(same(value, plain[name][setting]) for setting, value in values.items()),
    )
    _settle(settings, _differing(settings, plain[likely]))


def settle_all() -> None:
    """Settle every scene of the open file."""
    for scene in bpy.data.scenes:
        if scene.library is None:
            settle(scene.dreamfusion)


def look() -> bool:
    """Settle every scene if the engine has another list of models than at the last look. Cheap; whether it did."""
    global _settled
    known = engine_report.models()
    if known is _settled:
        return False
    _settled = known
    settle_all()
    return True


def forget() -> None:
    """Have the next look settle: another file is open, or an undo brought old values back."""
    global _settled
    _settled = ()


def reset(settings: Any, stages: Collection[str] = engine_preset.STAGES) -> None:
    """Give settings back to the recipe: those of some stages, else all."""
    _settle(settings, {(stage, key) for stage, key in changed(settings) if stage not in stages})


def put(settings: Any, values: Mapping[str, Any]) -> None:
    """Make these settings the artist's, nested by stage. What the sidebar does not have or cannot hold is left out."""
    mine = changed(settings)
    for stage, group in values.items():
        for key, value in group.items() if isinstance(group, dict) else ():
            setting = model_recipe.named(f"{stage}.{key}")
            if setting is not None and (fitting := model_recipe.fitting(settings, setting, value)) is not None:
                engine_preset.write_one(settings, stage, key, fitting)
                mine.add(setting)
    _settle(settings, mine)


def names(settings: Any) -> str:
    """The artist's settings as text, for saved presets: 'guidance.scale optimize.steps'."""
    return _text(changed(settings))


def set_names(settings: Any, text: str) -> None:
    """Make these settings the artist's, as they are, and no others."""
    _settle(settings, _parsed(text))


def _settle(settings: Any, mine: set[Setting]) -> None:
    """Write the recipe's values into all settings but `mine`, and note both."""
    global _settling
    values = {setting: engine_preset.read_one(settings, *setting) for setting in mine}
    base = model_recipe.base(settings, _score(settings, mine))
    _settling = True
    try:
        for wanted in (base, values):  # last the artist's own: one end may have pushed the other
            for setting, value in wanted.items():
                is_old = not same(engine_preset.read_one(settings, *setting), value)
                if (setting in mine) == (wanted is values) and is_old:
                    engine_preset.write_one(settings, *setting, value)
    finally:
        _settling = False
    plain = {setting: engine_preset.preset_value(settings.preset, *setting) for setting in ALL if setting not in mine}
    shown = {
        f"{stage}.{key}": engine_preset.read_one(settings, stage, key) for stage, key in _differing(settings, plain)
    }
    text = json.dumps({"preset": settings.preset, "settings": shown}, sort_keys=True)
    for name, value in (("kept", _text(mine)), ("shown", text)):
        if getattr(settings, name) != value:
            setattr(settings, name, value)


def _score(settings: Any, mine: Collection[Setting]) -> str:
    """The score, where it is the artist's."""
    return str(engine_preset.read_one(settings, *SCORE)) if SCORE in mine else ""


def _shown(settings: Any) -> dict[Setting, Any]:
    """What the add-on last wrote into every setting."""
    preset = settings.preset
    noted: dict[str, Any] = {}
    if settings.shown:
        try:
            found = json.loads(settings.shown)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            preset = found["preset"] if found.get("preset") in PRESETS else preset
            noted = found["settings"] if isinstance(found.get("settings"), dict) else {}
    values = {setting: engine_preset.preset_value(preset, *setting) for setting in ALL}
    for name, value in noted.items():
        setting = model_recipe.named(name)
        if setting is not None and (fitting := model_recipe.fitting(settings, setting, value)) is not None:
            values[setting] = fitting
    return values


def _differing(settings: Any, values: Mapping[Setting, Any]) -> set[Setting]:
    return {setting for setting, v in values.items() if not same(engine_preset.read_one(settings, *setting), v)}


def _kept(settings: Any) -> set[Setting]:
    return _parsed(settings.kept)


def _parsed(text: str) -> set[Setting]:
    return {setting for name in text.split() if (setting := model_recipe.named(name)) is not None}


def _text(wanted: Iterable[Setting]) -> str:
    return " ".join(sorted(f"{stage}.{key}" for stage, key in wanted))
