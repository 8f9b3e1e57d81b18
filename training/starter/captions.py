"""Captions of the corpus, and the word-level tokenizer that reads them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from transformers import PreTrainedTokenizerFast

from dreamfusion_engine.config.stages import Shading
from dreamfusion_engine.models.views import Heading, View
from training.starter.objects.kinds import KINDS, PATTERNS, Appearance, Kind
from training.starter.objects.palette import COLOURS

TOKENS = 25  # longest caption, padded
VIEW_WORDS: dict[View, str] = {
    "front": "front view",
    "side": "side view",
    "back": "back view",
    "overhead": "overhead view",
}
# Ordinary checkpoints know four views. Our corpus knows exactly where each picture was taken from, and left told from
# right leaves score distillation no choice of where the nose of a car goes.
HEADING_WORDS: dict[Heading, str] = {
    "front": "front view",
    "front right": "front right view",
    "right": "right side view",
    "back right": "back right view",
    "back": "back view",
    "back left": "back left view",
    "left": "left side view",
    "front left": "front left view",
}
# Eight headings still leave 45 degrees and every elevation open, and the mean of all that is a picture of no object.
# Nobody writes these words, the engine does: where exactly a picture was taken from.
AZIMUTH_WORDS = tuple(f"azimuth{degrees:03d}" for degrees in range(0, 360, 15))
ELEVATION_WORDS = {degrees: f"elevation{degrees:02d}" for degrees in range(0, 90, 10)}
SHADING_WORDS: dict[Shading, str] = {"albedo": "flat colours", "lambertian": "", "textureless": "white clay"}
_ADJECTIVES = {"stripes": "striped", "dots": "dotted", "checks": "checked"}
_FRAMES = ("a photo of {}", "a picture of {}", "a 3d model of {}", "a render of {}")
_EXACT = 0.7  # share of captions that name the exact camera
_FIRST_NAME = 0.7  # share of captions that call a kind by its first name
# Words that people add and that change nothing; they stand before the noun at times.
_IDLE_WORDS = ("nice", "single", "small", "big")
_EXTRA_WORDS = ("the", "an", "one", "and", "coloured", "colored")


def with_article(named: str) -> str:
    """Return a name with its article: 'a red mug', 'an apple'.

    named: str, not empty.
    """
    return f"{'an' if named[0] in 'aeiou' else 'a'} {named}"


def spoken_name(rng: np.random.Generator, kind: Kind) -> str:
    """Return one of a kind's names: mostly the first, at times any.

    rng: source of the random numbers.
    kind: Kind.
    """
    return kind.names[0] if rng.random() < _FIRST_NAME else str(rng.choice(kind.names))


def describe(kind: Kind, appearance: Appearance, *, name: str | None = None) -> str:
    """Return the plain caption of an object: 'a red mug with a yellow handle and white stripes'.

    kind: Kind of the object.
    appearance: Appearance of the object.
    name: str, a name of the kind; None for the first.
    """
    text = f"{appearance.colour} {name or kind.names[0]}" if appearance.colour else name or kind.names[0]
    text += _part_phrase(kind, appearance)
    if appearance.pattern:
        joined = "and" if appearance.part and "with" in kind.part else "with"
        text += f" {joined} {appearance.pattern_colour} {appearance.pattern}"
    return with_article(text)


def view_words(view: View, heading: Heading) -> str:
    """Return the words for where a picture was taken from: 'front left view', 'overhead view, back view'.

    view: View of the camera.
    heading: Heading of the camera.
    """
    return f"{VIEW_WORDS[view]}, {HEADING_WORDS[heading]}" if view == "overhead" else HEADING_WORDS[heading]


def camera_words(azimuth: float, elevation: float) -> str:
    """Return the nearest of the words for exact cameras: 'azimuth015 elevation20'.

    azimuth: float, radians, from the front.
    elevation: float, radians above the horizon.
    """
    turn = round(azimuth / (2.0 * math.pi) * len(AZIMUTH_WORDS)) % len(AZIMUTH_WORDS)
    nearest = min(ELEVATION_WORDS, key=lambda degrees: abs(degrees - math.degrees(elevation)))
    return f"{AZIMUTH_WORDS[turn]} {ELEVATION_WORDS[nearest]}"


def camera_word_mixtures() -> dict[str, dict[str, float]]:
    """Return what the words for exact cameras mean, as mixtures of words for views: word -> (word -> weight).

    A model that knows views begins to learn exact cameras with these. So it is at once as good as with eight headings.
    """
    mixtures: dict[str, dict[str, float]] = {}
    for turn, word in enumerate(AZIMUTH_WORDS):
        azimuth = 2.0 * math.pi * turn / len(AZIMUTH_WORDS)
        ahead, right = math.cos(azimuth), math.sin(azimuth)
        side = max(0.0, (abs(right) - 0.75) / 0.25)  # captions say "right side view", and "front right view"
        mixtures[word] = {"front": ahead, "back": -ahead, "right": right, "left": -right, "side": side}
    for degrees, word in ELEVATION_WORDS.items():
        above = min(max((degrees - 45) / 30, 0.0), 1.0)
        mixtures[word] = {"overhead": above, "view": 1.0 - above}
    return {word: {w: share for w, share in parts.items() if share > 1e-6} for word, parts in mixtures.items()}


def caption(
    rng: np.random.Generator,
    kind: Kind,
    appearance: Appearance,
    view: View,
    heading: Heading,
    shading: Shading,
    camera: str = "",
) -> str:
    """Return a caption for a picture; order, article and synonyms vary, and view or shading words are missing at times.

    rng: source of the random numbers.
    kind: Kind of the object.
    appearance: Appearance of the object.
    view: View of the camera.
    heading: Heading of the camera.
    shading: Shading of the picture.
    camera: str, from `camera_words`; "" where it is not known that exactly.
    """
    name = spoken_name(rng, kind)
    text = describe(kind, appearance, name=name)
    draw = rng.random()
    if appearance.pattern and draw < 0.3:  # "a striped red mug" does not say the colour of the stripes
        text = with_article(f"{_ADJECTIVES[appearance.pattern]} {appearance.colour} {name}") + _part_phrase(
            kind, appearance
        )
    elif appearance.colour and not appearance.pattern and draw < 0.1:  # the colour after the noun
        text = f"{with_article(name)} in {appearance.colour}{_part_phrase(kind, appearance)}"
    frame = rng.random()
    if frame > 0.92:
        text = str(rng.choice(_FRAMES)).format(text)
    elif frame > 0.84:
        text = with_article(f"{rng.choice(_IDLE_WORDS)} {text.split(' ', 1)[1]}")
    elif frame > 0.76:
        text = f"{rng.choice(['the', 'one'])} {text.split(' ', 1)[1]}"
    elif frame > 0.66:
        text = text.split(" ", 1)[1]  # no article
    seen_from = rng.random()
    exact = bool(camera) and rng.random() < _EXACT
    if seen_from < (0.3 if exact else 0.95):
        text += f", {view_words(view, heading) if seen_from < 0.85 else VIEW_WORDS[view]}"
    if exact:
        text += f", {camera}"
    if SHADING_WORDS[shading] and rng.random() < 0.95:
        text += f", {SHADING_WORDS[shading]}"
    return text


def _part_phrase(kind: Kind, appearance: Appearance) -> str:
    """' with an orange lid', or '' where no part has a named colour."""
    return " " + kind.part.format(appearance.part).replace(" a orange", " an orange") if appearance.part else ""


def known_words(kinds: Sequence[Kind] = KINDS) -> list[str]:
    """Return every word that people may use of some kinds, sorted. Words for exact cameras are left out.

    kinds: Kinds.
    """
    texts = [
        *COLOURS,
        *PATTERNS,
        *_ADJECTIVES.values(),
        *_EXTRA_WORDS,
        *_IDLE_WORDS,
        *VIEW_WORDS.values(),
        *HEADING_WORDS.values(),
        *SHADING_WORDS.values(),
        *(frame.replace("{}", "") for frame in _FRAMES),
        *(name for kind in kinds for name in kind.names),
        *(kind.part.replace("{}", "") for kind in kinds),
        "with a in",
    ]
    return sorted({word for text in texts for word in text.split()})


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Return a word-level tokenizer: lower case, no punctuation, '<pad>' 0, '</s>' 1, '<unk>' 2."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    words = sorted([*known_words(), *AZIMUTH_WORDS, *ELEVATION_WORDS.values()])
    vocabulary = {w: i for i, w in enumerate(["<pad>", "</s>", "<unk>", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Lowercase(), normalizers.Replace(Regex(r"[^a-z0-9]+"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=TOKENS
    )
