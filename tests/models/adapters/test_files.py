"""Files given as LoRA or textual inversion that cannot be: each is refused by its header, with what it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from reference.tiny_adapters import factors_for, kohya, peft, write
from reference.tiny_families import VARIANTS, Case

from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.config.stages import AdaptersConfig
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.models.adapters.files import read_adapters
from dreamfusion_engine.models.adapters.fit import check_adapters, check_asked
from dreamfusion_engine.models.adapters.lora_merge import said_scale
from dreamfusion_engine.models.pipeline_folder import open_pipeline

pytestmark = pytest.mark.usefixtures("small_flux")
UNET = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"


def pair(stem: str, down: tuple[int, ...], up: tuple[int, ...]) -> dict[str, torch.Tensor]:
    """One layer of a LoRA, of zeros."""
    return {f"{stem}.lora_down.weight": torch.zeros(down), f"{stem}.lora_up.weight": torch.zeros(up)}


def refusal(folder: Path, file: Path) -> InputError:
    pipeline = open_pipeline(folder)
    with pytest.raises(InputError) as caught:
        check_adapters(read_adapters(AdaptersConfig(lora=((str(file), 1.0),))), pipeline.family, pipeline)
    assert str(file) in caught.value.why and caught.value.fix
    return caught.value


@pytest.mark.parametrize(
    ("made_for", "model", "said"),
    [
        ("sdxl", "sd", ("Stable Diffusion",)),
        ("sd", "sdxl", ("Stable Diffusion XL", "wide")),
        ("sd3", "sd", ("Stable Diffusion 3", "no such layer")),
        ("flux-dev", "sd", ("made for Flux", "no such layer")),
        ("flux-dev", "sd3", ("made for Flux", "Stable Diffusion 3")),
        ("sd3", "flux-dev", ("made for Stable Diffusion 3", "Flux")),
        ("sd", "flux-dev", ("Flux",)),
        ("pixart", "sd3", ("made for PixArt", "Stable Diffusion 3")),
        ("sd", "pixart", ("PixArt-Sigma",)),
        ("sd", "if", ("DeepFloyd IF",)),
    ],
)
def test_a_lora_of_another_architecture_is_refused_and_both_are_named(
    cases: Callable[[str], Case], tmp_path: Path, made_for: str, model: str, said: tuple[str, ...]
) -> None:
    pipeline = VARIANTS[made_for]()
    part = "unet" if hasattr(pipeline, "unet") else "transformer"
    layers = ("to_q", "to_k", "to_v", "proj_mlp")
    file = write(tmp_path / "other.safetensors", peft(factors_for(getattr(pipeline, part), part, layers)))
    error = refusal(cases(model).folder, file)
    assert error.code == "input.lora" and "this model" in error.what
    for words in said:
        assert words in error.why


def test_real_widths_are_named_by_their_models(cases: Callable[[str], Case], tmp_path: Path) -> None:
    titles = {768: "Stable Diffusion 1", 1024: "Stable Diffusion 2", 2048: "Stable Diffusion XL"}
    for width, title in titles.items():
        file = write(tmp_path / f"{width}.safetensors", pair(UNET, (4, width), (32, 4)))
        why = refusal(cases("sd").folder, file).why
        assert f"made for {title}," in why and f"{width} wide there, 32 here" in why


def test_an_encoder_that_the_model_has_not_is_named(cases: Callable[[str], Case], tmp_path: Path) -> None:
    stem = "text_model_encoder_layers_0_mlp_fc1"
    second = write(tmp_path / "second.safetensors", pair(f"lora_te2_{stem}", (2, 24), (48, 2)))
    assert "text_encoder_2" in refusal(cases("sd").folder, second).why
    assert "text_encoder_2" in refusal(cases("flux-dev").folder, second).why
    third = write(
        tmp_path / "third.safetensors", pair("lora_te3_encoder_block_0_layer_0_SelfAttention_q", (2, 72), (32, 2))
    )
    assert "text_encoder_3" in refusal(cases("sd3").folder, third).why


def test_a_layer_or_a_width_that_the_model_has_not_is_named(cases: Callable[[str], Case], tmp_path: Path) -> None:
    absent = write(
        tmp_path / "a.safetensors", pair("lora_unet_down_blocks_7_resnets_0_conv1", (2, 32, 3, 3), (32, 2, 1, 1))
    )
    assert "down_blocks_7" in refusal(cases("sd").folder, absent).why
    wide = write(tmp_path / "b.safetensors", pair("lora_unet_mid_block_resnets_0_conv1", (2, 64, 3, 3), (64, 2, 1, 1)))
    error = refusal(cases("sd").folder, wide)
    assert "[32, 32, 3, 3]" in error.why and "mid_block_resnets_0_conv1" in error.why


def test_kohyas_lora_for_stable_diffusion_3_is_told_with_a_way_to_a_readable_one(
    cases: Callable[[str], Case], tmp_path: Path
) -> None:
    joint = write(tmp_path / "c.safetensors", pair("lora_unet_joint_blocks_0_x_block_attn_qkv", (2, 32), (96, 2)))
    error = refusal(cases("sd3").folder, joint)
    assert "joint_blocks_0" in error.why and "Stable Diffusion 3" in error.why and "kohya" in error.why
    assert "diffusers' layout" in error.fix and "kohya" not in error.fix


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["lora_unet_x.lokr_w1", "lora_unet_x.lokr_w2"], "LoKr"),
        (["lora_unet_x.hada_w1_a", "lora_unet_x.hada_w1_b"], "LoHa"),
        (["lora_unet_x.oft_blocks"], "OFT"),
        ([f"{UNET}.lora_down.weight", f"{UNET}.lora_up.weight", f"{UNET}.lora_mid.weight"], "LoCon"),
        ([f"{UNET}.lora_down.weight", f"{UNET}.lora_up.weight", f"{UNET}.dora_scale"], "DoRA"),
        (["down_blocks.0.motion_modules.0.proj_in.weight"], "motion module"),
        (["encoder.conv_in.weight", "decoder.conv_in.weight", "quant_conv.weight"], "VAE"),
        (["first_stage_model.encoder.conv_in.weight", "first_stage_model.decoder.x", "first_stage_model.y"], "VAE"),
        (["text_model.embeddings.token_embedding.weight", "text_model.x", "text_model.y"], "text encoder"),
        (["down_blocks.0.resnets.0.conv1.weight", "up_blocks.0.x", "mid_block.x"], "a whole denoiser"),
        (["controlnet_cond_embedding.conv_in.weight"], "ControlNet"),
        (["emb_params"], "for --embedding"),
        ([f"{UNET}.lora_down.weight"], "one of the two factors"),
        ([f"{UNET}.lora_down.weight", f"{UNET}.lora_up.weight", "strange.weight"], "strange.weight"),
        (["nowhere.lora_A.weight", "nowhere.lora_B.weight"], "which part"),
    ],
)
def test_a_file_that_is_no_lora_is_named_for_what_it_is(
    cases: Callable[[str], Case], tmp_path: Path, names: list[str], said: str
) -> None:
    file = write(tmp_path / "x.safetensors", {name: torch.zeros(2, 2) for name in names})
    error = refusal(cases("sd").folder, file)
    assert error.code == "input.lora" and said in error.why


def test_a_whole_checkpoint_is_for_model(cases: Callable[[str], Case], tmp_path: Path) -> None:
    name = "model.diffusion_model.input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight"
    file = write(
        tmp_path / "whole.safetensors", {name: torch.zeros(2, 768), "first_stage_model.x": torch.zeros(1, 1, 1)}
    )
    error = refusal(cases("sd").folder, file)
    assert "a whole model of Stable Diffusion 1" in error.why and "--model" in error.why


def test_factors_that_do_not_fit_each_other_and_whole_numbers_are_refused(
    cases: Callable[[str], Case], tmp_path: Path
) -> None:
    file = write(tmp_path / "r.safetensors", pair(UNET, (4, 32), (32, 3)))
    assert "do not fit each other" in refusal(cases("sd").folder, file).why
    tensors = {name: tensor.to(torch.int8) for name, tensor in pair(UNET, (4, 32), (32, 4)).items()}
    assert "a LoRA in I8" in refusal(cases("sd").folder, write(tmp_path / "i.safetensors", tensors)).why


@pytest.mark.parametrize(
    "said",
    [
        "[",
        "5",
        '{"unet.lora_alpha": "much"}',
        '{"unet.lora_alpha": NaN}',
        '{"unet.alpha_pattern": 3}',
        '{"unet.alpha_pattern": {"(": 1}}',
        '{"unet.alpha_pattern": {"to_q": null}}',
        '{"unet.alpha_pattern": {"(a|a)*b": 1}}',
    ],
)
def test_metadata_that_cannot_be_read_is_refused(cases: Callable[[str], Case], tmp_path: Path, said: str) -> None:
    file = write(tmp_path / "m.safetensors", pair(UNET, (4, 32), (32, 4)), {"lora_adapter_metadata": said})
    assert "metadata cannot be read" in refusal(cases("sd").folder, file).why


def test_a_pattern_that_would_take_for_ever_is_refused_and_never_evaluated(tmp_path: Path) -> None:
    evil = json.dumps({"unet.alpha_pattern": {r"(\w+\w*)+!": 1.0}})  # matched, it tries every way to part the name
    file = write(tmp_path / "m.safetensors", pair(UNET, (4, 32), (32, 4)), {"lora_adapter_metadata": evil})
    with pytest.raises(InputError) as caught:
        read_adapters(AdaptersConfig(lora=((str(file), 1.0),)))
    assert "is not the name of a layer" in caught.value.why
    with pytest.raises(ValueError, match="not the name of a layer"):
        said_scale({"unet.alpha_pattern": {r"(\w+\w*)+!": 1.0}}, "unet", "a" * 200, 4)


@pytest.mark.parametrize("option", ["lora", "embeddings"])
def test_pickles_damaged_and_absent_files_are_told_apart(tmp_path: Path, option: str) -> None:
    whole = write(tmp_path / "whole.safetensors", pair(UNET, (4, 32), (32, 4)))
    short = tmp_path / "short.safetensors"
    short.write_bytes(whole.read_bytes()[:-7])
    torch.save({"x": torch.zeros(2)}, tmp_path / "x.pt")
    torch.save({"x": torch.zeros(2)}, tmp_path / "disguised.safetensors")
    (tmp_path / "empty.safetensors").write_bytes(b"")

    def code_of(file: Path) -> tuple[str, str]:
        given = {"lora": ((str(file), 1.0),)} if option == "lora" else {"embeddings": (str(file),)}
        with pytest.raises(InputError) as caught:
            read_adapters(AdaptersConfig(**given))  # type: ignore[arg-type]
        return caught.value.code, caught.value.why

    for name in ("x.pt", "disguised.safetensors"):
        code, why = code_of(tmp_path / name)
        assert code == "input.pickle" and name in why
    assert code_of(short)[0] == "input.adapter_file" and "cut off" in code_of(short)[1]
    assert code_of(tmp_path / "empty.safetensors")[0] == "input.adapter_file"
    assert "no file" in code_of(tmp_path / "absent.safetensors")[1]
    assert "a folder" in code_of(tmp_path)[1]
    assert code_of(Path("x" * 5000))[0] == code_of(Path("nul\0.safetensors"))[0] == "input.adapter_file"


def test_the_starter_model_takes_no_adapters_and_says_which_do(tmp_path: Path) -> None:
    file = write(tmp_path / "s.safetensors", pair(UNET, (4, 768), (320, 4)))
    with pytest.raises(InputError) as caught:
        check_asked(preset("draft", "a mug", {"adapters": {"lora": [[str(file), 1.0]]}}))
    assert "DeepFloyd IF" in caught.value.why and "Stable Diffusion XL" in caught.value.fix


def test_a_lora_beside_a_single_file_is_held_against_its_architecture_before_that_is_converted(tmp_path: Path) -> None:
    file = write(tmp_path / "s.safetensors", pair(UNET, (4, 768), (320, 4)))
    read = read_adapters(AdaptersConfig(lora=((str(file), 1.0),)))
    check_adapters(read, "StableDiffusionPipeline", None, "Stable Diffusion 1")
    for family, title in (
        ("StableDiffusionPipeline", "Stable Diffusion 2"),
        ("StableDiffusionXLPipeline", "Stable Diffusion XL"),
        ("FluxPipeline", "Flux"),
    ):
        with pytest.raises(InputError) as caught:
            check_adapters(read, family, None, title)
        assert f"made for Stable Diffusion 1, and the model is {title}" in caught.value.why


def test_the_digest_follows_content_weight_and_nothing_else(tmp_path: Path) -> None:
    unet = VARIANTS["sd"]().unet
    files = [
        write(tmp_path / f"{seed}.safetensors", kohya(factors_for(unet, "unet", ("to_q",), seed=seed)))
        for seed in (1, 2)
    ]
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(files[0].read_bytes())

    def digest(file: Path, weight: float = 1.0) -> str:
        return read_adapters(AdaptersConfig(lora=((str(file), weight),))).digest()

    assert digest(files[0]) == digest(copy) != digest(files[1])
    assert digest(files[0]) != digest(files[0], 0.5)
    assert read_adapters(AdaptersConfig()).digest() == ""
