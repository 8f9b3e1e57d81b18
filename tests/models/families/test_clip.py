"""Facts about a CLIP that teaches: its vectors are those of transformers' own model, in any precision that it has."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from reference.tiny_clip import SIZE, write_tiny_clip
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, CLIPModel

from dreamfusion_engine.errors import InputError, SetupError
from dreamfusion_engine.models.families.clip import ClipTeacher
from dreamfusion_engine.models.families.parts import Precision
from dreamfusion_engine.models.load import load_clip
from dreamfusion_engine.models.pipeline_folder import open_pipeline

CPU = torch.device("cpu")
PICTURES = torch.rand(3, 3, SIZE.pixels, SIZE.pixels, generator=torch.Generator().manual_seed(0))
TEXTS = ["a red mug", "a castle, front view", ""]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_clip(tmp_path_factory.mktemp("clip"))


def loaded(folder: Path, precision: Precision = "auto") -> ClipTeacher:
    return load_clip(open_pipeline(folder), CPU, precision)


def test_vectors_of_pictures_and_words_are_those_of_transformers_own_model(folder: Path) -> None:
    teacher = loaded(folder)
    model = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
    tokens = AutoTokenizer.from_pretrained(folder)(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        theirs = model(
            input_ids=tokens.input_ids, attention_mask=tokens.attention_mask, pixel_values=2.0 * PICTURES - 1.0
        )
        seen = teacher.picture_vectors(teacher.to_model_space(PICTURES))
    told = teacher.encode_prompts(TEXTS)
    torch.testing.assert_close(seen, theirs.image_embeds, atol=1e-5, rtol=0.0)
    torch.testing.assert_close(told.tokens[:, 0], theirs.text_embeds, atol=1e-5, rtol=0.0)
    assert float((told.tokens[0] - told.tokens[1]).norm()) > 0.01, "words matter"


def test_the_tower_of_words_is_gone_once_the_prompt_is_read_and_nothing_learns(folder: Path) -> None:
    vision = loaded(folder).vision
    assert not any(name.startswith("text") for name, _ in vision.named_parameters())
    assert not any(parameter.requires_grad for parameter in vision.parameters()) and not vision.training


def test_half_precision_gives_nearly_the_same_vectors_and_a_gradient(folder: Path) -> None:
    x = loaded(folder).to_model_space(PICTURES).requires_grad_(True)
    exact, half = (loaded(folder, each).picture_vectors(x) for each in ("float32", "bfloat16"))  # type: ignore[arg-type]
    assert half.dtype == torch.float32
    assert 0.99 < float((exact * half).sum(1).min().detach()) < 1.0 - 1e-7
    (gradient,) = torch.autograd.grad(half[:, 0].sum(), x)
    assert float(gradient.abs().max()) > 0.0


def test_a_prompt_of_more_tokens_than_it_reads_is_refused(folder: Path) -> None:
    with pytest.raises(InputError) as caught:
        loaded(folder).encode_prompts([" ".join(["red"] * 40)])
    assert caught.value.code == "input.prompt_tokens" and "25" in caught.value.why


def test_weights_that_are_missing_or_are_no_numbers_are_told_before_anything_is_taught(tmp_path: Path) -> None:
    folder = write_tiny_clip(tmp_path / "lacking")
    weights = load_file(folder / "model.safetensors")
    save_file({k: v for k, v in weights.items() if "visual_projection" not in k}, folder / "model.safetensors")
    with pytest.raises(SetupError) as caught:
        loaded(folder).picture_vectors(PICTURES)
    assert caught.value.code == "model.damaged" and "visual_projection" in caught.value.why
    broken = write_tiny_clip(tmp_path / "broken")
    weights["text_projection.weight"] = torch.full_like(weights["text_projection.weight"], float("nan"))
    save_file(weights, broken / "model.safetensors")
    with pytest.raises(SetupError) as caught:
        loaded(broken).encode_prompts(["a mug"])
    assert caught.value.code == "model.damaged" and "text tower" in caught.value.what
