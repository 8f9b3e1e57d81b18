"""A model's noise schedule and the kind of its predictions, from the scheduler of its folder.

Whichever sampler a folder names, its configuration says with which betas, or with which straight path, the model was
trained. The sampler itself is not needed here.
"""

from __future__ import annotations

import math
from typing import Any

from dreamfusion_engine.models.families.parts import Parts
from dreamfusion_engine.models.noise import NoiseSchedule, PredictionType
from dreamfusion_engine.models.pipeline_folder import damaged

FLOW_TIMESTEPS = 1000
DIFFUSION_PREDICTIONS: tuple[PredictionType, ...] = ("epsilon", "v_prediction", "sample")
# What a configuration says of the schedule; all the rest is about sampling.
SCHEDULE = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas", "rescale_betas_zero_snr")


def diffusion_schedule(parts: Parts) -> tuple[NoiseSchedule, PredictionType]:
    """Return the variance-preserving schedule of the folder's betas, and what the denoiser predicts.

    Raises SetupError model.damaged, model.unsupported.
    """
    config = parts.config("scheduler")
    if str(config.get("_class_name", "")).startswith("FlowMatch"):
        raise parts.unsupported("Its scheduler is one of flow matching, which this family is not trained with.")
    prediction = config.get("prediction_type", "epsilon")
    if prediction not in DIFFUSION_PREDICTIONS:
        raise parts.unsupported(f"Its denoiser predicts {prediction!r}; known: {', '.join(DIFFUSION_PREDICTIONS)}.")
    with parts.foreign_errors():
        from diffusers import DDPMScheduler

        scheduler: Any = DDPMScheduler.from_config({name: config[name] for name in SCHEDULE if name in config})
    return NoiseSchedule.variance_preserving(scheduler.alphas_cumprod.float()), prediction


def flow_schedule(parts: Parts, tokens: int) -> NoiseSchedule:
    """Return the straight schedule of the folder, shifted as it says.

    A fixed shift is given as k. A dynamic one is given as its logarithm, linear in the number of tokens between two
    given ends.

    parts: Parts of the folder.
    tokens: int, tokens of a picture.
    Raises SetupError model.damaged.
    Source: arXiv 2403.03206, section 5.3.2.
    """
    config = parts.config("scheduler")
    try:
        total = int(config.get("num_train_timesteps", FLOW_TIMESTEPS))
        if not config.get("use_dynamic_shifting", False):
            return NoiseSchedule.rectified_flow(total, float(config.get("shift", 1.0)))
        low, high = float(config.get("base_image_seq_len", 256)), float(config.get("max_image_seq_len", 4096))
        base, most = float(config.get("base_shift", 0.5)), float(config.get("max_shift", 1.15))
        return NoiseSchedule.rectified_flow(total, math.exp(base + (most - base) * (tokens - low) / (high - low)))
    except (TypeError, ValueError, ArithmeticError) as error:
        raise damaged(parts.folder.path, f"scheduler/scheduler_config.json: {error}") from error
