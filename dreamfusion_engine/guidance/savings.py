"""What can be traded for memory, in order: first what costs time only, then what costs quality, last what is slow.

The same ladder serves twice: `fit` walks it before a run, down to the first rung that the free memory holds; when
memory runs out in the middle of one, `next_saving` is the next rung. Pure functions of sizes and settings.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dreamfusion_engine.config import GenerateConfig
from dreamfusion_engine.guidance.memory import TILE_PIXELS, estimate, training_bytes
from dreamfusion_engine.guidance.model_sizes import ModelSizes

SMALLEST_RENDER = 24  # pixels; below it a model is shown too little to tell objects by
WORTH = 0.5  # a smaller render, which costs least, comes first while it saves this share of what fewer views would
GIB = float(1 << 30)


@dataclass(frozen=True, kw_only=True)
class Saving:
    """One rung. config: with the change made; setting: its dotted name; text: for people, a few words."""

    config: GenerateConfig
    setting: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What was chosen. config: to run with; savings: the changes that led to it; needed: its estimate, bytes.

    fits: whether that is within the free memory, as far as an estimate can tell.
    """

    config: GenerateConfig
    savings: tuple[Saving, ...]
    needed: int
    fits: bool

    def describe(self, free: int) -> str:
        """One sentence for the artist. free: bytes that were."""
        changes = "; ".join(saving.text for saving in self.savings) or "nothing to change"
        text = f"To fit into {free / GIB:.1f} GiB of free memory: {changes}."
        if not self.fits:
            text += f" Even so this model may need {self.needed / GIB:.1f} GiB, and may not fit."
        return text


def fit(sizes: ModelSizes, config: GenerateConfig, free: int, device_type: str) -> Fit:
    """The settings nearest to `config` that `free` bytes of memory hold; with every saving made where none do.

    sizes: of the model. free: bytes, of the card for 'cuda', of the machine for 'cpu'. A rung that saves nothing with
    this model is passed over. Where everything fits already nothing is changed.
    """
    taken: list[Saving] = []
    needed = estimate(sizes, config, device_type).total
    while needed > free:
        for saving in _rungs(sizes, config, device_type):
            after = estimate(sizes, saving.config, device_type).total
            if after < needed:
                taken.append(saving)
                config, needed = saving.config, after
                break
        else:
            break
    return Fit(config=config, savings=tuple(taken), needed=needed, fits=needed <= free)


def next_saving(sizes: ModelSizes, config: GenerateConfig, device_type: str) -> Saving | None:
    """The next rung for a run whose memory has run out in training; None at the end of the ladder."""
    return next((s for s in _rungs(sizes, config, device_type) if s.setting not in _BEFORE_TRAINING), None)


_BEFORE_TRAINING = ("memory.precision", "memory.text_on_cpu")  # too late once the model is loaded


def _rungs(sizes: ModelSizes, config: GenerateConfig, device_type: str) -> Iterator[Saving]:
    """Every change that can still be made, in the order in which it should be."""
    memory, card = config.memory, device_type != "cpu"
    if card and memory.precision == "float32":
        yield _memory(config, "the model in half precision", precision="auto")
    if card and not memory.text_on_cpu:
        yield _memory(config, "the prompt is read on the CPU", text_on_cpu=True)
    if sizes.encoder_kept and not memory.recompute:
        yield _memory(config, "the VAE is computed again in the backward pass", recompute=True)
    if sizes.encoder_kept and sizes.pixels > TILE_PIXELS and not memory.tiling:
        yield _memory(config, "the VAE sees pictures in tiles", tiling=True)
    yield from _smaller_steps(sizes, config, device_type)
    if card and not memory.offload:
        yield _memory(config, "the denoiser waits in main memory, which is slow", offload=True)


def _smaller_steps(sizes: ModelSizes, config: GenerateConfig, device_type: str) -> Iterator[Saving]:
    """A smaller render, then fewer views; the other way round where the render is next to nothing beside the model."""
    smaller, fewer = _smaller_render(config), _fewer_views(config)
    if smaller is not None and fewer is not None:
        now = training_bytes(sizes, config, device_type)
        by_render, by_views = (now - training_bytes(sizes, s.config, device_type) for s in (smaller, fewer))
        if by_render < WORTH * by_views:
            smaller, fewer = fewer, smaller
    yield from (saving for saving in (smaller, fewer) if saving is not None)


def _memory(config: GenerateConfig, text: str, **change: Any) -> Saving:
    memory = dataclasses.replace(config.memory, **change)
    (name,) = change
    return Saving(config=dataclasses.replace(config, memory=memory), setting=f"memory.{name}", text=text)


def _smaller_render(config: GenerateConfig) -> Saving | None:
    """Three quarters of the pixels along a side, in steps of 8."""
    before = config.optimize.resolution
    low, high = (min(size, max(SMALLEST_RENDER, size * 3 // 4 // 8 * 8)) for size in before)
    if (low, high) == before:
        return None
    optimize = dataclasses.replace(config.optimize, resolution=(low, high))
    text = f"renders of {high} pixels in place of {before[1]}"
    return Saving(config=dataclasses.replace(config, optimize=optimize), setting="optimize.resolution", text=text)


def _fewer_views(config: GenerateConfig) -> Saving | None:
    before = config.optimize.views
    if before == 1:
        return None
    views = before // 2
    optimize = dataclasses.replace(config.optimize, views=views)
    text = f"{views} {'view' if views == 1 else 'views'} a step in place of {before}"
    return Saving(config=dataclasses.replace(config, optimize=optimize), setting="optimize.views", text=text)
