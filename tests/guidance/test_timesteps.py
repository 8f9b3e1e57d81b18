"""Timesteps: where the range is, how it moves, and that draws fill it evenly."""

from __future__ import annotations

import math

import pytest
import torch

from dreamfusion_engine.config.stages import GuidanceConfig
from dreamfusion_engine.guidance.timesteps import annealed_share, sample_timesteps, timestep_range


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_timestep_range_moves_from_its_start_to_its_end_and_stays() -> None:
    config = GuidanceConfig(t_max=(0.98, 0.6), t_min=(0.5, 0.1), anneal_until=0.8)
    assert timestep_range(0.0, config) == pytest.approx((0.5, 0.98))
    assert timestep_range(0.4, config) == pytest.approx((0.3, 0.79))
    assert timestep_range(0.8, config) == timestep_range(1.0, config) == pytest.approx((0.1, 0.6))
    ranges = [timestep_range(i / 50, config) for i in range(51)]
    assert all(low < high for low, high in ranges)
    assert ranges == sorted(ranges, reverse=True)


def test_timesteps_are_uniform_in_the_range_and_one_in_each_part_of_it() -> None:
    generator = rng()
    drawn = torch.stack([sample_timesteps(4, 0.2, 0.6, 1000, generator) for _ in range(2000)])
    assert int(drawn.min()) >= 200
    assert int(drawn.max()) < 600
    for part in range(4):
        column = drawn[:, part].double()
        assert 200 + 100 * part <= column.min() < column.max() < 300 + 100 * part
    histogram = torch.histc(drawn.double(), bins=8, min=200, max=600) / drawn.numel()
    torch.testing.assert_close(histogram, torch.full((8,), 0.125, dtype=torch.float64), atol=0.02, rtol=0.0)
    assert int(sample_timesteps(1, 0.9999, 0.99999, 10, generator)) == 9


def test_every_way_of_annealing_starts_at_the_start_ends_at_the_end_and_never_turns_back() -> None:
    for annealing in ("linear", "sqrt", "step"):
        config = GuidanceConfig(annealing=annealing, anneal_until=0.8)  # type: ignore[arg-type]
        shares = [annealed_share(i / 50, config) for i in range(51)]
        assert shares == sorted(shares)
        assert shares[0] == 0.0
        assert shares[40] == shares[50] == 1.0


def test_the_ways_of_annealing_are_even_early_and_late() -> None:
    at = {a: annealed_share(0.25, GuidanceConfig(annealing=a, anneal_until=1.0)) for a in ("linear", "sqrt", "step")}  # type: ignore[arg-type]
    assert at == {"linear": 0.25, "sqrt": math.sqrt(0.25), "step": 0.0}
