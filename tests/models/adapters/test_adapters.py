"""LoRAs: the teacher with one predicts what the pipeline of diffusers with it does, in every layout that is read.

Of: dreamfusion_engine/models/adapters/fit.py, dreamfusion_engine/models/adapters/lora_layout.py.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from reference.guided_steps import FLOW_STEPS, SCALE, as_latents, guided, guided_steps, options_of
from reference.ldm_checkpoint import unet_state
from reference.tiny_adapters import (
    CLIP_LAYERS,
    LAYERS,
    LAYOUTS,
    RANK,
    Factors,
    add_densely,
    factors_for,
    kohya,
    peft,
    write,
)
from reference.tiny_families import NEGATIVE, PROMPT, VARIANTS

from dreamfusion_engine.config.stages import AdaptersConfig
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.models.adapters.files import LoraFile, read_adapters
from dreamfusion_engine.models.adapters.fit import check_adapters, layers_of, weight_of
from dreamfusion_engine.models.adapters.lora_layout import LoraPair, paired
from dreamfusion_engine.models.adapters.lora_merge import diffusers_names
from dreamfusion_engine.models.families.adapter import Adapter
from dreamfusion_engine.models.load import load_teacher
from dreamfusion_engine.models.noise import noise_from_prediction
from dreamfusion_engine.models.pipeline_folder import open_pipeline

CPU = torch.device("cpu")
ENCODERS = {
    "sd": ("text_encoder",),
    "sd-v": ("text_encoder",),
    "sdxl": ("text_encoder", "text_encoder_2"),
    "sd3": ("text_encoder", "text_encoder_2"),
    "flux-dev": ("text_encoder",),
}
READ = [
    (variant, layout)
    for variant in ENCODERS
    for layout in LAYOUTS
    if layout == "peft" or variant.startswith(("sd-", "sdxl")) or variant == "sd"
]
pytestmark = pytest.mark.usefixtures("small_flux")


def made(variant: str, folder: Path) -> Any:
    """A tiny pipeline, saved as a folder too."""
    pipeline = VARIANTS[variant]()
    pipeline.set_progress_bar_config(disable=True)
    pipeline.save_pretrained(folder)
    return pipeline


def all_factors(pipeline: Any, variant: str) -> list[Factors]:
    """Factors for the denoiser and for every text encoder that a LoRA of this kind can change."""
    denoiser = "unet" if hasattr(pipeline, "unet") else "transformer"
    found = factors_for(getattr(pipeline, denoiser), denoiser, LAYERS)
    for i, part in enumerate(ENCODERS[variant]):
        found += factors_for(getattr(pipeline, part), part, CLIP_LAYERS, seed=i + 1)
    return found


def taught(folder: Path, settings: AdaptersConfig) -> Adapter:
    """The teacher of a folder with its adapters, as `generate` opens it."""
    pipeline = open_pipeline(folder)
    files = read_adapters(settings)
    check_adapters(files, pipeline.family, pipeline)
    return load_teacher(pipeline, CPU, adapters=files)


def assert_alike(variant: str, pipeline: Any, teacher: Adapter, prompt: str = PROMPT) -> None:
    """The teacher's guided noise is the pipeline's, at every step that this takes."""
    told = teacher.encode_prompts([NEGATIVE, prompt])
    flow = teacher.prediction == "flow_prediction"
    for i, (output, time, sample) in enumerate(guided_steps(pipeline, prompt, **options_of(variant, teacher))):
        t = torch.tensor([FLOW_STEPS[i]]) if flow else time.long()
        x_t = as_latents(variant, sample)
        theirs = as_latents(variant, output)[:, : x_t.shape[1]]
        theirs = noise_from_prediction(theirs, teacher.prediction, x_t, *teacher.schedule.at(t))
        ours = guided(teacher, x_t, t, told, SCALE)
        assert float((ours - theirs).abs().max()) < 1e-4 * max(1.0, float(theirs.abs().max()))


def prediction(teacher: Adapter) -> torch.Tensor:
    """What the teacher says to one noisy picture."""
    told = teacher.encode_prompts([PROMPT])
    x_t = teacher.to_model_space(torch.full((1, 3, 16, 16), 0.5))
    x_t = x_t + torch.randn(x_t.shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return teacher.predict_noise(x_t, torch.tensor([400]), told)


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "layout"), READ)
def test_the_guided_noise_is_that_of_the_pipeline_with_the_sum_in_its_weights(
    variant: str, layout: str, tmp_path: Path
) -> None:
    pipeline = made(variant, tmp_path / "model")
    factors = all_factors(pipeline, variant)
    file = write(tmp_path / "style.safetensors", LAYOUTS[layout](factors))
    plain = prediction(taught(tmp_path / "model", AdaptersConfig()))
    teacher = taught(tmp_path / "model", AdaptersConfig(lora=((str(file), 0.7),)))
    assert float((prediction(teacher) - plain).abs().max()) > 1e-2, "a silent LoRA would agree with anything"
    add_densely(pipeline, factors, 0.7)
    assert_alike(variant, pipeline, teacher)


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "layout"), READ)
def test_the_guided_noise_is_that_of_a_pipeline_with_the_file(variant: str, layout: str, tmp_path: Path) -> None:
    pytest.importorskip("peft", reason="diffusers loads a LoRA with peft, which the engine does not need")
    pipeline = made(variant, tmp_path / "model")
    # Of kohya's files diffusers 0.42 with peft 0.21 loses the alphas of attention where they differ from the others',
    # and the layer add_embedding; here all alphas are alike, as they mostly are, and that layer is left out.
    factors = [dataclasses.replace(f, alpha=0.5 * RANK) for f in all_factors(pipeline, variant)]
    factors = [f for f in factors if layout != "kohya" or "add_embedding" not in f.layer]
    write(tmp_path / "style.safetensors", LAYOUTS[layout](factors))
    teacher = taught(tmp_path / "model", AdaptersConfig(lora=((str(tmp_path / "style.safetensors"), 0.7),)))
    pipeline.load_lora_weights(tmp_path, weight_name="style.safetensors", adapter_name="style")
    pipeline.set_adapters(["style"], [0.7])
    assert_alike(variant, pipeline, teacher)


@pytest.mark.slow
def test_several_loras_add_up_and_a_weight_of_nothing_changes_nothing(tmp_path: Path) -> None:
    pipeline = made("sd", tmp_path / "model")
    first, second = (factors_for(pipeline.unet, "unet", LAYERS, seed=seed) for seed in (1, 2))
    files = [write(tmp_path / f"{i}.safetensors", kohya(f)) for i, f in enumerate((first, second))]
    both = taught(tmp_path / "model", AdaptersConfig(lora=((str(files[0]), 0.5), (str(files[1]), -0.25))))
    add_densely(pipeline, first, 0.5)
    add_densely(pipeline, second, -0.25)
    assert_alike("sd", pipeline, both)
    plain = prediction(taught(tmp_path / "model", AdaptersConfig()))
    nothing = prediction(taught(tmp_path / "model", AdaptersConfig(lora=((str(files[0]), 0.0),))))
    torch.testing.assert_close(nothing, plain, atol=0.0, rtol=0.0)


@pytest.mark.slow
def test_layers_of_flux_under_its_first_names_are_found(tmp_path: Path) -> None:
    pipeline = made("flux-dev", tmp_path / "model")
    layers = {"img_attn_proj": "attn.to_out.0", "txt_attn_proj": "attn.to_add_out", "img_mlp_2": "ff.net.2"}
    file, factors = {}, []
    for first, layer in layers.items():
        (f,) = factors_for(pipeline.transformer, "transformer", [layer])
        assert f.layer == f"transformer_blocks.0.{layer}"
        name = f"lora_unet_double_blocks_0_{first}"
        file[f"{name}.lora_down.weight"], file[f"{name}.lora_up.weight"] = f.down, f.up
        file[f"{name}.alpha"] = torch.tensor(f.alpha)
        factors.append(f)
    path = write(tmp_path / "kohya.safetensors", file)
    teacher = taught(tmp_path / "model", AdaptersConfig(lora=((str(path), 1.0),)))
    add_densely(pipeline, factors, 1.0)
    assert_alike("flux-dev", pipeline, teacher)


def test_the_three_layers_that_flux_first_had_as_one_are_found(tmp_path: Path) -> None:
    pipeline = made("flux-dev", tmp_path / "model")
    block = [
        f for f in factors_for(pipeline.transformer, "transformer", ("to_q", "to_k", "to_v")) if "single" not in f.layer
    ]
    assert [f.layer.rpartition(".")[2] for f in block] == ["to_q", "to_k", "to_v"]
    block = [dataclasses.replace(f, down=block[0].down, alpha=2.0 * RANK) for f in block]
    for stem in ("lora_unet_double_blocks_0_img_attn_qkv", "diffusion_model.double_blocks.0.img_attn.qkv"):
        ends = ("lora_down", "lora_up") if stem.startswith("lora") else ("lora_A", "lora_B")
        file = {f"{stem}.{ends[0]}.weight": block[0].down, f"{stem}.{ends[1]}.weight": torch.cat([f.up for f in block])}
        path = write(tmp_path / f"{ends[0]}.safetensors", {**file, f"{stem}.alpha": torch.tensor(2.0 * RANK)})
        teacher = taught(tmp_path / "model", AdaptersConfig(lora=((str(path), 0.5),)))
        changed = teacher.denoiser.state_dict()
        for f in block:
            before = pipeline.transformer.get_submodule(f.layer).weight
            torch.testing.assert_close(changed[f"{f.layer}.weight"], before + f.up @ f.down, atol=1e-5, rtol=1e-5)


def xlabs(pipeline: Any) -> tuple[dict[str, torch.Tensor], list[Factors]]:
    """A file of both streams and of the blocks that have one, as xlabs writes it, and what it does; no alpha."""
    network = pipeline.transformer
    streams = {
        "double_blocks.0.processor.qkv_lora1": [f"transformer_blocks.0.attn.to_{x}" for x in "qkv"],
        "double_blocks.0.processor.proj_lora1": ["transformer_blocks.0.attn.to_out.0"],
        "double_blocks.0.processor.qkv_lora2": [f"transformer_blocks.0.attn.add_{x}_proj" for x in "qkv"],
        "double_blocks.0.processor.proj_lora2": ["transformer_blocks.0.attn.to_add_out"],
        "single_blocks.0.processor.qkv_lora": [f"single_transformer_blocks.0.attn.to_{x}" for x in "qkv"],
        "single_blocks.0.processor.proj_lora": ["single_transformer_blocks.0.proj_out"],
    }
    file, factors = {}, []
    for seed, (name, layers) in enumerate(streams.items()):
        of_name: list[Any] = []
        for layer in layers:
            found = factors_for(network, "transformer", [layer.partition("0.")[2]], seed)
            (f,) = [f for f in found if f.layer == layer]
            of_name.append(dataclasses.replace(f, alpha=float(RANK), down=of_name[0].down if of_name else f.down))
        file[f"{name}.down.weight"] = of_name[0].down
        file[f"{name}.up.weight"] = torch.cat([f.up for f in of_name])
        factors += of_name
    return file, factors


@pytest.mark.slow
@pytest.mark.parametrize("begin", ["", "diffusion_model."])
def test_the_layout_of_xlabs_is_that_of_the_sum_and_of_the_pipeline_that_loads_it(begin: str, tmp_path: Path) -> None:
    pipeline = made("flux-dev", tmp_path / "model")
    file, factors = xlabs(pipeline)
    path = write(tmp_path / "style.safetensors", {begin + name: tensor for name, tensor in file.items()})
    plain = prediction(taught(tmp_path / "model", AdaptersConfig()))
    teacher = taught(tmp_path / "model", AdaptersConfig(lora=((str(path), 0.7),)))
    assert float((prediction(teacher) - plain).abs().max()) > 1e-2
    changed = teacher.denoiser.state_dict()
    for f in factors:
        before = pipeline.transformer.get_submodule(f.layer).weight
        torch.testing.assert_close(changed[f"{f.layer}.weight"], before + 0.7 * f.up @ f.down, atol=1e-5, rtol=1e-5)
    pytest.importorskip("peft", reason="diffusers loads a LoRA with peft, which the engine does not need")
    pipeline.load_lora_weights(tmp_path, weight_name="style.safetensors", adapter_name="style")
    pipeline.set_adapters(["style"], [0.7])
    assert_alike("flux-dev", pipeline, teacher)


@pytest.mark.slow
def test_layers_of_sdxl_under_its_first_names_are_found(tmp_path: Path) -> None:
    # The tiny unet has one block of attention, level 1: input_blocks.3.1 where a level has one layer and a downsampler.
    pipeline = made("sdxl", tmp_path / "model")
    factors = [
        f
        for f in factors_for(pipeline.unet, "unet", ("to_q", "to_out.0"))
        if f.layer.startswith("down_blocks.1.attentions.0.transformer_blocks.1")
    ]
    file = {
        name.replace("down_blocks_1_attentions_0", "input_blocks_3_1"): tensor
        for name, tensor in kohya(factors).items()
    }
    assert all("input_blocks_3_1" in name for name in file) and len(factors) == 4
    path = write(tmp_path / "sgm.safetensors", file)
    teacher = taught(tmp_path / "model", AdaptersConfig(lora=((str(path), 0.6),)))
    add_densely(pipeline, factors, 0.6)
    assert_alike("sdxl", pipeline, teacher)


def real_unet_of_sdxl() -> Any:
    """The unet of Stable Diffusion XL at its real size, without numbers."""
    from diffusers import UNet2DConditionModel

    with torch.device("meta"):
        return UNet2DConditionModel(
            block_out_channels=(320, 640, 1280),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            transformer_layers_per_block=(1, 2, 10),
            attention_head_dim=(5, 10, 20),
            cross_attention_dim=2048,
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=256,
            projection_class_embeddings_input_dim=2816,
        )


@pytest.mark.slow
def test_every_layer_of_the_real_sdxl_is_found_by_each_of_its_names(tmp_path: Path) -> None:
    unet = real_unet_of_sdxl()
    shapes = {name: tuple(weight.shape) for name, weight in unet.named_parameters()}
    layers = layers_of(shapes)
    first = dict(zip(unet.state_dict(), unet_state(unet), strict=True))
    tensors: dict[str, torch.Tensor] = {}
    strange: dict[str, LoraPair] = {}
    for name in layers.values():
        own, other = (
            "lora_unet_" + spelling.removeprefix("model.diffusion_model.").removesuffix(".weight").replace(".", "_")
            for spelling in (name, first[name])
        )
        (pair,) = paired([f"{own}.lora_down.weight", f"{own}.lora_up.weight"])
        assert weight_of(pair, layers) == name
        (strange[name],) = paired([f"{other}.lora_down.weight", f"{other}.lora_up.weight"])
        tensors[strange[name].down] = torch.empty(1, *shapes[name][1:], device="meta")
        tensors[strange[name].up] = torch.empty(shapes[name][0], 1, device="meta")
    lora = LoraFile(path=tmp_path, weight=1.0, tensors={}, pairs=[], said={})
    found = diffusers_names(unet, list(strange.values()), tensors, lora, "StableDiffusionXLPipeline")
    places = {id(found[pair.up]): weight_of(pair, layers) for pair in paired(found)}
    assert len(strange) == 794
    assert {name: places.get(id(tensors[pair.up])) for name, pair in strange.items()} == {n: n for n in strange}


def test_a_layer_that_no_name_leads_to_is_an_error_and_not_a_weaker_lora(tmp_path: Path) -> None:
    made("sdxl", tmp_path / "model")
    stem = "lora_unet_input_blocks_8_1_transformer_blocks_0_attn1_to_q"
    file = {f"{stem}.lora_down.weight": torch.ones(2, 32), f"{stem}.lora_up.weight": torch.ones(32, 2)}
    path = write(tmp_path / "sgm.safetensors", file)
    with pytest.raises(InputError) as caught:
        _ = taught(tmp_path / "model", AdaptersConfig(lora=((str(path), 1.0),))).denoiser
    assert caught.value.code == "input.lora" and "down_blocks.3.attentions.1" in caught.value.why


def test_alpha_is_read_from_what_diffusers_writes_beside_the_factors(tmp_path: Path) -> None:
    pipeline = made("sd", tmp_path / "model")
    factors = factors_for(pipeline.unet, "unet", ("to_q", "to_v"))
    as_one = [dataclasses.replace(f, alpha=float(RANK)) for f in factors]
    said = {"unet.r": RANK, "unet.lora_alpha": 2 * RANK, "unet.target_modules": ["to_q", "to_v"]}
    said |= {"unet.alpha_pattern": {"attn2.to_v": 1.5 * RANK}}
    file = write(tmp_path / "p.safetensors", peft(as_one), {"lora_adapter_metadata": json.dumps(said), "format": "pt"})
    teacher = taught(tmp_path / "model", AdaptersConfig(lora=((str(file), 1.0),)))
    scaled = [dataclasses.replace(f, alpha=RANK * (1.5 if "attn2.to_v" in f.layer else 2.0)) for f in factors]
    add_densely(pipeline, scaled, 1.0)
    assert_alike("sd", pipeline, teacher)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_no_numbers_are_refused_before_a_network_is_loaded(value: float, tmp_path: Path) -> None:
    pipeline = made("sd", tmp_path / "model")
    factors = factors_for(pipeline.unet, "unet", ("to_q",))
    factors[0].up[0, 0] = value
    file = write(tmp_path / "bad.safetensors", kohya(factors))
    with pytest.raises(InputError) as caught:
        taught(tmp_path / "model", AdaptersConfig(lora=((str(file), 1.0),)))
    assert caught.value.code == "input.lora" and "finite" in caught.value.why
