"""Memory settings of a loaded model change where and when it computes, not what."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from reference.live_tensors import LiveTensors

from dreamfusion_engine.config.stages import MemoryConfig
from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.memory.placement import Placement, economise_encoder
from dreamfusion_engine.models.sizes import encoder_recomputed

CPU = torch.device("cpu")


def tiny_kl(seed: int = 0, latent_channels: int = 4) -> Any:
    from diffusers import AutoencoderKL

    torch.manual_seed(seed)
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 3, "up_block_types": ("UpDecoderBlock2D",) * 3}
    made = AutoencoderKL(
        block_out_channels=(8, 16, 16), norm_num_groups=4, latent_channels=latent_channels, sample_size=64, **blocks
    )
    return made.eval().requires_grad_(False)


def tiny_unet() -> Any:
    from diffusers import UNet2DConditionModel

    torch.manual_seed(1)
    made = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16, 32),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16,
        norm_num_groups=8,
        attention_head_dim=8,
    )
    return made.eval().requires_grad_(False)


def latents_and_gradient(vae: Any, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    image = image.clone().requires_grad_()
    latents = vae.encode(image).latent_dist.mode()
    weights = torch.linspace(-1, 1, latents.numel()).view_as(latents)
    (gradient,) = torch.autograd.grad((latents * weights).sum(), image)
    return latents.detach(), gradient


def no_tiny(name: str) -> Path:
    raise AssertionError("nobody asked for one")


def test_a_recomputed_encoder_gives_the_same_latents_and_gradients_in_less_memory() -> None:
    image = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    plain, recomputed = tiny_kl(), tiny_kl()
    economise_encoder(recomputed, recompute=True, tiling=False)
    economise_encoder(recomputed, recompute=True, tiling=False)  # twice is once
    with LiveTensors(plain) as of_plain:
        z, gradient = latents_and_gradient(plain, image)
    with LiveTensors(recomputed) as of_recomputed:
        z_again, gradient_again = latents_and_gradient(recomputed, image)
    # One picture at a time: the same sums in another order, so equal but for rounding of the largest values.
    torch.testing.assert_close(z_again, z, rtol=0.0, atol=1e-5 * float(z.abs().max()))
    torch.testing.assert_close(gradient_again, gradient, rtol=0.0, atol=1e-4 * float(gradient.abs().max()))
    assert of_recomputed.peak < 0.25 * of_plain.peak
    told = 4 * encoder_recomputed({**plain.config, "_class_name": "AutoencoderKL"}, 64)
    assert told == pytest.approx(of_recomputed.peak, rel=0.2)


def test_nothing_is_kept_while_the_denoiser_works() -> None:
    vae = tiny_kl()
    economise_encoder(vae, recompute=True, tiling=False)
    image = torch.rand(2, 3, 64, 64, requires_grad=True)
    with LiveTensors(vae) as live:
        live.track(image)
        latents = vae.encode(image).latent_dist.mode()
        assert live.now < 2 * image.numel() * 4 + 16 * latents.numel() * 4
    del latents


@pytest.mark.slow
def test_tiles_bound_the_memory_of_large_pictures_and_hardly_change_the_latents(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dreamfusion_engine.memory.placement.TILE_PIXELS", 64)
    ramp = torch.linspace(-1, 1, 160)[None, None, None, :].expand(1, 3, 160, 160).contiguous()
    plain, tiled = tiny_kl(), tiny_kl()
    economise_encoder(plain, recompute=True, tiling=False)
    economise_encoder(tiled, recompute=True, tiling=True)
    with LiveTensors(plain) as of_plain:
        expected, _ = latents_and_gradient(plain, ramp)
    with LiveTensors(tiled) as of_tiled:
        z, gradient = latents_and_gradient(tiled, ramp)
    assert z.shape == expected.shape and float(gradient.abs().min(dim=-1).values.sum()) > 0
    assert float((z - expected).abs().mean()) < float(expected.std())
    assert of_tiled.peak < 0.4 * of_plain.peak
    small = torch.rand(1, 3, 64, 64)
    assert torch.equal(tiled.encode(small).latent_dist.mode(), tiny_kl().encode(small).latent_dist.mode())


def test_an_offloaded_denoiser_is_empty_between_calls_and_predicts_the_same() -> None:
    inputs = (torch.randn(2, 4, 8, 8), torch.tensor([3, 5]), torch.randn(2, 4, 16))
    expected = tiny_unet()(inputs[0], inputs[1], encoder_hidden_states=inputs[2]).sample
    unet = Placement(MemoryConfig(offload="all"), CPU, no_tiny).place("unet", tiny_unet())
    for _ in range(2):
        assert {p.device.type for p in unet.parameters()} == {"meta"}
        assert torch.equal(unet(inputs[0], inputs[1], encoder_hidden_states=inputs[2]).sample, expected)


@pytest.mark.parametrize(("offload", "empty"), [("none", False), ("text", True), ("all", True)])
def test_text_encoders_are_offloaded_with_or_without_the_denoiser(offload: Any, empty: bool) -> None:
    from transformers import T5Config, T5EncoderModel

    torch.manual_seed(0)
    encoder = T5EncoderModel(T5Config(vocab_size=9, d_model=16, d_kv=4, d_ff=32, num_layers=1, num_heads=4)).eval()
    ids = torch.tensor([[1, 2, 3]])
    with torch.no_grad():
        expected = encoder(ids)[0]
        placement = Placement(MemoryConfig(offload=offload), CPU, no_tiny)
        placed = placement.place("text_encoder_2", encoder)
        assert any(p.is_meta for p in placed.parameters()) == empty
        assert torch.equal(placed(ids)[0], expected)
    unet: Any = placement.place("unet", tiny_unet())
    assert unet.conv_in.weight.is_meta == (offload == "all")


def test_settings_that_change_in_the_middle_of_a_run_reach_the_loaded_networks() -> None:
    placement = Placement(MemoryConfig(), CPU, no_tiny)
    vae: Any = placement.place("vae", tiny_kl())
    unet: Any = placement.place("unet", tiny_unet())
    inputs = (torch.randn(1, 4, 8, 8), torch.tensor([3]))
    told = torch.randn(1, 4, 16)
    expected = unet(*inputs, encoder_hidden_states=told).sample
    settings = MemoryConfig(recompute=True)
    placement.change(settings)
    assert vae.use_slicing and not unet.conv_in.weight.is_meta
    placement.change(dataclasses.replace(settings, offload="all"))
    assert unet.conv_in.weight.is_meta
    assert torch.equal(unet(*inputs, encoder_hidden_states=told).sample, expected)


def test_a_tiny_vae_takes_the_place_of_the_large_one_with_gradients(tmp_path: Path) -> None:
    from diffusers import AutoencoderTiny

    blocks = {"encoder_block_out_channels": (8, 8, 8), "decoder_block_out_channels": (8, 8, 8)}
    blocks |= {"num_encoder_blocks": (1, 1, 1), "num_decoder_blocks": (1, 1, 1)}
    tiny = AutoencoderTiny(**blocks)
    tiny.save_pretrained(tmp_path)
    placement = Placement(MemoryConfig(tiny_vae="somewhere", recompute=True), CPU, lambda name: tmp_path)
    placed: Any = placement.place("vae", tiny_kl())
    image = torch.rand(2, 3, 32, 32, requires_grad=True)
    latents = placed.encode(image).latents
    assert torch.allclose(latents, tiny.eval().encode(image).latents)
    (gradient,) = torch.autograd.grad(latents.square().sum(), image)
    assert float(gradient.abs().sum()) > 0
    with pytest.raises(SetupError, match="16"):
        placement.place("vae", tiny_kl(latent_channels=16))


def test_what_is_no_tiny_vae_is_refused_with_its_folder(tmp_path: Path) -> None:
    placement = Placement(MemoryConfig(tiny_vae="somewhere"), CPU, lambda name: tmp_path)
    with pytest.raises(SetupError, match="config.json"):
        placement.place("vae", tiny_kl())
    tiny_kl().save_pretrained(tmp_path)
    with pytest.raises(SetupError) as refused:
        placement.place("vae", tiny_kl())
    assert str(tmp_path) in refused.value.why
