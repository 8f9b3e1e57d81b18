"""Whether a model can read what an artist wrote: its length, and the words that a small model knows."""

from __future__ import annotations

import difflib
import re
import string
from collections.abc import Iterable

from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.inputs.given_path import shortened
from dreamfusion_engine.models.card import PromptCard, by_hand
from dreamfusion_engine.models.family import Family
from dreamfusion_engine.models.views import VIEWS

_PUNCTUATION = string.punctuation + "\u2018\u2019\u201c\u201d\u2026\u2013\u2014"


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
