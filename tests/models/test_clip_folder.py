"""Facts about a CLIP's folder: what it is taken for, what its sizes are, and what is refused, by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from reference.tiny_clip import write_tiny_clip
from torch.utils.flop_counter import FlopCounterMode
from transformers import CLIPModel

from dreamfusion_engine.config.recipes import CLIP_RECIPE, SMALL_CLIP_RECIPE
from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.judge.folder import WEIGHTS
from dreamfusion_engine.models.clip_folder import is_clip, picture_statistics, towers
from dreamfusion_engine.models.operations import tower_operations
from dreamfusion_engine.models.pipeline_folder import STARTER_FOLDER, model_facts, open_pipeline
from dreamfusion_engine.models.sizes import read_sizes, tower_kept
from training.judge.network import JudgeSize

LARGER = JudgeSize(pixels=32, patch=4, width=64, layers=3, heads=4, vector=32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_clip(tmp_path / "clip")


def changed(folder: Path, name: str, **values: Any) -> None:
    """The JSON file with other values; None removes one. A dotted name is inside of another."""
    content = json.loads((folder / name).read_text(encoding="utf-8"))
    for key, value in values.items():
        outer, _, inner = key.rpartition("__")
        where = content[outer] if outer else content
        where.pop(inner, None)
        if value is not None:
            where[inner] = value
    (folder / name).write_text(json.dumps(content), encoding="utf-8")


def refusal(folder: Path) -> SetupError:
    with pytest.raises(SetupError) as caught:
        open_pipeline(folder)
    return caught.value


def test_a_clip_is_a_family_of_its_own_with_a_recipe(folder: Path) -> None:
    opened = open_pipeline(folder)
    assert (opened.family, opened.components) == ("CLIPModel", {".": "CLIPModel"})
    assert model_facts(str(folder)).recipe == CLIP_RECIPE
    assert is_clip(folder) and not is_clip(STARTER_FOLDER) and not is_clip(folder.parent)


def test_the_built_in_judge_is_a_clip_that_knows_the_corpus_only() -> None:
    facts = model_facts(str(WEIGHTS))
    assert facts.recipe == SMALL_CLIP_RECIPE and facts.card.closed_vocabulary
    assert {"mug", "castle", "purple", "handle"} <= facts.card.words and "peacock" not in facts.card.words
    assert facts.card.files == json.loads((WEIGHTS / "hashes.json").read_text(encoding="utf-8"))
    assert not facts.card.has_front("a hamburger") and facts.card.has_front("a red car")


def test_the_sizes_of_the_towers_are_those_of_the_loaded_model(tmp_path: Path) -> None:
    for folder in (WEIGHTS, write_tiny_clip(tmp_path / "clip", size=LARGER)):
        model = CLIPModel.from_pretrained(folder)

        def count(*parts: str, model: Any = model) -> int:
            return sum(p.numel() for part in parts for p in getattr(model, part).parameters())

        vision, text = towers(folder)
        assert vision.parameters == count("vision_model", "visual_projection")
        assert text.parameters == count("text_model", "text_projection")
        sizes = read_sizes(folder)
        assert (sizes.denoiser, sizes.text_encoders) == (vision.parameters, vision.parameters + text.parameters)
        assert sizes.compares and sizes.vae == 0 and sizes.pixels == vision.pixels


def test_the_arithmetic_there_and_back_is_what_torch_counts(tmp_path: Path) -> None:
    """With attention written out, because torch's counter does not know the one of a CPU."""
    folder = write_tiny_clip(tmp_path / "clip", size=LARGER)
    model = CLIPModel.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").requires_grad_(False)
    x = torch.randn(1, 3, 32, 32, requires_grad=True)
    there, back = FlopCounterMode(display=False), FlopCounterMode(display=False)
    with there:
        vector = model.visual_projection(model.vision_model(pixel_values=x).pooler_output)
    with back:
        torch.autograd.grad(vector.sum(), x)
    expected = tower_operations(towers(folder)[0])
    assert there.get_total_flops() == pytest.approx(expected, rel=0.02)
    assert back.get_total_flops() == pytest.approx(expected, rel=0.2)  # attention's is twice as much


def test_the_numbers_kept_for_the_way_back_are_those_that_torch_keeps(tmp_path: Path) -> None:
    folder = write_tiny_clip(tmp_path / "clip", size=LARGER)
    model = CLIPModel.from_pretrained(folder, dtype=torch.float32).requires_grad_(False)
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes() // 4
        return tensor

    x = torch.randn(1, 3, 32, 32, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        pooled = model.vision_model(pixel_values=x).pooler_output
        assert pooled.requires_grad
    assert sum(kept.values()) == pytest.approx(tower_kept(towers(folder)[0]), rel=0.1)


@pytest.mark.parametrize("tower", ["vision", "text"])
def test_a_clip_without_one_of_its_towers_is_refused(folder: Path, tower: str) -> None:
    changed(folder, "config.json", **{f"{tower}_config": None})
    error = refusal(folder)
    assert error.code == "model.unsupported" and f"without {tower} tower" in error.why


@pytest.mark.parametrize("named", ["clip_vision_model", "clip_text_model", "clipseg", "chinese_clip"])
def test_a_tower_alone_and_relatives_of_clip_are_refused(folder: Path, named: str) -> None:
    changed(folder, "config.json", model_type=named)
    error = refusal(folder)
    assert error.code == "model.unsupported" and named in error.why and "whole CLIPModel" in error.fix


@pytest.mark.parametrize(
    ("name", "values", "code", "says"),
    [
        ("config.json", {"vision_config__patch_size": 40}, "model.damaged", "patches"),
        ("config.json", {"vision_config__image_size": 100_000}, "model.damaged", "pixels"),
        ("config.json", {"vision_config__num_hidden_layers": "many"}, "model.damaged", "num_hidden_layers"),
        ("config.json", {"vision_config__num_channels": 4}, "model.unsupported", "channels"),
        ("config.json", {"auto_map": {"AutoModel": "own.py"}}, "model.unsupported", "auto_map"),
        ("preprocessor_config.json", {"image_std": [0.5, 0.0, 0.5]}, "model.damaged", "image_std"),
        ("preprocessor_config.json", {"image_mean": [0.5, float("nan"), 0.5]}, "model.damaged", "image_mean"),
        ("preprocessor_config.json", {"image_mean": 0.5}, "model.damaged", "image_mean"),
    ],
)
def test_senseless_small_files_are_refused_by_name(
    folder: Path, name: str, values: dict[str, Any], code: str, says: str
) -> None:
    changed(folder, name, **values)
    error = refusal(folder)
    assert error.code == code and says in error.why


def test_a_folder_that_lacks_a_file_is_refused_by_its_name(tmp_path: Path) -> None:
    for name, said in (
        ("model.safetensors", "no weights"),
        ("preprocessor_config.json", "preprocessor_config.json"),
        ("tokenizer.json", "vocabulary"),
    ):
        folder = write_tiny_clip(tmp_path / name)
        (folder / name).unlink()
        error = refusal(folder)
        assert error.code == "model.incomplete" and said in error.why
    pickled = write_tiny_clip(tmp_path / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    assert refusal(pickled).code == "model.pickled"


def test_a_changed_file_of_a_clip_with_a_card_is_found(tmp_path: Path) -> None:
    folder = write_tiny_clip(tmp_path / "clip", card=True)
    open_pipeline(folder)
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    assert refusal(folder).code == "model.damaged"


def test_without_numbers_of_its_own_a_folder_has_those_of_the_published_clips(folder: Path) -> None:
    changed(folder, "preprocessor_config.json", image_mean=None, image_std=None)
    mean, std = picture_statistics(folder)
    assert mean == pytest.approx((0.481, 0.458, 0.408), abs=1e-3) and std == pytest.approx(
        (0.269, 0.261, 0.276), abs=1e-3
    )
