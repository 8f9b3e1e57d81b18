"""A single file of Zero123 becomes a folder like the published one, with the very same weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from reference.tiny_zero123 import write_zero123_file
from safetensors.torch import load_file, save_file

from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.models.pipeline_folder import model_facts, open_pipeline
from dreamfusion_engine.models.single_file.convert import ready_model
from dreamfusion_engine.models.single_file.read import read_single_file
from dreamfusion_engine.models.single_file.zero123_file import vision_tower

WEIGHTS = {
    "unet": "diffusion_pytorch_model",
    "vae": "diffusion_pytorch_model",
    "image_encoder": "model",
    "cc_projection": "diffusion_pytorch_model",
}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file; its base is the folder beside it."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    write_zero123_file(tmp_path / "my model.safetensors", tmp_path / "base")
    return tmp_path / "my model.safetensors"


def same_weights(one: Path, other: Path, part: str) -> bool:
    mine, theirs = (load_file(folder / part / f"{WEIGHTS[part]}.safetensors") for folder in (one, other))
    return mine.keys() == theirs.keys() and all(torch.equal(mine[key], theirs[key].half()) for key in mine)


def test_a_file_with_everything_needs_the_configs_of_its_base_alone(file: Path) -> None:
    base = file.parent / "base"
    facts = model_facts(str(file), str(base))
    assert facts.family == "Zero1to3StableDiffusionPipeline" and facts.pose is None
    folder = ready_model(str(file), str(base))
    assert open_pipeline(folder).family == "Zero1to3StableDiffusionPipeline"
    assert all(same_weights(folder, base, part) for part in WEIGHTS)
    assert read_single_file(file, str(base)).converted


def test_a_file_without_an_encoder_takes_it_from_its_base(file: Path) -> None:
    alone, base = file.with_name("alone.safetensors"), file.parent / "base"
    save_file({name: each for name, each in load_file(file).items() if "visual" not in name}, alone)
    folder = ready_model(str(alone), str(base))
    assert (folder / "image_encoder" / "model.safetensors").samefile(base / "image_encoder" / "model.safetensors")
    assert same_weights(folder, base, "unet")


def test_without_its_base_the_file_names_what_to_download(file: Path) -> None:
    with pytest.raises(SetupError, match="Zero123") as caught:
        read_single_file(file)
    assert caught.value.code == "model.configs" and "kxic/zero123-xl --configs" in caught.value.fix


def test_weights_that_are_missing_are_said(file: Path) -> None:
    cut = file.with_name("cut.safetensors")
    state = load_file(file)
    del state["model.diffusion_model.out.2.weight"]
    save_file(state, cut)
    with pytest.raises(SetupError, match="damaged") as caught:
        ready_model(str(cut), str(file.parent / "base"))
    assert caught.value.code == "model.damaged"


def test_an_encoder_of_another_kind_is_no_tower() -> None:
    for name in ("trunk.stem.weight", "transformer.resblocks.0.attn.gate.weight"):
        with pytest.raises(ValueError, match=name):
            vision_tower({name: torch.zeros(1)})
