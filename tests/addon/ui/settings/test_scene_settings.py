"""The sidebar's settings are the engine's: names, defaults, ranges, presets; and they come back out as they went in."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
from addon.blenders import Session

from dreamfusion_engine.config import presets as config
from dreamfusion_engine.errors import InputError

PROMPT = "a hamburger"
# Decided by presets alone; not in the sidebar.
NOT_SHOWN = (
    "vae_precision",
    "recompute",
    "tiling",
    "tiny_vae",
    "views_at_once",
    "graphs",
    "offload",
    "denoiser_runtime",
    "overlap",
)
HIDDEN = {("memory", name) for name in NOT_SHOWN}  # fit

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


def test_every_setting_of_the_sidebar_is_a_setting_of_the_engine(dumped: dict[str, Any]) -> None:
    for stage, settings in dumped["stages"].items():
        fields = {field.name for field in dataclasses.fields(getattr(config.preset("standard", PROMPT), stage))}
        extra = {"iso_auto"} if stage == "mesh" else set()
        assert set(settings) - extra == fields - {key for there, key in HIDDEN if there == stage}


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
