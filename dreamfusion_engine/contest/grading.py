"""Grades for drafts, higher is better: a judge's where there is one, else the teacher's own residual, said as such."""

from __future__ import annotations

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.judge.appraisal import Appraiser
from dreamfusion_engine.judge.portraits import BACKGROUND, PIXELS, judge_cameras
from dreamfusion_engine.models.noise import add_noise
from dreamfusion_engine.models.teacher import Conditioning
from dreamfusion_engine.optimize.volume_training import VolumeTraining
from dreamfusion_engine.scene.cameras import Cameras, mid_orbit_cameras

BY_TEACHER = "the teacher's own residual, because no judge knows this prompt"
_SIDES = 4
_NOISY = (0.3, 0.5, 0.7)  # shares of the timesteps: where the parts and the whole of an object are decided


class Grading:
    """Grades the drafts of one prompt.

    config: GenerateConfig of the run.
    distillation: ScoreDistillation, the teacher with the prompt.
    judge: Appraiser; None: the teacher's residual ranks.
    """

    def __init__(self, config: GenerateConfig, distillation: ScoreDistillation, judge: Appraiser | None) -> None:
        self._config, self._distillation, self._judge = config, distillation, judge
        self.by = BY_TEACHER if judge is None else judge.by

    def grade(self, training: VolumeTraining) -> float:
        """Return the grade of a draft.

        training: VolumeTraining of the draft.
        """
        if self._judge is None:
            return prompt_gain(training, self._distillation, self._config.optimize.resolution[-1])
        cameras = judge_cameras(training.device, self._config.camera)
        colour = _pictures(training.view(cameras, PIXELS, background=BACKGROUND, shading="lambertian").colour)
        clay = _pictures(training.view(cameras, PIXELS, background=BACKGROUND, shading="textureless").colour)
        return self._judge.appraise(colour, clay).surety


@torch.no_grad()
def prompt_gain(training: VolumeTraining, distillation: ScoreDistillation, size: int) -> float:
    """Return how much better the teacher finds the noise in renders when it is told the prompt; above 0: better.

    It is the mean of |e_uncond - n|^2 - |e_cond - n|^2 per value, over four sides and three noise levels, with the same
    noise n for every draft. An empty picture gains nothing, though its noise is the easiest to find. Source: diffusion
    models as classifiers, arXiv 2303.16203, equation 5, for a prompt against none.

    training: VolumeTraining of the draft.
    distillation: ScoreDistillation, the teacher with the prompt.
    size: int, pixels, width and height of the renders.
    """
    generator = torch.Generator().manual_seed(0)
    together = distillation.together  # views that the teacher judges at once
    cameras = _sides(training, max(_SIDES, together))
    x = distillation.teacher.to_model_space(_pictures(training.view(cameras, size, shading="albedo").colour))
    texts = distillation.conditioning
    usable = distillation.teacher.schedule.usable
    gain = 0.0
    groups = list(torch.arange(len(x) // together * together).split(together))
    for rows in groups:
        seen = texts.embeddings(cameras.azimuth[rows], cameras.elevation[rows], "albedo")
        asked = Conditioning.join([seen.uncond, seen.cond])
        for share in _NOISY:
            t = torch.full((together,), int(share * usable), device=x.device)
            noise = torch.randn(x[rows].shape, generator=generator).to(x.device)
            x_t = add_noise(x[rows], noise, *distillation.teacher.schedule.at(t))
            found = distillation.teacher.predict_noise(x_t.repeat(2, *[1] * (x.ndim - 1)), t.repeat(2), asked)
            uncond, cond = (float((each - noise).square().mean()) for each in found.chunk(2))
            gain += uncond - cond
    return gain / (len(groups) * len(_NOISY))


def _sides(training: VolumeTraining, count: int) -> Cameras:
    azimuth = torch.arange(count, device=training.device, dtype=torch.float32) * (2.0 * torch.pi / count)
    return mid_orbit_cameras(azimuth, torch.full_like(azimuth, 0.25), training.config.camera)


def _pictures(colour: Tensor) -> Tensor:
    """float32[B, 3, H, W] in [0, 1] of float32[B, H, W, 3]."""
    return colour.permute(0, 3, 1, 2).clamp(0.0, 1.0)
