"""The methods besides a field that a model can make an object with, for its line in the list of models."""

from __future__ import annotations

from typing import Any

from dreamfusion_engine.commands.model_line import recipe_json
from dreamfusion_engine.config.needs import FIELD_STAGES, NEEDS_FIELD
from dreamfusion_engine.config.recipes import CLIP_MESH_RECIPES
from dreamfusion_engine.models.sizes import ModelSizes
from dreamfusion_engine.speed.model_costs import estimates_of


def methods_of(recipe: str, sizes: ModelSizes, model: str, device_type: str) -> dict[str, dict[str, Any]]:
    """Return by the setting `method` what a model's line says of it; empty for a model that makes fields only.

    "recipe" and "estimates" are as those of the line; the stage of a texture model is the line's own. "idle" has the
    stages and settings that do nothing with it.

    recipe: str, name of the model's recipe.
    sizes: ModelSizes of the model.
    model: str, the model's name.
    device_type: kind of the places, such as 'cpu', 'cuda' or 'mps+cpu'.
    """
    if recipe not in CLIP_MESH_RECIPES:
        return {}
    own = CLIP_MESH_RECIPES[recipe]
    return {
        "clip-mesh": {
            "recipe": recipe_json(own),
            "estimates": {
                preset: {key: value for key, value in costs.items() if key != "texture"}
                for preset, costs in estimates_of(sizes, model, device_type, own).items()
            },
            "idle": [*FIELD_STAGES, *NEEDS_FIELD],
        }
    }
