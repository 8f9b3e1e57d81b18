"""Variational score distillation: compares with a model of the renders, not with noise (Wang 2023, arXiv 2305.16213).

SDS asks for the one most likely picture. VSD asks that the renders be distributed like the model's pictures. This
needs the score of the renders' distribution too. A low-rank copy of the denoiser learns it from the renders while
they are made (`scores.render_model`). The copy here is told of the camera what the model itself is told: the words for
the view, or the camera's matrix where its denoiser has an input for that.
"""

from __future__ import annotations

from torch import Tensor

from dreamfusion_engine.guidance.scores.guide import Guide
from dreamfusion_engine.guidance.step_inputs import StepInputs
from dreamfusion_engine.models.noise import add_noise


def vsd_residual(guided: Tensor, noise_renders: Tensor) -> Tensor:
    """eps_hat(x_t; y) - eps_phi(x_t; y): the pictures' score less the renders'.

    While the copy equals the frozen model, this is (s - 1) (e_c - e_u), classifier score distillation. Where the copy
    knows the one render exactly, eps_phi = eps, and this is SDS.

    guided: float32[B, ...], guided prediction of the frozen model.
    noise_renders: float32[B, ...], prediction of the copy.
    Source: arXiv 2305.16213.
    """
    return guided - noise_renders


def denoising_loss(noise_predicted: Tensor, noise: Tensor) -> Tensor:
    """mean |eps_phi(x_t) - eps|^2, a scalar: the loss that trains the copy on renders.

    noise_predicted: float32[B, ...], eps_phi(x_t).
    noise: float32[B, ...], eps, the noise that was added.
    """
    return (noise_predicted - noise).square().mean()


def residual(guide: Guide, x: Tensor, step: StepInputs) -> Tensor:
    """Return `vsd_residual` of renders.

    guide: the model with its prompt and guidance, and a model of the renders.
    x: float32[B, C, h, w], renders as the model sees them.
    step: StepInputs of the same renders.
    """
    x_t = add_noise(x, step.noise, *guide.schedule.at(step.t))
    guided = guide.guided(x_t, step.t, step.embeddings, step.scale)
    assert guide.renders is not None, "the record of this score learns"
    return vsd_residual(guided, guide.renders.predict_noise(x_t, step.t, step.embeddings.cond))
