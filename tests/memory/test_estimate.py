"""The memory that a run will take is known before anything is loaded: from configs and the headers of the weights."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from reference.live_tensors import LiveTensors

from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.config.stages import GenerateConfig, GuidanceConfig, MemoryConfig
from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.field.radiance import RadianceField
from dreamfusion_engine.guidance.denoiser import choice as denoiser_choice
from dreamfusion_engine.guidance.denoiser.choice import LARGEST_HOSTED
from dreamfusion_engine.memory import estimate as memory
from dreamfusion_engine.memory.estimate import (
    REFINE_BYTES,
    VSD_KEPT,
    estimate,
    estimate_field,
    field_bytes,
    working_bytes,
)
from dreamfusion_engine.models import sizes as model_sizes
from dreamfusion_engine.models.sizes import ModelSizes, read_sizes

GIB = 1 << 30
SD15 = ModelSizes(
    denoiser=859_520_964,
    text_encoders=123_060_480,
    vae=83_653_863,
    denoiser_live=34_080_000,
    encoder_kept=793_000_000,
    encoder_live=168_000_000,
    encoder_recomputed=305_000_000,
    pixels=512,
)


def config(**memory: Any) -> GenerateConfig:
    return dataclasses.replace(preset("standard", "a mug"), memory=MemoryConfig(**memory))


def test_parameters_are_counted_from_the_headers_alone(saved_pipeline: Path) -> None:
    from diffusers import UNet2DConditionModel
    from transformers import T5EncoderModel

    unet = UNet2DConditionModel.from_pretrained(saved_pipeline / "unet")
    text = T5EncoderModel.from_pretrained(saved_pipeline / "text_encoder")
    sizes = read_sizes(saved_pipeline)
    assert sizes.denoiser == sum(p.numel() for p in unet.parameters())
    assert sizes.text_encoders == sum(p.numel() for p in text.parameters())
    assert sizes.vae == sizes.encoder_kept == 0, "a pixel-space model has no VAE"


def test_weights_that_lie_there_in_two_precisions_count_once(pipeline_copy: Path) -> None:
    once = read_sizes(pipeline_copy).denoiser
    part = pipeline_copy / "unet"
    shutil.copy(part / "diffusion_pytorch_model.safetensors", part / "diffusion_pytorch_model.fp16.safetensors")
    assert read_sizes(pipeline_copy).denoiser == once > 0


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_a_config_that_cannot_be_read_is_a_damaged_model(content: str, pipeline_copy: Path) -> None:
    (pipeline_copy / "unet" / "config.json").write_text(content)
    with pytest.raises(SetupError, match="damaged"):
        read_sizes(pipeline_copy)


def unet(channels: tuple[int, ...], kinds: str, size: int, **more: Any) -> Any:
    from diffusers import UNet2DConditionModel

    down = tuple("CrossAttnDownBlock2D" if kind == "c" else "DownBlock2D" for kind in kinds)
    up = tuple("CrossAttnUpBlock2D" if kind == "c" else "UpBlock2D" for kind in reversed(kinds))
    return UNet2DConditionModel(
        sample_size=size,
        block_out_channels=channels,
        down_block_types=down,
        up_block_types=up,
        cross_attention_dim=64,
        attention_head_dim=8,
        **more,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("channels", "kinds", "size"),
    [((64, 128, 256), "ccc", 32), ((64, 128, 256), "dcc", 64), ((32, 64, 96, 192), "dddc", 64), ((96, 192), "dd", 32)],
)
def test_a_denoiser_call_holds_what_the_estimate_says(channels: tuple[int, ...], kinds: str, size: int) -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode(allow_non_fake_inputs=True):
        model = unet(channels, kinds, size).eval().requires_grad_(False)
        counted = []
        for views in (1, 2):
            with torch.no_grad(), LiveTensors(model) as live:
                model(torch.randn(views, 4, size, size), 1, encoder_hidden_states=torch.randn(views, 8, 64))
            counted.append(live.peak / 4)
    told = model_sizes.denoiser_live(dict(model.config), size)
    assert told == pytest.approx(counted[1] - counted[0], rel=0.1)


def test_an_encoder_holds_what_the_estimate_says() -> None:
    from diffusers import AutoencoderKL
    from torch._subclasses.fake_tensor import FakeTensorMode

    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 3, "up_block_types": ("UpDecoderBlock2D",) * 3}
    with FakeTensorMode(allow_non_fake_inputs=True):
        vae = AutoencoderKL(block_out_channels=(32, 64, 64), layers_per_block=2, norm_num_groups=8, **blocks)
        vae = vae.eval().requires_grad_(False)
        image = torch.rand(1, 3, 128, 128)
        with torch.no_grad(), LiveTensors(vae) as passing:
            vae.encode(image)
        image.requires_grad_()
        with LiveTensors(vae) as kept:
            latent = vae.encode(image).latent_dist.mean
            held = kept.now
        del latent
    told = dict(vae.config) | {"_class_name": "AutoencoderKL"}
    assert model_sizes.vae_factor(told) == 4
    assert model_sizes.encoder_kept(told, 128) == pytest.approx(held / 4, rel=0.1)
    assert model_sizes.encoder_live(told, 128) == pytest.approx(passing.peak / 4, rel=0.1)


def test_openvinos_copy_is_counted_where_it_may_be_made_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    small = ModelSizes(denoiser=9_096_166, text_encoders=0, denoiser_live=393_216, closed_vocabulary=True)
    monkeypatch.setattr(denoiser_choice, "installed", lambda: True)
    copy = memory.hosted_bytes(small, preset("standard", "a mug"), "cpu")
    assert copy == 12 * small.denoiser + memory.HOST_BYTES + 4 * 2 * 2 * small.denoiser_live
    told = estimate(small, preset("standard", "a mug"), "cpu")
    assert told.parts["denoiser's copy"] == copy
    plain = estimate(small, config(denoiser_runtime="torch"), "cpu")
    assert "denoiser's copy" not in plain.parts and told.total - plain.total == copy
    others = ({"memory": {"precision": "float16"}}, {"guidance": {"score": "vsd"}}, {"optimize": {"steps": 199}})
    for change in others:
        assert memory.hosted_bytes(small, preset("standard", "a mug", change), "cpu") == 0
    large = dataclasses.replace(small, denoiser=LARGEST_HOSTED + 1)
    assert memory.hosted_bytes(large, preset("standard", "a mug"), "cpu") == 0
    assert memory.hosted_bytes(small, preset("standard", "a mug"), "cuda") == 0
    assert working_bytes(small, config(), "cpu") == working_bytes(small, config(denoiser_runtime="torch"), "cpu")
    monkeypatch.setattr(denoiser_choice, "installed", lambda: False)
    assert memory.hosted_bytes(small, preset("standard", "a mug"), "cpu") == 0


def test_the_field_is_as_large_as_the_estimate_says() -> None:
    for name in ("standard", "high"):
        settings = preset(name, "a mug").field
        field = RadianceField(settings, seed=0)
        held = sum(p.numel() * p.element_size() for p in field.parameters())
        assert field_bytes(settings) == pytest.approx(5 * held, rel=0.02)


def test_every_saving_saves() -> None:
    plain = estimate(SD15, config(), "cuda").total
    assert estimate(SD15, config(precision="float32"), "cuda").total > plain
    recomputed = estimate(SD15, config(recompute=True), "cuda").total
    assert recomputed < plain
    assert estimate(SD15, config(recompute=True, offload="all"), "cuda").total < recomputed
    large = dataclasses.replace(SD15, pixels=1024, encoder_recomputed=4 * SD15.encoder_recomputed)
    tiled = estimate(large, config(recompute=True, tiling=True), "cuda").total
    assert tiled < estimate(large, config(recompute=True), "cuda").total


@pytest.mark.parametrize(
    ("memory", "sizes", "each"),
    [
        ({}, SD15, 2),  # bfloat16 beside a unet in float16
        ({"precision": "float16"}, SD15, 2),
        ({"precision": "float32"}, SD15, 4),
        ({"vae_precision": "float32"}, SD15, 4),
        ({}, dataclasses.replace(SD15, vae_float32=True), 4),  # it overflows in half precision and says so
        ({"vae_precision": "float16"}, dataclasses.replace(SD15, vae_float32=True), 2),
        ({}, dataclasses.replace(SD15, denoiser=9_000_000), 4),  # small models are not in half precision
    ],
    ids=str,
)
def test_the_vae_is_counted_at_the_bytes_it_has(memory: dict[str, Any], sizes: ModelSizes, each: int) -> None:
    parts = estimate(sizes, config(**memory), "cuda").parts
    assert parts["VAE"] == each * sizes.vae
    assert parts["VAE at work"] == each * 2 * sizes.encoder_kept
    assert estimate(sizes, config(), "cpu").parts["VAE"] == 4 * sizes.vae, "a CPU keeps float32"


def test_stable_diffusion_fits_a_card_of_8_gib_as_it_is() -> None:
    assert estimate(SD15, config(), "cuda").total < 6 * GIB


def test_a_large_text_encoder_counts_while_the_prompt_is_read() -> None:
    t5 = dataclasses.replace(SD15, text_encoders=4_760_000_000)
    assert list(estimate(t5, config(recompute=True), "cuda").parts) == ["text encoder", "reserve"]
    assert "denoiser" in estimate(t5, config(recompute=True, offload="text"), "cuda").parts


def test_what_a_call_holds_grows_with_what_is_told_and_with_views_at_once() -> None:
    def working(sizes: ModelSizes, settings: GenerateConfig) -> int:
        return estimate(sizes, settings, "cuda").parts["denoiser at work"]

    closed = dataclasses.replace(SD15, closed_vocabulary=True)
    assert working(SD15, config()) == 2 * working(closed, config()), "Perp-Neg asks for two more"
    assert working(SD15, config(views_at_once=1)) == working(closed, config())
    vsd = dataclasses.replace(config(), guidance=GuidanceConfig(score="vsd"))
    assert estimate(SD15, vsd, "cuda").total > estimate(SD15, config(), "cuda").total + GIB


def test_the_built_in_model_fits_small_machines() -> None:
    from dreamfusion_engine.models.pipeline_folder import STARTER_FOLDER

    for name in ("draft", "standard", "high"):
        assert 0.5 * GIB < estimate(read_sizes(STARTER_FOLDER), preset(name, "a mug"), "cpu").total < 1.7 * GIB


def test_making_the_mesh_counts_where_a_small_model_trains_in_less() -> None:
    small = ModelSizes(denoiser=9_000_000, text_encoders=5_000_000, denoiser_live=500_000, pixels=64)
    standard, high = preset("standard", "a mug"), preset("high", "a mug")
    parts = estimate(small, standard, "cpu").parts
    assert "mesh" in parts and "render" not in parts
    assert estimate(small, high, "cpu").total > estimate(small, standard, "cpu").total + (200 << 20), "a finer lattice"
    assert "mesh" not in estimate(small, standard, "cuda").parts, "it is made in main memory"
    assert "mesh" not in estimate(SD15, standard, "cpu").parts, "a large model takes more in training"
    assert working_bytes(small, standard, "cpu") < estimate(small, standard, "cpu").total


def test_a_mesh_whose_vertices_move_counts_its_linear_system_in_main_memory() -> None:
    """Whatever the settings say of the refinement at the end of `generate`, of which such a run has none."""
    small = ModelSizes(denoiser=9_000_000, text_encoders=5_000_000, denoiser_live=500_000, pixels=64)
    triangles = 200_000
    system = REFINE_BYTES * triangles
    for name in ("standard", "high"):
        settings = preset(name, "a mug")
        still, moves = (estimate(small, settings, "cpu", moving) for moving in (0, triangles))
        assert moves.total - still.total >= system
        assert working_bytes(small, settings, "cpu", triangles) - working_bytes(small, settings, "cpu", 0) >= system
        assert estimate(small, settings, "cuda", triangles) == estimate(small, settings, "cuda", 0)
        apart = [estimate_field(settings, "cuda+cpu", moving).total for moving in (0, triangles)]
        assert apart[1] - apart[0] >= system
        assert estimate(small, settings, "cuda+cpu", triangles) == estimate(small, settings, "cuda+cpu", 0)
    high = preset("high", "a mug")
    assert estimate(small, high, "cpu", 0).total < estimate(small, high, "cpu").total, "no lattice, no refinement"


def test_the_copy_that_vsd_trains_is_counted_for_the_views_that_it_sees_at_once() -> None:
    """Its backward pass is the largest thing in such a run, and comes part by part as the views do."""

    def learning(views: int, at_once: int) -> int:
        settings = dataclasses.replace(
            config(views_at_once=at_once, recompute=True), guidance=GuidanceConfig(score="vsd")
        )
        settings = dataclasses.replace(settings, optimize=dataclasses.replace(settings.optimize, views=views))
        return estimate(SD15, settings, "cuda").parts["denoiser at work"]

    assert learning(4, 0) == learning(4, 4) == 2 * learning(4, 2) == 4 * learning(4, 1) == 4 * learning(1, 0)
    assert learning(1, 0) >= VSD_KEPT["unet"] * SD15.denoiser_live * 2
