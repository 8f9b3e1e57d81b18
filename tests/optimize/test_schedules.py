"""Annealing as functions of progress: where they start, where they end, that they never jump or turn back."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest
import torch

from dreamfusion_engine.config.stages import ClipConfig, OptimizeConfig, PaceConfig, RenderConfig
from dreamfusion_engine.optimize import schedules

CONFIG = OptimizeConfig()
PACE = PaceConfig()
STEPS = [i / 200 for i in range(201)]


def test_a_ramp_is_zero_before_one_after_and_linear_between() -> None:
    assert [schedules.linear_ramp(p, 0.2, 0.6) for p in (0.0, 0.2, 0.3, 0.4, 0.6, 1.0)] == pytest.approx(
        [0.0, 0.0, 0.25, 0.5, 1.0, 1.0]
    )
    assert schedules.linear_ramp(0.0, 0.0, 0.0) == 1.0


def test_resolution_changes_once_at_the_middle() -> None:
    config = dataclasses.replace(CONFIG, resolution=(24, 48))
    assert [schedules.render_resolution(p, config) for p in (0.0, 0.499, 0.5, 1.0)] == [24, 24, 48, 48]


def test_every_level_opens_by_its_time_and_at_once_if_that_is_zero() -> None:
    config = dataclasses.replace(CONFIG, levels_until=0.5)
    assert [schedules.open_fraction(p, config) for p in (0.0, 0.25, 0.5, 1.0)] == pytest.approx([0.0, 0.5, 1.0, 1.0])
    assert schedules.open_fraction(0.0, dataclasses.replace(CONFIG, levels_until=0.0)) == 1.0


def test_weights_rise_to_their_settings_and_never_fall() -> None:
    for schedule, start, end in (
        (schedules.entropy_weight, 0.0, CONFIG.entropy),
        (schedules.smoothness_weight, 0.0, CONFIG.smoothness),
        (schedules.orientation_weight, 0.01 * CONFIG.orientation, CONFIG.orientation),
    ):
        values = [schedule(p, CONFIG, PACE) for p in STEPS]
        assert values[0] == pytest.approx(start)
        assert values[-1] == pytest.approx(end)
        assert values == sorted(values)


def test_orientation_is_at_full_weight_after_a_third() -> None:
    assert schedules.orientation_weight(1 / 3, CONFIG, PACE) == pytest.approx(CONFIG.orientation)
    assert schedules.orientation_weight(1 / 6, CONFIG, PACE) == pytest.approx(CONFIG.orientation * 0.505)


def test_the_learning_rate_warms_up_peaks_at_its_setting_and_ends_at_a_tenth() -> None:
    rates = [schedules.learning_rate(p, CONFIG) for p in STEPS]
    assert 0.0 < rates[0] < 0.1 * CONFIG.learning_rate
    assert max(rates) == schedules.learning_rate(schedules.WARM_UP, CONFIG) == CONFIG.learning_rate
    assert rates[-1] == pytest.approx(0.1 * CONFIG.learning_rate)
    peak = rates.index(max(rates))
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert schedules.learning_rate(0.51, CONFIG) == pytest.approx(0.55 * CONFIG.learning_rate)  # middle of the cosine


def test_shading_is_albedo_first_then_three_quarters_lit_with_the_set_share_textureless() -> None:
    config = dataclasses.replace(CONFIG, albedo_until=0.2, textureless=0.4)
    generator = torch.Generator().manual_seed(0)
    assert {schedules.choose_shading(0.19, config, PACE, generator) for _ in range(200)} == {"albedo"}
    seen = Counter(schedules.choose_shading(0.5, config, PACE, generator) for _ in range(4000))
    assert seen["albedo"] / 4000 == pytest.approx(0.25, abs=0.03)
    assert seen["textureless"] / 4000 == pytest.approx(0.75 * 0.4, abs=0.03)
    assert seen["lambertian"] / 4000 == pytest.approx(0.75 * 0.6, abs=0.03)


def test_choosing_a_shading_draws_the_same_amount_in_every_phase() -> None:
    states = []
    for progress in (0.0, 0.9):
        generator = torch.Generator().manual_seed(1)
        schedules.choose_shading(progress, CONFIG, PACE, generator)
        states.append(generator.get_state())
    assert torch.equal(*states)


def test_the_opacity_weight_falls_from_ten_times_to_once() -> None:
    values = [schedules.opacity_weight(p, CONFIG, PACE) for p in STEPS]
    assert values[0] == pytest.approx(10.0 * CONFIG.opacity)
    assert values[-1] == pytest.approx(CONFIG.opacity)
    assert values == sorted(values, reverse=True)


def test_entropy_sleeps_until_the_shape_stands() -> None:
    assert schedules.entropy_weight(PACE.entropy_from, CONFIG, PACE) == 0.0
    assert schedules.entropy_weight(0.7, CONFIG, PACE) == pytest.approx(0.5 * CONFIG.entropy)


def test_little_is_skipped_until_the_shape_stands() -> None:
    config = RenderConfig()
    assert schedules.occupancy_threshold(0.0, config) == pytest.approx(0.01 * config.occupancy_threshold)
    assert schedules.occupancy_threshold(0.5, config) == config.occupancy_threshold


def test_the_target_of_emptiness_rises_evenly_over_the_first_twentieth() -> None:
    """Dream Fields: 0.40 to 0.88 over 500 of 10,000 steps."""
    targets = [schedules.transmittance_target(step / 10_000, ClipConfig()) for step in (0, 250, 500, 9_999)]
    assert targets == pytest.approx([0.40, 0.64, 0.88, 0.88])
    assert schedules.transmittance_target(0.0, ClipConfig(target_until=0.0)) == 0.88
