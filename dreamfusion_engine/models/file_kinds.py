"""The kind of a .safetensors file that is neither a model nor a known adapter, told by its tensors' names.

The texts here end a sentence that begins 'it is ...'.
"""

from __future__ import annotations

from collections.abc import Mapping

from dreamfusion_engine.models.safetensors_header import TensorEntry

_LORA = "a LoRA, an addition to a model, which is for --lora"
UNREAD_ADDITIONS = (  # a piece of a tensor's name -> what such a file is
    ("motion_modules.", "a motion module of AnimateDiff, for video"),
    ("lokr_", "a LoKr (LyCORIS), which has other factors than a LoRA"),
    ("hada_", "a LoHa (LyCORIS), which has other factors than a LoRA"),
    ("oft_", "an OFT (LyCORIS), which turns weights and adds nothing to them"),
    ("lora_mid.", "a LoCon with a Tucker core (LyCORIS), which has other factors than a LoRA"),
    ("dora_scale", "a DoRA, which has a magnitude besides the factors of a LoRA"),
    ("lora_magnitude_vector", "a DoRA, which has a magnitude besides the factors of a LoRA"),
    ("lora_controlnet", "a Control-LoRA, which needs a picture to follow"),
    ("control_model.", "a ControlNet"),
    ("controlnet_", "a ControlNet"),
    ("ip_adapter.", "an IP-Adapter, which needs a picture to follow"),
)
_ADDITIONS = (
    *UNREAD_ADDITIONS,
    ("lycoris_", "an addition to a model (LyCORIS), of a kind that is not read here"),
    ("lora_", _LORA),
    ("lora.", _LORA),
)
_PARTS = (  # how most names of a part's own file begin -> what it is
    (("text_model.", "encoder.block.", "cond_stage_model.", "shared."), "a text encoder"),
    (("vision_model.",), "an encoder of pictures"),
    (("encoder.", "decoder.", "first_stage_model.", "vae."), "an autoencoder (VAE)"),
    (
        ("down_blocks.", "up_blocks.", "mid_block.", "transformer_blocks.", "single_transformer_blocks."),
        "a whole denoiser",
    ),
)
_EMBEDDING_TENSORS = 2  # one for each text encoder


def addition(tensors: Mapping[str, TensorEntry]) -> str:
    """Return what a file adds to a model, where it holds little else; '' for other files."""
    pieces = tuple(piece for piece, _ in _ADDITIONS)
    if not _most(sum(any(piece in name for piece in pieces) for name in tensors), tensors):
        return ""
    return next(what for piece, what in _ADDITIONS if any(piece in name for name in tensors))


def lone_part(tensors: Mapping[str, TensorEntry]) -> str:
    """Return the part of a model that a file holds alone; '' for other files."""
    for begins, what in _PARTS:
        if _most(sum(name.startswith(begins) for name in tensors), tensors):
            return what
    return ""


def learned_words(tensors: Mapping[str, TensorEntry]) -> bool:
    """Return whether a file looks like a textual inversion: one or two small tables of vectors."""
    few = 0 < len(tensors) <= _EMBEDDING_TENSORS
    return few and all(len(entry.shape) in (1, 2) for entry in tensors.values())


def _most(count: int, tensors: Mapping[str, TensorEntry]) -> bool:
    return 2 * count > len(tensors)
