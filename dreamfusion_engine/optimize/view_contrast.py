"""Whether the teacher sees the front and the back of a prompt as different, so that two equal sides are a fault."""

from __future__ import annotations

import torch

from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.guidance.guidance import Guidance
from dreamfusion_engine.optimize.health import probe_cameras
from dreamfusion_engine.optimize.training import Training

VIEWS_DIFFER = 0.15  # contrast of front and back above which two equal sides are a fault; measured on the starter model
ASKED_AT = 0.75  # share of training at which it is asked


def view_contrast(training: Training, distillation: Guidance, config: GenerateConfig) -> float:
    """Return how differently the model sees the front and the back of this prompt; 0 without either.

    A model that judges several views together is asked nothing: it is told where each is from, not by words.

    training: Training, whose pictures the model is shown.
    distillation: Guidance of the model with the prompt.
    config: GenerateConfig as asked for.
    """
    words = config.guidance.view_prompts != "off" and distillation.together == 1
    if not words or not distillation.has_front:
        return 0.0
    cameras = probe_cameras(config.camera, training.device)
    images = training.view(cameras, training.config.optimize.resolution[-1]).colour.permute(0, 3, 1, 2)
    generator = torch.Generator(device=training.device).manual_seed(config.seed)
    return distillation.view_contrast(images, "albedo", generator)
