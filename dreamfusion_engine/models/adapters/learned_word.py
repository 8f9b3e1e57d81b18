"""A textual inversion (Gal 2022, arXiv 2208.01618): a word of its own for a prompt, as vectors of the text encoder.

Files differ in how they name the word: diffusers' have one tensor under the word itself, such as <cat-toy>; others have
"emb_params", or "clip_l" and "clip_g" for the two encoders of Stable Diffusion XL, and are known by the file's name.
Only headers and vocabularies are read here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dreamfusion_engine.models.part_configs import NO_LIMIT
from dreamfusion_engine.models.part_weights import FLOATS
from dreamfusion_engine.models.safetensors_header import TensorEntry
from dreamfusion_engine.models.single_file.layouts import NotUsable
from dreamfusion_engine.wire.bounded_json import read_json_file

_UNNAMED = ("emb_params", "clip_l", "clip_g", "string_to_param.*", "*")  # names that are not the word
_ENCODERS = {"clip_g": "text_encoder_2"}  # every other tensor is for the first
LONGEST = 100  # characters of a word
_VOCABULARY_BYTES = 64 << 20  # of a tokenizer's file; the largest have half


@dataclass(frozen=True, kw_only=True)
class LearnedWord:
    """One textual inversion.

    path: Path of the file.
    word: str, as a prompt says it.
    vectors: int, number of tokens that it becomes.
    tensors: text encoder to the name of the tensor that holds its vectors.
    widths: text encoder to the length of a vector.
    """

    path: Path
    word: str
    vectors: int
    tensors: Mapping[str, str]
    widths: Mapping[str, int]

    @property
    def tokens(self) -> list[str]:
        """Return the tokens of the word, named as diffusers does: word, word_1, word_2, ..."""
        return [self.word, *(f"{self.word}_{i}" for i in range(1, self.vectors))]


def learned_word(path: Path, tensors: Mapping[str, TensorEntry]) -> LearnedWord:
    """Read a textual inversion from a file's header.

    path: Path of the file.
    tensors: the file's header.
    Raises NotUsable; its message ends the sentence 'it is ...'.
    """
    if any("lora" in name for name in tensors):
        raise NotUsable("a LoRA, which is for --lora")
    if not tensors or len(tensors) > 2 or (len(tensors) == 2 and set(tensors) != {"clip_l", "clip_g"}):
        raise NotUsable(f"no textual inversion: it holds {len(tensors)} tensors, not one for each text encoder")
    counts = set()
    for name, entry in tensors.items():
        if len(entry.shape) not in (1, 2) or entry.parameters == 0 or entry.dtype not in FLOATS:
            raise NotUsable(f"no textual inversion: {name} is {entry.dtype} {list(entry.shape)}")
        counts.add(entry.shape[0] if len(entry.shape) == 2 else 1)
    if len(counts) != 1 or max(counts) > 75:
        raise NotUsable(f"no textual inversion: it has {sorted(counts)} vectors")
    first = next(iter(tensors))
    word = path.stem if first in _UNNAMED else first
    if not word.strip() or len(word) > LONGEST or re.search(r"\s", word) or not word.isprintable():
        raise NotUsable(f"named {word[:LONGEST]!r}, which is no word that a prompt can say; rename the file")
    return LearnedWord(
        path=path,
        word=word,
        vectors=counts.pop(),
        tensors={_ENCODERS.get(name, "text_encoder"): name for name in tensors},
        widths={_ENCODERS.get(name, "text_encoder"): entry.shape[-1] for name, entry in tensors.items()},
    )


def vocabulary(tokenizer: Path) -> frozenset[str]:
    """Return the words of a tokenizer's folder in lower case; empty where its files have another format."""
    words: set[str] = set()
    for name in ("vocab.json", "added_tokens.json", "tokenizer.json"):
        file = tokenizer / name
        if not file.is_file():
            continue
        try:
            values = read_json_file(file, limit=_VOCABULARY_BYTES, largest=NO_LIMIT)
            if name == "tokenizer.json":
                listed = values.get("model", {}).get("vocab", {})
                words |= set(listed if isinstance(listed, dict) else (entry[0] for entry in listed))
                words |= {entry["content"] for entry in values.get("added_tokens", ())}
            else:
                words |= set(values)
        except (OSError, ValueError, AttributeError, KeyError, TypeError, IndexError):
            continue  # the tokenizer itself says what is wrong with it when it is loaded
    return frozenset(str(word).removesuffix("</w>").lower() for word in words)


def unsaid(words: Iterable[LearnedWord], texts: Iterable[str]) -> list[str]:
    """Return the learned words that no text contains.

    words: LearnedWords.
    texts: prompts.
    """
    together = "\n".join(texts)
    return [word.word for word in words if spelt_out(together, {word.word: [""]}) == together]


def spelt_out(text: str, words: Mapping[str, list[str]]) -> str:
    """Return a prompt in which the further tokens of each learned word follow it, in whatever case it is written.

    text: str, the prompt.
    words: word to all its tokens.
    """
    if not words:
        return text
    known = {word.lower(): tokens for word, tokens in words.items()}
    longest_first = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.sub(
        rf"(?<!\w)(?:{longest_first})(?!\w)", lambda found: " ".join(known[found[0].lower()]), text, flags=re.IGNORECASE
    )
