"""The settings of a run with a model: what does not fit is refused, in words for the model that an artist has."""

from __future__ import annotations

import pytest

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.judge.folder import WEIGHTS
from dreamfusion_engine.models.pipeline_folder import model_facts
from dreamfusion_engine.request.settings import settings_for


def refused(model: str, **settings: str) -> InputError:
    with pytest.raises(InputError) as found:
        settings_for(model_facts(model), "draft", "a red mug", settings)
    return found.value


def test_the_built_in_model_is_called_by_its_name_and_not_by_that_of_its_family() -> None:
    for settings, code in (({"method": "clip-mesh"}, "input.method"), ({"recipe": "small-clip"}, "input.recipe")):
        error = refused("starter", **settings)
        assert error.code == code and "the model is the starter model" in error.why


def test_a_recipe_is_called_by_its_own_title() -> None:
    error = refused(str(WEIGHTS), recipe="starter")
    assert error.why == "It is for Starter; the model is a CLIP."
