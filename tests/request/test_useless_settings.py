"""Settings that do nothing with a model are refused by name, whatever family it is of; its recipe's own are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from reference.tiny_clip import write_tiny_clip

from dreamfusion_engine.config.presets import PRESET_NAMES
from dreamfusion_engine.config.recipes import CLIP_RECIPE
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.judge.folder import WEIGHTS
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.models.family import FAMILIES
from dreamfusion_engine.models.pipeline_folder import ModelFacts, model_facts
from dreamfusion_engine.pictures.given import GivenPicture
from dreamfusion_engine.request.generate import checked_request
from dreamfusion_engine.request.settings import settings_for

CLIP = ModelFacts(family="CLIPModel", card=PromptCard())


@pytest.mark.parametrize("level", PRESET_NAMES)
@pytest.mark.parametrize("family", FAMILIES)
def test_no_familys_own_recipe_is_refused(family: str, level: str) -> None:
    settings_for(ModelFacts(family=family, card=PromptCard()), level, "a mug")
    settings_for(model_facts(str(WEIGHTS)), level, "a mug")


@pytest.mark.parametrize(
    "given",
    [
        {"guidance": {"scale": 20.0}},
        {"guidance": {"score": "vsd"}},
        {"guidance": {"t_max": [0.9, 0.5]}},
        {"guidance": {"weighting": "sigma_squared"}},
        {"score": {"sampling_steps": 3}},
        {"negative": "ugly"},
        {"memory": {"denoiser_runtime": "openvino"}},
        {"memory": {"overlap": "on"}},
        {"memory": {"offload": "text"}},
        {"memory": {"tiling": True}},
        {"adapters": {"lora": [["clay.safetensors", 1.0]]}},
        {"guidance": {"perp_neg": "on"}},
        {"memory": {"precision": "float16"}},
        {"field": {"background": "learned"}},
    ],
    ids=str,
)
def test_what_a_denoiser_alone_can_have_is_refused_with_a_clip(given: dict[str, Any]) -> None:
    (stage, values), *_ = given.items()
    name = f"{stage}.{next(iter(values))}" if isinstance(values, dict) else stage
    with pytest.raises(InputError) as caught:
        settings_for(CLIP, "draft", "a mug", given)
    assert caught.value.code == "input.setting" and f"'{name}'" in caught.value.what
    assert "CLIP" in caught.value.why + caught.value.what and name in caught.value.fix


def test_what_is_about_crops_is_refused_with_any_other_model() -> None:
    for given in ({"crops": 2}, {"transmittance": 0.5}, {"blur": 0.0}):
        with pytest.raises(InputError) as caught:
            settings_for(model_facts("starter"), "draft", "a mug", {"clip": given})
        assert caught.value.code == "input.setting" and f"clip.{next(iter(given))}" in caught.value.what
        assert settings_for(CLIP, "draft", "a mug", {"clip": given}).config.recipe == CLIP_RECIPE


def test_view_words_and_half_precision_are_possible_with_a_clip() -> None:
    given = {"guidance": {"view_prompts": "nearest"}, "memory": {"precision": "bfloat16", "views_at_once": 1}}
    assert settings_for(CLIP, "draft", "a mug", given).config.guidance.view_prompts == "nearest"


def test_a_request_with_a_lora_or_a_judge_that_teaches_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = write_tiny_clip(tmp_path / "clip")
    (tmp_path / "clay.safetensors").write_bytes(b"")
    for settings, code in (
        ({"adapters": {"lora": [[str(tmp_path / "clay.safetensors"), 1.0]]}}, "input.setting"),
        ({"judge": str(folder)}, "judge.teaches"),
    ):
        with pytest.raises(InputError) as caught:
            checked_request("a mug", settings={"model": str(folder), **settings}, output=tmp_path / "out")
        assert caught.value.code == code and not (tmp_path / "out").exists()


def test_words_that_a_clip_of_the_corpus_does_not_know_are_refused(tmp_path: Path) -> None:
    folder = write_tiny_clip(tmp_path / "clip", card=True)
    with pytest.raises(InputError) as caught:
        checked_request("a peacock", settings={"model": str(folder)}, output=tmp_path / "out")
    assert caught.value.code == "input.unknown_words" and "castle" in caught.value.why


def test_pictures_are_refused_with_a_clip_before_anything_is_written(tmp_path: Path) -> None:
    clip, out = write_tiny_clip(tmp_path / "clip"), tmp_path / "out"
    with pytest.raises(InputError) as caught:
        checked_request(
            "a mug", settings={"model": str(clip)}, output=out, pictures=[GivenPicture(data=b"not looked at")]
        )
    assert caught.value.code == "input.picture" and "a CLIP" in caught.value.why
    assert "text-to-image model" in caught.value.fix and not out.exists()


def test_the_starter_is_called_by_its_name_and_not_by_its_familys() -> None:
    with pytest.raises(InputError) as caught:
        settings_for(model_facts("starter"), "draft", "a mug", {"clip": {"crops": 3}})
    assert "the starter model denoises them" in caught.value.why and "DeepFloyd" not in caught.value.why
