"""Grades for drafts, higher is better: a judge's where there is one, else the teacher's own residual, said as such."""

from __future__ import annotations

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.guidance.clip.comparison import ClipGuidance
from dreamfusion_engine.guidance.guidance import Guidance
from dreamfusion_engine.judge.appraisal import Appraiser
from dreamfusion_engine.judge.portraits import BACKGROUND, PIXELS, judge_cameras
from dreamfusion_engine.optimize.volume_training import VolumeTraining
from dreamfusion_engine.scene.cameras import Cameras, mid_orbit_cameras

BY_TEACHER = "the teacher's own residual, because no judge can grade this run"
BY_COMPARISON = "the teacher's own comparison, because no judge can grade this run"
_SIDES = 4


class Grading:
    """Grades the drafts of one prompt.

    config: GenerateConfig of the run.
    guidance: Guidance, the teacher with the prompt.
    judge: Appraiser; None: the teacher itself ranks.
    """

    def __init__(self, config: GenerateConfig, guidance: Guidance, judge: Appraiser | None) -> None:
        self._config, self._guidance, self._judge = config, guidance, judge
        by_teacher = BY_COMPARISON if isinstance(guidance, ClipGuidance) else BY_TEACHER
        self.by = by_teacher if judge is None else judge.by

    def grade(self, training: VolumeTraining) -> float:
        """Return the grade of a draft.

        training: VolumeTraining of the draft.
        """
        if self._judge is None:
            return prompt_gain(training, self._guidance, self._config.optimize.resolution[-1])
        cameras = judge_cameras(training.device, self._config.camera)
        colour = _pictures(training.view(cameras, PIXELS, background=BACKGROUND, shading="lambertian").colour)
        clay = _pictures(training.view(cameras, PIXELS, background=BACKGROUND, shading="textureless").colour)
        return self._judge.appraise(colour, clay).surety


def prompt_gain(training: VolumeTraining, guidance: Guidance, size: int) -> float:
    """Return how well the prompt fits a draft's renders, as the teacher sees it; higher is better.

    A denoiser finds the noise better when it is told the prompt; a CLIP finds pictures and prompt alike. The sides and
    the noise are the same for every draft.

    training: VolumeTraining of the draft.
    guidance: Guidance of the teacher with the prompt.
    size: int, pixels, width and height of the renders.
    """
    cameras = _sides(training, max(_SIDES, guidance.together))
    images = _pictures(training.view(cameras, size, shading="albedo").colour)
    return guidance.prompt_gain(images, cameras.azimuth, cameras.elevation)


def _sides(training: VolumeTraining, count: int) -> Cameras:
    azimuth = torch.arange(count, device=training.device, dtype=torch.float32) * (2.0 * torch.pi / count)
    return mid_orbit_cameras(azimuth, torch.full_like(azimuth, 0.25), training.config.camera)


def _pictures(colour: Tensor) -> Tensor:
    """float32[B, 3, H, W] in [0, 1] of float32[B, H, W, 3]."""
    return colour.permute(0, 3, 1, 2).clamp(0.0, 1.0)
