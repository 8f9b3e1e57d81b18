"""The memory ladder: what a run can trade for memory, in order of its cost.

What costs a little time comes first, then a smaller render, then what is slow. The same ladder serves twice: before a
run, `fit` goes down to the first rung that the free memory holds; when memory runs out during a run, `next_saving` is
the next rung. Both are pure functions of sizes and settings.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from dreamfusion_engine.config.scores import SCORES
from dreamfusion_engine.config.stages import GenerateConfig, views_at_once
from dreamfusion_engine.machine.backends import BACKENDS, kinds_of
from dreamfusion_engine.memory.estimate import TILE_PIXELS, estimate, estimate_field, working_bytes, working_field_bytes
from dreamfusion_engine.models.sizes import ModelSizes

SMALLEST_RENDER = 24  # pixels; below it a model is shown too little to tell objects by
SMALLEST_LATENT_RENDER = 64  # ... a model of latents: as many as DreamFusion rendered, and as SD has latents a side
GIB = float(1 << 30)
ShortOf = Literal["", "teacher", "field"]  # whose memory


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


def fit(
    sizes: ModelSizes,
    config: GenerateConfig,
    free: int,
    device_type: str,
    free_field: int = 0,
    moving: int | None = None,
) -> FittedSettings:
    """Return the settings nearest to `config` that fit into the free memory; with every saving made where none fit.

    A rung that saves nothing with this model is skipped. Where everything fits already, nothing is changed.

    sizes: ModelSizes of the model.
    config: GenerateConfig of the run.
    free: int, bytes, where the teacher is.
    device_type: kind of the places, as for `memory.estimate.estimate`.
    free_field: int, bytes, where the field is, if that is another memory; 0: not known, or the same.
    moving: int or None, as for `memory.estimate.estimate`.
    """

    def of_teacher(tried: GenerateConfig) -> int:
        return working_bytes(sizes, tried, device_type, moving)

    def of_field(tried: GenerateConfig) -> int:
        return working_field_bytes(tried, device_type, moving)

    taken: list[Saving] = []
    config = _lowered(sizes, config, free, device_type, of_teacher, taken)
    if free_field > 0:
        config = _lowered(sizes, config, free_field, device_type, of_field, taken, short_of="field")
    needed = estimate(sizes, config, device_type, moving).total
    of_it = estimate_field(config, device_type, moving).total
    fits = needed <= free and (free_field <= 0 or of_it <= free_field)
    short = needed if needed > free or fits else of_it
    return FittedSettings(config=config, savings=tuple(taken), needed=short, fits=fits)


def _lowered(
    sizes: ModelSizes,
    config: GenerateConfig,
    free: int,
    device_type: str,
    working_of: Callable[[GenerateConfig], int],
    taken: list[Saving],
    *,
    short_of: ShortOf = "",
) -> GenerateConfig:
    """The settings after as many savings as one place needs; they are added to `taken`."""
    working = working_of(config)
    while working > free:
        for saving in _rungs(sizes, config, device_type, short_of=short_of):
            after = working_of(saving.config)
            if after < working:
                taken.append(saving)
                config, working = saving.config, after
                break
        else:
            break
    return config


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


def next_saving(sizes: ModelSizes, config: GenerateConfig, device_type: str, short_of: ShortOf = "") -> Saving | None:
    """Return the next rung for a run whose memory ran out in training; None at the end of the ladder.

    Precision and the place of text encoders are left out, because the model is loaded already.

    sizes, config, device_type: as for `fit`.
    short_of: whose memory ran out, where both have their own; '': not known.
    """
    return next(_rungs(sizes, config, device_type, loaded=True, short_of=short_of), None)


def _rungs(
    sizes: ModelSizes, config: GenerateConfig, device_type: str, *, loaded: bool = False, short_of: ShortOf = ""
) -> Iterator[Saving]:
    """Every change that can still be made, in order; only what the field feels where its memory alone is short.

    loaded: the model is, and is training.
    """
    memory, teacher = config.memory, BACKENDS[kinds_of(device_type)[0]]
    card = teacher.name != "cpu" and short_of != "field"
    apart = teacher.own_memory and card  # a layer that waits in main memory saves nothing on a Mac
    encodes = sizes.encoder_kept and short_of != "field"
    if card and device_type == "cuda" and loaded and memory.graphs and SCORES[config.guidance.score].recordable:
        yield _memory(config, "steps are not recorded as CUDA graphs, and take a little longer", graphs=False)
    if card and memory.precision == "float32" and not loaded:
        yield _memory(config, "the model in half precision", precision="auto")
    if apart and memory.offload == "none" and not loaded and not sizes.compares:
        yield _memory(config, "the text encoder comes to the card a layer at a time", offload="text")
    if encodes and not memory.recompute:
        yield _memory(config, "the VAE is computed again in the backward pass", recompute=True)
    if encodes and sizes.pixels > TILE_PIXELS and not memory.tiling:
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
    if apart and memory.offload != "all" and not needs_gradients:
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
