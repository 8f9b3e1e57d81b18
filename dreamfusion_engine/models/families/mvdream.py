"""MVDream: Stable Diffusion 2 that judges four views of one object together (Shi 2023, arXiv 2308.16512).

No code of its publishers is needed. The unet is diffusers' own class: the camera's embedding is what it calls that of a
class, and an attention processor lets the views see each other.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from dreamfusion_engine.models.families.stable_diffusion import StableDiffusion
from dreamfusion_engine.models.families.views_together import let_views_see_each_other
from dreamfusion_engine.models.multi_view import MULTI_VIEW_UNET, OUR_NAMES, STOCK_UNET, VIEWS
from dreamfusion_engine.models.teacher import Conditioning

_PREFIX = "model.diffusion_model."  # of a unet's weights in the first program's files, by which diffusers knows them


class MVDream(StableDiffusion):
    """MVDreamPipeline: groups of four views in a row, each told the camera's matrix."""

    def _load_denoiser(self) -> nn.Module:
        config = {name: value for name, value in self.parts.config("unet").items() if name not in OUR_NAMES}
        network: Any = self.parts.original_network(
            "unet", MULTI_VIEW_UNET, STOCK_UNET, config, first_names, self._memory_format
        )
        let_views_see_each_other(network, VIEWS)
        joined: nn.Module = network
        return joined

    def ask(self, x: Tensor, t: Tensor, told: Conditioning) -> Tensor:
        output: Tensor = self.denoiser(
            x, t, encoder_hidden_states=told.tokens, class_labels=told.camera, return_dict=False
        )[0]
        return output


def first_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the published weights under the names by which diffusers knows a unet of the first program.

    The camera's embedding gets the name that the embedding of a class has there.

    state: weights by their names in the folder.
    """
    return {_PREFIX + name.replace("camera_embed.", "label_emb.0."): value for name, value in state.items()}
