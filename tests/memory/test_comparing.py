"""Memory and time of a teacher that compares pictures with words, by arithmetic.

Of: dreamfusion_engine/memory/estimate.py, dreamfusion_engine/memory/ladder.py, dreamfusion_engine/speed/run_time.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.config.recipes import CLIP_MESH_RECIPE, CLIP_RECIPE
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.memory.estimate import SPHERE_RAY_BYTES, estimate
from dreamfusion_engine.memory.ladder import fit, least_bytes, next_saving
from dreamfusion_engine.models.sizes import ModelSizes, read_sizes
from dreamfusion_engine.speed.device_speed import Speed
from dreamfusion_engine.speed.model_costs import estimates_of
from dreamfusion_engine.speed.run_time import after_seconds, denoiser_step_operations, step_seconds, timed_as

MILLION = 1_000_000
TINY_MEMORY = 1 << 20


@pytest.fixture
def base(tmp_path: Path) -> ModelSizes:
    """ViT-B/32, by its config alone: what a CLIPConfig means where it says nothing."""
    config = {"model_type": "clip", "projection_dim": 512, "text_config": {}, "vision_config": {}}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return read_sizes(tmp_path)


def config(**clip: int) -> GenerateConfig:
    return preset("standard", "a mug", {"clip": clip} if clip else {}, CLIP_RECIPE)


def test_vit_b_32_has_the_weights_and_the_arithmetic_that_are_published(base: ModelSizes) -> None:
    """151.3 million in all, 87.8 of them for pictures; 4.4 billion multiply-adds a picture (OpenCLIP's table)."""
    assert base.text_encoders == pytest.approx(151.3 * MILLION, rel=1e-3)
    assert base.denoiser == pytest.approx(87.8 * MILLION, rel=2e-3)
    assert 0.5 * base.denoiser_operations == pytest.approx(4.4e9, rel=0.02)


def test_every_crop_takes_memory_and_time_there_and_back(base: ModelSizes) -> None:
    one, four = config(crops=1), config(crops=4)
    kept = [estimate(base, each, "cuda").parts["denoiser at work"] for each in (one, four)]
    assert kept[1] == 4 * kept[0] == 4 * one.optimize.views * 4 * base.denoiser_live
    assert denoiser_step_operations(base, four) == 4 * denoiser_step_operations(base, one)
    assert denoiser_step_operations(base, one) == 2 * one.optimize.views * base.denoiser_operations
    speed = Speed(single=1e12, half=2e12, card=True)
    assert step_seconds(base, four, speed) > step_seconds(base, one, speed) > 0.0


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_nothing_is_given_up_that_such_a_model_does_not_have(base: ModelSizes, device: str) -> None:
    chosen = fit(base, config(), TINY_MEMORY, device)
    names = [saving.setting for saving in chosen.savings]
    assert not chosen.fits and {"memory.views_at_once", "optimize.resolution"} <= set(names)
    assert not {"memory.recompute", "memory.tiling", "memory.offload"} & set(names)
    assert chosen.config.memory.offload == "none"
    settings = config()
    while (saving := next_saving(base, settings, device)) is not None:
        assert saving.setting in ("memory.graphs", "memory.views_at_once", "optimize.resolution")
        settings = saving.config
    assert least_bytes(base, config(), device) <= estimate(base, config(), device).total


def test_a_list_of_models_has_no_other_scores_for_it(base: ModelSizes) -> None:
    for costs in estimates_of(base, "a clip", "cuda", CLIP_RECIPE).values():
        assert costs["scores"] == {} and costs["memory_mib"] > 500


def sphere(views: int, size: int, **maps: int) -> GenerateConfig:
    given = {"optimize": {"views": views, "resolution": [size, size]}, "sphere": maps}
    return preset("standard", "a mug", given, CLIP_MESH_RECIPE)


def test_a_bent_sphere_takes_memory_by_its_rays_and_maps_and_none_for_a_field(base: ModelSizes) -> None:
    small, large = (estimate(base, sphere(16, size), "cuda").parts for size in (256, 512))
    assert large["render"] == 4 * small["render"] == 16 * 512 * 512 * SPHERE_RAY_BYTES
    fine = estimate(base, sphere(16, 256, maps=1024), "cuda").parts
    assert fine["field"] == pytest.approx(4 * small["field"], rel=0.01), "both maps, with their gradients and moments"
    paper = estimate(base, preset("standard", "a mug", recipe=CLIP_MESH_RECIPE), "cuda").total
    assert 2 << 30 < paper < 8 << 30


def test_a_bent_sphere_takes_time_by_its_rays_and_is_remembered_apart(base: ModelSizes) -> None:
    speed = Speed(single=1e11, half=1e11, card=False)
    few, many = (step_seconds(base, sphere(4, size), speed) for size in (64, 256))
    assert many > few > 0.0
    assert step_seconds(base, sphere(8, 64), speed) > few
    assert after_seconds(sphere(4, 64), speed) < after_seconds(config(), speed), "no lattice is asked"
    assert timed_as(sphere(4, 64)) != timed_as(config()) == config().model
