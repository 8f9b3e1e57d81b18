"""A pixel-space model that judges four views together: DeepFloyd IF's layout with MVDream's two changes.

`training/multiview` makes a small one. The folder is as the starter's; the camera's embedding is what diffusers calls
that of a class.
"""

from __future__ import annotations

from torch import Tensor, nn

from dreamfusion_engine.models.families.pixel import PixelDiffusion
from dreamfusion_engine.models.families.views_together import let_views_see_each_other
from dreamfusion_engine.models.multi_view import VIEWS
from dreamfusion_engine.models.teacher import Conditioning


class MultiViewPixel(PixelDiffusion):
    """MultiViewPixelPipeline: groups of four views in a row, each told the camera's matrix."""

    def _load_denoiser(self) -> nn.Module:
        network = super()._load_denoiser()
        let_views_see_each_other(network, VIEWS)
        return network

    def ask(self, x: Tensor, t: Tensor, told: Conditioning) -> Tensor:
        output: Tensor = self.denoiser(
            x, t, encoder_hidden_states=told.tokens, class_labels=told.camera, return_dict=False
        )[0]
        return output
