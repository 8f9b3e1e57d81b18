"""Facts about settings that would do nothing: they are refused by name, and those that count are not."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from reference.glb_builder import square

from blender_addon.core.job import IDLE, Recipe
from dreamfusion_engine.config.seed_range import SeedRange
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import EngineError
from dreamfusion_engine.pictures.given import GivenPicture
from dreamfusion_engine.request.stages import UNUSED, check_stages
from dreamfusion_engine.server.work import TASKS

ONE = {
    "start": {"lock": 1.0},
    "reference": {"begin": 0.0},
    "refine": {"strength": 0.5},
    "texture": {"model": "starter"},
    "render": {"steps": 32},
}
NO_PICTURES: tuple[GivenPicture, ...] = ()


def ask(task: str, tmp_path: Path, settings: dict[str, Any], preset: str = "standard") -> GenerateConfig:
    """The settings of a request as the command line makes it."""
    more: dict[str, Any] = {"seeds": SeedRange(first=0, count=2)} if task == "contest" else {}
    mesh = square().data() if task in ("texture", "refine") else b""
    output = tmp_path / "out"
    check = TASKS[task].check
    return check("a red mug", mesh, NO_PICTURES, preset_name=preset, settings=settings, output=output, **more).config


def test_every_task_has_a_row_of_stages_that_exist() -> None:
    assert set(UNUSED) == set(TASKS)
    stages = {field.name for field in dataclasses.fields(GenerateConfig)}
    assert {stage for row in UNUSED.values() for stage in row} <= stages


@pytest.mark.parametrize(("task", "stage"), [(task, stage) for task, row in UNUSED.items() for stage in row])
def test_a_stage_that_does_nothing_is_refused_by_name(task: str, stage: str, tmp_path: Path) -> None:
    with pytest.raises(EngineError) as caught:
        ask(task, tmp_path, {stage: ONE[stage]})
    assert caught.value.code == "input.setting" and f"'{stage}'" in caught.value.what
    assert caught.value.why and f'"{stage}"' in caught.value.fix
    check_stages(task, {stage: {}})  # nothing is said, so nothing is lost


@pytest.mark.parametrize("task", ["texture", "refine"])
def test_a_stage_that_counts_reaches_the_run(task: str, tmp_path: Path) -> None:
    assert ask(task, tmp_path, {"camera": {"fov_deg": [30.0, 50.0]}}).camera.fov_deg == (30.0, 50.0)


@pytest.mark.parametrize("task", ["generate", "contest"])
def test_how_a_run_ends_in_a_refinement_is_refused_where_it_ends_in_none(task: str, tmp_path: Path) -> None:
    with pytest.raises(EngineError) as caught:
        ask(task, tmp_path, {"refine": {"strength": 0.5}}, "draft")
    assert "'refine'" in caught.value.what and "refine.steps" in caught.value.fix
    assert ask(task, tmp_path, {"refine": {"strength": 0.5, "steps": 9}}, "draft").refine.strength == 0.5
    assert ask(task, tmp_path, {"refine": {"strength": 0.5}}, "high").refine.steps == 60


def test_how_vertices_move_counts_in_a_texture_that_changes_a_parts_shape(tmp_path: Path) -> None:
    shape = {"paint": {"part": "lid", "shape": True}, "refine": {"reach": 0.12}}
    assert ask("texture", tmp_path, shape).refine.reach == 0.12


def test_blender_sends_no_stage_that_the_engine_refuses() -> None:
    assert {task: set(stages) for task, stages in IDLE.items()} == {
        task: set(UNUSED[task]) for task in ("texture", "refine")
    }
    every: dict[str, Any] = {stage: {"steps": 1} for stage in ONE}
    assert set(Recipe("a", settings=every).settings_message("texture")) == {"negative", "seed", "model"}
    kept = Recipe("a", settings={**every, "paint": {"shape": True}}).settings_message("texture")
    assert set(kept) == {"paint", "refine", "negative", "seed", "model"}
    assert set(ONE) < set(Recipe("a", settings=every).settings_message())
