"""Apply memory settings to a loaded model: where its networks are, and how its VAE computes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from dreamfusion_engine.config.stages import MemoryConfig
from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.memory.estimate import TILE_PIXELS
from dreamfusion_engine.models.part_configs import check_network
from dreamfusion_engine.models.part_weights import read_json

_BLOCKS = ("ResnetBlock2D", "AutoencoderTinyBlock")  # of AutoencoderKL and AutoencoderTiny: computed again one by one
_DENOISERS = ("unet", "transformer")
_MARK = "_dreamfusion_recomputed"


class Placement:
    """Puts a model's networks where the memory settings want them, and follows when the settings change.

    settings: MemoryConfig at the start.
    device: torch.device, where the model computes.
    find: hub id or path to the folder, for a tiny VAE.
    """

    def __init__(self, settings: MemoryConfig, device: torch.device, find: Callable[[str], Path]) -> None:
        self._settings = settings
        self._device = device
        self._find = find
        self._placed: dict[str, nn.Module] = {}

    def place(self, part: str, module: nn.Module) -> nn.Module:
        """Return the network to use in place of one that was loaded into main memory; it is the loader's `place`.

        part: str, its name in the folder.
        module: nn.Module in main memory.
        Raises SetupError model.unsupported where the tiny VAE's latents are not the model's, or what its folder raises.
        """
        if part.startswith("text_encoder"):
            return self._streamed(module) if self._settings.offload != "none" else module.to(self._device)
        if part == "vae":
            if self._settings.tiny_vae:
                module = _tiny_vae(self._find(self._settings.tiny_vae), module)
            economise_encoder(module, recompute=self._settings.recompute, tiling=self._settings.tiling)
        if part in _DENOISERS and self._settings.offload == "all":
            placed = self._streamed(module)
        else:
            placed = module.to(self._device)
        self._placed[part] = placed
        return placed

    def change(self, settings: MemoryConfig) -> None:
        """Bring the loaded networks, and those loaded later, in line with other settings. Savings are not undone."""
        self._settings = settings
        for part, module in self._placed.items():
            if part == "vae":
                economise_encoder(module, recompute=settings.recompute, tiling=settings.tiling)
            elif settings.offload == "all" and not next(module.parameters()).is_meta:
                self._streamed(module.to("cpu"))

    def _streamed(self, module: nn.Module) -> nn.Module:
        """The network with its weights in main memory, each layer's copied to the device for as long as it runs."""
        from accelerate import cpu_offload

        streamed: nn.Module = cpu_offload(module, execution_device=self._device)
        return streamed


def economise_encoder(vae: Any, *, recompute: bool, tiling: bool) -> None:
    """Make a VAE's encoder take less memory, in its forward and in its backward pass. Both changes are permanent.

    vae: the autoencoder. A tiny VAE needs no saving, and would tile every picture.
    recompute: bool; take pictures one at a time, keep nothing but the picture between the passes, and hold one block's
        activations at a time in the backward pass. The result is the same.
    tiling: bool; encode pictures above TILE_PIXELS as overlapping tiles, blended. The result is nearly the same.
    Source: recompute: Chen 2016, arXiv 1604.06174.
    """
    if tiling and type(vae).__name__ == "AutoencoderKL" and not vae.use_tiling:
        vae.enable_tiling()
        scale = vae.tile_sample_min_size // vae.tile_latent_min_size
        vae.tile_sample_min_size = TILE_PIXELS
        vae.tile_latent_min_size = TILE_PIXELS // scale
    if recompute and not getattr(vae.encoder, _MARK, False):
        vae.enable_slicing()
        for block in vae.encoder.modules():
            if type(block).__name__ in _BLOCKS:
                _recompute(block)
        _recompute(vae.encoder)
        setattr(vae.encoder, _MARK, True)


def _recompute(module: Any) -> None:
    module.forward = functools.partial(checkpoint, module.forward, use_reentrant=False, preserve_rng_state=False)


def _tiny_vae(folder: Path, vae: Any) -> nn.Module:
    """The AutoencoderTiny in `folder`, in the precision of the VAE whose place it takes.

    Raises SetupError model.unsupported, model.damaged.
    """
    import diffusers
    from safetensors import SafetensorError

    if not (folder / "config.json").is_file():
        raise _not_tiny(folder, "it has no config.json")
    named = read_json(folder / "config.json").get("_class_name")
    if named != "AutoencoderTiny":
        raise _not_tiny(folder, f"its config.json is of a {named}")
    check_network(folder, ".")
    tiny_class: Any = diffusers.AutoencoderTiny
    try:
        tiny = tiny_class.from_pretrained(
            folder, torch_dtype=next(vae.parameters()).dtype, use_safetensors=True, local_files_only=True
        )
    except (OSError, ValueError, TypeError, KeyError, SafetensorError) as error:
        raise _not_tiny(folder, str(error).strip().splitlines()[0][:300]) from error
    has, needs = tiny.config.latent_channels, vae.config.latent_channels
    if has != needs:
        raise _not_tiny(folder, f"its latents have {has} channels and the model's {needs}")
    module: nn.Module = tiny.eval().requires_grad_(False)
    return module


def _not_tiny(folder: Path, why: str) -> SetupError:
    return SetupError(
        "model.unsupported",
        what="The tiny VAE cannot take the place of the model's own.",
        why=f"{folder}: {why}.",
        fix="Give memory.tiny_vae the folder of an AutoencoderTiny for this model's latents, or leave it out.",
    )
