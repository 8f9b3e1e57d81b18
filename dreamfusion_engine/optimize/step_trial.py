"""Measure how long a step takes, on a training that is thrown away."""

from __future__ import annotations

import math
import time

import torch

from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.guidance.guidance import Guidance
from dreamfusion_engine.machine.device import out_of_memory
from dreamfusion_engine.optimize.volume_training import VolumeTraining


class StepTrial:
    """Steps from the middle of a run, made one after another.

    config: GenerateConfig of the run.
    distillation: Guidance, whose denoiser may be changed between steps; a score that learns would learn here.
    device: torch.device of the run.
    """

    def __init__(self, config: GenerateConfig, distillation: Guidance, device: torch.device) -> None:
        self._config, self._distillation, self._device = config, distillation, device
        self._training: VolumeTraining | None = None

    def seconds(self, overlap: bool) -> float:
        """Return the seconds of one step on a CPU; nan where memory runs out.

        overlap: bool, whether the step is overlapped.
        """
        try:
            middle = self._config.optimize.steps // 2
            middle -= middle % self._config.render.occupancy_every
            if self._training is None:  # the first step alone looks where the field is empty, as few of a run do
                self._training = VolumeTraining(self._config, seed=self._config.seed, device=self._device)
                self._training.step = middle
            else:
                self._training.step = middle + 1
            begun = time.perf_counter()
            self._training.train_step(self._distillation, overlap=overlap)
            return time.perf_counter() - begun
        except Exception as error:
            if not out_of_memory(error):
                raise
            return math.nan
