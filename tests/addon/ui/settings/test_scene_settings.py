"""The sidebar's settings are the engine's: names, defaults, ranges, presets; and they come back out as they went in."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from addon.blenders import Session

from dreamfusion_engine.config import presets as config
from dreamfusion_engine.config.setting import every_setting
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import InputError

PROMPT = "a hamburger"
EVERY = every_setting(GenerateConfig)
SHOWN = {name: about for name, about in EVERY.items() if about.shown and "." in name}

DUMP = Path(__file__).parents[1] / "scripts" / "scene_settings_dump.py"


@pytest.fixture(scope="module")
def dumped(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    from addon.blenders import blenders

    return Session(blenders()[-1], tmp_path_factory.mktemp("settings")).run(DUMP).facts


def accepted(stage: str, key: str, value: Any) -> bool:
    try:
        config.preset("standard", PROMPT, {stage: {key: value}})
    except InputError:
        return False
    return True


def test_the_sidebar_has_the_settings_that_are_declared_to_be_shown(dumped: dict[str, Any]) -> None:
    found = {f"{stage}.{key}" for stage, settings in dumped["stages"].items() for key in settings}
    assert found - {"mesh.iso_auto"} == set(SHOWN)


def test_a_property_has_the_engines_range_default_and_words(blender: Session) -> None:
    """In every Blender. Where an end is outside the range, the property stops at most one hundredth before it."""
    stages = blender.run(DUMP).facts["stages"]
    for name, about in SHOWN.items():
        stage, _, key = name.partition(".")
        found, shown = stages[stage][key], about.shown
        assert shown is not None
        assert (found["label"], found["says"]) == (shown.label, shown.says or about.says), name
        if found["type"] == "ENUM":
            wanted = about.choices or tuple(map(str, shown.sizes))
            assert (tuple(found["items"]), found["default"]) == (wanted, str(about.default)), name
            assert all(found["words"][word] == list(shown.words[word]) for word in about.choices), name
            continue
        default = shown.number if about.choices else about.default
        assert found["default"] == (list(default) if isinstance(default, tuple) else default), name
        if found["type"] == "BOOLEAN":
            continue
        if about.low is not None:
            assert found["low"] == about.low, name
        if about.high is not None:
            assert found["high"] == about.high, name
        if about.above is not None:
            assert about.above < found["low"] <= about.above + 0.01, name
        if about.below is not None:
            assert about.below - 0.01 <= found["high"] < about.below, name
        for end, usual in zip(("soft_low", "soft_high"), shown.usual, strict=True):
            assert usual is None or found[end] == usual, name


PANELS = """
import sys, addon, bpy
sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from recording_layout import draw
addon.enable()
panels = addon.part("ui.panels.settings")
panels._SettingPanel.poll = classmethod(lambda cls, context: True)  # there is no engine here
bpy.context.scene.dreamfusion.placement.start_from = "OBJECT"  # else nothing leads a start
addon.tell(drawn=[name for panel in panels.CLASSES for name in draw(panel).properties()])
"""


def test_every_setting_that_is_shown_is_drawn_in_a_panel(newest_blender: Session) -> None:
    drawn = newest_blender.run(PANELS).facts["drawn"]
    assert {f"DREAMFUSION_PG_{name}" for name in SHOWN} - set(drawn) == set()


DAMAGED = """
import sys, importlib, addon, bpy
sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from recording_layout import draw
declared = importlib.import_module(addon.NAME + ".core.declared_settings")
declared.ENGINE = declared.read(declared.FILE.with_name("nothing.json"))
addon.enable()
damaged = addon.part("ui.damaged")
seen = dict(texts=draw(damaged.DREAMFUSION_PT_damaged).texts(), scene=hasattr(bpy.types.Scene, "dreamfusion"))
addon.disable()
addon.tell(left=hasattr(bpy.types, "DREAMFUSION_PT_damaged"), **seen)
"""


def test_a_damaged_copy_says_so_in_the_sidebar_and_raises_nothing(blender: Session) -> None:
    done = blender.run(DAMAGED)
    assert any("Install the add-on again" in text for text in done.facts["texts"])
    assert any("nothing.json cannot be read" in text for text in done.facts["texts"])
    assert done.facts["scene"] is False and done.facts["left"] is False and "Traceback" not in done.output


def test_presets_show_the_values_that_the_engine_uses(dumped: dict[str, Any]) -> None:
    assert tuple(dumped["enum"]) == config.PRESET_NAMES
    for name in config.PRESET_NAMES:
        engine = config.to_json(config.preset(name, PROMPT))
        for stage, values in dumped["shown"][name]["values"].items():
            for key, value in values.items():
                wanted = engine[stage][key]
                if isinstance(wanted, tuple):
                    assert value == pytest.approx(wanted), (name, stage, key)
                elif isinstance(wanted, float):
                    assert math.isclose(value, wanted, rel_tol=1e-6), (name, stage, key)
                else:
                    assert value == wanted, (name, stage, key)


def test_an_untouched_preset_sends_no_settings(dumped: dict[str, Any]) -> None:
    assert [dumped["shown"][name]["overrides"] for name in config.PRESET_NAMES] == [{}, {}, {}]


def test_sliders_cannot_leave_what_the_engine_takes(dumped: dict[str, Any]) -> None:
    pairs = {"t_max", "t_min"}  # each end is checked against the other's, so not alone
    for stage, settings in dumped["stages"].items():
        for key, about in settings.items():
            if about["type"] == "ENUM":
                values: list[Any] = [int(item) if key == "texture" else item for item in about["items"]]
            elif about["type"] in ("INT", "FLOAT") and key not in pairs:
                ends = [about["low"], about["high"], about["soft_low"], about["soft_high"]]
                values = [[end, end] if about["length"] == 2 else end for end in ends]
            else:
                continue
            for value in values:
                assert accepted(stage, key, value), (stage, key, value)


MOVED = Path(__file__).parents[1] / "scripts" / "scene_settings_moved.py"


def test_ends_stay_in_order_whichever_slider_moves(newest_blender: Session) -> None:
    """The slider at hand gets what it was moved to, or stops at the lower end; the other end gives way."""
    for stage, key, kept, values in newest_blender.run(MOVED).facts["seen"]:
        assert kept, (stage, key, values[stage][key])
        config.preset("standard", PROMPT, values)  # raises where an order is lost


CHANGED = Path(__file__).parents[1] / "scripts" / "scene_settings_changed.py"


def test_changed_settings_are_sent_and_the_engine_takes_them(blender: Session) -> None:
    facts = blender.run(CHANGED).facts
    assert facts["changed"] == {
        "guidance": {"scale": 12.5, "t_max": [0.9, 0.4]},
        "camera": {"elevation_deg": [-20.0, 60.0]},
        "optimize": {"steps": 333, "resolution": [16, 24], "learning_rate": 0.02},
        "mesh": {"iso": 7.25, "texture": 2048},
    }
    assert config.preset("draft", PROMPT, facts["changed"]).optimize.steps == 333


def test_choosing_a_preset_sets_what_the_artist_left_alone_and_nothing_else(blender: Session) -> None:
    facts = blender.run(CHANGED).facts
    assert facts["kept"] == facts["changed"]
    assert facts["others"] == {"triangles": 50_000, "resolution": 256}
    assert facts["reset"] == {} and facts["steps"] == 2500


SAVED = Path(__file__).parents[1] / "scripts" / "scene_settings_saved.py"


def test_settings_are_saved_with_the_file_and_the_token_is_not(blender: Session) -> None:
    facts = blender.run(SAVED, FOLDER=str(blender.folder)).facts
    assert facts["fresh"] == ""
    assert (facts["prompt"], facts["model"], facts["seed"], facts["triangles"]) == ("a mug", "/models/of/mine", 7, 1234)
    assert facts["choice"] == "/models/of/mine"
    assert facts["token_in_file"] is False
