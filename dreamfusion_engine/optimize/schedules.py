"""The quantities that change during training, each a pure function of progress, the share of steps done in [0, 1].

The timestep range of the guidance anneals in `guidance.timesteps.timestep_range`.
"""

from __future__ import annotations

import math

import torch

from dreamfusion_engine.config.stages import ClipConfig, OptimizeConfig, PaceConfig, RenderConfig, Shading

OCCUPANCY_START = 0.01  # of the occupancy threshold ...
OCCUPANCY_UNTIL = 0.4  # ... before this
WARM_UP = 0.02  # share of training over which the learning rate rises, so that Adam's first moments settle
FINAL_RATE = 0.1  # share of the learning rate at the end: the last steps polish and do not wander


def linear_ramp(progress: float, start: float, end: float) -> float:
    """Return 0 up to `start`, 1 from `end` on, linear between; a jump where they are equal.

    progress: float in [0, 1], share of training done.
    start, end: float in [0, 1], end at least start.
    """
    if progress >= end:
        return 1.0
    return max(progress - start, 0.0) / (end - start)


def render_resolution(progress: float, config: OptimizeConfig) -> int:
    """Return the pixels along a render: the first size for the first half of training, then the second.

    progress: float in [0, 1], share of training done.
    config: OptimizeConfig.
    """
    return config.resolution[0] if progress < 0.5 else config.resolution[1]


def choose_shading(progress: float, config: OptimizeConfig, pace: PaceConfig, generator: torch.Generator) -> Shading:
    """Choose the shading of a step: albedo first; later a share is lit, and a share of those has no texture.

    Two numbers are drawn in every step, whatever comes of them, so that the albedo phase's length does not shift
    everything that is drawn afterwards.

    progress: float in [0, 1], share of training done.
    config: OptimizeConfig.
    pace: PaceConfig.
    generator: source of the two numbers.
    Source: DreamFusion, arXiv 2209.14988, App. A.2.
    """
    lit, textureless = torch.rand(2, generator=generator, device=generator.device).tolist()
    if progress < config.albedo_until or lit >= pace.lit:
        return "albedo"
    return "textureless" if textureless < config.textureless else "lambertian"


def entropy_weight(progress: float, config: OptimizeConfig, pace: PaceConfig) -> float:
    """Return the weight of the opacity's entropy: 0 at first, so that an undecided field can move; later `entropy`.

    progress: float in [0, 1], share of training done.
    config: OptimizeConfig.
    pace: PaceConfig.
    """
    return config.entropy * linear_ramp(progress, pace.entropy_from, 1.0)


def opacity_weight(progress: float, config: OptimizeConfig, pace: PaceConfig) -> float:
    """Return the weight of the opacity loss: it falls from `opacity_start` times `opacity` to `opacity`.

    It arrives there at `opacity_until`. A field that has not found its object yet can also please the model by painting
    a background of its own on the walls of the box. That must cost more than looking through.

    progress: float in [0, 1], share of training done.
    config: OptimizeConfig.
    pace: PaceConfig.
    """
    ramp = linear_ramp(progress, 0.0, pace.opacity_until)
    return config.opacity * (pace.opacity_start + (1.0 - pace.opacity_start) * ramp)


def occupancy_threshold(progress: float, config: RenderConfig) -> float:
    """Return the opacity of one step under which a cell is skipped: `occupancy_threshold`, at first a hundredth of it.

    The lower value holds for the first 40 % of training. Skipped space gets no gradient, so nothing could grow there
    while the shape is still being found.

    progress: float in [0, 1], share of training done.
    config: RenderConfig.
    """
    return config.occupancy_threshold * (OCCUPANCY_START if progress < OCCUPANCY_UNTIL else 1.0)


def smoothness_weight(progress: float, config: OptimizeConfig, pace: PaceConfig) -> float:
    """Return the weight of the smoothness loss: 0 while the shape is found, `smoothness` at the end.

    progress: float in [0, 1], share of training done.
    config: OptimizeConfig.
    pace: PaceConfig.
    """
    return config.smoothness * linear_ramp(progress, pace.smoothness_from, 1.0)


def transmittance_target(progress: float, config: ClipConfig) -> float:
    """Return the share of a picture that should be empty: it moves evenly from the first target to the second.

    A field is dense and large at first; to ask for much emptiness at once would remove it.

    progress: float in [0, 1], share of training done.
    config: ClipConfig.
    Source: Dream Fields, arXiv 2112.01455, section 4.2.
    """
    first, last = config.target
    return first + (last - first) * linear_ramp(progress, 0.0, config.target_until)


def orientation_weight(progress: float, config: OptimizeConfig, pace: PaceConfig) -> float:
    """Return the weight of the orientation loss: a share of `orientation` at first, later all of it.

    All of it counts from `orientation_until` on. The loss itself, stopgrad(w) max(0, n.v)^2, comes from the renderer,
    ray by ray.

    progress: float in [0, 1], share of training done.
    config: OptimizeConfig.
    pace: PaceConfig.
    Source: DreamFusion, arXiv 2209.14988, App. A.2.
    """
    ramp = linear_ramp(progress, 0.0, pace.orientation_until)
    return config.orientation * (pace.orientation_start + (1.0 - pace.orientation_start) * ramp)


def open_fraction(progress: float, config: OptimizeConfig) -> float:
    """Return the share of the hash-grid levels that are open: coarse shape first, detail later.

    All are open from `levels_until` on.

    progress: float in [0, 1], share of training done.
    config: OptimizeConfig.
    Source: coarse-to-fine as in Nerfies, arXiv 2011.12948, section 3.4.
    """
    return linear_ramp(progress, 0.0, config.levels_until)


def learning_rate(progress: float, config: OptimizeConfig) -> float:
    """Return Adam's rate: a linear warm-up, then half a cosine down to a tenth.

    The warm-up begins at a twentieth, because progress is 0 in the first step and that step must move.

    progress: float in [0, 1], share of training done.
    config: OptimizeConfig.
    Source: Loshchilov & Hutter, arXiv 1608.03983, eq. 5.
    """
    warm = max(min(progress / WARM_UP, 1.0), 0.05)
    turn = math.pi * linear_ramp(progress, WARM_UP, 1.0)
    return config.learning_rate * warm * (FINAL_RATE + (1.0 - FINAL_RATE) * 0.5 * (1.0 + math.cos(turn)))
