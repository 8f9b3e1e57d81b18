"""What changes during training, each a pure function of progress, the share of steps done in [0, 1].

The timestep range of the guidance anneals in `guidance.timesteps.timestep_range`.
"""

from __future__ import annotations

import math

import torch

from dreamfusion_engine.config.stages import OptimizeConfig, PaceConfig, RenderConfig, Shading

OCCUPANCY_START = 0.01  # of the occupancy threshold ...
OCCUPANCY_UNTIL = 0.4  # ... before this
WARM_UP = 0.02  # share of training over which the learning rate rises, so that Adam's first moments settle
FINAL_RATE = 0.1  # share of the learning rate at the end: the last steps polish and do not wander


def linear_ramp(progress: float, start: float, end: float) -> float:
    """0 up to `start`, 1 from `end` on, linear between; a jump where they are equal."""
    if progress >= end:
        return 1.0
    return max(progress - start, 0.0) / (end - start)


def render_resolution(progress: float, config: OptimizeConfig) -> int:
    """Pixels along a render: the first size for the first half, then the second."""
    return config.resolution[0] if progress < 0.5 else config.resolution[1]


def choose_shading(progress: float, config: OptimizeConfig, pace: PaceConfig, generator: torch.Generator) -> Shading:
    """How a step is shaded (DreamFusion, App. A.2): albedo first; later a share lit, a share of those without texture.

    Two numbers are drawn in every step, whatever comes of them, so that the albedo phase's length does not shift
    everything that is drawn afterwards.
    """
    lit, textureless = torch.rand(2, generator=generator, device=generator.device).tolist()
    if progress < config.albedo_until or lit >= pace.lit:
        return "albedo"
    return "textureless" if textureless < config.textureless else "lambertian"


def entropy_weight(progress: float, config: OptimizeConfig, pace: PaceConfig) -> float:
    """Weight of the opacity's entropy: 0 at first, because an undecided field is free to move, `entropy` at the end."""
    return config.entropy * linear_ramp(progress, pace.entropy_from, 1.0)


def opacity_weight(progress: float, config: OptimizeConfig, pace: PaceConfig) -> float:
    """Weight of the opacity loss: `opacity_start` times `opacity` at first, falling to it until `opacity_until`.

    A field that has not found its object yet can please the model as well by painting a background of its own on the
    walls of the box; that must cost more than looking through.
    """
    ramp = linear_ramp(progress, 0.0, pace.opacity_until)
    return config.opacity * (pace.opacity_start + (1.0 - pace.opacity_start) * ramp)


def occupancy_threshold(progress: float, config: RenderConfig) -> float:
    """Opacity of one step under which a cell is skipped: a hundredth of `occupancy_threshold` over the first 40 %.

    Skipped space gets no gradient, so that nothing could grow there while the shape is still being found.
    """
    return config.occupancy_threshold * (OCCUPANCY_START if progress < OCCUPANCY_UNTIL else 1.0)


def smoothness_weight(progress: float, config: OptimizeConfig, pace: PaceConfig) -> float:
    """Weight of the smoothness loss: none while the shape is found, `smoothness` at the end."""
    return config.smoothness * linear_ramp(progress, pace.smoothness_from, 1.0)


def orientation_weight(progress: float, config: OptimizeConfig, pace: PaceConfig) -> float:
    """Weight of the orientation loss: a share of `orientation` at first, all of it from `orientation_until` on.

    DreamFusion, App. A.2. The loss itself, stopgrad(w) max(0, n.v)^2, comes from the renderer, ray by ray.
    """
    ramp = linear_ramp(progress, 0.0, pace.orientation_until)
    return config.orientation * (pace.orientation_start + (1.0 - pace.orientation_start) * ramp)


def open_fraction(progress: float, config: OptimizeConfig) -> float:
    """Share of the hash-grid levels that are open: coarse shape first, detail when it stands (coarse-to-fine as in
    Nerfies, arXiv 2011.12948, section 3.4). All are open from `levels_until` on."""
    return linear_ramp(progress, 0.0, config.levels_until)


def learning_rate(progress: float, config: OptimizeConfig) -> float:
    """Adam's rate: a linear warm-up, then half a cosine down to a tenth (Loshchilov & Hutter, arXiv 1608.03983, eq. 5).

    The warm-up begins at a twentieth, because progress is 0 in the first step and that step must move.
    """
    warm = max(min(progress / WARM_UP, 1.0), 0.05)
    turn = math.pi * linear_ramp(progress, WARM_UP, 1.0)
    return config.learning_rate * warm * (FINAL_RATE + (1.0 - FINAL_RATE) * 0.5 * (1.0 + math.cos(turn)))
