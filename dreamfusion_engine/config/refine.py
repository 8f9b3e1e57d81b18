"""Settings of a run that refines a mesh, as they follow from those of `generate`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from dreamfusion_engine.config.recipes import MULTI_VIEW_RECIPE, STARTER_RECIPE
from dreamfusion_engine.config.stages import GenerateConfig

STEPS_SHARE = 0.12  # of a generate run's steps: 60 in draft, which is what was looked at; more was not
# Guidance w by recipe, as for painting: of a colour that is there, a strong pull makes a burnt one. Other families keep
# their recipe's, not measured.
SCALES = {STARTER_RECIPE: 2.5, MULTI_VIEW_RECIPE: 2.5}
T_MAX = (0.5, 0.3)  # of the timesteps: higher ones would ask for another object


def refining(config: GenerateConfig, given: Mapping[str, Any]) -> GenerateConfig:
    """Return a generate run's settings as those of its refinement: fewer steps, a weak pull, little noise, always lit.

    config: GenerateConfig of the preset, the recipe and what was given.
    given: settings that the person gave, nested by stage; they stay as they are.
    """
    optimize, guidance = config.optimize, config.guidance
    t_max = (min(T_MAX[0], guidance.t_max[0]), min(T_MAX[1], guidance.t_max[1]))
    changes: dict[str, dict[str, Any]] = {
        "optimize": {
            "steps": max(1, config.refine.steps or round(STEPS_SHARE * optimize.steps)),
            "resolution": (max(optimize.resolution), max(optimize.resolution)),
            "albedo_until": 0.0,
            "levels_until": 0.0,
        },
        "guidance": {
            "scale": SCALES.get(config.recipe, guidance.scale),
            "t_max": t_max,
            "t_min": (min(0.02, guidance.t_min[0]), min(0.02, guidance.t_min[1])),
        },
    }
    stages = {}
    for stage, values in changes.items():
        own = given.get(stage, {})
        kept = {name: value for name, value in values.items() if name not in own}
        stages[stage] = dataclasses.replace(getattr(config, stage), **kept)
    return dataclasses.replace(config, **stages)
