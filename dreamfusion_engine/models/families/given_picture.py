"""What families share that are told a picture: how CLIP sees it, and what is refused of what its encoder makes."""

from __future__ import annotations

import torch
from torch import Tensor

from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.models.clip_folder import CLIP_MEAN, CLIP_STD


def clip_normalised(image: Tensor) -> Tensor:
    """Return images with CLIP's mean and spread of pictures taken out, float32[B, 3, h, w].

    image: float32[B, 3, h, w] in [0, 1].
    """
    mean, std = (torch.tensor(each, device=image.device)[:, None, None] for each in (CLIP_MEAN, CLIP_STD))
    return (image - mean) / std


def refuse_not_finite(*made: Tensor) -> None:
    """Raise SetupError model.damaged where what was made of a picture is not finite.

    made: tensors.
    """
    if not all(bool(torch.isfinite(each).all()) for each in made):
        raise SetupError(
            "model.damaged",
            what="The model's encoder of pictures does not work.",
            why="It turns the picture into values that are not finite numbers.",
            fix="Copy or download the model again; on a GPU, try --device cpu.",
        )
