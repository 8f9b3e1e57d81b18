"""The words for the diffusion model: view words, shading words, and the words that a small model knows.

The full prompt of a view is "<prompt>, <view words>, <shading words>" with empty parts left out (DreamFusion,
arXiv 2209.14988, section 3.2, "Diffusion loss with view dependent conditioning"). A text written by hand may replace
prompt and view words. Angles are radians.
"""

from __future__ import annotations

import difflib
import math
import re
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

from dreamfusion_engine.config.scores import SCORES
from dreamfusion_engine.config.stages import GenerateConfig, GuidanceConfig, PromptsConfig, Shading
from dreamfusion_engine.errors import InputError, SetupError
from dreamfusion_engine.inputs.given_path import absence, shortened
from dreamfusion_engine.models.family import Family
from dreamfusion_engine.wire.bounded_json import read_json_file

View = Literal["front", "side", "back", "overhead"]
Heading = Literal["front", "front right", "right", "back right", "back", "back left", "left", "front left"]
VIEWS: tuple[View, ...] = get_args(View)
HEADINGS: tuple[Heading, ...] = get_args(Heading)  # by azimuth, from 0 on; right is +X, as in Blender's Right view
SHADINGS: tuple[Shading, ...] = get_args(Shading)

OVERHEAD_ABOVE = math.radians(60.0)  # elevation, DreamFusion section 3.2
FRONT_HALF_ANGLE = math.radians(45.0)  # azimuth either side of the front; the back is as wide
AUTOMATIC = PromptsConfig()  # nothing by hand
CARD_NAME = "dreamfusion.json"
CARD_FORMAT = 1
PICTURE_NAME = "kinds.png"  # beside the card: what the model knows, to look at
# What a card may list, and characters of each text: far more than an artist can read, little enough for one message.
_MOST = {
    "words": 20_000,
    "kinds": 500,
    "without_front": 500,
    "colours": 100,
    "parts": 100,
    "examples": 50,
    "azimuths": 360,
    "elevations": 181,
}
_LONGEST = 200
_SHOWN = ("kinds", "colours", "parts", "without_front", "examples")
_MOST_SHOWN = 20_000  # characters of all that is told to an artist
_MOST_FILES = 10_000

_PUNCTUATION = string.punctuation + "\u2018\u2019\u201c\u201d\u2026\u2013\u2014"


def view_of(azimuth: float, elevation: float) -> View:
    """Return the named view of a camera: overhead above 60 degrees of elevation, else front, side or back by azimuth.

    azimuth: float, radians, 0 in front of the object, any number of turns.
    elevation: float in [-pi/2, pi/2], radians.
    """
    if elevation > OVERHEAD_ABOVE:
        return "overhead"
    from_front = abs(math.remainder(azimuth, 2.0 * math.pi))  # [0, pi]
    if from_front <= FRONT_HALF_ANGLE:
        return "front"
    return "back" if from_front >= math.pi - FRONT_HALF_ANGLE else "side"


def by_hand(prompt: str, view: View, texts: PromptsConfig) -> str:
    """Return what the artist wrote for the view, with `{}` filled by the prompt; "" where nothing was written.

    prompt: str.
    view: View.
    texts: PromptsConfig.
    """
    written: str = getattr(texts, view)
    return written.replace("{}", prompt)


def heading_of(azimuth: float) -> Heading:
    """Return the nearest of eight headings that a camera looks from: sectors of 45 degrees, the first in front.

    azimuth: float, radians, 0 in front of the object, pi / 2 at its right (+X), any number of turns.
    """
    return HEADINGS[round(azimuth / (2.0 * math.pi) * len(HEADINGS)) % len(HEADINGS)]


def azimuth_of(heading: Heading) -> float:
    """Return the azimuth in the middle of a heading's sector, radians in [0, 2 pi)."""
    return HEADINGS.index(heading) * 2.0 * math.pi / len(HEADINGS)


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


def read_card(folder: Path) -> PromptCard:
    """Read the card beside `model_index.json`; without one, return the card of an ordinary checkpoint.

    folder: Path of the model.
    Raises SetupError model.card where the file is damaged or of another format.
    """
    path = folder / CARD_NAME
    if not path.is_file() and not path.is_symlink():
        return PromptCard()
    try:
        card = _parsed_card(read_json_file(path))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SetupError(
            "model.card",
            what=f"The model's card {CARD_NAME} cannot be read.",
            why=f"{path}: {type(error).__name__}: {error}" if path.exists() else f"{path} {absence(path)}.",
            fix="Copy the model's folder again, complete, or update DreamFusion if the model is newer than it.",
        ) from error
    picture = folder / PICTURE_NAME
    return replace(card, picture=str(picture)) if picture.is_file() else card


def _parsed_card(values: Mapping[str, Any]) -> PromptCard:
    if values["format"] != CARD_FORMAT:
        raise ValueError(f"format {values['format']!r}; this version reads format {CARD_FORMAT}"[:200])
    views = {view: _text(values["views"][view]) for view in VIEWS}
    shading = {each: _text(values["shading"][each]) for each in SHADINGS}
    headings = {heading: _text(values["headings"][heading]) for heading in HEADINGS} if "headings" in values else {}
    azimuths = _texts(values, "azimuths")
    listed = _bounded(values.get("elevations", {}), _MOST["elevations"], "elevations").items()
    elevations = {int(degrees): _text(word) for degrees, word in listed}
    shown = {name: _texts(values, name) for name in _SHOWN}
    _bounded("".join(text for texts in shown.values() for text in texts), _MOST_SHOWN, "characters to be shown")
    if bool(azimuths) != (len(elevations) > 1):
        raise ValueError("words for exact cameras need azimuths and two elevations at least")
    return PromptCard(
        closed_vocabulary=bool(values["closed_vocabulary"]),
        words=frozenset(word.lower() for word in _texts(values, "words")),
        kinds=shown["kinds"],
        colours=shown["colours"],
        parts=shown["parts"],
        without_front=shown["without_front"],
        examples=shown["examples"],
        views=views,
        shading=shading,
        headings=headings,
        azimuths=azimuths,
        elevations=dict(sorted(elevations.items())),
        files=_files(values.get("files", {})),
    )


def _texts(values: Mapping[str, Any], name: str) -> tuple[str, ...]:
    listed = values[name] if name == "words" else values.get(name, [])
    if not isinstance(listed, list):
        raise TypeError(f"{name} is no list")
    return tuple(_text(text) for text in _bounded(listed, _MOST[name], name))


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise ValueError(f"{str(value)[:60]!r} is no text of at most {_LONGEST} characters")
    return value


def _bounded(values: Any, most: int, name: str) -> Any:
    if len(values) > most:
        raise ValueError(f"it lists {len(values):,} {name}, more than {most:,}")
    return values


def _files(values: Mapping[str, Any]) -> dict[str, str]:
    """The listed files, each below the model's folder and named in one way only."""
    for path, digest in _bounded(values, _MOST_FILES, "files").items():
        plain = PurePosixPath(path)
        if plain.is_absolute() or ".." in plain.parts or str(plain) != path or re.search(r"[\\:\x00-\x1f]", path):
            raise ValueError(f"it lists {path[:100]!r}, which is no file of the model")
        if not re.fullmatch(r"[0-9A-Fa-f]{64}", _text(digest)):
            raise ValueError(f"it gives {path[:100]!r} the checksum {digest!r}, which is none")
    return dict(values)


def unknown_words(text: str, known: Iterable[str]) -> list[str]:
    """Return the words of `text` that are not among `known`, each once, in order; case and punctuation do not count.

    A hyphenated word counts as known when all of its parts are. Symbols that are not punctuation, such as an emoji,
    count as words, because a model with a closed vocabulary would silently drop them.

    text: str.
    known: words.
    """
    known = frozenset(known)
    missing: dict[str, None] = {}
    for chunk in text.lower().split():
        word = chunk.strip(_PUNCTUATION)
        if not word or word in known:
            continue
        parts = [part for part in re.findall(r"\w+|[^\w\s]", word) if part not in _PUNCTUATION]
        missing.update(dict.fromkeys(part for part in parts if part not in known))
    return list(missing)


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


def check_prompts(config: GenerateConfig, card: PromptCard) -> None:
    """Run `check_vocabulary` on everything that the artist wrote: prompt, negative prompt, prompts by hand.

    config: GenerateConfig.
    card: PromptCard of the model.
    """
    check_vocabulary(config.prompt, card)
    check_vocabulary(config.negative, card, "negative prompt")
    for view in VIEWS:
        check_vocabulary(by_hand(config.prompt, view, config.prompts), card, f"prompt of the {view} view")


def check_length(config: GenerateConfig, family: Family) -> None:
    """Raise InputError input.prompt_tokens for a text of more words than the model reads tokens.

    A word is at least one token, so this check needs no tokenizer. The tokens are counted once a tokenizer is loaded.

    config: GenerateConfig, with the texts.
    family: Family of the model.
    """
    texts = {"prompt": config.prompt, "negative prompt": config.negative}
    texts |= {f"prompt of the {view} view": by_hand(config.prompt, view, config.prompts) for view in VIEWS}
    for name, text in texts.items():
        count = len(text.split())
        if count >= family.tokens:  # one more marks the end
            raise InputError(
                "input.prompt_tokens",
                what=f"The {name} is too long for this model.",
                why=f"It has {count} words; the model reads {family.tokens} tokens, and a word is one or more. "
                f"It begins: {shortened(text)!r}",
                fix="Describe one object in a sentence.",
            )


def check_vocabulary(text: str, card: PromptCard, name: str = "prompt") -> None:
    """Raise InputError input.unknown_words where a closed-vocabulary model does not know every word of `text`.

    text: str to check.
    card: PromptCard of the model.
    name: str, what the text is, for the message.
    """
    unknown = unknown_words(text, card.words) if card.closed_vocabulary else []
    if not unknown:
        return
    plain = sorted(card.words)
    near = {word: difflib.get_close_matches(word, plain, n=2, cutoff=0.6) for word in unknown}
    close = "; ".join(f"for '{word}' {' or '.join(map(repr, found))}" for word, found in near.items() if found)
    listed = ", ".join(repr(word) for word in unknown[:8]) + (", ..." if len(unknown) > 8 else "")
    sentences = [f"It was taught {len(card.kinds)} kinds of objects: {', '.join(card.kinds)}."]
    if card.colours:
        sentences.append(f"Colours: {', '.join(card.colours)}.")
    if card.picture:
        sentences.append(f"A picture of all of them: {card.picture}")
    fixes = [f"Nearest words: {close}." if close else ""]
    if card.examples:
        fixes.append("Try " + " or ".join(f'"{example}"' for example in card.examples[:3]) + ".")
    fixes.append("For any other prompt give a full text-to-image checkpoint: --model FOLDER.")
    raise InputError(
        "input.unknown_words",
        what=f"The model does not know {'this word' if len(unknown) == 1 else 'these words'} of the {name}: {listed}.",
        why=" ".join(sentences),
        fix=" ".join(part for part in fixes if part),
    )
