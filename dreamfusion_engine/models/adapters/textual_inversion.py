"""Put learned words into a tokenizer and its text encoder (textual inversion; Gal 2022, arXiv 2208.01618)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from dreamfusion_engine.models.adapters.files import word_error
from dreamfusion_engine.models.adapters.learned_word import LearnedWord

LEGACY_END = 2  # eos_token_id in the configs of older CLIPs: then the highest number is taken for the text's end


def read_vectors(word: LearnedWord, part: str) -> Tensor:
    """Read a word's vectors for one text encoder, float32[vectors, D].

    word: LearnedWord.
    part: str, the text encoder.
    Raises InputError input.embedding.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(word.path, framework="pt") as file:
            vectors: Tensor = file.get_tensor(word.tensors[part]).float()
    except (OSError, SafetensorError) as error:
        raise word_error(word.path, f"it cannot be read: {str(error)[:200]}") from error
    if not bool(torch.isfinite(vectors).all()):
        raise word_error(word.path, "it holds values that are no finite numbers")
    return vectors.reshape(word.vectors, -1)


def teach_tokenizer(tokenizer: Any, words: Sequence[LearnedWord]) -> None:
    """Give the tokenizer a token for each vector. It can then read a text from `learned_word.spelt_out`.

    tokenizer: of transformers, changed in place.
    words: LearnedWords.
    """
    if not words:
        return
    from transformers import AddedToken

    tokens = [token for word in words for token in word.tokens]
    tokenizer.add_tokens([AddedToken(token, normalized=False, single_word=True) for token in tokens])


@torch.no_grad()
def teach_encoder(encoder: Any, tokenizer: Any, words: Sequence[LearnedWord], part: str) -> None:
    """Put the words' vectors into the encoder's table, at the numbers that the taught tokenizer gives them.

    A CLIP with the legacy end of text takes the highest number in a text for its end, and pools its state there. That
    would be a learned word, so the encoder is told the tokenizer's own end.

    encoder: CLIP's or T5's text encoder.
    tokenizer: after `teach_tokenizer`.
    words: LearnedWords.
    part: str, the text encoder's name in the folder.
    """
    numbers = {token: tokenizer.convert_tokens_to_ids(token) for word in words for token in word.tokens}
    rows = encoder.get_input_embeddings().weight.shape[0]
    if max(numbers.values()) >= rows:
        encoder.resize_token_embeddings(max(numbers.values()) + 1, mean_resizing=False)
    table = encoder.get_input_embeddings().weight
    for word in words:
        for token, vector in zip(word.tokens, read_vectors(word, part), strict=True):
            table[numbers[token]] = vector.to(table)
    for module in encoder.modules():
        if getattr(module, "eos_token_id", None) == LEGACY_END:
            module.eos_token_id = tokenizer.eos_token_id
