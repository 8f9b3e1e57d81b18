"""The texts that the denoiser gets in a step: every text that a run may need, encoded once before training.

Axis letters: B views, V = 4 named views, N negative prompts of Perp-Neg.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from dreamfusion_engine.config.scores import SCORES
from dreamfusion_engine.config.stages import GuidanceConfig, PromptsConfig, Shading
from dreamfusion_engine.guidance.camera_matrices import camera_matrices
from dreamfusion_engine.guidance.perp_neg import view_negatives
from dreamfusion_engine.guidance.view_weights import (
    interpolated_camera_weights,
    interpolated_heading_weights,
    interpolated_view_weights,
    mixed,
    nearest_camera_weights,
    nearest_heading_weights,
    nearest_view_weights,
)
from dreamfusion_engine.machine.device import sent
from dreamfusion_engine.models.card import AUTOMATIC, SHADINGS, PromptCard, uses_perp_neg
from dreamfusion_engine.models.teacher import Conditioning
from dreamfusion_engine.models.views import HEADINGS, VIEWS, View

# Words for unlikely pictures, for models with an open vocabulary (NFSD, Katzir 2023, arXiv 2310.17590).
OUT_OF_DISTRIBUTION = (
    "unrealistic, blurry, low quality, out of focus, ugly, low contrast, dull, dark, low-resolution, gloomy"
)
AGAINST: tuple[View, View] = ("front", "side")  # the prompts that Perp-Neg pushes away, as `view_negatives` weighs them
Encode = Callable[[list[str]], Conditioning]
Weigh = Callable[[Tensor, Tensor], Tensor]  # azimuths and elevations to the weights of what is told


@dataclass(frozen=True, kw_only=True)
class PromptEmbeddings:
    """What the denoiser is told of B views in one step.

    uncond: Conditioning, B rows, without the prompt.
    cond: Conditioning, B rows, the prompt as seen from each view.
    bad: Conditioning, B rows, words for bad pictures; None for scores that do not ask for them.
    against: N Conditionings of B rows, the negative prompts of Perp-Neg.
    weights: float32[N, B], weights of `against`, not positive; None without Perp-Neg.
    """

    uncond: Conditioning
    cond: Conditioning
    bad: Conditioning | None = None
    against: tuple[Conditioning, ...] = ()
    weights: Tensor | None = None


class ViewConditioning(Protocol):
    """What a denoiser is told of the views of a step: words, a picture, or both."""

    def unconditional(self, count: int) -> Conditioning:
        """Return what it is told without them, `count` rows."""
        ...

    def of_views(self, views: Sequence[View], shading: Shading) -> Conditioning:
        """Return what it is told of each named view, B rows.

        views: B names of views.
        shading: of all the renders.
        """
        ...

    def of_cameras(self, azimuth: Tensor, elevation: Tensor, shading: Shading) -> Conditioning:
        """Return what it is told of each camera, B rows.

        azimuth, elevation: float32[B], radians.
        shading: of all the renders.
        """
        ...

    def embeddings(self, azimuth: Tensor, elevation: Tensor, shading: Shading) -> PromptEmbeddings:
        """Return all that it is told in one step.

        azimuth, elevation: float32[B], radians.
        shading: of all the renders.
        """
        ...


class PromptConditioning:
    """One prompt for all views and shadings, encoded for the model.

    encode: texts to Conditioning rows, called once.
    prompt: str, the artist's words.
    negative: str, used in place of the empty prompt.
    card: PromptCard, how to word prompts for this model.
    config: GuidanceConfig, settings of the guidance.
    texts: PromptsConfig, prompts that the artist wrote by hand for single views.
    tells_cameras: bool, whether the model is told the camera of each view beside the text.
    """

    def __init__(
        self,
        encode: Encode,
        prompt: str,
        negative: str,
        card: PromptCard,
        config: GuidanceConfig,
        texts: PromptsConfig = AUTOMATIC,
        *,
        tells_cameras: bool = False,
    ) -> None:
        self._tells_cameras = tells_cameras
        self._mode = config.view_prompts
        self._perp_neg = uses_perp_neg(config, card)
        noise_free = SCORES[config.score].names_bad
        # Noise-free score distillation needs both: nothing at all, and what bad pictures are called.
        uncond = "" if noise_free else negative
        bad = (negative or ("" if card.closed_vocabulary else OUT_OF_DISTRIBUTION)) if noise_free else uncond
        views: tuple[View | None, ...] = VIEWS if self._mode != "off" else (None,)
        by_view = {s: [card.full_prompt(prompt, v, s, texts) for v in views] for s in SHADINGS}
        by_camera = by_view
        interpolated = self._mode == "interpolated"
        self._weigh: Weigh = interpolated_view_weights if interpolated else nearest_view_weights
        if card.azimuths and self._mode != "off":
            cameras = [(turn, degrees) for degrees in card.elevations for turn in range(len(card.azimuths))]
            by_camera = {s: [card.camera_prompt(prompt, *camera, s, texts) for camera in cameras] for s in SHADINGS}
            self._weigh = functools.partial(
                interpolated_camera_weights if interpolated else nearest_camera_weights,
                azimuths=len(card.azimuths),
                elevations=[math.radians(degrees) for degrees in card.elevations],
            )
        elif card.headings and self._mode != "off":
            self._weigh = interpolated_heading_weights if interpolated else nearest_heading_weights
            places = [(heading, overhead) for overhead in (False, True) for heading in HEADINGS]
            by_camera = {
                s: [card.heading_prompt(prompt, h, overhead=o, shading=s, texts=texts) for h, o in places]
                for s in SHADINGS
            }
        told = [text for table in (by_view, by_camera) for row in table.values() for text in row]
        distinct = list(dict.fromkeys([uncond, bad, *told]))
        self._encoded = encode(distinct)
        self._rows = {shading: [distinct.index(text) for text in row] for shading, row in by_view.items()}
        self._camera_rows = {shading: [distinct.index(text) for text in row] for shading, row in by_camera.items()}
        self._bad = distinct.index(bad) if noise_free else None

    def unconditional(self, count: int) -> Conditioning:
        """Return what the denoiser is told without the prompt, `count` rows: the empty or the negative prompt."""
        return self._encoded.rows([0] * count)

    def of_views(self, views: Sequence[View], shading: Shading) -> Conditioning:
        """Return the prompt with the words of each named view, B rows; without view words where they are off.

        views: B names of views.
        shading: of all the renders.
        """
        rows = self._rows[shading]
        return self._encoded.rows([rows[VIEWS.index(view)] if len(rows) > 1 else rows[0] for view in views])

    def of_cameras(self, azimuth: Tensor, elevation: Tensor, shading: Shading) -> Conditioning:
        """Return the prompt as seen from each camera, B rows.

        azimuth, elevation: float32[B], radians.
        shading: of all the renders.
        """
        if self._mode == "off":
            return self._encoded.rows(self._rows[shading] * len(azimuth))
        weights = sent(self._weigh(azimuth, elevation), self._encoded.tokens.device)
        return mixed(self._encoded.rows(self._camera_rows[shading]), weights)

    def embeddings(self, azimuth: Tensor, elevation: Tensor, shading: Shading) -> PromptEmbeddings:
        """Return all embeddings of one step.

        azimuth, elevation: float32[B], radians.
        shading: of all the renders.
        """
        count = len(azimuth)
        against: tuple[Conditioning, ...] = ()
        weights: Tensor | None = None
        if self._perp_neg:
            against = tuple(self.of_views([view] * count, shading) for view in AGAINST)
            weights = sent(view_negatives(azimuth, elevation), self._encoded.tokens.device)
        bad = None if self._bad is None else self._encoded.rows([self._bad] * count)
        told = PromptEmbeddings(
            uncond=self.unconditional(count),
            cond=self.of_cameras(azimuth, elevation, shading),
            bad=bad,
            against=against,
            weights=weights,
        )
        return told if not self._tells_cameras else _seen_from(told, azimuth, elevation)


def _seen_from(told: PromptEmbeddings, azimuth: Tensor, elevation: Tensor) -> PromptEmbeddings:
    """The same, with every text told where each view is from."""
    camera = sent(camera_matrices(azimuth, elevation), told.cond.tokens.device)
    return dataclasses.replace(
        told,
        uncond=told.uncond.seen_from(camera),
        cond=told.cond.seen_from(camera),
        bad=None if told.bad is None else told.bad.seen_from(camera),
        against=tuple(each.seen_from(camera) for each in told.against),
    )
