"""The time and memory of a run with a model, by preset and score, for the list of models."""

from __future__ import annotations

from typing import Any, get_args

from dreamfusion_engine.config.presets import PRESET_NAMES, preset
from dreamfusion_engine.config.recipes import needs_words
from dreamfusion_engine.config.scores import Score
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.config.texture_stage import texture_config
from dreamfusion_engine.memory.ladder import least_bytes
from dreamfusion_engine.models.sizes import ModelSizes
from dreamfusion_engine.speed.device_speed import stored_speed
from dreamfusion_engine.speed.run_time import estimated_seconds, step_seconds, texturing_seconds

PRESET = "standard"  # whose settings the memory is told for


def memory_of(sizes: ModelSizes, device_type: str, recipe: str) -> int:
    """Return the peak memory of a run in the preset `PRESET`, MiB, with the savings that cost no quality.

    sizes: ModelSizes of the model.
    device_type: kind of the places, such as 'cpu', 'cuda' or 'mps+cpu'.
    recipe: str, name of the model's recipe.
    """
    return _memory_mib(sizes, preset(PRESET, "a", {}, recipe), device_type)


def estimates_of(sizes: ModelSizes, model: str, device_type: str, recipe: str) -> dict[str, dict[str, Any]]:
    """Return by preset the time and peak memory of a run: {"seconds", 0: unknown, "memory_mib"}.

    "scores" has the same two by each other score, and "pace": a step's time over that with the recipe's score.
    "texture" has the two of the model as a texture model, whose stage comes after another model's; none for a model
    that reads no words.

    sizes: ModelSizes of the model.
    model: str, the model's name.
    device_type: kind of the places, such as 'cpu', 'cuda' or 'mps+cpu'.
    recipe: str, name of the model's recipe.
    """
    speed, estimates = stored_speed(device_type), {}

    def costs(config: GenerateConfig) -> dict[str, Any]:
        return {
            "seconds": round(estimated_seconds(sizes, config, speed), 1),
            "memory_mib": _memory_mib(sizes, config, device_type),
        }

    for name in PRESET_NAMES:
        own = preset(name, "a", {"model": model}, recipe)
        step = 0.0 if speed is None else step_seconds(sizes, own, speed)
        scores: dict[str, dict[str, float]] = {}
        for score in () if sizes.compares else get_args(Score):
            if score != own.guidance.score:
                other = preset(name, "a", {"model": model, "guidance": {"score": score}}, recipe)
                pace = 0.0 if speed is None or not step else round(step_seconds(sizes, other, speed) / step, 3)
                scores[score] = {**costs(other), "pace": pace}
        estimates[name] = {**costs(own), "scores": scores}
        if needs_words(recipe):
            second = texture_config(preset(name, "a", {"texture": {"model": model, "recipe": recipe}}))
            estimates[name]["texture"] = {
                "seconds": round(texturing_seconds(sizes, second, speed), 1),
                "memory_mib": _memory_mib(sizes, second, device_type),
            }
    return estimates


def _memory_mib(sizes: ModelSizes, config: GenerateConfig, device_type: str) -> int:
    """Peak memory of a run, once it saves what costs no quality (`memory.ladder.fit`)."""
    return round(least_bytes(sizes, config, device_type) / (1 << 20))
