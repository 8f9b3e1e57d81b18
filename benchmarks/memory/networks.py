"""Memory of the well-known architectures: the engine's estimate beside what torch counts for the real classes.

    python benchmarks/memory/networks.py [--json] [NAME ...]

Every network is built at its full size out of diffusers' own classes, on fake tensors. torch runs a call of the
denoiser, and a pass of the VAE's encoder and back, with shapes alone. Every tensor that is alive is counted
(`tests/reference/live_tensors.py`). No weights, no card and no memory are needed. What kernels take for themselves is
not counted.
The last columns are the estimate for a card: peak GiB with the standard preset as it is, and with the savings that
`memory.fit` may choose (VAE recomputed and in tiles, one view at a time, text encoder offloaded; then the denoiser
too).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from reference.live_tensors import LiveTensors  # noqa: E402

from dreamfusion_engine.config.presets import preset  # noqa: E402
from dreamfusion_engine.config.stages import MemoryConfig  # noqa: E402
from dreamfusion_engine.memory.estimate import estimate  # noqa: E402
from dreamfusion_engine.models import sizes as model_sizes  # noqa: E402
from dreamfusion_engine.models.sizes import ModelSizes  # noqa: E402

GIB = 1 << 30
# Parameters of the text encoders, from their model cards and configs: CLIP L, OpenCLIP H and G, T5 XXL's encoder.
CLIP_L, CLIP_H, CLIP_G, T5_XXL = 123_060_480, 340_387_840, 694_659_840, 4_762_310_656
TOKENS = {"PixArtTransformer2DModel": 300, "FluxTransformer2DModel": 512, "SD3Transformer2DModel": 333}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Architecture:
    """A published model: how to build its denoiser and its VAE, and the parameters of its largest text encoder."""

    denoiser: Callable[[], nn.Module]
    text_encoder: int
    vae: Callable[[], nn.Module] | None
    vae_float32: bool = False


def unet(**config: Any) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        from diffusers import UNet2DConditionModel

        return UNet2DConditionModel(**config)

    return build


def deepfloyd(channels: tuple[int, ...], width: int) -> Callable[[], nn.Module]:
    """A builder of DeepFloyd IF's first stage."""
    return unet(
        sample_size=64,
        in_channels=3,
        out_channels=6,
        block_out_channels=channels,
        layers_per_block=3,
        down_block_types=("ResnetDownsampleBlock2D", *("SimpleCrossAttnDownBlock2D",) * 3),
        up_block_types=(*("SimpleCrossAttnUpBlock2D",) * 3, "ResnetUpsampleBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        attention_head_dim=64,
        cross_attention_dim=width,
        encoder_hid_dim=4096,
        encoder_hid_dim_type="text_proj",
        addition_embed_type="text",
        addition_embed_type_num_heads=64,
        act_fn="gelu",
        resnet_time_scale_shift="scale_shift",
        cross_attention_norm="group_norm",
    )


def transformer(name: str, **config: Any) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        import diffusers

        made: nn.Module = getattr(diffusers, name)(**config)
        return made

    return build


def vae(channels: int) -> Callable[[], nn.Module]:
    """A builder of the AutoencoderKL of Stable Diffusion 1 to 3 and Flux.

    channels: int, of the latents.
    """

    def build() -> nn.Module:
        from diffusers import AutoencoderKL

        return AutoencoderKL(
            block_out_channels=(128, 256, 512, 512),
            layers_per_block=2,
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            latent_channels=channels,
        )

    return build


def sd3(layers: int, heads: int, norm: str | None) -> Callable[[], nn.Module]:
    return transformer(
        "SD3Transformer2DModel",
        sample_size=128,
        patch_size=2,
        num_layers=layers,
        num_attention_heads=heads,
        attention_head_dim=64,
        joint_attention_dim=4096,
        caption_projection_dim=64 * heads,
        pooled_projection_dim=2048,
        out_channels=16,
        pos_embed_max_size=192,
        qk_norm=norm,
    )


ARCHITECTURES: dict[str, Architecture] = {
    "Stable Diffusion 1.5": Architecture(
        denoiser=unet(
            sample_size=64, block_out_channels=(320, 640, 1280, 1280), cross_attention_dim=768, attention_head_dim=8
        ),
        text_encoder=CLIP_L,
        vae=vae(4),
    ),
    "Stable Diffusion 2.1": Architecture(
        denoiser=unet(
            sample_size=96,
            block_out_channels=(320, 640, 1280, 1280),
            cross_attention_dim=1024,
            attention_head_dim=[5, 10, 20, 20],
            use_linear_projection=True,
        ),
        text_encoder=CLIP_H,
        vae=vae(4),
    ),
    "Stable Diffusion XL": Architecture(
        denoiser=unet(
            sample_size=128,
            block_out_channels=(320, 640, 1280),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            transformer_layers_per_block=[1, 2, 10],
            attention_head_dim=[5, 10, 20],
            cross_attention_dim=2048,
            addition_embed_type="text_time",
            addition_time_embed_dim=256,
            projection_class_embeddings_input_dim=2816,
            use_linear_projection=True,
        ),
        text_encoder=CLIP_G,
        vae=vae(4),
        vae_float32=True,
    ),
    "DeepFloyd IF M": Architecture(denoiser=deepfloyd((192, 384, 576, 768), 768), text_encoder=T5_XXL, vae=None),
    "DeepFloyd IF L": Architecture(denoiser=deepfloyd((320, 640, 960, 1280), 1280), text_encoder=T5_XXL, vae=None),
    "DeepFloyd IF XL": Architecture(denoiser=deepfloyd((704, 1408, 2112, 2816), 2816), text_encoder=T5_XXL, vae=None),
    "PixArt-Sigma 1024": Architecture(
        denoiser=transformer(
            "PixArtTransformer2DModel",
            num_attention_heads=16,
            attention_head_dim=72,
            out_channels=8,
            num_layers=28,
            cross_attention_dim=1152,
            sample_size=128,
            caption_channels=4096,
            interpolation_scale=2,
            use_additional_conditions=False,
        ),
        text_encoder=T5_XXL,
        vae=vae(4),
        vae_float32=True,
    ),
    "Stable Diffusion 3 medium": Architecture(denoiser=sd3(24, 24, None), text_encoder=T5_XXL, vae=vae(16)),
    "Stable Diffusion 3.5 large": Architecture(denoiser=sd3(38, 38, "rms_norm"), text_encoder=T5_XXL, vae=vae(16)),
    "Flux.1": Architecture(
        denoiser=transformer(
            "FluxTransformer2DModel",
            in_channels=64,
            num_layers=19,
            num_single_layers=38,
            attention_head_dim=128,
            num_attention_heads=24,
            joint_attention_dim=4096,
            pooled_projection_dim=768,
            guidance_embeds=True,
        ),
        text_encoder=T5_XXL,
        vae=vae(16),
    ),
}


def denoiser_inputs(model: Any, views: int, size: int, words: int = 0) -> dict[str, Any]:
    """The arguments of one call.

    model: the denoiser.
    views: int, pictures in the call.
    size: int, latents along a side.
    words: int, tokens of a text. 0: as many as the family has.
    """
    config, name = model.config, type(model).__name__
    tokens = words or TOKENS.get(name, 77)
    time = torch.ones(views, dtype=torch.long)
    if name == "UNet2DConditionModel":
        width = config.encoder_hid_dim or config.cross_attention_dim
        inputs: dict[str, Any] = {"sample": torch.randn(views, config.in_channels, size, size), "timestep": time}
        if config.addition_embed_type == "text_time":
            inputs["added_cond_kwargs"] = {"text_embeds": torch.randn(views, 1280), "time_ids": torch.randn(views, 6)}
    elif name == "FluxTransformer2DModel":
        width, side = config.joint_attention_dim, size // 2
        inputs = {
            "hidden_states": torch.randn(views, side * side, config.in_channels),
            "timestep": time.float(),
            "pooled_projections": torch.randn(views, config.pooled_projection_dim),
            "img_ids": torch.zeros(side * side, 3),
            "txt_ids": torch.zeros(tokens, 3),
            "guidance": torch.ones(views),
        }
    else:
        width = config.get("joint_attention_dim") or config.get("caption_channels")
        inputs = {"hidden_states": torch.randn(views, config.in_channels, size, size), "timestep": time}
        if name == "SD3Transformer2DModel":
            inputs["pooled_projections"] = torch.randn(views, config.pooled_projection_dim)
        else:
            inputs["added_cond_kwargs"] = {"resolution": None, "aspect_ratio": None}
    return {**inputs, "encoder_hidden_states": torch.randn(views, tokens, width)}


def count_denoiser(model: Any, size: int) -> float:
    """Numbers alive at once for one more picture in a call.

    size: int, latents along a side.
    """
    counted = []
    for views in (1, 2):
        inputs = denoiser_inputs(model, views, size)
        with torch.no_grad(), LiveTensors(model) as live:
            model(**inputs)
        counted.append(live.peak / 4)
    return counted[1] - counted[0]


def count_encoder(model: Any, pixels: int) -> float:
    """Numbers that the encoder keeps for the backward pass of one picture.

    pixels: int, along a side.
    """
    image = torch.randn(1, 3, pixels, pixels, requires_grad=True)
    with LiveTensors(model) as live:
        latent = model.encode(image).latent_dist.mean
        kept = live.now / 4
    del latent
    return kept


def measure(architecture: Architecture) -> dict[str, Any]:
    """An architecture's sizes as the estimate reads them, and what torch counts."""
    with FakeTensorMode(allow_non_fake_inputs=True):
        denoiser: Any = architecture.denoiser().eval().requires_grad_(False)
        encoder: Any = architecture.vae().eval().requires_grad_(False) if architecture.vae else None
        config = {**denoiser.config, "_class_name": type(denoiser).__name__}
        vae_config = {**encoder.config, "_class_name": type(encoder).__name__} if encoder else {}
        latent = model_sizes.latent_size(config)
        pixels = latent * model_sizes.vae_factor(vae_config)
        sizes = ModelSizes(
            denoiser=sum(p.numel() for p in denoiser.parameters()),
            text_encoders=architecture.text_encoder,
            vae=sum(p.numel() for p in encoder.parameters()) if encoder else 0,
            denoiser_live=model_sizes.denoiser_live(config, latent),
            encoder_kept=model_sizes.encoder_kept(vae_config, pixels),
            encoder_live=model_sizes.encoder_live(vae_config, pixels),
            encoder_recomputed=model_sizes.encoder_recomputed(vae_config, pixels),
            pixels=pixels,
            vae_float32=architecture.vae_float32,
            transformer=config["_class_name"] != "UNet2DConditionModel",
        )
        counted = {"denoiser_live": round(count_denoiser(denoiser, latent))}
        if encoder:
            counted["encoder_kept"] = round(count_encoder(encoder, pixels))
    return {"sizes": dataclasses.asdict(sizes), "counted": counted, "peak_gib": peaks(sizes)}


def peaks(sizes: ModelSizes) -> dict[str, float]:
    """The estimate for a card in GiB, with more and more savings."""
    standard = preset("standard", "a mug")

    saving = MemoryConfig(recompute=True, tiling=True, views_at_once=1, offload="text")
    cases = {
        "as it is": standard,
        "saving": dataclasses.replace(standard, memory=saving),
        "offloaded": dataclasses.replace(standard, memory=dataclasses.replace(saving, offload="all")),
    }
    return {name: round(estimate(sizes, config, "cuda").total / GIB, 1) for name, config in cases.items()}


def main() -> None:
    """Measure the chosen architectures and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(ARCHITECTURES)}")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = {name: measure(ARCHITECTURES[name]) for name in options.names or ARCHITECTURES}
    if options.json:
        print(json.dumps(results, indent=1))
        return
    print(f"{'':<27}{'M params':>9}{'call, M numbers':>22}{'VAE kept, M numbers':>24}   peak GiB")
    for name, result in results.items():
        sizes, counted = result["sizes"], result["counted"]
        shown = [f"{name:<27}{sizes['denoiser'] / 1e6:>9.0f}"]
        for key, width in (("denoiser_live", 22), ("encoder_kept", 24)):
            text = f"{sizes[key] / 1e6:.1f} of {counted[key] / 1e6:.1f}" if key in counted else ""
            shown.append(f"{text:>{width}}")
        print(*shown, "  " + ", ".join(f"{what} {gib}" for what, gib in result["peak_gib"].items()))


if __name__ == "__main__":
    main()
