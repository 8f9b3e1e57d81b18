"""Models that were distilled to a few steps: they predict a shortcut to the end, not the noise at a step.

Score distillation needs the noise at every step, with and without the prompt. Only a folder's configs are read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.models.part_weights import read_json

CONSISTENCY_SAMPLERS = ("LCMScheduler", "TCDScheduler")  # arXiv 2310.04378, 2402.19159


def refuse_distilled(folder: Path, denoiser: str) -> None:
    """Raise SetupError model.unsupported for a consistency model.

    Such a model has an input for the guidance scale beside the time (arXiv 2310.04378, section 4.2), or names its
    sampler.

    folder: Path of the model.
    denoiser: str, name of that part.
    """
    config, scheduler = _config(folder / denoiser / "config.json"), _scheduler(folder)
    if config.get("time_cond_proj_dim"):
        why = f"Its {denoiser} takes the guidance scale as an input (time_cond_proj_dim)"
    elif scheduler.get("_class_name") in CONSISTENCY_SAMPLERS:
        why = f"Its sampler is {scheduler['_class_name']}"
    else:
        return
    raise SetupError(
        "model.unsupported",
        what="This model was distilled to a few steps and cannot teach.",
        why=f"{why}: it is a consistency model, which predicts the end of the way and not the noise at a step.",
        fix="Give the model that it was distilled from.",
    )


def few_steps(folder: Path, denoiser: str) -> str:
    """Return a sentence for a model that seems distilled to a few steps and may teach all the same; else ''.

    Adversarially distilled models ('turbo') are published with a sampler whose steps end at the last timestep, although
    they predict noise. A Flux without an input for guidance is the one of few steps, or was made from it.

    folder: Path of the model.
    denoiser: str, name of that part.
    """
    config, scheduler = _config(folder / denoiser / "config.json"), _scheduler(folder)
    trailing = scheduler.get("timestep_spacing") == "trailing" and not scheduler.get("rescale_betas_zero_snr")
    turbo = trailing and str(scheduler.get("_class_name", "")).startswith("Euler")
    turbo = turbo and scheduler.get("prediction_type", "epsilon") == "epsilon"
    schnell = config.get("_class_name") == "FluxTransformer2DModel" and not config.get("guidance_embeds")
    if not (turbo or schnell):
        return ""
    return (
        "This model seems to be distilled to a few steps (a 'turbo' or 'schnell'). Such models see less in noisy "
        "pictures and answer badly to guidance: the one that it was made from is the better teacher."
    )


def _scheduler(folder: Path) -> dict[str, Any]:
    return _config(folder / "scheduler" / "scheduler_config.json")


def _config(path: Path) -> dict[str, Any]:
    return read_json(path) if path.is_file() else {}
