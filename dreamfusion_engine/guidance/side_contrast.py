"""How differently a model sees the front and the back of a prompt."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import Shading
from dreamfusion_engine.guidance.prompt_conditioning import ViewConditioning
from dreamfusion_engine.models.noise import add_noise
from dreamfusion_engine.models.teacher import Conditioning, Teacher
from dreamfusion_engine.models.views import View

_TIME = 0.6  # t of the noise, share of T, where shapes are decided


def side_contrast(
    teacher: Teacher, conditioning: ViewConditioning, x: Tensor, noise: Tensor, shading: Shading
) -> float:
    """Return |e_front - e_back| / |e_mean - e_uncond|, by the model's predictions of the noise in pictures.

    teacher: Teacher, the frozen model.
    conditioning: ViewConditioning of the prompt.
    x: float32[B, C, h, w], pictures as the model sees them.
    noise: float32[B, C, h, w], added to them.
    shading: of all the pictures.
    """
    apart = of_prompt = 0.0
    for one, its_noise in zip(x.split(1), noise.split(1), strict=True):  # a call no larger than a step's
        t = torch.full((1,), int(_TIME * teacher.schedule.usable), device=x.device)
        x_t = add_noise(one, its_noise, *teacher.schedule.at(t))
        sides: tuple[View, View] = ("front", "back")
        front, back = (conditioning.of_views([side], shading) for side in sides)
        texts = Conditioning.join([conditioning.unconditional(1), front, back])
        uncond, e_front, e_back = teacher.predict_noise(x_t.repeat(3, 1, 1, 1), t.repeat(3), texts).chunk(3)
        apart += float((e_front - e_back).square().sum())
        of_prompt += float((0.5 * (e_front + e_back) - uncond).square().sum())
    return math.sqrt(apart) / max(math.sqrt(of_prompt), 1e-12)
