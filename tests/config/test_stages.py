"""Settings: what goes in comes out, and what cannot be is refused by name."""

from __future__ import annotations

import dataclasses
import json

import pytest

from dreamfusion_engine.config.presets import PRESET_NAMES, from_json, preset, to_json
from dreamfusion_engine.config.prompt_text import checked_prompt
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import InputError

STAGES = ("camera", "field", "render", "guidance", "prompts", "adapters", "score", "optimize", "mesh")


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_every_preset_survives_json(name: str) -> None:
    made = preset(name, "a mug", {"seed": 5, "mesh": {"texture": 512}})
    assert from_json(GenerateConfig, json.loads(json.dumps(to_json(made)))) == made


def test_an_override_wins_over_the_preset_and_leaves_the_rest() -> None:
    plain, changed = preset("high", "a mug"), preset("high", "a mug", {"optimize": {"steps": 7}})
    assert changed.optimize.steps == 7
    assert changed.optimize.views == plain.optimize.views
    assert dataclasses.replace(changed, optimize=plain.optimize) == plain


def test_the_presets_grow_from_draft_to_high() -> None:
    steps = [preset(name, "a mug").optimize.steps for name in ("draft", "standard", "high")]
    lattice = [preset(name, "a mug").mesh.resolution for name in ("draft", "standard", "high")]
    assert steps == sorted(set(steps)) and lattice == sorted(set(lattice))
    assert all(128 <= cells <= 512 for cells in lattice)


def test_a_checkpoint_never_loses_more_than_fifty_steps() -> None:
    with pytest.raises(InputError):
        preset("draft", "a mug", {"checkpoint_every": 51})


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_has_at_most_twelve_settings_and_is_frozen(stage: str) -> None:
    values = getattr(preset("standard", "a mug"), stage)
    fields = dataclasses.fields(values)
    assert len(fields) <= 12
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(values, fields[0].name, 1)


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        ({"optimise": {}}, "optimize"),
        ({"optimize": {"stepz": 5}}, "optimize.steps"),
        ({"mesh": {"textur": 5}}, "mesh.texture"),
    ],
)
def test_an_unknown_setting_names_the_nearest(overrides: dict[str, object], named: str) -> None:
    with pytest.raises(InputError) as caught:
        preset("standard", "a mug", overrides)
    assert caught.value.code == "input.unknown_setting" and named in caught.value.fix


@pytest.mark.parametrize(
    "overrides",
    [
        {"optimize": {"steps": 0}},
        {"optimize": {"steps": -5}},
        {"optimize": {"steps": 2.5}},
        {"optimize": {"steps": "many"}},
        {"optimize": {"steps": True}},
        {"optimize": {"steps": None}},
        {"optimize": 5},
        {"optimize": {"resolution": [64]}},
        {"optimize": {"resolution": [-64, 64]}},
        {"optimize": {"learning_rate": float("nan")}},
        {"optimize": {"learning_rate": float("inf")}},
        {"guidance": {"weighting": "best"}},
        {"guidance": {"t_min": [0.9, 0.9], "t_max": [0.5, 0.5]}},
        {"mesh": {"texture": -1024}},
        {"mesh": {"resolution": 10**9}},
        {"mesh": {"iso": "high"}},
        {"mesh": {"iso": 0.0}},
        {"mesh": {"iso": True}},
        {"camera": {"distance": [3.6, 3.0]}},
        {"camera": {"elevation_deg": [0, 91]}},
        {"seed": -1},
        {"seed": 2**31},
        {"seed": "0"},
        {"negative": 5},
    ],
)
def test_an_impossible_setting_is_refused_with_what_it_must_be(overrides: dict[str, object]) -> None:
    with pytest.raises(InputError) as caught:
        preset("standard", "a mug", overrides)
    assert caught.value.code == "input.setting"
    assert caught.value.exit_code == 2 and caught.value.why and caught.value.fix


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(InputError) as caught:
        preset("standart", "a mug")
    assert caught.value.code == "input.preset" and "--preset standard" in caught.value.fix


def test_white_space_in_a_prompt_folds() -> None:
    assert checked_prompt("  a\tred \n mug ", "prompt", empty_ok=False) == "a red mug"


def test_prompts_lose_what_is_invisible() -> None:
    """As they come from a web page, or a file of Notepad."""
    made = preset(
        "draft",
        "\ufeffa\u200b red ham\u00adburger\u200e",
        {"negative": "\u200bblurry\u2060", "prompts": {"back": "\u202athe back of {}\u202c"}},
    )
    assert (made.prompt, made.negative, made.prompts.back) == ("a red hamburger", "blurry", "the back of {}")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "input.prompt_empty"),
        ("\ufeff\u200b", "input.prompt_empty"),
        (" \n\t ", "input.prompt_empty"),
        ("x" * 10_000, "input.prompt_long"),
        ("a\x00mug", "input.prompt_control"),
        ("a\x1b[31m mug", "input.prompt_control"),
        ("a\x85mug", "input.prompt_control"),
    ],
)
def test_a_prompt_that_cannot_be_read_is_refused(text: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        checked_prompt(text, "prompt", empty_ok=False)
    assert caught.value.code == code
    assert len(str(caught.value)) < 800, "an error fits on one screen, however long the prompt was"


def test_an_empty_negative_prompt_is_no_error() -> None:
    assert checked_prompt("", "negative prompt", empty_ok=True) == ""
