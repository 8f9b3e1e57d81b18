"""What a run with a model costs, as the list of models tells it: time and memory, by preset and score."""

from __future__ import annotations

from typing import Any, get_args

from dreamfusion_engine.config.presets import PRESET_NAMES, preset
from dreamfusion_engine.config.scores import Score
from dreamfusion_engine.memory.ladder import least_bytes
from dreamfusion_engine.models.sizes import ModelSizes
from dreamfusion_engine.speed.device_speed import stored_speed
from dreamfusion_engine.speed.run_time import estimated_seconds, step_seconds

PRESET = "standard"  # whose settings the memory is told for


def memory_of(sizes: ModelSizes, device_type: str, recipe: str, level: str = PRESET, score: Score | None = None) -> int:
    """Peak memory of a run in the preset `level`, MiB, once it saves what costs no quality (`memory.fit`).

    score: of the guidance; None: the recipe's.
    """
    config = preset(level, "a", {} if score is None else {"guidance": {"score": score}}, recipe)
    return round(least_bytes(sizes, config, device_type) / (1 << 20))


def estimates_of(sizes: ModelSizes, model: str, device_type: str, recipe: str) -> dict[str, dict[str, Any]]:
    """By preset the time of a run and its peak memory as `memory_of` has it: {"seconds", 0: unknown, "memory_mib"}.

    And by each other score, under "scores": the same two, and "pace": a step's time over that with the recipe's score.
    """
    speed, estimates = stored_speed(device_type), {}
    for name in PRESET_NAMES:
        config = preset(name, "a", {"model": model}, recipe)
        own = 0.0 if speed is None else step_seconds(sizes, config, speed)
        scores: dict[str, dict[str, float]] = {}
        for score in get_args(Score):
            if score == config.guidance.score:
                continue
            other = preset(name, "a", {"model": model, "guidance": {"score": score}}, recipe)
            scores[score] = {
                "seconds": round(estimated_seconds(sizes, other, speed), 1),
                "memory_mib": memory_of(sizes, device_type, recipe, name, score),
                "pace": 0.0 if speed is None or not own else round(step_seconds(sizes, other, speed) / own, 3),
            }
        estimates[name] = {
            "seconds": round(estimated_seconds(sizes, config, speed), 1),
            "memory_mib": memory_of(sizes, device_type, recipe, name),
            "scores": scores,
        }
    return estimates
