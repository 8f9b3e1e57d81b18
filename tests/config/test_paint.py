"""The settings of a run that paints: what they may be, and what they change of those that it shares with `generate`."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from dreamfusion_engine.config.paint import SHAPE, STEPS_SHARE, PaintConfig, painting
from dreamfusion_engine.config.presets import PRESET_NAMES, from_json, preset
from dreamfusion_engine.errors import InputError

WRONG: list[dict[str, Any]] = [
    {"uv": "maybe"},
    {"uv": None},
    {"front_deg": 361.0},
    {"front_deg": -360.5},
    {"front_deg": math.nan},
    {"front_deg": math.inf},
    {"samples": 0},
    {"samples": 5},
]


@pytest.mark.parametrize("values", WRONG, ids=str)
def test_values_that_cannot_be_are_refused_by_name(values: dict[str, Any]) -> None:
    for make in (lambda: PaintConfig(**values), lambda: from_json(PaintConfig, values, "paint.")):
        with pytest.raises(InputError) as refused:
            make()
        (name,) = values
        said = refused.value
        assert said.code == "input.setting" and f"paint.{name}" in said.what and said.why and said.fix


@pytest.mark.parametrize(
    "values", [{"samples": 2.5}, {"samples": "2"}, {"samples": True}, {"front_deg": "90"}], ids=str
)
def test_values_of_another_type_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(InputError) as refused:
        from_json(PaintConfig, values, "paint.")
    assert f"paint.{next(iter(values))}" in refused.value.what


def test_settings_survive_json() -> None:
    asked = PaintConfig(uv="new", front_deg=-90.0, samples=3)
    assert from_json(PaintConfig, dataclasses.asdict(asked), "paint.") == asked
    assert from_json(PaintConfig, {"front_deg": 90}, "paint.").front_deg == 90.0


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_painting_takes_fewer_steps_lit_from_the_first_and_never_in_white(name: str) -> None:
    made = preset(name, "a mug")
    painted = painting(made, {})
    assert painted.optimize.steps == round(STEPS_SHARE * made.optimize.steps)
    assert painted.optimize.albedo_until == painted.optimize.textureless == 0.0
    changed = ("steps", "albedo_until", "textureless")
    for field in dataclasses.fields(made.optimize):
        if field.name not in changed:
            assert getattr(painted.optimize, field.name) == getattr(made.optimize, field.name)
    assert painted.refine == dataclasses.replace(made.refine, steps=0), "no memory is kept for what is not made"
    assert dataclasses.replace(painted, optimize=made.optimize, guidance=made.guidance, refine=made.refine) == made


def test_the_starter_paints_with_weaker_guidance_and_large_models_with_their_recipes() -> None:
    starter, large = preset("draft", "a mug"), preset("draft", "a mug", recipe="StableDiffusionPipeline")
    assert painting(starter, {}).guidance == dataclasses.replace(starter.guidance, scale=2.5)
    assert painting(large, {}).guidance == large.guidance
    given = {"guidance": {"scale": 5.0}}
    assert painting(preset("draft", "a mug", given), given).guidance.scale == 5.0


def test_what_a_person_gave_stays_as_it_is() -> None:
    given: dict[str, Any] = {"optimize": {"steps": 7, "textureless": 0.5}}
    painted = painting(preset("draft", "a mug", given), given).optimize
    assert (painted.steps, painted.textureless, painted.albedo_until) == (7, 0.5, 0.0)


def test_a_parts_new_shape_moves_faster_and_further_than_a_refinement_unless_somebody_says_otherwise() -> None:
    made = preset("draft", "a mug")
    moved = dataclasses.asdict(painting(made, {}, part=True, shape=True).refine)
    assert moved == {**dataclasses.asdict(made.refine), **SHAPE}
    given: dict[str, Any] = {"refine": {"reach": 0.1, "strength": 0.0}}
    refine = painting(preset("draft", "a mug", given), given, part=True, shape=True).refine
    assert (refine.reach, refine.strength, refine.stiffness) == (0.1, 0.0, SHAPE["stiffness"])


def test_there_is_one_step_at_least() -> None:
    given: dict[str, Any] = {"optimize": {"steps": 1}}
    assert painting(preset("draft", "a mug", given), {}).optimize.steps == 1
