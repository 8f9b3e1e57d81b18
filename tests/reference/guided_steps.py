"""What a pipeline of diffusers predicts at each step, caught as its scheduler is told; and the same of an adapter."""

from __future__ import annotations

from typing import Any

import torch
from reference.tiny_families import NEGATIVE, PROMPT

from dreamfusion_engine.models.families.adapter import Adapter
from dreamfusion_engine.models.teacher import Conditioning

SCALE = 7.0
FLOW_STEPS = [900, 500, 20]  # timesteps at which flows are compared; other samplers choose theirs by themselves


def unshifted(teacher: Adapter, steps: list[int]) -> list[float]:
    """s of the schedule at each timestep, before it was shifted."""
    return [(t + 1) / len(teacher.schedule) for t in steps]


def options_of(variant: str, teacher: Adapter) -> dict[str, Any]:
    """How the pipeline is asked for a few steps, guided by SCALE; for a flow, at the noise levels of FLOW_STEPS."""
    if variant.startswith("flux"):
        return {"true_cfg_scale": SCALE, "sigmas": unshifted(teacher, FLOW_STEPS), "height": 16, "width": 16}
    if variant.startswith("sd3"):
        return {"guidance_scale": SCALE, "sigmas": unshifted(teacher, FLOW_STEPS)}
    extra = {"clean_caption": False} if variant in ("if", "pixart") else {}
    extra |= {"use_resolution_binning": False} if variant == "pixart" else {}
    return {"guidance_scale": SCALE, "num_inference_steps": 2, **extra}


def guided_steps(
    pipeline: Any, prompt: str = PROMPT, **options: Any
) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """The pipeline's own guided prediction, its time and the x_t that its denoiser sees, at each step that it takes."""
    seen: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
    scheduler = pipeline.scheduler
    step = scheduler.step

    def spy(output: torch.Tensor, t: torch.Tensor, sample: torch.Tensor, **more: Any) -> Any:
        # Euler's samples are x_t / alpha_t; the scheduler itself says what the denoiser is given.
        x_t = scheduler.scale_model_input(sample, t) if hasattr(scheduler, "scale_model_input") else sample
        seen.append((output, torch.as_tensor(t).reshape(1), x_t))
        return step(output, t, sample, **more)

    scheduler.step = spy
    try:
        generator = torch.Generator().manual_seed(0)
        options = {"negative_prompt": NEGATIVE, **options}
        pipeline(prompt, output_type="latent" if hasattr(pipeline, "vae") else "pt", generator=generator, **options)
    finally:
        del scheduler.step
    return seen


def guided(teacher: Adapter, x_t: torch.Tensor, t: torch.Tensor, told: Conditioning, scale: float) -> torch.Tensor:
    """The guided noise of the adapter. told: the negative prompt, then the prompt."""
    with torch.no_grad():
        without, with_prompt = teacher.predict_noise(x_t.repeat(2, 1, 1, 1), t.repeat(2), told).chunk(2)
    return without + scale * (with_prompt - without)


def as_latents(variant: str, x: torch.Tensor) -> torch.Tensor:
    """Flux's tokens as a picture of latents, by its pipeline's own function."""
    if not variant.startswith("flux"):
        return x
    from diffusers import FluxPipeline

    return FluxPipeline._unpack_latents(x, 16, 16, 2)
