"""Models distilled to a few steps are told by their configs, and refused or doubted before anything is loaded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from reference.tiny_families import VARIANTS, Case, stable_diffusion, stable_diffusion_xl, unet

from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.models.few_step_models import few_steps
from dreamfusion_engine.models.pipeline_folder import open_pipeline


def saved(pipeline: Any, folder: Path) -> Path:
    pipeline.save_pretrained(folder)
    return folder


def refusal(folder: Path) -> SetupError:
    with pytest.raises(SetupError) as caught:
        open_pipeline(folder)
    assert (caught.value.code, caught.value.exit_code) == ("model.unsupported", 2)
    assert "distilled from" in caught.value.fix
    return caught.value


@pytest.mark.parametrize("make", [stable_diffusion, stable_diffusion_xl])
def test_a_unet_that_takes_the_guidance_scale_is_refused(make: Callable[[], Any], tmp_path: Path) -> None:
    pipeline = make()
    extra = {"addition_embed_type", "addition_time_embed_dim", "projection_class_embeddings_input_dim"}
    kept = {name: pipeline.unet.config[name] for name in ("cross_attention_dim", *extra)}
    pipeline.unet = unet(**kept, time_cond_proj_dim=32)
    assert "time_cond_proj_dim" in refusal(saved(pipeline, tmp_path / "lcm")).why


@pytest.mark.parametrize("sampler", ["LCMScheduler", "TCDScheduler"])
def test_a_consistency_sampler_is_refused(sampler: str, tmp_path: Path) -> None:
    import diffusers

    pipeline = stable_diffusion()
    pipeline.scheduler = getattr(diffusers, sampler).from_config(pipeline.scheduler.config)
    assert sampler in refusal(saved(pipeline, tmp_path / "model")).why


@pytest.mark.slow
def test_a_turbos_sampler_and_a_flux_without_guidance_are_doubted_and_nothing_else(
    cases: Callable[[str], Case], tmp_path: Path
) -> None:
    from diffusers import EulerAncestralDiscreteScheduler, EulerDiscreteScheduler

    def doubt(sampler: Any, **config: Any) -> str:
        pipeline = stable_diffusion()
        pipeline.scheduler = sampler(**config)
        folder = saved(pipeline, tmp_path / f"{len(list(tmp_path.iterdir()))}")
        assert open_pipeline(folder).family == "StableDiffusionPipeline", "it is no reason to refuse"
        return few_steps(folder, "unet")

    assert "turbo" in doubt(EulerAncestralDiscreteScheduler, timestep_spacing="trailing")
    assert doubt(EulerDiscreteScheduler, timestep_spacing="leading") == ""
    # Models that saw pure noise are sampled so too (arXiv 2305.08891, section 3.3), and predict v.
    assert doubt(EulerDiscreteScheduler, timestep_spacing="trailing", prediction_type="v_prediction") == ""
    assert doubt(EulerDiscreteScheduler, timestep_spacing="trailing", rescale_betas_zero_snr=True) == ""
    doubted = [variant for variant in VARIANTS if few_steps(cases(variant).folder, _denoiser(cases(variant).folder))]
    assert doubted == ["flux-schnell"]


def _denoiser(folder: Path) -> str:
    return "unet" if "unet" in json.loads((folder / "model_index.json").read_text()) else "transformer"
