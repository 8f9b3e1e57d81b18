"""A part of a step: some of its views, from rays to gradients, as work that reads nothing but tensors.

What changes from step to step (views, random numbers, weights) is written down first, as `PartInputs`. The work then
draws nothing and asks the host nothing, so that a CUDA graph can hold it: see `step_graphs`. Axis letters: B views.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import GenerateConfig, Shading
from dreamfusion_engine.field.occupancy import OccupancyGrid
from dreamfusion_engine.field.radiance import RadianceField
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.guidance.step_inputs import StepInputs
from dreamfusion_engine.machine.device import sent
from dreamfusion_engine.optimize import losses, schedules
from dreamfusion_engine.optimize.step_views import StepViews
from dreamfusion_engine.render.renderer import Rendering, render
from dreamfusion_engine.scene.cameras import camera_rays

T = TypeVar("T")


@dataclass(frozen=True)
class PartWeights:
    """What the losses of a part count, each float32[]; one tensor, so that one copy brings them to the device.

    values: float32[5], in the order of the names: opacity, entropy, orientation and smoothness weigh the regularisers,
    share is the part's of the step's views and weighs everything.
    """

    values: Tensor

    @classmethod
    def of(cls, *, opacity: float, entropy: float, orientation: float, smoothness: float, share: float) -> PartWeights:
        """From numbers; on the host."""
        return cls(torch.tensor([opacity, entropy, orientation, smoothness, share]))

    def on(self, device: torch.device) -> PartWeights:
        """The same on a device; the host does not wait."""
        return PartWeights(sent(self.values, device))

    @property
    def opacity(self) -> Tensor:
        return self.values[0]

    @property
    def entropy(self) -> Tensor:
        return self.values[1]

    @property
    def orientation(self) -> Tensor:
        return self.values[2]

    @property
    def smoothness(self) -> Tensor:
        return self.values[3]

    @property
    def share(self) -> Tensor:
        return self.values[4]


@dataclass(frozen=True, kw_only=True)
class PartInputs:
    """What differs between two steps of the same kind; all on the device that computes.

    views: B of them. step: what the diffusion model is asked about them. weights: of the losses.
    """

    views: StepViews
    step: StepInputs
    weights: PartWeights


@dataclass(frozen=True, kw_only=True)
class PartKind:
    """What is the same work for the same kind: everything that is decided on the host.

    size: pixels of a square render. shading: of its views. views: B. rows: of the samples, None: as many as there are.
    fresh: noises that the score adds on the way down.
    """

    size: int
    shading: Shading
    views: int
    rows: int | None
    fresh: int = 0


def part_weights(progress: float, share: float, config: GenerateConfig, score_size: float = 1.0) -> PartWeights:
    """What the losses count at a moment of training, on the host.

    progress: of training, in [0, 1]. share: the part's of the step's views, in (0, 1]. score_size: of
    `guidance.score_size`. The regularisers' weights grow with it, so that they mean the same beside a teacher with more
    channels, under stronger guidance or another w(t).
    """
    settings, pace = config.optimize, config.pace
    return PartWeights.of(
        opacity=score_size * schedules.opacity_weight(progress, settings, pace),
        entropy=score_size * schedules.entropy_weight(progress, settings, pace),
        orientation=score_size * schedules.orientation_weight(progress, settings, pace),
        smoothness=score_size * schedules.smoothness_weight(progress, settings, pace),
        share=share,
    )


def render_part(
    field: RadianceField, occupancy: OccupancyGrid, config: GenerateConfig, views: StepViews, kind: PartKind
) -> tuple[Rendering, Tensor]:
    """What the views see, and their pictures float32[B, 3, size, size], with gradients to the field."""
    size = kind.size
    origins, directions = camera_rays(views.cameras, size, size)
    learned = config.field.background == "learned"
    seen = render(
        field,
        origins,
        directions,
        occupancy.occupied,
        config.render,
        background=field.background(directions) if learned else views.over_rays(views.background),
        shading=kind.shading,
        light=views.over_rays(views.light),
        normals=(config.optimize.orientation > 0.0 or config.optimize.smoothness > 0.0) and kind.shading != "albedo",
        jitter=views.jitter.flatten(),
        rows=kind.rows,
    )
    return seen, seen.colour.view(len(views), size, size, 3).permute(0, 3, 1, 2)


def add_gradients(
    field: RadianceField,
    occupancy: OccupancyGrid,
    config: GenerateConfig,
    distillation: ScoreDistillation,
    inputs: PartInputs,
    kind: PartKind,
) -> Rendering:
    """Render the views, ask the diffusion model, and add the loss's gradients to those that the parameters have."""
    seen, images = render_part(field, occupancy, config, inputs.views, kind)
    loss, _ = distillation.judge(distillation.seen(images, inputs.step), inputs.step)
    add_way_back(field, config, inputs, kind, seen, loss)
    return seen


def add_way_back(
    field: RadianceField, config: GenerateConfig, inputs: PartInputs, kind: PartKind, seen: Rendering, loss: Tensor
) -> None:
    """Add the gradients of the score's loss float32[] and of the regularisers to those that the parameters have."""
    # 1. The regularisers.
    weights = inputs.weights
    regularisers = weights.opacity * losses.opacity_loss(seen.opacity)
    regularisers = regularisers + weights.entropy * losses.binary_entropy_loss(seen.opacity)
    if seen.orientation is not None:
        regularisers = regularisers + weights.orientation * losses.orientation_loss(seen.orientation)
    if seen.normal is not None:
        of_view = seen.normal.view(len(inputs.views), kind.size, kind.size, 3)
        regularisers = regularisers + weights.smoothness * losses.smoothness_loss(of_view)
    # 2. Back to the field. Not by backward(), which hands gradients over on the stream that first saw the parameter.
    parameters = list(field.parameters())
    gradients = torch.autograd.grad(weights.share * (loss + regularisers), parameters, allow_unused=True)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        if gradient is None:
            continue
        if parameter.grad is None:
            parameter.grad = gradient.contiguous()  # a fused optimizer reads it in the order of its memory
        else:
            parameter.grad.add_(gradient)


def mapped(value: T, change: Callable[[Tensor], Tensor]) -> T:
    """The same dataclasses and tuples with every tensor changed."""
    each: Any = value
    if isinstance(each, Tensor):
        each = change(each)
    elif isinstance(each, tuple):
        each = tuple(mapped(item, change) for item in each)
    elif dataclasses.is_dataclass(each) and not isinstance(each, type):
        parts = {field.name: mapped(getattr(each, field.name), change) for field in dataclasses.fields(each)}
        each = dataclasses.replace(each, **parts)
    changed: T = each
    return changed


def tensors_of(value: object) -> list[Tensor]:
    """Every tensor in dataclasses and tuples, in order."""
    found: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    mapped(value, note)
    return found
