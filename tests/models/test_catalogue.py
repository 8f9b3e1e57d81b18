"""The catalogue is data that can be trusted: whole, plausible, and honest about what was not confirmed."""

from __future__ import annotations

import json
import re

import pytest

from dreamfusion_engine.hub.address import is_hub_id
from dreamfusion_engine.models.catalogue import CATALOGUE, KnownModel, catalogue, known_model
from dreamfusion_engine.models.family import FAMILIES

ENGINE = CATALOGUE.parents[1]


@pytest.mark.parametrize("model", catalogue(), ids=lambda model: model.id)
def test_a_line_is_whole_and_plausible(model: KnownModel) -> None:
    assert is_hub_id(model.id) and model.title and model.license
    assert model.family in FAMILIES
    assert re.match(r"\d{4}-\d{2}-\d{2}, .+", model.checked), "when and how it was confirmed"
    assert (model.access == "withdrawn") == bool(model.instead) and model.access in ("open", "gated", "withdrawn")
    assert not model.instead or is_hub_id(model.instead)
    family, sizes = FAMILIES[model.family], model.sizes
    assert bool(sizes.vae) == family.vae and sizes.denoiser and sizes.text_encoders and sizes.denoiser_live
    assert bool(sizes.encoder_kept) == family.vae and sizes.pixels in (64, 256, 512, 768, 1024)
    parameters = sizes.denoiser + sizes.text_encoders + sizes.vae  # of text encoders the largest, as memory counts them
    per_parameter = model.download_mb * 1e6 / parameters
    highest = 2.6 if family.picture_parts and family.text_encoders else 2.3  # the smaller of two unlike encoders
    assert 1.9 < per_parameter < highest or 3.8 < per_parameter < 4.2, "half precision, or single where it says so"
    assert per_parameter < 3 or "float32" in model.checked


def test_ids_are_there_once_and_are_found_in_any_case() -> None:
    ids = [model.id.lower() for model in catalogue()]
    assert len(set(ids)) == len(ids) > 8
    assert known_model(catalogue()[0].id.upper()) is catalogue()[0]
    assert known_model("nobody/nothing") is None


def test_what_takes_a_withdrawn_models_place_is_not_withdrawn_itself() -> None:
    gone = {model.id for model in catalogue() if model.access == "withdrawn"}
    assert gone and not gone & {model.instead for model in catalogue()}


def test_there_is_something_open_for_small_cards() -> None:
    assert min(model.download_mb for model in catalogue() if model.access == "open") < 3000


def test_each_architecture_of_single_files_has_one_model_for_its_configs() -> None:
    named = [model.architecture for model in catalogue() if model.architecture]
    assert len(set(named)) == len(named) and {"sd1", "sd2", "sdxl"} <= set(named)


def test_no_model_is_named_in_code() -> None:
    ids = [model.id for model in catalogue()]
    for path in ENGINE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not [name for name in ids if name in text], f"{path.name} names a model"


def test_the_file_has_no_field_that_nobody_reads() -> None:
    values = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    assert set(values) == {"format", "about", "licences", "models"}
