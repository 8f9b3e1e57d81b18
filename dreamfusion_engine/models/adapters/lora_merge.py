"""Add LoRAs to a network's weights while it loads: W + w (alpha / r) B A (Hu 2021, arXiv 2106.09685)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dreamfusion_engine.models.adapters.files import LoraFile, lora_error
from dreamfusion_engine.models.adapters.fit import factors_fit, layers_of, weight_of
from dreamfusion_engine.models.adapters.lora_layout import DENOISER, LoraPair, names_layer, paired
from dreamfusion_engine.models.single_file.layouts import NotUsable


def low_rank_change(down: Tensor, up: Tensor, scale: float, shape: torch.Size) -> Tensor:
    """scale B A, float32 of a layer's shape.

    down: A, [r, I] or [r, I, h, w].
    up: B, [O, r] or [O, r, 1, 1].
    scale: float, factor of the product.
    shape: of the layer's weight.
    Source: arXiv 2106.09685, section 4.1.
    """
    return scale * (up.float().flatten(1) @ down.float().flatten(1)).reshape(shape)


@torch.no_grad()
def merge_lora(network: nn.Module, lora: LoraFile, part: str, *, denoiser: bool, family: str) -> None:
    """Add a LoRA's changes to a network's weights, in main memory.

    network: nn.Module, in main memory.
    lora: LoraFile to add.
    part: str, the network's name in the folder.
    denoiser: bool, whether the network is the denoiser.
    family: str, the model's pipeline class.
    Raises InputError input.lora where a layer is not in the network or the values are not finite.
    """
    mine = [pair for pair in lora.pairs if pair.part == (DENOISER if denoiser else part)]
    if not mine:
        return
    weights = dict(network.named_parameters())
    layers = layers_of({name: tuple(weight.shape) for name, weight in weights.items()})
    tensors = _scaled(lora, mine, part)
    strange = [pair for pair in mine if weight_of(pair, layers) is None]
    if strange:
        mine = [pair for pair in mine if pair not in strange]
        renamed = diffusers_names(network, strange, tensors, lora, family)
        tensors.update(renamed)
        mine += paired(renamed)
    for pair in mine:
        name = weight_of(pair, layers)
        down, up = tensors[pair.down], tensors[pair.up]
        if name is None or not factors_fit(tuple(down.shape), tuple(up.shape), tuple(weights[name].shape)):
            raise lora_error(lora.path, f"the model has no layer {pair.layer[:120]} of that shape", family)
        weight = weights[name]
        changed = (weight.float() + low_rank_change(down, up, lora.weight, weight.shape)).to(weight.dtype)
        if not bool(torch.isfinite(changed).all()):
            raise lora_error(lora.path, f"with it the weights of {name[:120]} are no finite numbers", family)
        weight.copy_(changed)


def _scaled(lora: LoraFile, pairs: list[LoraPair], part: str) -> dict[str, Tensor]:
    """The factors of the pairs by name, with alpha / r in B. Raises InputError input.lora."""
    from safetensors import SafetensorError, safe_open

    found: dict[str, Tensor] = {}
    try:
        with safe_open(lora.path, framework="pt") as file:
            for pair in pairs:
                down, up = file.get_tensor(pair.down).float(), file.get_tensor(pair.up).float()
                alpha = float(file.get_tensor(pair.alpha).item()) if pair.alpha is not None else None
                scale = (
                    said_scale(lora.said, part, pair.layer, down.shape[0]) if alpha is None else alpha / down.shape[0]
                )
                found[pair.down], found[pair.up] = down, scale * up
    except (OSError, SafetensorError) as error:
        raise lora_error(lora.path, f"it cannot be read: {str(error)[:200]}") from error
    return found


def said_scale(said: Mapping[str, Any], part: str, layer: str, rank: int) -> float:
    """Return alpha / r from the metadata that diffusers writes beside PEFT's factors; 1 where it says nothing.

    alpha is 'PART.lora_alpha', or what 'PART.alpha_pattern' says of the layer. With 'PART.use_rslora' it is divided by
    sqrt(r) (Kalajdzievski 2023, arXiv 2312.03732).

    said: the metadata.
    part: str, the network's name.
    layer: str, the layer's path.
    rank: int, r.
    """
    alpha = said.get(f"{part}.lora_alpha")
    for pattern, value in (said.get(f"{part}.alpha_pattern") or {}).items():
        if names_layer(pattern, layer):  # the first that fits, as PEFT reads them
            alpha = value
            break
    if alpha is None:
        return 1.0
    return float(alpha) / (math.sqrt(rank) if said.get(f"{part}.use_rslora") else rank)


def diffusers_names(
    network: Any, pairs: list[LoraPair], tensors: Mapping[str, Tensor], lora: LoraFile, family: str
) -> dict[str, Tensor]:
    """Return the factors under diffusers' names, by diffusers' own functions, for layers that another program named.

    network: nn.Module that the factors are for.
    pairs: those layers' pairs.
    tensors: factors by name.
    lora: LoraFile, for errors.
    family: str, the model's pipeline class.
    Raises InputError input.lora where diffusers does not know a name.
    """
    from diffusers import FluxPipeline, StableDiffusionXLPipeline

    kohya: dict[str, Tensor] = {}
    xlabs: dict[str, Tensor] = {}
    for pair in pairs:
        if pair.xlabs:
            xlabs[f"{pair.layer}.down.weight"], xlabs[f"{pair.layer}.up.weight"] = tensors[pair.down], tensors[pair.up]
            continue
        name = f"lora_unet_{pair.layer.replace('.', '_')}"
        kohya[f"{name}.lora_down.weight"], kohya[f"{name}.lora_up.weight"] = tensors[pair.down], tensors[pair.up]
    try:
        if family == "FluxPipeline":
            converted: dict[str, Tensor] = {}
            for layout in (kohya, xlabs):  # by the first of its names diffusers takes a file for the one or the other
                converted |= FluxPipeline.lora_state_dict(layout) if layout else {}
        else:
            converted, _ = StableDiffusionXLPipeline.lora_state_dict(kohya, unet_config=network.config)
        paired(converted)
    except (NotUsable, ValueError, KeyError, IndexError, AssertionError, AttributeError, RuntimeError) as error:
        first = pairs[0].layer[:120]
        raise lora_error(
            lora.path, f"the model has no layer {first}, and diffusers knows no other name", family
        ) from error
    return dict(converted)


def check_finite(lora: LoraFile) -> None:
    """Raise InputError input.lora unless every number in the file is finite. Runs before anything is loaded."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(lora.path, framework="pt") as file:
            for name in lora.tensors:
                if not bool(torch.isfinite(file.get_tensor(name)).all()):
                    raise lora_error(lora.path, f"{name[:120]} holds values that are no finite numbers")
    except (OSError, SafetensorError) as error:
        raise lora_error(lora.path, f"it cannot be read: {str(error)[:200]}") from error
