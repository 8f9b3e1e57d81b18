"""A part of a step: some of its views, from rays to gradients, as work that reads only tensors.

`PartInputs` holds everything that changes from step to step: views, random numbers, weights. The work then draws
nothing and asks the host nothing, so a CUDA graph can record it: see `step_graphs`. Axis letters: B views.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import GenerateConfig, Shading
from dreamfusion_engine.field.occupancy import OccupancyGrid
from dreamfusion_engine.field.radiance import RadianceField
from dreamfusion_engine.guidance.guidance import Behind, Guidance
from dreamfusion_engine.machine.device import sent
from dreamfusion_engine.optimize import losses, schedules
from dreamfusion_engine.optimize.step_views import StepViews
from dreamfusion_engine.render.renderer import Rendering, render
from dreamfusion_engine.scene.cameras import camera_rays

T = TypeVar("T")


@dataclass(frozen=True)
class PartWeights:
    """The weights of a part's losses. They are one tensor, so that one copy brings them to the device.

    values: float32[6]: opacity, entropy, orientation and smoothness weigh the regularisers; share is the part's share
        of the step's views and weighs everything; target is how empty a picture should be.
    """

    values: Tensor

    @classmethod
    def of(
        cls,
        *,
        opacity: float,
        entropy: float,
        orientation: float,
        smoothness: float,
        share: float,
        target: float = 0.0,
    ) -> PartWeights:
        """Build the weights from numbers, on the host.

        opacity, entropy, orientation, smoothness: float, weights of the losses.
        share: float in (0, 1], share of the step's views that the part has.
        target: float in [0, 1], of `losses.transmittance_loss`.
        """
        return cls(torch.tensor([opacity, entropy, orientation, smoothness, share, target]))

    def on(self, device: torch.device) -> PartWeights:
        """Return the same on a device; the host does not wait."""
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

    @property
    def target(self) -> Tensor:
        return self.values[5]


@dataclass(frozen=True, kw_only=True)
class PartInputs:
    """The tensors that differ between two parts of the same plan; all on the device that computes.

    views: StepViews, B of them.
    step: what the guidance has drawn for them, a dataclass of tensors.
    weights: PartWeights, of the losses.
    """

    views: StepViews
    step: Any
    weights: PartWeights


@dataclass(frozen=True, kw_only=True)
class PartPlan:
    """Everything that the host decides about a part. Parts of equal plan do the same work on different tensors.

    size: int, pixels of a square render.
    shading: Shading of its views.
    views: int, B.
    rows: int, rows of the samples; None: as many as there are.
    fresh: int, noises that the score adds on the way down.
    """

    size: int
    shading: Shading
    views: int
    rows: int | None
    fresh: int = 0


def part_weights(progress: float, share: float, config: GenerateConfig, score_size: float = 1.0) -> PartWeights:
    """Return the weights of the losses at a moment of training, on the host.

    The regularisers' weights grow with `score_size`, so that they mean the same beside a teacher with more channels,
    under stronger guidance or another w(t).

    progress: float in [0, 1], share of training done.
    share: float in (0, 1], the part's share of the step's views.
    config: GenerateConfig of the attempt.
    score_size: float, above 0, from `guidance.score_size`.
    """
    settings, pace = config.optimize, config.pace
    return PartWeights.of(
        opacity=score_size * schedules.opacity_weight(progress, settings, pace),
        entropy=score_size * schedules.entropy_weight(progress, settings, pace),
        orientation=score_size * schedules.orientation_weight(progress, settings, pace),
        smoothness=score_size * schedules.smoothness_weight(progress, settings, pace),
        share=share,
        target=schedules.transmittance_target(progress, config.clip),
    )


def render_part(
    field: RadianceField, occupancy: OccupancyGrid, config: GenerateConfig, views: StepViews, plan: PartPlan
) -> tuple[Rendering, Tensor]:
    """Return the views' Rendering, and their pictures float32[B, 3, size, size], with gradients to the field.

    field: RadianceField.
    occupancy: OccupancyGrid of the field.
    config: GenerateConfig of the attempt.
    views: StepViews, B of them.
    plan: PartPlan of the part.
    """
    size = plan.size
    origins, directions = camera_rays(views.cameras, size, size)
    learned = config.field.background == "learned"
    seen = render(
        field,
        origins,
        directions,
        occupancy.occupied,
        config.render,
        background=field.background(directions) if learned else views.over_rays(views.background),
        shading=plan.shading,
        light=views.over_rays(views.light),
        normals=(config.optimize.orientation > 0.0 or config.optimize.smoothness > 0.0) and plan.shading != "albedo",
        jitter=views.jitter.flatten(),
        rows=plan.rows,
    )
    return seen, seen.colour.view(len(views), size, size, 3).permute(0, 3, 1, 2)


def add_gradients(
    field: RadianceField,
    occupancy: OccupancyGrid,
    config: GenerateConfig,
    distillation: Guidance,
    inputs: PartInputs,
    plan: PartPlan,
) -> Rendering:
    """Render the views, ask the teacher, and add the loss's gradients to those of the parameters.

    field: RadianceField; gets the gradients.
    occupancy: OccupancyGrid of the field.
    config: GenerateConfig of the attempt.
    distillation: Guidance of the teacher.
    inputs: PartInputs.
    plan: PartPlan of the part.
    """
    seen, images = render_part(field, occupancy, config, inputs.views, plan)
    behind = None if config.field.background == "learned" else behind_of(seen.opacity, inputs.views, plan.size)
    loss, _ = distillation.loss(distillation.seen(images, inputs.step, behind), inputs.step)
    add_way_back(field, config, inputs, plan, seen, loss)
    return seen


def score_loss(seen: Rendering, inputs: PartInputs, distillation: Guidance, size: int) -> Tensor:
    """Return the score's loss of square pictures over their views' plain backgrounds, float32[].

    seen: Rendering [B, size, size, ...].
    inputs: PartInputs of the B views.
    distillation: Guidance of the teacher.
    size: int, pixels along a side.
    """
    images, behind = seen.colour.permute(0, 3, 1, 2), behind_of(seen.opacity, inputs.views, size)
    loss, _ = distillation.loss(distillation.seen(images, inputs.step, behind), inputs.step)
    return loss


def behind_of(opacity: Tensor, views: StepViews, size: int) -> Behind:
    """Return what lies behind the object in renders over their views' plain backgrounds.

    opacity: float32 of B * size * size values, rays of one view after those of another.
    views: StepViews, B of them.
    size: int, pixels along a side.
    """
    return Behind(opacity=opacity.reshape(len(views), 1, size, size), colour=views.background)


def add_way_back(
    field: RadianceField, config: GenerateConfig, inputs: PartInputs, plan: PartPlan, seen: Rendering, loss: Tensor
) -> None:
    """Add the gradients of the score's loss and of the regularisers to those of the parameters.

    field: RadianceField; gets the gradients.
    config: GenerateConfig of the attempt.
    inputs: PartInputs.
    plan: PartPlan of the part.
    seen: Rendering of the views.
    loss: float32[], the score's loss.
    """
    # 1. The regularisers.
    weights = inputs.weights
    regularisers = weights.opacity * losses.opacity_loss(seen.opacity)
    regularisers = regularisers + weights.entropy * losses.binary_entropy_loss(seen.opacity)
    if config.clip.transmittance > 0.0:
        of_views = seen.opacity.view(len(inputs.views), -1)
        regularisers = regularisers + config.clip.transmittance * losses.transmittance_loss(of_views, weights.target)
    if seen.orientation is not None:
        regularisers = regularisers + weights.orientation * losses.orientation_loss(seen.orientation)
    if seen.normal is not None:
        of_view = seen.normal.view(len(inputs.views), plan.size, plan.size, 3)
        regularisers = regularisers + weights.smoothness * losses.smoothness_loss(of_view)
    # 2. Back to the field. Not by backward(), which hands gradients over on the stream that first saw the parameter.
    parameters = list(field.parameters())
    gradients = torch.autograd.grad(weights.share * (loss + regularisers), parameters, allow_unused=True)
    add_to_gradients(parameters, gradients)


def add_to_gradients(parameters: Sequence[Tensor], gradients: Sequence[Tensor | None]) -> None:
    """Add gradients to those that the parameters have.

    parameters: Tensors of any shape.
    gradients: of the parameters; None: there is none.
    """
    for parameter, gradient in zip(parameters, gradients, strict=True):
        if gradient is None:
            continue
        if parameter.grad is None:
            parameter.grad = gradient.contiguous()  # a fused optimizer reads it in the order of its memory
        else:
            parameter.grad.add_(gradient)


def mapped(value: T, change: Callable[[Tensor], Tensor]) -> T:
    """Return the same dataclasses and tuples with every tensor changed by `change`.

    value: dataclasses, tuples and Tensors, nested; other values stay.
    change: from a Tensor to a Tensor.
    """
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
    """Return every tensor in dataclasses and tuples, in order."""
    found: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    mapped(value, note)
    return found
