"""A pipeline of every family with random weights: the real classes of diffusers and transformers at tiny size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from reference.tiny_pipeline import WORDS, tiny_pipeline, tiny_tokenizer

from dreamfusion_engine.models.families.adapter import Adapter
from dreamfusion_engine.models.teacher import Conditioning

VOCABULARY = len(WORDS) + 3
LATENT = 8  # latents a side
WIDTH = 32  # of text states


def spread_out(network: Any, seed: int = 0) -> Any:
    """The network with every parameter that starts at zero or one made random, so that none of its paths is silent."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.numel() > 1 and float(parameter.std()) == 0.0:
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return network.eval()


def clip(width: int = WIDTH, projection: int | None = None, seed: int = 1) -> Any:
    """A CLIP text encoder; with its projection where a width for it is given."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    torch.manual_seed(seed)
    config = CLIPTextConfig(
        vocab_size=VOCABULARY,
        hidden_size=width,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=77,
        projection_dim=projection or width,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=1,
    )
    return spread_out(CLIPTextModelWithProjection(config) if projection else CLIPTextModel(config))


def t5(width: int = WIDTH) -> Any:
    from transformers import T5Config, T5EncoderModel

    torch.manual_seed(2)
    config = T5Config(
        vocab_size=VOCABULARY, d_model=width, d_kv=8, d_ff=48, num_layers=2, num_heads=4, pad_token_id=0, eos_token_id=1
    )
    return spread_out(T5EncoderModel(config))


def vae(channels: int = 4, **config: Any) -> Any:
    """An autoencoder of two pixels a latent."""
    from diffusers import AutoencoderKL

    torch.manual_seed(3)
    return AutoencoderKL(
        block_out_channels=(16, 32),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=channels,
        norm_num_groups=8,
        sample_size=2 * LATENT,
        **config,
    ).eval()


def unet(**config: Any) -> Any:
    from diffusers import UNet2DConditionModel

    torch.manual_seed(4)
    usual: dict[str, Any] = {
        "sample_size": LATENT,
        "in_channels": 4,
        "out_channels": 4,
        "layers_per_block": 1,
        "block_out_channels": (16, 32),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "attention_head_dim": 8,
        "norm_num_groups": 8,
    }
    return spread_out(UNet2DConditionModel(**{**usual, **config}))


def stable_diffusion(prediction: str = "epsilon") -> Any:
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    scheduler = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type=prediction,
        clip_sample=False,
        steps_offset=1,
    )
    return StableDiffusionPipeline(
        vae=vae(),
        text_encoder=clip(),
        tokenizer=tiny_tokenizer(77),
        unet=unet(cross_attention_dim=WIDTH),
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def stable_diffusion_xl(prediction: str = "epsilon") -> Any:
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline

    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", prediction_type=prediction
    )
    network = unet(
        cross_attention_dim=WIDTH + 24,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + 16,
        transformer_layers_per_block=(1, 2),
    )
    return StableDiffusionXLPipeline(
        vae=vae(scaling_factor=0.13025, force_upcast=True),
        text_encoder=clip(),
        text_encoder_2=clip(width=24, projection=16, seed=5),
        tokenizer=tiny_tokenizer(77),
        tokenizer_2=tiny_tokenizer(77),
        unet=network,
        scheduler=scheduler,
        add_watermarker=False,
    )


def pixart_sigma(prediction: str = "epsilon") -> Any:
    from diffusers import DPMSolverMultistepScheduler, PixArtSigmaPipeline, PixArtTransformer2DModel

    torch.manual_seed(6)
    transformer = PixArtTransformer2DModel(
        sample_size=LATENT,
        num_layers=2,
        patch_size=2,
        attention_head_dim=8,
        num_attention_heads=3,
        caption_channels=WIDTH,
        in_channels=4,
        cross_attention_dim=24,
        out_channels=8,
        use_additional_conditions=False,
    )
    return PixArtSigmaPipeline(
        tokenizer=tiny_tokenizer(300),
        text_encoder=t5(),
        vae=vae(scaling_factor=0.13025),
        transformer=spread_out(transformer),
        scheduler=DPMSolverMultistepScheduler(prediction_type=prediction),
    )


def stable_diffusion_3(with_t5: bool = True) -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline

    torch.manual_seed(7)
    transformer = SD3Transformer2DModel(
        sample_size=LATENT,
        patch_size=2,
        in_channels=16,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=4,
        joint_attention_dim=72,
        caption_projection_dim=32,
        pooled_projection_dim=40,
        out_channels=16,
        pos_embed_max_size=16,
    )
    return StableDiffusion3Pipeline(
        transformer=spread_out(transformer),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=vae(16, scaling_factor=1.5305, shift_factor=0.0609, use_quant_conv=False, use_post_quant_conv=False),
        text_encoder=clip(projection=16),
        tokenizer=tiny_tokenizer(77),
        text_encoder_2=clip(width=24, projection=24, seed=8),
        tokenizer_2=tiny_tokenizer(77),
        text_encoder_3=t5(72) if with_t5 else None,
        tokenizer_3=tiny_tokenizer(256) if with_t5 else None,
    )


def flux(guidance_embeds: bool = True) -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel

    torch.manual_seed(9)
    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=WIDTH,
        pooled_projection_dim=24,
        guidance_embeds=guidance_embeds,
        axes_dims_rope=(4, 6, 6),
    )
    return FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=guidance_embeds),
        vae=vae(4, scaling_factor=0.3611, shift_factor=0.1159, use_quant_conv=False, use_post_quant_conv=False),
        text_encoder=clip(width=24),
        tokenizer=tiny_tokenizer(77),
        text_encoder_2=t5(),
        tokenizer_2=tiny_tokenizer(512),
        transformer=spread_out(transformer),
    )


def deepfloyd_if(prediction: str = "epsilon") -> Any:
    return tiny_pipeline(prediction, length=77)


VARIANTS: dict[str, Callable[[], Any]] = {
    "if": deepfloyd_if,
    "sd": stable_diffusion,
    "sd-v": lambda: stable_diffusion("v_prediction"),
    "sd-x0": lambda: stable_diffusion("sample"),
    "sdxl": stable_diffusion_xl,
    "sdxl-v": lambda: stable_diffusion_xl("v_prediction"),
    "pixart": pixart_sigma,
    "sd3": stable_diffusion_3,
    "sd3-without-t5": lambda: stable_diffusion_3(with_t5=False),
    "flux-dev": flux,
    "flux-schnell": lambda: flux(guidance_embeds=False),
}
LATENT_VARIANTS = [variant for variant in VARIANTS if variant != "if"]
NEGATIVE, PROMPT = "blue clay", "a red mug"
PROMPTS = [NEGATIVE, PROMPT, "a white hamburger with front view"]


@dataclass(frozen=True)
class Case:
    """One variant: its pipeline of diffusers, the folder of it, the engine's teacher from there, told PROMPTS."""

    pipeline: Any
    folder: Path
    teacher: Adapter
    told: Conditioning
    _encoded: dict[tuple[str, ...], Conditioning] = field(default_factory=dict)

    def encode(self, prompts: list[str]) -> Conditioning:
        """What the teacher makes of prompts, encoded once: its text encoders are loaded anew each time."""
        if tuple(prompts) not in self._encoded:
            self._encoded[tuple(prompts)] = self.teacher.encode_prompts(prompts)
        return self._encoded[tuple(prompts)]
