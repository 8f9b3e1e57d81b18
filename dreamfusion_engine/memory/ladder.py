"""The memory ladder: what a run can trade for memory, in order of its cost.

What costs a little time comes first, then a smaller render, then what is slow. The same ladder serves twice: before a
run, `fit` goes down to the first rung that the free memory holds; when memory runs out during a run, `next_saving` is
the next rung. Both are pure functions of sizes and settings.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dreamfusion_engine.config.scores import SCORES
from dreamfusion_engine.config.stages import GenerateConfig, views_at_once
from dreamfusion_engine.memory.estimate import TILE_PIXELS, estimate, working_bytes
from dreamfusion_engine.models.sizes import ModelSizes

SMALLEST_RENDER = 24  # pixels; below it a model is shown too little to tell objects by
SMALLEST_LATENT_RENDER = 64  # ... a model of latents: as many as DreamFusion rendered, and as SD has latents a side
GIB = float(1 << 30)


@dataclass(frozen=True, kw_only=True)
class Saving:
    """One rung of the ladder.

    config: GenerateConfig with the change.
    setting: str, dotted name of the setting that changed.
    text: str, a few words for people.
    """

    config: GenerateConfig
    setting: str
    text: str


@dataclass(frozen=True, kw_only=True)
class FittedSettings:
    """The settings that were chosen.

    config: GenerateConfig to run with.
    savings: Savings that led to it.
    needed: int, bytes, its estimate.
    fits: bool, whether that is within the free memory, as far as an estimate can tell.
    """

    config: GenerateConfig
    savings: tuple[Saving, ...]
    needed: int
    fits: bool

    def describe(self, free: int) -> str:
        """Return one sentence for the artist.

        free: int, bytes that were free.
        """
        changes = "; ".join(saving.text for saving in self.savings) or "nothing to change"
        text = f"To fit into {free / GIB:.1f} GiB of free memory: {changes}."
        if not self.fits:
            text += f" Even so this model may need {self.needed / GIB:.1f} GiB, and may not fit."
        return text


def fit(sizes: ModelSizes, config: GenerateConfig, free: int, device_type: str) -> FittedSettings:
    """Return the settings nearest to `config` that fit into the free memory; with every saving made where none fit.

    A rung that saves nothing with this model is skipped. Where everything fits already, nothing is changed.

    sizes: ModelSizes of the model.
    config: GenerateConfig of the run.
    free: int, bytes, of the card for 'cuda', of the machine for 'cpu'.
    device_type: 'cuda' or 'cpu'.
    """
    taken: list[Saving] = []
    working = working_bytes(sizes, config, device_type)
    while working > free:
        for saving in _rungs(sizes, config, device_type):
            after = working_bytes(sizes, saving.config, device_type)
            if after < working:
                taken.append(saving)
                config, working = saving.config, after
                break
        else:
            break
    needed = estimate(sizes, config, device_type).total
    return FittedSettings(config=config, savings=tuple(taken), needed=needed, fits=needed <= free)


def least_bytes(sizes: ModelSizes, config: GenerateConfig, device_type: str) -> int:
    """Return the peak bytes of a run with every saving that costs little time and hardly any quality: what to buy.

    sizes, config, device_type: as for `fit`.
    """
    memory = config.memory
    streams_text = memory.offload == "none" and not sizes.compares
    saving = dataclasses.replace(
        memory,
        recompute=True,
        tiling=True,
        views_at_once=config.camera.group,
        offload="text" if streams_text else memory.offload,
    )
    return estimate(sizes, dataclasses.replace(config, memory=saving), device_type).total


def next_saving(sizes: ModelSizes, config: GenerateConfig, device_type: str) -> Saving | None:
    """Return the next rung for a run whose memory ran out in training; None at the end of the ladder.

    Precision and the place of text encoders are left out, because the model is loaded already.

    sizes, config, device_type: as for `fit`.
    """
    return next(_rungs(sizes, config, device_type, loaded=True), None)


def _rungs(sizes: ModelSizes, config: GenerateConfig, device_type: str, *, loaded: bool = False) -> Iterator[Saving]:
    """Every change that can still be made, in order. loaded: the model is, and is training."""
    memory, card = config.memory, device_type != "cpu"
    if card and loaded and memory.graphs and SCORES[config.guidance.score].recordable:
        yield _memory(config, "steps are not recorded as CUDA graphs, and take a little longer", graphs=False)
    if card and memory.precision == "float32" and not loaded:
        yield _memory(config, "the model in half precision", precision="auto")
    if card and memory.offload == "none" and not loaded and not sizes.compares:
        yield _memory(config, "the text encoder comes to the card a layer at a time", offload="text")
    if sizes.encoder_kept and not memory.recompute:
        yield _memory(config, "the VAE is computed again in the backward pass", recompute=True)
    if sizes.encoder_kept and sizes.pixels > TILE_PIXELS and not memory.tiling:
        yield _memory(config, "the VAE sees pictures in tiles", tiling=True)
    at_once, group = views_at_once(config), config.camera.group
    if at_once > group:
        half = max(at_once // (2 * group), 1) * group
        text = "one view at a time" if half == 1 else f"{half} views at a time"
        yield _memory(config, text, views_at_once=half)
    smaller = _smaller_render(config, SMALLEST_LATENT_RENDER if sizes.vae else SMALLEST_RENDER)
    if smaller is not None:
        yield smaller
    # A layer that has left the card cannot give a gradient.
    needs_gradients = sizes.compares or SCORES[config.guidance.score].learns
    if card and memory.offload != "all" and not needs_gradients:
        yield _memory(config, "the denoiser comes to the card a layer at a time, which is slow", offload="all")


def _memory(config: GenerateConfig, text: str, **change: Any) -> Saving:
    memory = dataclasses.replace(config.memory, **change)
    (name,) = change
    return Saving(config=dataclasses.replace(config, memory=memory), setting=f"memory.{name}", text=text)


def _smaller_render(config: GenerateConfig, smallest: int) -> Saving | None:
    """Three quarters of the pixels along a side, in steps of 8, but not under `smallest`."""
    before = config.optimize.resolution
    low, high = (min(size, max(smallest, size * 3 // 4 // 8 * 8)) for size in before)
    if (low, high) == before:
        return None
    optimize = dataclasses.replace(config.optimize, resolution=(low, high))
    text = f"renders of {high} pixels in place of {before[1]}"
    return Saving(config=dataclasses.replace(config, optimize=optimize), setting="optimize.resolution", text=text)
