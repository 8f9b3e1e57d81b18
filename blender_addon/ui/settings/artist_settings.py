"""Which settings are the artist's: those that differ from what the add-on last showed, and those that did before.

`kept` holds the names that stayed the artist's when model or preset changed. `shown` holds what the add-on wrote into
all others, as JSON: a preset and what differs from it. A file of an earlier version has neither; there the add-on
showed the plain preset. No update function of a property is needed, except for the score, because the recipe's other
values depend on it. So changes by scripts, saved presets and undo count as well.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import bpy

from ...core import engine_preset
from ...core.engine_preset import ALL, OF_PRESETS, PRESETS, same
from . import engine_report, model_recipe
from .model_recipe import ENDS, SCORE, Setting

_settling = False  # this module writes settings at the moment, not the artist
_settled: object = ()  # the engine's list of models at the last look


def changed(settings: Any) -> set[Setting]:
    """The settings that are the artist's. Writes nothing.

    settings: `scene.dreamfusion`.
    """
    return _kept(settings) | _differing(settings, _shown(settings))


def overrides(settings: Any) -> dict[str, dict[str, Any]]:
    """What the artist changed, nested by stage, as `generate` takes it."""
    wanted = changed(settings)
    pushed = [ends for ends in ENDS if wanted & set(ends)]  # the other end may have been, and both must be in order
    if pushed:
        base = model_recipe.base(settings, _score(settings, wanted))
        ends = {end for pair in pushed for end in pair}
        wanted |= {end for end in ends if not same(engine_preset.read_one(settings, *end), base[end])}
    found: dict[str, dict[str, Any]] = {}
    for stage, key in ALL:
        if (stage, key) in wanted:
            found.setdefault(stage, {})[key] = engine_preset.read_one(settings, stage, key)
    return found


def settle(settings: Any) -> None:
    """Write the chosen model's values, in the chosen preset, into every setting that the artist did not change."""
    _settle(settings, changed(settings))


def settle_score(guidance: Any, _context: Any) -> None:
    """Do what `settle` does after another score was chosen, because the recipe's values may depend on it.

    If the score is the recipe's own, it is no longer the artist's.
    """
    if _settling:
        return
    settings = guidance.id_data.dreamfusion
    mine = changed(settings)
    if same(engine_preset.read_one(settings, *SCORE), model_recipe.base(settings)[SCORE]):
        mine.discard(SCORE)
    _settle(settings, mine)


def settle_preset(settings: Any) -> None:
    """Do what `settle` does right after another preset was chosen."""
    if settings.shown:
        settle(settings)
        return
    # A file of an earlier version does not say which preset it had. Take the one that fits its values best.
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


def poll() -> bool:
    """Settle every scene if the engine's list of models has changed since the last look. Returns whether it did."""
    global _settled
    known = engine_report.models()
    if known is _settled:
        return False
    _settled = known
    settle_all()
    return True


def forget() -> None:
    """Make the next look settle, because another file is open or an undo brought old values back."""
    global _settled
    _settled = ()


def reset(settings: Any, stages: Collection[str] = engine_preset.STAGES) -> None:
    """Give settings back to the recipe.

    settings: `scene.dreamfusion`.
    stages: names of the stages; all by default.
    """
    _settle(settings, {(stage, key) for stage, key in changed(settings) if stage not in stages})


def put(settings: Any, values: Mapping[str, Any]) -> None:
    """Set settings and make them the artist's. What the sidebar does not have or cannot hold is left out.

    settings: `scene.dreamfusion`.
    values: nested by stage.
    """
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
    """Make the named settings the artist's, with their present values, and all others the recipe's.

    settings: `scene.dreamfusion`.
    text: str, as from `names`.
    """
    _settle(settings, _parsed(text))


def _settle(settings: Any, mine: set[Setting]) -> None:
    """Write the recipe's values into all settings but `mine`, and note what was written and whose the settings are."""
    global _settling
    values = {setting: engine_preset.read_one(settings, *setting) for setting in mine}
    base = model_recipe.base(settings, _score(settings, mine))
    _settling = True
    try:
        for wanted in (base, values):  # the artist's own come last, because one end of a range may push the other
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
    """The score if it is the artist's, else ""."""
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
