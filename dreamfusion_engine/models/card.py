"""The card of a diffusion model: how to word prompts for it, and what it knows.

The full prompt of a view is "<prompt>, <view words>, <shading words>" with empty parts left out (DreamFusion,
arXiv 2209.14988, section 3.2, "Diffusion loss with view dependent conditioning"). A text written by hand may replace
prompt and view words. Angles are radians.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

from dreamfusion_engine.config.scores import SCORES
from dreamfusion_engine.config.stages import GuidanceConfig, PromptsConfig, Shading
from dreamfusion_engine.models.views import VIEWS, Heading, View, azimuth_of, view_of

SHADINGS: tuple[Shading, ...] = get_args(Shading)
AUTOMATIC = PromptsConfig()  # nothing by hand


def by_hand(prompt: str, view: View, texts: PromptsConfig) -> str:
    """Return what the artist wrote for the view, with `{}` filled by the prompt; "" where nothing was written.

    prompt: str.
    view: View.
    texts: PromptsConfig.
    """
    written: str = getattr(texts, view)
    return written.replace("{}", prompt)


def compose_prompt(prompt: str, view_words: str, shading_words: str) -> str:
    """Return the full prompt of a view: the parts joined by commas, empty ones left out.

    prompt: str.
    view_words: str; "" for none.
    shading_words: str; "" for none.
    """
    return ", ".join(part for part in (prompt, view_words, shading_words) if part)


@dataclass(frozen=True, kw_only=True)
class PromptCard:
    """How to word prompts for a model, and what the model knows.

    closed_vocabulary: bool, whether the model knows the words in `words` and no others.
    words: the words of a closed vocabulary.
    kinds, colours, examples: what to tell an artist that the model can draw.
    parts: phrases for a second colour, such as "mug with a {} handle".
    without_front: names of kinds that look alike from all around.
    picture: name of a file that shows the kinds, or "".
    views, shading: words for each View and Shading; "" where the model needs none.
    headings: words for each Heading, for a model that was taught eight directions; empty for all others.
    azimuths: words for the azimuths of exact cameras, evenly spaced from the front on, for a model that was taught
        them; empty for all others.
    elevations: words for the elevations of exact cameras, by degrees above the horizon, rising; empty for all others.
    files: relative path to SHA-256 (hex) of the model's files, to check that they arrived whole.
    """

    closed_vocabulary: bool = False
    words: frozenset[str] = frozenset()
    kinds: tuple[str, ...] = ()
    colours: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    without_front: tuple[str, ...] = ()
    picture: str = ""
    views: Mapping[View, str] = field(default_factory=lambda: {view: f"{view} view" for view in VIEWS})
    shading: Mapping[Shading, str] = field(default_factory=lambda: dict.fromkeys(SHADINGS, ""))
    headings: Mapping[Heading, str] = field(default_factory=dict)
    azimuths: tuple[str, ...] = ()
    elevations: Mapping[int, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def has_front(self, prompt: str) -> bool:
        """Return whether front and back of the prompt's object may differ: False where all its kinds have no front."""
        words = re.findall(r"[^\W_]+", prompt.lower())
        text = f" {' '.join(words)} "
        named = {kind for kind in (*self.kinds, *self.without_front) if f" {kind} " in text}
        return not named or not named <= set(self.without_front)

    def full_prompt(self, prompt: str, view: View | None, shading: Shading, texts: PromptsConfig = AUTOMATIC) -> str:
        """Return `prompt` with this model's words for the view and the shading.

        prompt: str, the artist's words.
        view: View; None for no view words.
        shading: Shading of the render.
        texts: PromptsConfig; a text for this view replaces prompt and view words.
        """
        return self._prompt_of(prompt, view, self.views[view] if view else "", shading, texts)

    def heading_prompt(
        self, prompt: str, heading: Heading, *, overhead: bool, shading: Shading, texts: PromptsConfig = AUTOMATIC
    ) -> str:
        """Return `full_prompt` with this model's words for a heading, and before them those for overhead.

        prompt: str, the artist's words.
        heading: Heading of the camera.
        overhead: bool, whether to add the words for overhead.
        shading: Shading of the render.
        texts: PromptsConfig; a text for the view replaces prompt and view words.
        """
        view = "overhead" if overhead else view_of(azimuth_of(heading), 0.0)
        words = compose_prompt(self.views["overhead"] if overhead else "", self.headings[heading], "")
        return self._prompt_of(prompt, view, words, shading, texts)

    def camera_prompt(
        self, prompt: str, turn: int, degrees: int, shading: Shading, texts: PromptsConfig = AUTOMATIC
    ) -> str:
        """Return `full_prompt` with the words of an exact camera in place of a view's.

        prompt: str, the artist's words.
        turn: int, index of the azimuth in `azimuths`.
        degrees: int, elevation, a key of `elevations`.
        shading: Shading of the render.
        texts: PromptsConfig; a text for the view replaces prompt and view words.
        """
        view = view_of(turn * 2.0 * math.pi / len(self.azimuths), math.radians(degrees))
        return self._prompt_of(prompt, view, f"{self.azimuths[turn]} {self.elevations[degrees]}", shading, texts)

    def _prompt_of(self, prompt: str, view: View | None, words: str, shading: Shading, texts: PromptsConfig) -> str:
        """The prompt with `words` for where it is seen from, or what was written by hand for that view."""
        written = by_hand(prompt, view, texts) if view else ""
        return compose_prompt(written or prompt, "" if written else words, self.shading[shading])


def uses_perp_neg(config: GuidanceConfig, card: PromptCard) -> bool:
    """Return whether other views' prompts are used as negative ones. 'auto': for models of an open vocabulary.

    Such models know that faces are in front, and put them on backs too. The built-in model is told exactly where a view
    is from, and gained nothing by Perp-Neg (docs/experiments.md). Without view words, or with the same for front and
    back, the views cannot be told apart.

    config: GuidanceConfig.
    card: PromptCard of the model.
    """
    if config.view_prompts == "off" or card.views["front"] == card.views["back"]:
        return False
    return config.perp_neg == "on" or (config.perp_neg == "auto" and not card.closed_vocabulary)


def predictions_a_view(config: GuidanceConfig, card: PromptCard) -> int:
    """Return how many pictures a view adds to a step's call of the denoiser, one for each text.

    The texts are: with the prompt, without it, for bad pictures, and front and side of Perp-Neg.

    config: GuidanceConfig.
    card: PromptCard of the model.
    """
    return SCORES[config.score].texts + (2 if uses_perp_neg(config, card) else 0)
