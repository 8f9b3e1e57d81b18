"""Files with the names and shapes of a model's tensors, and the error with which one is refused."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from dreamfusion_engine.errors import EngineError


def refusal(action: Callable[[], object]) -> EngineError:
    with pytest.raises(EngineError) as caught:
        action()
    assert caught.value.exit_code == 2 and caught.value.fix
    return caught.value


def file_with(path: Path, tensors: dict[str, tuple[int, ...]]) -> Path:
    """A safetensors file of zeros with these names and shapes."""
    header, at = {}, 0
    for name, shape in tensors.items():
        size = 2
        for length in shape:
            size *= length
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(at))
    return path


UNET = "model.diffusion_model."
ATTENTION = f"{UNET}input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight"
WHOLE = {
    f"{UNET}input_blocks.0.0.weight": (8, 4, 3, 3),
    ATTENTION: (8, 768),
    "first_stage_model.encoder.conv_in.weight": (8, 3, 3, 3),
    "cond_stage_model.transformer.text_model.final_layer_norm.weight": (768,),
}
