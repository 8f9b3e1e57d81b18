"""LoRAs and textual inversions for the tiny pipelines, in every layout, and what they do, by a dense sum of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

RANK = 3
LAYERS = ("to_q", "to_k", "to_v", "to_out.0", "ff.net.2", "proj_in", "proj", "conv1", "time_emb_proj", "linear_1")
CLIP_LAYERS = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")


@dataclass(frozen=True, kw_only=True)
class Factors:
    """A and B for one layer of one part, and alpha."""

    part: str
    layer: str
    down: Tensor
    up: Tensor
    alpha: float


def factors_for(network: Any, part: str, endings: Iterable[str], seed: int = 0) -> list[Factors]:
    """Random factors for every layer of a network whose name ends so."""
    generator = torch.Generator().manual_seed(seed)
    made: list[Any] = []
    for layer, module in network.named_modules():
        if not layer.endswith(tuple(f".{ending}" for ending in endings)) or not hasattr(module, "weight"):
            continue
        out, *rest = module.weight.shape
        down = torch.randn(RANK, *rest, generator=generator) / 4.0
        up = torch.randn(out, RANK, *([1] * (len(rest) - 1)), generator=generator) / 4.0
        alpha = RANK * (0.5 + 0.25 * (len(made) % 3))
        made.append(Factors(part=part, layer=layer, down=down, up=up, alpha=alpha))
    assert made
    return made


def add_densely(pipeline: Any, factors: Iterable[Factors], weight: float) -> None:
    """W[o, i, ...] += weight (alpha / r) sum_k B[o, k] A[k, i, ...], in the pipeline itself."""
    with torch.no_grad():
        for f in factors:
            change = torch.einsum("ok,k...->o...", f.up.reshape(len(f.up), -1), f.down)
            module = getattr(pipeline, f.part).get_submodule(f.layer)
            module.weight += weight * f.alpha / len(f.down) * change


def kohya(factors: Iterable[Factors]) -> dict[str, Tensor]:
    """As kohya's programs write it."""
    factors = list(factors)
    two = any(f.part == "text_encoder_2" for f in factors)
    begins = {"unet": "lora_unet_", "text_encoder": "lora_te1_" if two else "lora_te_", "text_encoder_2": "lora_te2_"}
    file = {}
    for f in factors:
        name = begins[f.part] + _on_disk(f).replace(".", "_")
        file[f"{name}.lora_down.weight"], file[f"{name}.lora_up.weight"] = f.down, f.up
        file[f"{name}.alpha"] = torch.tensor(f.alpha)
    return file


def peft(factors: Iterable[Factors]) -> dict[str, Tensor]:
    """As diffusers writes PEFT's factors, which have no alpha: it is in B."""
    file = {}
    for f in factors:
        name = f"{f.part}.{_on_disk(f)}"
        file[f"{name}.lora_A.weight"], file[f"{name}.lora_B.weight"] = f.down, f.up * f.alpha / len(f.down)
    return file


def diffusers_lora(factors: Iterable[Factors]) -> dict[str, Tensor]:
    """As diffusers wrote it before PEFT: attention by its processors, the text encoder by its linear layers."""
    file = {}
    for f in factors:
        name, up = f"{f.part}.{_on_disk(f)}", f.up * f.alpha / len(f.down)
        if f.part.startswith("text_encoder"):
            name += ".lora_linear_layer"
        elif ".attn" in name and name.endswith(("to_q", "to_k", "to_v", "to_out.0")):
            head, _, tail = name.removesuffix(".0").rpartition(".")
            name = f"{head}.processor.{tail}_lora"
        else:
            name += ".lora"
        file[f"{name}.down.weight"], file[f"{name}.up.weight"] = f.down, up
    return file


LAYOUTS = {"kohya": kohya, "peft": peft, "diffusers": diffusers_lora}


def write(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> Path:
    """The tensors as a safetensors file."""
    from safetensors.torch import save_file

    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata=metadata)
    return path


def _on_disk(f: Factors) -> str:
    """The layer as files name it, whatever transformers does to the class: CLIP's are below text_model."""
    whole = not f.part.startswith("text_encoder") or f.layer.startswith("text_model.")
    return f.layer if whole else f"text_model.{f.layer}"
