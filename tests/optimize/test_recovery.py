"""Recovery: a restart says what it changes, changes add up, and an end is an error with a way out."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from dreamfusion_engine.config.presets import to_json
from dreamfusion_engine.config.scores import Score
from dreamfusion_engine.config.stages import GenerateConfig, GuidanceConfig
from dreamfusion_engine.errors import RunError
from dreamfusion_engine.optimize.health import Verdict
from dreamfusion_engine.optimize.recovery import MOST_GUIDANCE, describe, recover

CONFIG = GenerateConfig(prompt="a mug", seed=5)


def value(config: GenerateConfig, name: str) -> Any:
    stage, key = name.split(".")
    return to_json(config)[stage][key]


@pytest.mark.parametrize("verdict", ["non_finite", "empty", "full_box"])
def test_two_restarts_with_new_seeds_and_stated_changes_then_an_error(verdict: Verdict) -> None:
    config, seeds = CONFIG, {CONFIG.seed}
    for attempts in range(2):
        recovery = recover(verdict, attempts, config)
        assert recovery is not None
        assert value(recovery.config, recovery.setting) != value(config, recovery.setting)
        assert describe(verdict) in recovery.text
        assert f"seed {recovery.config.seed}" in recovery.text
        assert recovery.config.prompt == config.prompt
        assert recovery.config.mesh == config.mesh
        seeds.add(recovery.config.seed)
        config = recovery.config
    assert len(seeds) == 3
    with pytest.raises(RunError) as caught:
        recover(verdict, 2, config)
    assert caught.value.code == f"run.{verdict}"
    assert caught.value.exit_code == 3
    assert caught.value.fix


def test_changes_go_against_the_verdict() -> None:
    cases: list[tuple[Verdict, int]] = [("empty", 1), ("full_box", 0), ("non_finite", 0)]
    empty, full, broken = (recover(verdict, attempts, CONFIG) for verdict, attempts in cases)
    assert empty and full and broken
    assert empty.config.optimize.opacity < CONFIG.optimize.opacity < full.config.optimize.opacity
    assert empty.config.field.blob_density > CONFIG.field.blob_density
    assert broken.config.optimize.learning_rate < CONFIG.optimize.learning_rate
    second = recover("full_box", 1, full.config)
    assert second is not None
    assert second.config.field.blob_radius < full.config.field.blob_radius
    assert second.config.optimize.opacity == full.config.optimize.opacity  # the first change stays


def test_an_object_that_vanishes_under_strong_rescaling_gets_its_guidance_back_first() -> None:
    def asked(rescale: float, score: Score = "sds") -> GenerateConfig:
        return dataclasses.replace(CONFIG, guidance=GuidanceConfig(rescale=rescale, score=score))

    first = recover("empty", 0, asked(0.9))
    assert first is not None and first.setting == "guidance.rescale" and "rescale 0.6, not 0.9" in first.text
    assert first.config.guidance.rescale == 0.6 and first.config.optimize == CONFIG.optimize
    second = recover("empty", 1, first.config)
    assert second is not None and second.setting == "optimize.opacity" and second.config.optimize.opacity == 0.0
    assert second.config.guidance.rescale == 0.6, "changes add up"
    # Nothing else changes its cause: neither the tested strength, nor scores that do not rescale, nor other verdicts.
    others = [("empty", asked(0.6)), ("empty", asked(0.9, "csd")), ("full_box", asked(0.9)), ("non_finite", asked(0.9))]
    for verdict, config in others:
        other = recover(verdict, 0, config)  # type: ignore[arg-type]
        assert other is not None and other.setting != "guidance.rescale"


def test_an_object_that_vanishes_gets_twice_the_guidance_first_up_to_a_bound() -> None:
    first = recover("empty", 0, CONFIG)
    assert first is not None and first.setting == "guidance.scale"
    assert first.config.guidance.scale == 2.0 * CONFIG.guidance.scale
    # Weights grow with the guidance: what the opacity really weighs stays, so that the text gains on it.
    assert first.config.optimize == dataclasses.replace(CONFIG.optimize, opacity=0.5 * CONFIG.optimize.opacity)
    second = recover("empty", 1, first.config)
    assert second is not None and second.setting == "optimize.opacity"
    assert second.config.guidance.scale == first.config.guidance.scale, "changes add up"
    for scale, then, setting in ((150.0, MOST_GUIDANCE, "guidance.scale"), (300.0, 300.0, "optimize.opacity")):
        strong = recover("empty", 0, dataclasses.replace(CONFIG, guidance=GuidanceConfig(scale=scale)))
        assert strong is not None and strong.setting == setting and strong.config.guidance.scale == then


def test_without_pressure_towards_emptiness_a_vanished_object_gets_stronger_guidance() -> None:
    config = dataclasses.replace(CONFIG, optimize=dataclasses.replace(CONFIG.optimize, opacity=0.0))
    recovery = recover("empty", 0, config)
    assert recovery is not None and recovery.setting == "guidance.scale"


def test_a_flat_object_is_tried_once_more_and_then_kept() -> None:
    assert recover("flat", 0, CONFIG) is not None
    assert recover("flat", 1, CONFIG) is None
    assert recover("flat", 2, CONFIG) is None


def test_alike_sides_are_only_a_warning() -> None:
    assert recover("many_faced", 0, CONFIG) is None
    assert describe("many_faced")


def test_recovery_is_a_function_of_its_arguments() -> None:
    assert recover("empty", 1, CONFIG) == recover("empty", 1, CONFIG)


def test_impossible_settings_are_never_proposed() -> None:
    """Every change passes the configuration's own validation, from its extremes too."""
    extremes = dataclasses.replace(
        CONFIG,
        seed=2**31 - 1,
        guidance=dataclasses.replace(CONFIG.guidance, scale=1000.0),
        optimize=dataclasses.replace(CONFIG.optimize, opacity=0.0, gradient_clip=0.0, learning_rate=1.0),
    )
    for verdict in ("non_finite", "empty", "full_box", "flat"):
        for attempts in (0, 1):
            recover(verdict, attempts, extremes)  # type: ignore[arg-type]
