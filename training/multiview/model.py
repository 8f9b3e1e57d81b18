"""The multi-view model: the starter's network with MVDream's two changes (Shi 2023, arXiv 2308.16512, section 3.1).

Its self-attention runs over the pixels of four views of one object, with the starter's own weights, and an embedding of
the camera's matrix is added to that of the time. The embedding begins as zero, so the model begins as the starter.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dreamfusion_engine.guidance.camera_matrices import camera_matrices
from dreamfusion_engine.models.families.views_together import let_views_see_each_other
from dreamfusion_engine.models.multi_view import CAMERA
from training.starter.model import ModelSize, StarterModel

ATTENTION = ".attn1."  # in the names of the weights of self-attention
CAMERA_EMBEDDING = "class_embedding."  # diffusers' name, whatever the vector stands for


class MultiViewModel(StarterModel):
    """The starter's T5 and UNet, the latter told the camera of each view and attending to views together.

    size: ModelSize.
    pixels: int, side of its pictures.
    """

    def __init__(self, size: ModelSize, pixels: int) -> None:
        super().__init__(size, pixels, class_embed_type="projection", projection_class_embeddings_input_dim=CAMERA)
        last = self.unet.class_embedding.linear_2
        torch.nn.init.zeros_(last.weight)
        torch.nn.init.zeros_(last.bias)

    def of_views(self, noised: Tensor, t: Tensor, tokens: Tensor, camera: Tensor, views: int) -> Tensor:
        """Predict v of groups of views, float32[B, 3, H, W].

        noised: float32[B, 3, H, W], noised pictures.
        t: int64[B], timesteps.
        tokens: int64[B, TOKENS].
        camera: float32[B, 16], from `cameras_told`.
        views: int, rows in a row that see each other.
        """
        let_views_see_each_other(self.unet, views)
        states = self.text_encoder(tokens, attention_mask=(tokens != 0).long())[0]
        return self.unet(noised, t, encoder_hidden_states=states, class_labels=camera).sample[:, :3]


def cameras_told(azimuth: list[float], elevation: list[float], *, views: int) -> Tensor:
    """Return what the model is told of cameras, float32[B, 16]: their matrices, or zeros for pictures by themselves.

    azimuth, elevation: B angles in radians.
    views: int, views that see each other.
    """
    if views == 1:
        return torch.zeros(len(azimuth), CAMERA)
    return camera_matrices(torch.tensor(azimuth), torch.tensor(elevation))
