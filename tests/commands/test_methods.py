"""A model's line says what it can make objects with besides a field, and what a run does not know is refused."""

from __future__ import annotations

from dataclasses import fields

import pytest

from dreamfusion_engine.commands.given_models import given_model
from dreamfusion_engine.commands.methods import methods_of
from dreamfusion_engine.commands.model_line import Machine
from dreamfusion_engine.config.presets import PRESET_NAMES
from dreamfusion_engine.config.recipes import CLIP_MESH_RECIPES, CLIP_RECIPE
from dreamfusion_engine.config.setting import declared, every_setting
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.judge.folder import WEIGHTS
from dreamfusion_engine.models.sizes import read_sizes

CPU = Machine(device_type="cpu", free_bytes=8 << 30)


@pytest.fixture(scope="module")
def said() -> dict[str, object]:
    return given_model(str(WEIGHTS), CPU).to_json()["methods"]["clip-mesh"]  # type: ignore[no-any-return]


def test_its_names_are_those_of_the_setting_and_its_recipe_has_that_method(said: dict[str, object]) -> None:
    names = methods_of(CLIP_RECIPE, read_sizes(WEIGHTS), "clip", "cpu")
    assert set(names) | {"field"} == set(declared(GenerateConfig)["method"].choices)
    assert said["recipe"]["settings"]["draft"]["method"] == "clip-mesh"  # type: ignore[index]


def test_every_preset_has_a_time_and_a_memory_and_no_stage_of_a_texture_model(said: dict[str, object]) -> None:
    estimates = said["estimates"]
    assert isinstance(estimates, dict) and set(estimates) == set(PRESET_NAMES)
    assert all(costs["memory_mib"] > 0 and "texture" not in costs for costs in estimates.values())


def test_what_is_idle_is_a_stage_or_a_setting(said: dict[str, object]) -> None:
    known = {each.name for each in fields(GenerateConfig)} | set(every_setting(GenerateConfig))
    assert isinstance(said["idle"], list) and set(said["idle"]) <= known and "mesh.resolution" in said["idle"]


def test_models_that_denoise_make_fields_only() -> None:
    assert given_model("starter", CPU).methods == {}
    assert methods_of("starter", read_sizes(WEIGHTS), "starter", "cpu") == {} and "starter" not in CLIP_MESH_RECIPES
