"""How much better a denoiser finds the noise in pictures when it is told the prompt."""

from __future__ import annotations

import torch
from torch import Tensor

from dreamfusion_engine.guidance.prompt_conditioning import ViewConditioning
from dreamfusion_engine.models.noise import add_noise
from dreamfusion_engine.models.teacher import Conditioning, Teacher

_NOISY = (0.3, 0.5, 0.7)  # shares of the timesteps: where the parts and the whole of an object are decided


@torch.no_grad()
def denoising_gain(
    teacher: Teacher,
    texts: ViewConditioning,
    images: Tensor,
    azimuth: Tensor,
    elevation: Tensor,
    together: int,
) -> float:
    """Return the mean of |e_uncond - n|^2 - |e_cond - n|^2 per value, over three noise levels; above 0: better.

    The noise n is the same in every call. An empty picture gains nothing, though its noise is the easiest to find.

    teacher: the frozen diffusion model.
    texts: ViewConditioning of the prompt or the picture.
    images: float32[B, 3, H, W] in [0, 1].
    azimuth, elevation: float32[B], radians, cameras of the pictures.
    together: int, views that the teacher judges at once; those beyond a multiple of it are left out.
    Source: diffusion models as classifiers, arXiv 2303.16203, equation 5, for a prompt against none.
    """
    generator = torch.Generator().manual_seed(0)
    x = teacher.to_model_space(images)
    usable, gain = teacher.schedule.usable, 0.0
    groups = list(torch.arange(len(x) // together * together).split(together))
    for rows in groups:
        seen = texts.embeddings(azimuth[rows], elevation[rows], "albedo")
        asked = Conditioning.join([seen.uncond, seen.cond])
        for share in _NOISY:
            t = torch.full((together,), int(share * usable), device=x.device)
            noise = torch.randn(x[rows].shape, generator=generator).to(x.device)
            x_t = add_noise(x[rows], noise, *teacher.schedule.at(t))
            found = teacher.predict_noise(x_t.repeat(2, *[1] * (x.ndim - 1)), t.repeat(2), asked)
            uncond, cond = (float((each - noise).square().mean()) for each in found.chunk(2))
            gain += uncond - cond
    return gain / (len(groups) * len(_NOISY))
