"""Turn prompts into token numbers, and token numbers into a text encoder's states."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.inputs.given_path import shortened
from dreamfusion_engine.machine.backends import free_unused
from dreamfusion_engine.machine.device import trim_heap
from dreamfusion_engine.models.families.parts import Parts

CLIP_TOKENS = 77  # what a CLIP text encoder reads at most


def refuse_long(tokenizer: Any, texts: list[str], length: int) -> None:
    """Raise InputError input.prompt_tokens where a text has more than `length` tokens.

    The view words, at the end, would be lost silently.

    tokenizer: of transformers.
    texts: full prompts.
    length: int, tokens.
    """
    for text in texts:
        count = len(tokenizer(text, verbose=False)["input_ids"])  # it would warn of what is said here
        if count > length:
            raise InputError(
                "input.prompt_tokens",
                what="The prompt is too long for this model.",
                why=f"With its view words it is {count} tokens; the model reads {length}. It begins: "
                f"{shortened(text)!r}",
                fix=f"Say it in fewer words, about {count - length} less.",
            )


def reading_length(tokenizer: Any, most: int) -> int:
    """Return how many tokens are read: `most`, or fewer where the tokenizer says so.

    tokenizer: of transformers.
    most: int, tokens.
    """
    return min(int(getattr(tokenizer, "model_max_length", most)), most)


def token_numbers(tokenizer: Any, texts: list[str], length: int) -> tuple[Tensor, Tensor]:
    """Return the texts' tokens, int64[P, K], and which of them count, int64[P, K].

    tokenizer: of transformers.
    texts: P texts.
    length: int, K; texts are padded or cut to it.
    """
    tokens = tokenizer(
        texts,
        padding="max_length",
        max_length=length,
        truncation=True,
        return_tensors="pt",
        return_attention_mask=True,
    )
    return tokens["input_ids"], tokens["attention_mask"]


def with_encoder(
    parts: Parts, part: str, class_name: str, read: Callable[[Any], tuple[Tensor, ...]]
) -> tuple[Tensor, ...]:
    """Load a text encoder, return what `read` makes of it, and free it.

    Text encoders are often larger than the rest, so only one at a time is in memory.

    parts: Parts of the folder.
    part: str, the encoder's name in the folder.
    class_name: str, the encoder's class.
    read: called with the encoder; returns tensors.
    """
    encoder: nn.Module | None = parts.network(part, class_name)
    try:
        return read(encoder)
    finally:
        encoder = None
        gc.collect()
        trim_heap()
        if parts.device.type != "cpu":
            free_unused()


def clip_states(parts: Parts, number: str, class_name: str, texts: list[str]) -> tuple[Tensor, Tensor]:
    """Return the states before CLIP's last layer, [P, 77, D], and its embedding of the whole text, [P, E].

    parts: Parts of the folder.
    number: "" for the first encoder of a family, "_2" for its second.
    class_name: str, the encoder's class.
    texts: P texts.
    """
    tokenizer = parts.tokenizer(f"tokenizer{number}")
    texts = parts.spelt_out(f"text_encoder{number}", texts)
    numbers, _ = token_numbers(tokenizer, texts, reading_length(tokenizer, CLIP_TOKENS))

    def read(encoder: Any) -> tuple[Tensor, Tensor]:
        output = encoder(numbers.to(parts.device), output_hidden_states=True)
        whole = output.text_embeds if "text_embeds" in output else output.pooler_output
        return output.hidden_states[-2], whole

    states, whole = with_encoder(parts, f"text_encoder{number}", class_name, read)
    return states, whole


def t5_states(parts: Parts, number: str, texts: list[str], length: int, masked: bool) -> tuple[Tensor, Tensor]:
    """Return T5's last states, [P, K, D], and which tokens count, bool[P, K].

    parts: Parts of the folder.
    number: as for `clip_states`.
    texts: P texts.
    length: int, K.
    masked: bool, whether the padding is masked for the encoder.
    """
    numbers, mask = token_numbers(parts.tokenizer(f"tokenizer{number}"), texts, length)
    mask = mask.to(parts.device)

    def read(encoder: Any) -> tuple[Tensor, ...]:
        return (encoder(numbers.to(parts.device), attention_mask=mask if masked else None)[0],)

    (states,) = with_encoder(parts, f"text_encoder{number}", "T5EncoderModel", read)
    return states, mask.bool()
