"""The declarations of settings: each says what it is, its range is held at every end, and a new one needs no more."""

from __future__ import annotations

import importlib.util
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from dreamfusion_engine.commands.settings_table import about_json, about_text, settings_about
from dreamfusion_engine.config.presets import dotted, from_json, nested, preset
from dreamfusion_engine.config.setting import Setting, Shown, Stage, declared, every_setting, setting, stages_below
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import InputError

DOCS = Path(__file__).resolve().parents[2] / "docs"
EVERY = every_setting(GenerateConfig)
NUMBERS = [about for about in EVERY.values() if about.is_numeric and about.range_text]
CHOICES = [about for about in EVERY.values() if about.choices and not about.is_numeric]


def name_of(about: Setting) -> str:
    return about.name


def beyond(about: Setting) -> list[float]:
    """Numbers just outside the range, at each end that it has."""
    step = 1 if float not in (about.hint, *getattr(about.hint, "__args__", ())) and about.count else 1e-6
    ends = [about.low - step] if about.low is not None else []
    ends += [about.above] if about.above is not None else []
    ends += [about.high + step] if about.high is not None else []
    return ends + ([about.below] if about.below is not None else [])


def ends_of(about: Setting) -> list[float]:
    """The numbers at the ends that are inside the range."""
    return [end for end in (about.low, about.high) if end is not None]


def as_value(about: Setting, number: float) -> Any:
    """The number as a value of the setting: alone, as both of a pair, or as a LoRA's weight."""
    whole = int(number) if float(number).is_integer() else number
    return {0: [["file", number]], 1: whole, 2: [whole, whole]}[about.count]


def refused(name: str, value: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        preset("standard", "a mug", nested({name: value}))
    assert caught.value.code == "input.setting"
    return caught.value


@pytest.mark.parametrize("about", NUMBERS, ids=name_of)
def test_a_number_outside_its_range_is_refused_with_range_and_unit(about: Setting) -> None:
    outside = beyond(about)
    assert outside
    for number in outside:
        error = refused(about.name, as_value(about, number))
        assert about.name in error.what and about.name in error.fix
        assert about.range_text in error.why and about.range_text in error.fix
        assert f"({about.unit})" in error.why if about.unit else True


@pytest.mark.parametrize("about", CHOICES, ids=name_of)
def test_a_word_that_is_no_choice_is_refused_with_the_choices(about: Setting) -> None:
    error = refused(about.name, "nothing of the kind")
    assert all(word in error.why for word in about.choices)


@pytest.mark.parametrize("about", NUMBERS, ids=name_of)
def test_the_ends_of_a_range_are_inside_it(about: Setting) -> None:
    for number in ends_of(about):
        assert about.takes(as_value(about, number)), number
    assert not about.takes(as_value(about, math.nan))


@pytest.mark.parametrize("about", EVERY.values(), ids=name_of)
def test_every_setting_says_what_it_is(about: Setting) -> None:
    texts = [about.says, *([about.shown.label, about.shown.says or about.says] if about.shown else [])]
    for text in texts:
        assert re.match(r"[A-Z0-9']", text) and not text.endswith(".") and "  " not in text, text
    assert len(about.says) <= 110


@pytest.mark.parametrize("about", [each for each in EVERY.values() if each.shown], ids=name_of)
def test_what_is_shown_has_words_for_every_choice_and_a_slider_inside_its_range(about: Setting) -> None:
    assert about.shown is not None
    assert set(about.shown.words) == set(about.choices)
    assert all(about.takes(as_value(about, end)) for end in about.shown.usual if end is not None)
    assert all(about.takes(size) for size in about.shown.sizes)


def test_every_default_is_in_its_range() -> None:
    values = dotted(preset("standard", "a mug"))
    assert set(values) == set(EVERY)
    for name, about in EVERY.items():
        assert about.takes(values[name]), name


def test_a_stage_is_named_as_its_field() -> None:
    assert {key: stage_class.stage for key, stage_class in stages_below(GenerateConfig).items()} == {
        key: key for key in stages_below(GenerateConfig)
    }


def test_the_rules_between_settings_hold() -> None:
    for name, value, word in (
        ("guidance.t_min", [0.98, 0.02], "t_max"),
        ("guidance.t_max", [0.98, 0.02], "t_max"),
        ("field.finest_resolution", 4, "base_resolution"),
        ("render.max_samples_per_ray", 100, "64 steps"),
        ("score.clamp", [0.0, 1.0], "or 0 and 0"),
    ):
        assert word in refused(name, value).why, name


@dataclass(frozen=True, kw_only=True)
class Paint(Stage, stage="paint"):
    """A stage that only this test has."""

    thickness: float = setting(
        2.0,
        above=0.0,
        high=5.0,
        unit="millimetres",
        says="How thick the paint is",
        shown=Shown(label="Thickness", digits=1),
    )
    coat: Literal["matt", "glossy"] = setting("matt", says="What the last coat is")
    span: tuple[int, int] = setting((1, 3), low=0, high=9, rising=True, unit="days", says="How long it dries")
    level: float | Literal["auto"] = setting("auto", low=1.0, says="How high it stands")


def test_a_new_setting_is_checked_read_and_explained_by_its_declaration_alone() -> None:
    assert Paint(thickness=5.0).thickness == 5.0
    assert from_json(Paint, {"span": [2, 2], "level": 3}) == Paint(span=(2, 2), level=3.0)
    for values, text in (
        ({"thickness": 0.0}, "paint.thickness must be in (0, 5] (millimetres)"),
        ({"span": [3, 2]}, "paint.span must be a pair low <= high in [0, 9] (days)"),
        ({"level": 0.5}, "paint.level must be 'auto' or at least 1"),
        ({"coat": "wet"}, "paint.coat must be one of 'matt', 'glossy'"),
    ):
        with pytest.raises(InputError) as caught:
            from_json(Paint, values, "paint.")
        assert text in caught.value.why
    with pytest.raises(InputError, match="coat"):
        Paint(coat="wet")  # type: ignore[arg-type]
    found = settings_about("thick", Paint)
    assert about_text(found).splitlines() == [
        "paint.thickness  default 2.0  in (0, 5] (millimetres)",
        "    How thick the paint is",
    ]
    assert about_json(declared(Paint)["coat"])["choices"] == ["matt", "glossy"]


def test_what_only_a_run_that_paints_takes_is_explained_too() -> None:
    assert [about.name for about in settings_about("paint.blend")] == ["paint.blend"]
    assert {"paint.uv", "mesh.texture"} <= {about.name for about in settings_about()}


def test_the_page_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("settings_table", DOCS / "settings_table.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (DOCS / "settings.md").read_text(encoding="utf-8")
    assert module.renewed(page) == page, "run: python docs/settings_table.py"
    assert "| `paint.thickness`\\* | 2.0 | (0, 5] | millimetres | How thick the paint is |" in module.stage_table(Paint)
