"""Captions of the corpus, and the word-level tokenizer that reads them."""

from __future__ import annotations

import numpy as np
from transformers import PreTrainedTokenizerFast

from dreamfusion_engine.guidance.prompts import Shading, View
from dreamfusion_engine.starter.objects.kinds import KINDS, Kind
from dreamfusion_engine.starter.objects.palette import COLOURS

TOKENS = 16  # longest caption, padded
VIEW_WORDS: dict[View, str] = {
    "front": "front view",
    "side": "side view",
    "back": "back view",
    "overhead": "overhead view",
}
SHADING_WORDS: dict[Shading, str] = {"albedo": "flat colours", "lambertian": "", "textureless": "white clay"}
_FILLERS = (
    "a",
    "an",
    "the",
    "photo",
    "picture",
    "model",
    "3d",
    "of",
    "one",
    "nice",
    "single",
    "small",
    "big",
    "coloured",
    "colored",
    "render",
)


def caption(rng: np.random.Generator, kind: Kind, colour: str | None, view: View, shading: Shading) -> str:
    """One caption for a picture; article and synonyms vary, and view or shading words are left out at times."""
    name = kind.names[0] if rng.random() < 0.7 else str(rng.choice(kind.names))
    named = f"{colour} {name}" if colour else name
    article = "an" if named[0] in "aeiou" else "a"
    draw = rng.random()
    text = f"{article} {named}" if draw < 0.8 else named if draw < 0.9 else f"a photo of {article} {named}"
    if rng.random() < 0.9:
        text += f", {VIEW_WORDS[view]}"
    if SHADING_WORDS[shading] and rng.random() < 0.95:
        text += f", {SHADING_WORDS[shading]}"
    return text


def known_words() -> list[str]:
    """Every word that the captions use, sorted."""
    texts = [*COLOURS, *_FILLERS, *VIEW_WORDS.values(), *SHADING_WORDS.values(), *(n for k in KINDS for n in k.names)]
    return sorted({word for text in texts for word in text.split()})


def make_tokenizer() -> PreTrainedTokenizerFast:
    """A word-level tokenizer over `known_words`: lower case, punctuation dropped, '<pad>' 0, '</s>' 1, '<unk>' 2."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    vocabulary = {w: i for i, w in enumerate(["<pad>", "</s>", "<unk>", *known_words()])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Lowercase(), normalizers.Replace(Regex(r"[^a-z0-9]+"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=TOKENS
    )
