"""The time of a run is known before it starts: arithmetic that agrees with torch's counter, and a kept measurement."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
import torch

from benchmarks.memory.networks import ARCHITECTURES
from benchmarks.speed.operations import counted
from dreamfusion_engine.config.presets import PRESET_NAMES, preset
from dreamfusion_engine.config.scores import Score
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.guidance.timesteps import sample_timesteps
from dreamfusion_engine.models import operations
from dreamfusion_engine.models.catalogue import catalogue
from dreamfusion_engine.models.sizes import ModelSizes
from dreamfusion_engine.speed import device_speed, run_time
from dreamfusion_engine.speed.device_speed import Speed, learn_ratio, learn_rest, measured_speed, stored_speed
from dreamfusion_engine.speed.model_costs import estimates_of
from dreamfusion_engine.speed.run_time import (
    estimate_text,
    estimated_seconds,
    spoken,
    step_operations,
    step_seconds,
    timesteps_of_a_call,
)

SIZES = {model.title: model.sizes for model in catalogue()}
SD15 = SIZES["Stable Diffusion 1.5"]
STARTER = ModelSizes(denoiser=9_096_166, text_encoders=0, denoiser_operations=7.56e8, closed_vocabulary=True)
SPEED = Speed(half=1e11, single=1e11)
CPU = torch.device("cpu")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and measurements that take no time."""
    monkeypatch.setenv("DREAMFUSION_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(device_speed, "_EACH", 0.001)
    return tmp_path / "cache"


def config(**overrides: Any) -> GenerateConfig:
    return preset("standard", "a mug", overrides)


@pytest.mark.slow
def test_stable_diffusion_computes_what_is_known_of_it() -> None:
    parts = counted(ARCHITECTURES["Stable Diffusion 1.5"])  # real classes and sizes, on the meta device
    assert parts["denoiser"]["counted"] == pytest.approx(0.80e12, rel=0.01), "multiply-adds count twice"
    assert parts["encoder"]["counted"] == pytest.approx(1.12e12, rel=0.01)
    assert parts["encoder"]["backward"] == pytest.approx(1.15e12, rel=0.01)
    assert SD15.denoiser_operations == pytest.approx(parts["denoiser"]["counted"], rel=0.01)
    assert SD15.encoder_operations == pytest.approx(parts["encoder"]["counted"], rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Stable Diffusion 1.5", "Stable Diffusion XL", "DeepFloyd IF M", "PixArt-Sigma 1024"])
def test_the_formula_agrees_with_torchs_counter(name: str) -> None:
    for part in counted(ARCHITECTURES[name]).values():
        assert part["formula"] == pytest.approx(part["counted"], rel=0.03)
        if "backward" in part:
            assert operations.BACKWARD * part["formula"] == pytest.approx(part["backward"], rel=0.1)


@pytest.mark.parametrize("class_name", ["AutoencoderTiny", "AutoencoderDC"])
def test_encoders_that_are_not_walked_through_agree_too(class_name: str) -> None:
    import diffusers
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"):
        vae: Any = getattr(diffusers, class_name)()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            vae.encoder(torch.randn(1, 3, 256, 256))
    told = operations.encoder_operations({**vae.config, "_class_name": class_name}, 256)
    assert told == pytest.approx(counter.get_total_flops(), rel=0.05)


def test_what_is_told_of_every_known_model_is_positive_and_grows_with_it() -> None:
    for model in catalogue():
        assert estimated_seconds(model.sizes, config(), SPEED) > 0, model.title
        assert bool(model.sizes.encoder_operations) == bool(model.sizes.vae)
    titles = ("DeepFloyd IF stage I, M", "Stable Diffusion 1.5", "Stable Diffusion XL 1.0", "FLUX.1 schnell")
    times = [estimated_seconds(SIZES[title], config(), SPEED) for title in titles]
    assert times == sorted(times)


def test_twice_the_views_is_twice_the_arithmetic_and_twice_the_steps_twice_the_training() -> None:
    two, four = config(optimize={"views": 2}), config(optimize={"views": 4})
    assert step_operations(SD15, four) == pytest.approx(2 * step_operations(SD15, two))
    assert step_seconds(SD15, four, SPEED) == pytest.approx(2 * step_seconds(SD15, two, SPEED), rel=0.01)
    longer = config(optimize={"steps": 2400})
    assert run_time.training_seconds(SD15, longer, SPEED) == pytest.approx(
        2 * run_time.training_seconds(SD15, config(), SPEED)
    )


def test_half_the_speed_is_twice_the_training() -> None:
    slow = Speed(half=0.5e11, single=0.5e11)
    assert step_seconds(SD15, config(), slow) == pytest.approx(2 * step_seconds(SD15, config(), SPEED))


def test_a_step_asks_the_denoiser_as_often_as_its_score_does() -> None:
    def rows(**guidance: Any) -> float:
        settings = config(guidance={"perp_neg": "off", **guidance})
        return run_time.denoiser_step_operations(SD15, settings) / SD15.denoiser_operations / settings.optimize.views

    assert rows() == rows(score="csd") == 2 and rows(score="nfsd") == 3 and rows(score="vsd") == 5
    assert rows(perp_neg="on") == 4 and rows(score="sdi") > rows(score="sampled") > 3


def test_memory_settings_cost_or_save_what_they_compute() -> None:
    plain = run_time.encoder_step_operations(SD15, config())
    assert plain == pytest.approx(2 * (1 + operations.BACKWARD) * SD15.encoder_operations)
    assert run_time.encoder_step_operations(SD15, config(memory={"recompute": True})) > 1.9 * plain
    assert run_time.encoder_step_operations(SD15, config(memory={"tiny_vae": "tiny"})) < 0.3 * plain
    assert run_time.encoder_step_operations(SIZES["DeepFloyd IF stage I, M"], config()) == 0


def test_more_levels_and_a_larger_table_cost_the_fields_part_of_a_step_and_nothing_else() -> None:
    reference = Speed(half=run_time.REFERENCE, single=run_time.REFERENCE)
    plain = step_seconds(SD15, config(), reference)
    twice = step_seconds(SD15, config(field={"levels": 16}), reference)
    rays = 2 * (32**2 + 48**2) / 2
    reads = 2 * 8 * 8 * rays * run_time._SAMPLES_A_RAY  # there and back, eight entries, eight levels more
    adam = run_time._more_adam(config(field={"levels": 16}))
    assert twice - plain == pytest.approx(2.5e-9 * reads + adam) and adam > 0
    assert step_seconds(SD15, config(field={"levels": 4}), reference) < plain
    assert run_time._more_adam(config()) == 0 and run_time._more_adam(config(field={"log2_table": 19})) > 1e-3
    assert step_operations(SD15, config(field={"levels": 16})) == step_operations(SD15, config())


def test_previews_and_checks_take_a_share_of_training_that_is_bounded() -> None:
    for rate in (1e9, 1e11, 1e13):
        speed = Speed(half=rate, single=rate)
        steps = run_time.training_seconds(STARTER, config(), speed)
        watching = run_time.watching_seconds(config(), speed, steps)
        checks = run_time.watching_seconds(config(), speed, 0.0)
        assert 0 < watching <= (steps + checks) / 3 + checks  # a quarter of the time at most goes into previews
        whole = estimated_seconds(STARTER, config(), speed)
        assert whole > steps + watching
    slow, quick = (Speed(half=rate, single=rate) for rate in (1e10, 1e12))
    shares = [run_time.watching_seconds(config(), speed, 1000.0) for speed in (slow, quick)]
    assert shares[0] > shares[1] > 0


def test_where_a_trial_chooses_the_precision_the_faster_rate_counts() -> None:
    old = Speed(half=1e9, single=1e10)  # a CPU that has no bfloat16
    small = ModelSizes(denoiser=9_096_166, text_encoders=0, denoiser_operations=7.56e8)
    free, told = (step_seconds(small, config(memory={"precision": p}), old) for p in ("auto", "float32"))
    assert free == told < step_seconds(small, config(memory={"precision": "bfloat16"}), old)
    assert step_seconds(SD15, config(), old) > step_seconds(SD15, config(memory={"precision": "float32"}), old)


def test_what_is_not_known_is_told_as_zero() -> None:
    assert estimated_seconds(SD15, config(), None) == 0
    assert estimated_seconds(ModelSizes(denoiser=1, text_encoders=1), config(), SPEED) == 0


def test_a_day_on_two_cores_is_said_before_it_begins() -> None:
    seconds = estimated_seconds(SD15, config(), Speed(half=91e9, single=91e9))  # measured: 120 s a step
    assert 30 * 3600 < seconds < 50 * 3600
    assert "hours on this machine (1,200 steps of 2 views" in estimate_text(config(), seconds)
    assert [spoken(s) for s in (40, 720, 144_000)] == ["40 seconds", "12 minutes", "40 hours"]


def test_a_device_is_measured_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stored_speed("cpu") is None
    first = measured_speed(CPU)
    assert min(first.half, first.single) > device_speed.SLOWEST and first == stored_speed("cpu")
    monkeypatch.setattr(device_speed, "_measure", lambda device: pytest.fail("measured again"))
    assert measured_speed(CPU) == first


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"half": 1.0},
        {"single": 1e30},
        {"half": float("nan")},
        {"half": "fast"},
        {"key": "another machine"},
        {"ratios": [1]},
        {"ratios": {"a": "b"}},
        None,
    ],
)
def test_a_damaged_or_foreign_measurement_is_made_again(cache: Path, change: dict[str, Any] | None) -> None:
    measured_speed(CPU)
    path = cache / "speed-cpu.json"
    path.write_text("{" if change is None else json.dumps(json.loads(path.read_text()) | change))
    assert stored_speed("cpu") is None
    assert measured_speed(CPU) == stored_speed("cpu")


def test_a_run_teaches_the_next_estimate_within_bounds(cache: Path) -> None:
    measured_speed(CPU)
    learn_ratio("cpu", "starter", 3.0, 2.0)
    speed = stored_speed("cpu")
    assert speed is not None and speed.ratio("starter") == 1.5 and speed.ratio("another") == 1.0
    plain = dataclasses.replace(speed, ratios={})
    learnt = run_time.training_seconds(SD15, config(model="starter"), speed)
    assert learnt == pytest.approx(1.5 * run_time.training_seconds(SD15, config(model="starter"), plain))
    learn_ratio("cpu", "starter", 1e9, 1.0)
    speed = stored_speed("cpu")
    assert speed is not None and speed.ratio("starter") == device_speed.RATIOS[1]
    learn_ratio("cpu", "starter", 1.0, 0.0)
    assert stored_speed("cpu") == speed


def test_a_run_teaches_what_the_rest_of_the_next_one_takes_within_bounds(cache: Path) -> None:
    measured_speed(CPU)
    path = cache / "speed-cpu.json"
    kept = json.loads(path.read_text())
    del kept["rest"]
    path.write_text(json.dumps(kept))  # as an earlier version left it
    speed = stored_speed("cpu")
    assert speed is not None and speed.rest == 1.0
    learn_ratio("cpu", "starter", 3.0, 2.0)
    learn_rest("cpu", 40.0, 10.0)
    busy = stored_speed("cpu")
    assert busy is not None and busy.rest == 4.0 and busy.ratio("starter") == 1.5 and busy.half == speed.half
    assert run_time.after_seconds(config(), busy) == 4 * run_time.after_seconds(config(), speed)
    learn_rest("cpu", 1e9, 1.0)
    busy = stored_speed("cpu")
    assert busy is not None and busy.rest == device_speed.RATIOS[1]
    for measured, estimated in ((1.0, 0.0), (0.0, 1.0), (math.inf, 1.0)):
        learn_rest("cpu", measured, estimated)
        assert stored_speed("cpu") == busy


def test_a_whole_run_on_a_busy_machine_is_told_once_its_ratios_are_known() -> None:
    """The starter's standard preset, measured: 489 s of steps, 172 s of previews, 19 s before and 54 s after."""
    idle = Speed(half=389e9, single=113.9e9)
    step = step_seconds(STARTER, config(), idle)
    after = run_time.after_seconds(config(), idle)
    busy = dataclasses.replace(idle, ratios={"starter": 0.4074 / step}, rest=54.31 / after)
    steps = run_time.training_seconds(STARTER, config(), busy)
    assert steps == pytest.approx(489, rel=0.01)
    assert run_time.watching_seconds(config(), busy, steps) == pytest.approx(172, rel=0.1)
    assert estimated_seconds(STARTER, config(), busy) == pytest.approx(734, rel=0.05)


def test_every_preset_is_told_with_time_and_memory(cache: Path) -> None:
    unknown = estimates_of(SD15, "a/b", "cpu", "StableDiffusionPipeline")
    assert tuple(unknown) == PRESET_NAMES and all(told["seconds"] == 0 for told in unknown.values())
    measured_speed(CPU)
    told = estimates_of(SD15, "a/b", "cpu", "StableDiffusionPipeline")
    assert 0 < told["draft"]["seconds"] < told["standard"]["seconds"] < told["high"]["seconds"]
    assert all(0 < told[name]["memory_mib"] == unknown[name]["memory_mib"] for name in PRESET_NAMES)


def test_every_other_score_is_told_with_its_own_time_and_memory(cache: Path) -> None:
    measured_speed(CPU)
    told = estimates_of(SD15, "a/b", "cpu", "StableDiffusionPipeline")["standard"]
    own = preset("standard", "a", {}, "StableDiffusionPipeline").guidance.score
    assert set(told["scores"]) == set(get_args(Score)) - {own}
    vsd, sdi = told["scores"]["vsd"], told["scores"]["sdi"]
    assert vsd["memory_mib"] > 1.5 * told["memory_mib"] and sdi["memory_mib"] == told["memory_mib"]
    assert sdi["pace"] > vsd["pace"] > 1.2
    for line in (vsd, sdi):
        assert line["seconds"] == pytest.approx(line["pace"] * told["seconds"], rel=0.05)


@pytest.mark.slow
def test_the_list_of_models_loads_no_torch() -> None:
    code = (
        "import sys; from pathlib import Path;"
        "from dreamfusion_engine.commands.model_list import *;"
        "models_to_get(HubAddress(cache=Path('none')), Machine(device_type='cpu'), []);"
        "_ = models_here(HubAddress(cache=Path('none')), Machine(device_type='cpu'));"
        "print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)
    assert run.stdout.strip() == "False", run.stdout + run.stderr


def test_groups_share_the_range_of_timesteps_out_among_themselves() -> None:
    """The mean of the largest t in a call, of 3 groups of 4 views, by drawing them."""
    given = {"optimize": {"views": 12}, "guidance": {"t_min": [0.2, 0.2], "t_max": [0.8, 0.8]}}
    for at_once in (0, 4):
        config = preset("standard", "a", {**given, "memory": {"views_at_once": at_once}}, "MVDreamPipeline")
        generator = torch.Generator().manual_seed(0)
        drawn = torch.stack([sample_timesteps(3, 0.2, 0.8, 1000, generator) for _ in range(2000)]).float() / 1000
        largest = drawn.amax(dim=1) if at_once == 0 else drawn.flatten()
        expected, _ = timesteps_of_a_call(config)
        assert float(largest.mean()) == pytest.approx(expected, abs=0.01)


def test_a_texture_models_stage_is_a_part_of_the_steps_without_the_shape(cache: Path) -> None:
    measured_speed(CPU)
    told = estimates_of(SD15, "a/b", "cpu", "StableDiffusionPipeline")
    for name in PRESET_NAMES:
        whole, stage = told[name], told[name]["texture"]
        assert 0.2 * whole["seconds"] < stage["seconds"] < 0.6 * whole["seconds"], name
        assert 0 < stage["memory_mib"] <= whole["memory_mib"], name
    assert "texture" not in estimates_of(SD15, "a/b", "cpu", "stable-zero123")["draft"], "it reads no words"


def test_the_time_that_is_told_before_a_run_names_its_second_stage() -> None:
    assert "texture model" in estimate_text(config(texture={"model": "a/b"}), 1000.0)
    assert "texture model" not in estimate_text(config(), 1000.0)
