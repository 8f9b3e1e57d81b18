"""Settings of the second stage of `generate`, in which another model paints the shape that the first one made.

They are those of the command `texture` with that model. What is about the object or the machine is the run's own; what
is about the first model is not: its guidance, its cameras and its score stay its own.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from dreamfusion_engine.config.paint import painting
from dreamfusion_engine.config.presets import Resolved, dotted, resolve, to_json
from dreamfusion_engine.config.recipes import compares, recipe_named
from dreamfusion_engine.config.stages import GenerateConfig

OF_THE_STAGE = "texture stage"  # where a setting of it is from, beside the origins of `Resolved`
OF_THE_RUN = "the run"
# Stages of settings that say nothing of a painted surface, or only what the first stage has said.
OF_NO_USE = ("render", "start", "reference", "refine", "texture", "mesh")


def texture_config(config: GenerateConfig) -> GenerateConfig:
    """Return the settings of a run's second stage.

    config: GenerateConfig of the run, with `texture.model` and `texture.recipe`.
    Raises InputError for a recipe that there is not.
    """
    return texture_settings(config).config


def texture_settings(config: GenerateConfig) -> Resolved:
    """Return what `texture_config` returns, with the origin of each setting.

    config: as for `texture_config`.
    Raises InputError as `texture_config`.
    """
    asked = config.texture
    shared: dict[str, Any] = {
        "model": asked.model,
        "base": asked.base,
        "negative": _negative(config),
        "seed": config.seed,
        "device": config.device,
        "judge": config.judge,
        "checkpoint_every": config.checkpoint_every,
        "prompts": to_json(config.prompts),
        "mesh": to_json(config.mesh),
        "memory": {"fit": config.memory.fit, "graphs": config.memory.graphs},
    }
    if not compares(asked.recipe):
        shared["memory"]["precision"] = config.memory.precision
    made = resolve(config.preset, config.prompt, shared, asked.recipe)
    painted = painting(made.config, {})
    steps = asked.steps or painted.optimize.steps
    scale = asked.scale or painted.guidance.scale
    painted = dataclasses.replace(
        painted,
        optimize=dataclasses.replace(painted.optimize, steps=steps),
        guidance=dataclasses.replace(painted.guidance, scale=scale),
    )
    before, after = dotted(made.config), dotted(painted)
    origins = {name: OF_THE_RUN if origin == "yours" else origin for name, origin in made.origins.items()}
    origins |= {name: OF_THE_STAGE for name, value in after.items() if value != before[name]}
    origins |= {"optimize.steps": "yours"} if asked.steps else {}
    origins |= {"guidance.scale": "yours"} if asked.scale else {}
    return Resolved(config=painted, origins=origins)


def _negative(config: GenerateConfig) -> str:
    """The artist's negative prompt: what the first model's recipe says there is for that model alone."""
    of_recipe = recipe_named(config.recipe).values(config.preset, config.guidance.score).get("negative", ("", ""))[0]
    return "" if config.negative == of_recipe or compares(config.texture.recipe) else config.negative
