"""Settings of a run that paints meshes which are there, beside those that it shares with `generate`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dreamfusion_engine.config.recipes import MULTI_VIEW_RECIPE, STARTER_RECIPE
from dreamfusion_engine.config.setting import Stage, setting
from dreamfusion_engine.config.stages import GenerateConfig

STEPS_SHARE = 0.4  # of a generate run's steps: colours alone settle sooner than colours and shape
# Guidance w by recipe. The shape needs no strong pull, and 7 burns colours: of 7, 4 and 2.5, seen on two exact meshes,
# 2.5 has the cleanest and most natural ones (docs/experiments.md). Other families keep their recipe's, not measured.
SCALES = {STARTER_RECIPE: 2.5, MULTI_VIEW_RECIPE: 2.5}
# How the vertices of a part move where its shape is to change: faster than in a refinement, further, and together, so
# that what the views' pulls have in common adds up and their noise does not (docs/experiments.md, A part's new shape).
SHAPE = {"strength": 40.0, "reach": 0.3, "stiffness": 300.0, "bumps": 0.3, "roughness": 0.1, "edges": 0.1}


@dataclass(frozen=True, kw_only=True)
class PaintConfig(Stage, stage="paint"):
    """How meshes are painted."""

    uv: Literal["keep", "new"] = setting(
        "keep", says="The meshes' own UVs, or new ones; a mesh without UVs gets new ones always"
    )
    front_deg: float = setting(
        0.0,
        low=-360.0,
        high=360.0,
        unit="degrees",
        says="The side that is the front, counter-clockwise from above; 0: -Y, as in Blender's front view",
    )
    samples: int = setting(2, low=1, high=4, unit="samples", says="Samples along a pixel's side in training")
    part: str = setting(
        "",
        says="The material, object or mesh of the file that changes, by name; nothing: what its attribute _PART says, "
        "and without that all of it",
    )
    blend: float = setting(
        0.02,
        low=0.0,
        high=0.5,
        unit="share of the object's longest side",
        says="Width of the blend from the old colours to the new ones, inside a part that changes",
    )
    shape: bool = setting(
        False, says="Whether the vertices of a part that changes move too; the settings `refine` say how (not `steps`)"
    )
    close: float = setting(
        0.5, low=0.0, high=1.0, unit="share", says="Share of the views that look at a part that changes closely"
    )


def painting(
    config: GenerateConfig, given: Mapping[str, Any], *, part: bool = False, shape: bool = False
) -> GenerateConfig:
    """Return a generate run's settings as those of a run that paints: fewer steps, weaker guidance, always lit.

    config: GenerateConfig of the preset, the recipe and what was given.
    given: settings that the person gave, nested by stage; they stay as they are.
    part: bool, whether only a part changes. It needs the recipe's own guidance: all around it is right already, so
        little pulls at it.
    shape: bool, whether the part's shape changes too. It is seen in textureless views, so these stay.
    """
    changes: dict[str, dict[str, Any]] = {
        "optimize": {
            "steps": max(1, round(STEPS_SHARE * config.optimize.steps)),
            "albedo_until": 0.0,
            **({} if shape else {"textureless": 0.0}),
        },
        "refine": {"steps": 0, **(SHAPE if shape else {})},  # the steps are those of `generate`
        "guidance": {} if part else {"scale": SCALES.get(config.recipe, config.guidance.scale)},
    }
    stages = {}
    for stage, values in changes.items():
        own = given.get(stage, {})
        kept = {name: value for name, value in values.items() if name not in own}
        stages[stage] = dataclasses.replace(getattr(config, stage), **kept)
    return dataclasses.replace(config, **stages)
