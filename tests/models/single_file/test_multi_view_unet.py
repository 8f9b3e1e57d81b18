"""A single file of MVDream becomes a folder like the published one, with the very same weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from reference.tiny_mvdream import write_mvdream, write_mvdream_file
from safetensors.torch import load_file, save_file

from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.models.pipeline_folder import model_facts, open_pipeline
from dreamfusion_engine.models.single_file.convert import ready_model
from dreamfusion_engine.models.single_file.layouts import NotUsable, recognise
from dreamfusion_engine.models.single_file.read import read_single_file


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file; its base is the folder beside it."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    write_mvdream_file(tmp_path / "my model.safetensors", tmp_path / "base")
    return tmp_path / "my model.safetensors"


def same_weights(one: Path, other: Path, part: str, name: str) -> bool:
    mine, theirs = (load_file(folder / part / f"{name}.safetensors") for folder in (one, other))
    return mine.keys() == theirs.keys() and all(torch.equal(mine[key], theirs[key].half()) for key in mine)


@pytest.mark.slow
def test_a_file_with_everything_needs_the_configs_of_its_base_alone(file: Path) -> None:
    base = file.parent / "base"
    assert model_facts(str(file), str(base)).recipe == "MVDreamPipeline"
    folder = ready_model(str(file), str(base))
    pipeline = open_pipeline(folder)
    assert pipeline.family == "MVDreamPipeline" and pipeline.components["unet"] == "MultiViewUNetModel"
    for part in ("unet", "vae"):
        assert same_weights(folder, base, part, "diffusion_pytorch_model")
    assert same_weights(folder, base, "text_encoder", "model")
    assert read_single_file(file, str(base)).converted
    assert json.loads((folder / "unet" / "config.json").read_text())["camera_dim"] == 16


@pytest.mark.slow
def test_a_file_with_the_denoiser_alone_takes_the_rest_from_its_base(file: Path) -> None:
    alone, base = file.with_name("alone.safetensors"), file.parent / "base"
    unet = {name: each for name, each in load_file(file).items() if name.startswith("model.diffusion_model.")}
    save_file(unet, alone)
    folder = ready_model(str(alone), str(base))
    assert open_pipeline(folder).family == "MVDreamPipeline"
    assert (folder / "text_encoder" / "model.safetensors").samefile(base / "text_encoder" / "model.safetensors")
    assert same_weights(folder, base, "unet", "diffusion_pytorch_model")


@pytest.mark.slow
def test_the_base_must_be_a_multi_view_model_too(file: Path, tmp_path: Path) -> None:
    index = file.parent / "base" / "model_index.json"
    index.write_text(index.read_text().replace("MVDreamPipeline", "StableDiffusionPipeline"))
    with pytest.raises(SetupError, match="MVDream") as caught:
        read_single_file(file, str(file.parent / "base"))
    assert caught.value.code == "model.base"


@pytest.mark.slow
def test_without_its_base_the_file_names_what_to_download(file: Path) -> None:
    with pytest.raises(SetupError, match="MVDream") as caught:
        read_single_file(file)
    assert caught.value.code == "model.configs" and "--configs" in caught.value.fix


@pytest.mark.slow
def test_imagedream_is_no_base_though_its_index_names_the_same_class(file: Path) -> None:
    config = file.parent / "base" / "unet" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "ip_dim": 16}))
    with pytest.raises(SetupError, match="ImageDream") as caught:
        read_single_file(file, str(file.parent / "base"))
    assert caught.value.code == "model.base"


@pytest.mark.slow
def test_imagedream_is_told_by_name(file: Path) -> None:
    tensors = dict(read_single_file(file, str(file.parent / "base")).tensors)
    camera = next(name for name in tensors if ".camera_embed." in name)
    assert recognise(tensors) == "mvdream"
    with pytest.raises(NotUsable, match="ImageDream"):
        recognise({**tensors, "model.diffusion_model.image_embed.latents": tensors[camera]})


def test_a_folder_of_the_published_layout_is_no_file(tmp_path: Path) -> None:
    write_mvdream(tmp_path / "folder")
    assert ready_model(str(tmp_path / "folder")) == tmp_path / "folder"
