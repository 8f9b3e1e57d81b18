"""Files that are no whole model are refused by what they are, before anything is loaded.

Of: dreamfusion_engine/models/single_file/read.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from models.single_file.headers import ATTENTION, UNET, WHOLE, file_with, refusal

from dreamfusion_engine.models.catalogue import catalogue
from dreamfusion_engine.models.pipeline_folder import locate_model, model_facts
from dreamfusion_engine.models.safetensors_header import TensorEntry
from dreamfusion_engine.models.single_file.layouts import marked_prediction
from dreamfusion_engine.models.single_file.read import read_single_file


@pytest.mark.parametrize(
    ("tensors", "told"),
    [
        ({"lora_unet_down_blocks_0.lora_up.weight": (4, 4)}, "LoRA"),
        ({"unet.down_blocks.0.to_q.lora.up.weight": (4, 4)}, "LoRA"),
        ({"control_model.time_embed.0.weight": (4, 4)}, "ControlNet"),
        ({"distilled_guidance_layer.in_proj.bias": (4,), "double_blocks.0.img_mod.lin.bias": (4,)}, "Chroma"),
        ({"single_stream_modulation.lin.weight": (4, 4)}, "Flux 2"),
        ({"img_in.weight": (8, 384), "final_layer.linear.weight": (64, 8)}, "inpainting"),
        ({**WHOLE, f"{UNET}input_blocks.0.0.weight": (8, 9, 3, 3)}, "inpainting"),
        ({**WHOLE, "first_stage_model.encoder.conv_in.scale_weight": (1,)}, "quantised"),
        ({"conditioner.embedders.0.model.ln_final.weight": (4,)}, "refiner"),
        ({"down_blocks.0.resnets.0.conv1.weight": (4, 4)}, "one part"),
        ({"transformer_blocks.0.attn.to_q.weight": (4, 4)}, "one part"),
        ({"encoder.conv_in.weight": (4, 4)}, "autoencoder (VAE), one part"),
        ({"encoder.down.0.block.0.conv1.weight": (4, 4), "decoder.up.0.block.0.conv1.weight": (4, 4)}, "autoencoder"),
        ({"first_stage_model.encoder.conv_in.weight": (8, 3, 3, 3)}, "autoencoder"),
        ({"text_model.embeddings.token_embedding.weight": (9, 4)}, "text encoder, one part"),
        ({"emb_params": (4, 768)}, "textual inversion by its shape, which is for --embedding"),
        ({"clip_l": (4, 768), "clip_g": (4, 1280)}, "textual inversion"),
        ({"<cat-toy>": (768,)}, "textual inversion"),
        ({"lycoris_down_blocks_0.lokr_w1": (4, 4), "lycoris_down_blocks_0.alpha": ()}, "LoKr (LyCORIS)"),
        ({"lora_unet_down_blocks_0.hada_w1_a": (4, 4)}, "LoHa (LyCORIS)"),
        ({"lora_unet_down_blocks_0.oft_blocks": (4, 4)}, "OFT (LyCORIS)"),
        ({"lora_unet_x.dora_scale": (4, 1), "lora_unet_x.lora_up.weight": (4, 4)}, "DoRA"),
        ({"down_blocks.0.motion_modules.0.norm.weight": (4,)}, "motion module of AnimateDiff"),
        ({"double_blocks.0.img_attn.qkv.lora_A.weight": (4, 4)}, "LoRA"),
        ({"a": (4, 4, 3, 3), "b": (4, 4, 3, 3)}, "no architecture"),
        ({}, "no architecture"),
    ],
)
def test_other_files_are_refused_by_what_they_are(
    tmp_path: Path, tensors: dict[str, tuple[int, ...]], told: str
) -> None:
    error = refusal(lambda: read_single_file(file_with(tmp_path / "x.safetensors", tensors)))
    assert error.code == "model.unsupported" and told in error.why


@pytest.mark.parametrize("left", ["text_model.embeddings.position_ids", "text_model.logit_scale"])
def test_a_part_of_which_only_a_buffer_is_there_comes_from_the_base(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "empty"))
    tensors = {name: shape for name, shape in WHOLE.items() if not name.startswith("cond_stage_model.")}
    tensors[f"cond_stage_model.transformer.{left}"] = (1, 77)
    error = refusal(lambda: read_single_file(file_with(tmp_path / "x.safetensors", tensors)))
    assert error.code == "model.incomplete" and "no first text encoder" in error.why


@pytest.mark.parametrize("lost", ["first_stage_model.", "cond_stage_model."])
def test_a_file_without_all_parts_names_what_is_missing_and_how_to_give_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "empty"))
    tensors = {name: shape for name, shape in WHOLE.items() if not name.startswith(lost)}
    error = refusal(lambda: read_single_file(file_with(tmp_path / "x.safetensors", tensors)))
    assert error.code == "model.incomplete" and ("no autoencoder" if "first" in lost else "no first text") in error.why
    base = next(model for model in catalogue() if model.architecture == "sd1")
    assert "--base" in error.fix and f"download {base.id} (2.1 GB)" in error.fix


def test_a_file_of_stable_diffusion_2_that_does_not_say_what_it_predicts_asks(tmp_path: Path) -> None:
    tensors = {**WHOLE, ATTENTION: (8, 1024), "cond_stage_model.model.ln_final.weight": (4,)}
    error = refusal(lambda: read_single_file(file_with(tmp_path / "x.safetensors", tensors)))
    ids = [model.id for model in catalogue() if model.architecture in ("sd2", "sd2-v")]
    assert error.code == "model.prediction" and len(ids) == 2 and all(f"--base {name}" in error.fix for name in ids)


@pytest.mark.parametrize(
    ("marks", "metadata", "found"),
    [
        ({}, {}, None),
        ({"v_pred": ()}, {"modelspec.prediction_type": "epsilon"}, "v_prediction"),
        ({}, {"modelspec.prediction_type": "v"}, "v_prediction"),
        ({}, {"modelspec.prediction_type": "epsilon"}, "epsilon"),
        ({}, {"modelspec.predict_key": "v"}, "v_prediction"),
        ({}, {"modelspec.architecture": "stable-diffusion-v2-768-v"}, "v_prediction"),
        ({}, {"modelspec.architecture": "stable-diffusion-v2-512"}, "epsilon"),
        ({}, {"modelspec.architecture": "stable-diffusion-v1"}, None),
    ],
)
def test_what_a_denoiser_predicts_is_read_from_the_marks_that_files_carry(
    marks: dict[str, tuple[int, ...]], metadata: dict[str, str], found: str | None
) -> None:
    tensors = {name: TensorEntry("F16", shape, 2) for name, shape in marks.items()}
    assert marked_prediction(tensors, metadata) == found


def test_a_base_beside_a_model_that_is_no_file_is_refused(tmp_path: Path) -> None:
    for name in ("starter", str(tmp_path), "owner/name", str(tmp_path / "no.safetensors")):
        assert refusal(lambda name=name: model_facts(name, "owner/name")).code == "input.base"  # type: ignore[misc]


def test_without_configs_the_command_that_gets_them_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "empty"))
    error = refusal(lambda: read_single_file(file_with(tmp_path / "x.safetensors", WHOLE)))
    base = next(model for model in catalogue() if model.architecture == "sd1")
    assert error.code == "model.configs" and f"download {base.id} --configs" in error.fix


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("m.ckpt", b"PK", "model.pickled"),
        ("m.PT", b"PK", "model.pickled"),
        ("m.bin", b"PK", "model.pickled"),
        ("m.gguf", b"GGUF", "model.not_folder"),
        ("m.safetensors", b"", "model.damaged"),
        ("m.safetensors", b"\x80\x02}q\x00" * 9, "model.pickled"),
        ("m.safetensors", b"PK\x03\x04archive/data.pkl", "model.pickled"),
        ("m.safetensors", b"<!doctype html><html>", "model.damaged"),
    ],
)
def test_files_of_other_kinds_are_refused_before_anything_is_opened(
    tmp_path: Path, name: str, content: bytes, code: str
) -> None:
    (tmp_path / name).write_bytes(content)
    assert refusal(lambda: locate_model(str(tmp_path / name))).code == code
