"""Variational score distillation: against a model of the renders, not against noise (Wang 2023, arXiv 2305.16213).

SDS asks for the one most likely picture. VSD asks that the renders be distributed like the model's pictures, which
takes the score of the renders' distribution too: a low-rank copy of the denoiser that learns the renders while they are
made (`guidance.render_score`). Here the copy is told the prompt with its view words and no camera: the words say where
the camera is as far as the model can tell, and no family's denoiser has an input for more.
"""

from __future__ import annotations

from torch import Tensor

from dreamfusion_engine.guidance.scores.guide import Guide
from dreamfusion_engine.guidance.step_inputs import StepInputs
from dreamfusion_engine.models.noise import add_noise


def vsd_residual(guided: Tensor, noise_renders: Tensor) -> Tensor:
    """eps_hat(x_t; y) - eps_phi(x_t; y): pictures' score less the renders'.

    guided: the frozen model's guided prediction. noise_renders: the copy's. If the copy is still the frozen model this
    is (s - 1) (e_c - e_u), classifier score distillation; if it knows the one render exactly, eps_phi = eps, it is SDS.
    """
    return guided - noise_renders


def denoising_loss(noise_predicted: Tensor, noise: Tensor) -> Tensor:
    """mean |eps_phi(x_t) - eps|^2, a scalar: what the copy is trained with, on renders."""
    return (noise_predicted - noise).square().mean()


def residual(guide: Guide, x: Tensor, step: StepInputs) -> Tensor:
    """`vsd_residual` of renders x, float32[B, C, h, w]."""
    x_t = add_noise(x, step.noise, *guide.schedule.at(step.t))
    guided = guide.guided(x_t, step.t, step.embeddings, step.scale)
    assert guide.renders is not None, "the record of this score learns"
    return vsd_residual(guided, guide.renders.predict_noise(x_t, step.t, step.embeddings.cond))
