"""What a denoiser that is told a prompt and a picture of the object is told in a step. B: views.

With the picture its tokens follow those of every text, and its latents go along. Without the prompt there is no picture
either: then tokens and latents are those of none, as ImageDream's guidance has it (arXiv 2312.02201, section 3.4).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import Shading
from dreamfusion_engine.guidance.prompt_conditioning import PromptEmbeddings, ViewConditioning
from dreamfusion_engine.models.families.image_dream import PicturePrompt
from dreamfusion_engine.models.teacher import Conditioning
from dreamfusion_engine.models.views import View


class PicturedPrompt:
    """A prompt and one picture for all views, both encoded once for the model.

    words: ViewConditioning of the prompt.
    picture: PicturePrompt.
    """

    def __init__(self, words: ViewConditioning, picture: PicturePrompt) -> None:
        self._words = words
        self._picture = picture

    def unconditional(self, count: int) -> Conditioning:
        """Return what the denoiser is told without prompt and picture, `count` rows."""
        return self._without(self._words.unconditional(count))

    def of_views(self, views: Sequence[View], shading: Shading) -> Conditioning:
        """Return prompt and picture as told of each named view, B rows.

        views: B names of views.
        shading: of all the renders.
        """
        return self._with(self._words.of_views(views, shading))

    def of_cameras(self, azimuth: Tensor, elevation: Tensor, shading: Shading) -> Conditioning:
        """Return prompt and picture as told of each camera, B rows.

        azimuth, elevation: float32[B], radians.
        shading: of all the renders.
        """
        return self._with(self._words.of_cameras(azimuth, elevation, shading))

    def embeddings(self, azimuth: Tensor, elevation: Tensor, shading: Shading) -> PromptEmbeddings:
        """Return all embeddings of one step.

        azimuth, elevation: float32[B], radians.
        shading: of all the renders.
        """
        told = self._words.embeddings(azimuth, elevation, shading)
        return dataclasses.replace(
            told,
            uncond=self._without(told.uncond),
            cond=self._with(told.cond),
            bad=None if told.bad is None else self._without(told.bad),
            against=tuple(self._with(each) for each in told.against),
        )

    def _with(self, words: Conditioning) -> Conditioning:
        return _joined(words, self._picture.tokens, self._picture.latents)

    def _without(self, words: Conditioning) -> Conditioning:
        return _joined(words, self._picture.without, torch.zeros_like(self._picture.latents))


def _joined(words: Conditioning, tokens: Tensor, latents: Tensor) -> Conditioning:
    """The words' rows, each followed by a picture's tokens, with its latents."""
    count = len(words)
    both = torch.cat([words.tokens, tokens.expand(count, -1, -1)], 1)
    beside = latents.expand(count, -1, -1, -1)
    return Conditioning.from_tensors({**words.tensors(), "tokens": both, "picture": beside})
