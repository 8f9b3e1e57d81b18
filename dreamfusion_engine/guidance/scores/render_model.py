"""The second model of VSD: it learns the score of the renders' own distribution while they are made.

It is a low-rank copy of the denoiser (`lora`). It is trained to denoise renders as the denoiser was trained to denoise
pictures (Wang 2023, arXiv 2305.16213).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import ScoreConfig
from dreamfusion_engine.guidance.scores.lora import low_rank_parameters, with_low_rank
from dreamfusion_engine.guidance.scores.vsd import denoising_loss
from dreamfusion_engine.models.noise import add_noise
from dreamfusion_engine.models.teacher import Conditioning, Teacher

LOSS_SCALE = 1024.0  # keeps small gradients alive in half precision; a power of two comes off again without rounding
_MOMENTS = ("exp_avg", "exp_avg_sq", "step")  # of AdamW, for each parameter


class RenderScore:
    """A model of the renders: the teacher with a low-rank change that learns them.

    teacher: Teacher, frozen; it stays as it is.
    config: ScoreConfig, rank and learning rate.
    seed: int, seed of the change's start.
    """

    def __init__(self, teacher: Teacher, config: ScoreConfig, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self._model = copy.copy(teacher)
        self._model.denoiser = with_low_rank(teacher.denoiser, config.lora_rank, generator)
        self._parameters = low_rank_parameters(self._model.denoiser)
        # MPS has ignored what a fused optimizer is told of gradients that are not finite (pytorch pull request 186360).
        self._fused = teacher.device.type in ("cpu", "cuda")
        self._optimizer = torch.optim.AdamW(
            self._parameters.values(), lr=config.lora_rate, weight_decay=0.0, fused=self._fused
        )

    @torch.no_grad()
    def predict_noise(self, x_t: Tensor, t: Tensor, told: Conditioning) -> Tensor:
        """Return the noise that the model of the renders predicts, float32 as x_t.

        x_t: float32[B, ...], noisy renders.
        t: int64[B], timesteps.
        told: Conditioning, B rows.
        """
        return self._model.predict_noise(x_t, t, told)

    def learn(self, x: Tensor, t: Tensor, noise: Tensor, told: Conditioning, sound: Tensor | None = None) -> Tensor:
        """Make one step of AdamW on the denoising loss of renders; return the loss before it, float32[].

        Nothing changes where `sound` is False or a gradient is not finite. The device decides this, without the host.

        x: float32[B, ...], renders as the model sees them.
        t: int64[B], timesteps.
        noise: float32[B, ...], standard normal.
        told: Conditioning, B rows.
        sound: bool[], whether the renders may teach; None: they may.
        """
        x_t = add_noise(x.detach(), noise, *self._model.schedule.at(t))
        with torch.enable_grad():
            loss = denoising_loss(self._model.predict_noise(x_t, t, told), noise)
            gradients = torch.autograd.grad(LOSS_SCALE * loss, list(self._parameters.values()))
        for parameter, gradient in zip(self._parameters.values(), gradients, strict=True):
            parameter.grad = gradient / LOSS_SCALE
        wrong = ~torch.isfinite(torch.nn.utils.get_total_norm(gradients))
        wrong = wrong if sound is None else wrong | ~sound
        if self._fused:  # as `optimize.training` tells its own optimizer
            self._optimizer.found_inf = wrong.float()  # type: ignore[attr-defined]
            self._optimizer.step()
        elif not bool(wrong):
            self._optimizer.step()
        return loss.detach()

    def state(self) -> dict[str, Tensor]:
        """Return every tensor that `load_state` needs to continue bit for bit."""
        tensors = {name: parameter.detach() for name, parameter in self._parameters.items()}
        for name, parameter in self._parameters.items():
            moments = self._optimizer.state.get(parameter, {})
            tensors |= {f"{name}.{moment}": torch.as_tensor(moments[moment]) for moment in _MOMENTS if moments}
        return tensors

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore what `state()` of a model of the same rank returned."""
        self._optimizer.state.clear()
        for name, parameter in self._parameters.items():
            parameter.data.copy_(tensors[name])
            if f"{name}.step" in tensors:
                moments = {m: tensors[f"{name}.{m}"].to(self._place_of(m, parameter), copy=True) for m in _MOMENTS}
                self._optimizer.state[parameter] = moments

    def _place_of(self, moment: str, parameter: Tensor) -> torch.device:
        """Where AdamW keeps a moment: only a fused one counts its steps on the device."""
        return torch.device("cpu") if moment == "step" and not self._fused else parameter.device
