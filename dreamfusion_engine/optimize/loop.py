"""The training loop: render, ask the diffusion model, move the field. One step, and the state that a step changes.

Axis letters: B views, R = B * H * W rays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from dreamfusion_engine.config import GenerateConfig
from dreamfusion_engine.device import out_of_memory
from dreamfusion_engine.field.occupancy import OccupancyGrid
from dreamfusion_engine.field.radiance import RadianceField
from dreamfusion_engine.guidance.distillation import Part, ScoreDistillation
from dreamfusion_engine.guidance.prompts import Shading
from dreamfusion_engine.optimize import losses, schedules
from dreamfusion_engine.optimize.checkpoint import optimizer_tensors, restore_optimizer
from dreamfusion_engine.optimize.health import Probe, make_probe, probe_cameras
from dreamfusion_engine.optimize.step_views import StepViews, sample_step_views
from dreamfusion_engine.ranks import ALONE, Ranks
from dreamfusion_engine.render.renderer import Rendering, render, render_image
from dreamfusion_engine.scene.cameras import Cameras, camera_rays

_BETAS = (0.9, 0.99)  # Adam, with eps 1e-15: Mueller 2022 (arXiv 2201.05989), section 4, "Training"
_EPS = 1e-15
LOOK_EVERY = 25  # steps between looks at whether gradients were finite, on a GPU


class Training:
    """One optimisation of a field: the field, its occupancy, Adam and the random state, at a step.

    config: of the run. seed: of this attempt (a recovery uses another). device: where everything lives. ranks: the
    processes that train together; each renders `optimize.views` views of its own.
    """

    def __init__(self, config: GenerateConfig, *, seed: int, device: torch.device, ranks: Ranks = ALONE) -> None:
        self.config = config
        self.device = device
        self.ranks = ranks
        self.field = RadianceField(config.field, seed=seed, device=device)
        self.occupancy = OccupancyGrid(config.render, device)
        self.optimiser = torch.optim.Adam(
            self.field.parameters(), lr=config.optimize.learning_rate, betas=_BETAS, eps=_EPS, fused=True
        )
        self.generator = torch.Generator(device=device).manual_seed(seed)
        # What the host decides by (views, shading) is drawn on the host: to read it from a GPU is to wait for it.
        on_host = device.type == "cpu"
        self.host_generator = self.generator if on_host else torch.Generator().manual_seed(seed)
        self._broken = torch.zeros((), dtype=torch.bool, device=device)
        self.step = 0

    @property
    def progress(self) -> float:
        """Share of training done, in [0, 1]."""
        return self.step / self.config.optimize.steps

    def train_step(self, distillation: ScoreDistillation) -> None:
        """One step of the optimiser on the score distillation of freshly sampled views; `broken` tells how it went.

        A gradient that is not finite moves nothing. Whole or not at all: where memory runs out on the way everything is
        as it was before, random numbers too, and the same step can be made again.
        """
        before = _Moment(self, distillation)
        try:
            self._advance(distillation)
        except Exception as error:
            if out_of_memory(error):
                before.restore()
            raise

    def _advance(self, distillation: ScoreDistillation) -> None:
        settings = self.config.optimize
        # 1. What this step looks like.
        progress = self.progress
        self.field.open_levels(schedules.open_fraction(progress, settings))
        for group in self.optimiser.param_groups:
            group["lr"] = schedules.learning_rate(progress, settings)
        if self.step % self.config.render.occupancy_every == 0:
            self.occupancy.set_threshold(schedules.occupancy_threshold(progress, self.config.render))
            self.occupancy.update(self.field.density, self.generator)
        size = schedules.render_resolution(progress, settings)
        shading = schedules.choose_shading(progress, settings, self.host_generator)
        # 2. Views of all processes, their light and what lies behind them; of those, this process's.
        total = settings.views * self.ranks.count
        views = sample_step_views(self.config, total, size, self.host_generator, self.generator)
        mine = views.rows(self.ranks.index * settings.views, settings.views)
        self.optimiser.zero_grad(set_to_none=True)
        drawn = self.generator.get_state()
        at_once = self.config.memory.views_at_once or settings.views
        for first in range(0, settings.views, at_once):
            if first:
                self.generator.set_state(drawn)
            part = mine.rows(first, min(at_once, settings.views - first))
            # 3. Pictures.
            seen, images = self._render(part.on(self.device), size, shading)
            # 4. What the diffusion model thinks of them, and the regularisers.
            where = Part(first=self.ranks.index * settings.views + first, total=total)
            loss, _ = distillation.step(
                images, part.cameras.azimuth, part.cameras.elevation, shading, progress, self.generator, where
            )
            (len(part) / total * (loss + self._regularisers(seen, progress))).backward()
        # 5. One move.
        self._move()

    def broken(self) -> bool:
        """Whether a gradient since the last look was not finite.

        On a GPU it looks only now and then, because to look is to wait for it.
        """
        if self.device.type != "cpu" and self.step % LOOK_EVERY and self.step < self.config.optimize.steps:
            return False
        found = bool(self._broken)
        self._broken.zero_()
        return found

    @torch.no_grad()
    def view(self, cameras: Cameras, size: int, *, background: float = 1.0, shading: Shading = "albedo") -> Rendering:
        """Pictures [B, size, size, ...] of the current state, lit from each camera, over a grey level."""
        origins, directions = camera_rays(cameras, size, size)
        return render_image(
            self.field,
            origins,
            directions,
            self.occupancy.occupied,
            self.config.render,
            height=size,
            width=size,
            background=torch.full((3,), background, device=self.device),
            shading=shading,
            light=cameras.position.repeat_interleave(size * size, 0),
        )

    def frozen(self) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
        """The field's density float32[N] and albedo float32[N, 3] at points, as functions without gradients."""

        @torch.no_grad()
        def density(points: Tensor) -> Tensor:
            return self.field.density(points)

        @torch.no_grad()
        def albedo(points: Tensor) -> Tensor:
            colours: Tensor = self.field(points)[1]
            return colours

        return density, albedo

    def probe(self, size: int = 32) -> Probe:
        """Four small views for the health check."""
        cameras = probe_cameras(self.config.camera, self.device)
        seen = self.view(cameras, size)
        return make_probe(
            self.step,
            self.progress,
            seen.colour.permute(0, 3, 1, 2),
            seen.opacity,
            seen.depth,
            # Not the fraction that rays look at: early in training they look nearly everywhere.
            self.occupancy.fraction_above(self.config.render.occupancy_threshold),
            float(cameras.focal[0]),
        )

    def state(self) -> dict[str, Tensor]:
        """Every tensor that a checkpoint needs to go on bit for bit; `load_state` takes it back."""
        tensors = {f"field.{n}": t for n, t in self.field.state_dict().items()}
        tensors |= {f"occupancy.{n}": t for n, t in self.occupancy.state_dict().items()}
        tensors |= optimizer_tensors(self.optimiser)
        tensors["generator"] = self.generator.get_state()
        tensors["host_generator"] = self.host_generator.get_state()
        tensors["step"] = torch.tensor(self.step)
        return tensors

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from `state()` of a training with the same configuration."""
        self.field.load_state_dict(_under(tensors, "field."))
        self.occupancy.load_state_dict(_under(tensors, "occupancy."))
        restore_optimizer(self.optimiser, tensors)
        self.generator.set_state(tensors["generator"].cpu())
        self.host_generator.set_state(tensors["host_generator"].cpu())
        self.step = int(tensors["step"])

    def _render(self, views: StepViews, size: int, shading: Shading) -> tuple[Rendering, Tensor]:
        """What the views see, and their pictures float32[B, 3, size, size], with gradients to the field."""
        origins, directions = camera_rays(views.cameras, size, size)
        learned = self.config.field.background == "learned"
        seen = render(
            self.field,
            origins,
            directions,
            self.occupancy.occupied,
            self.config.render,
            background=self.field.background(directions) if learned else views.over_rays(views.background),
            shading=shading,
            light=views.over_rays(views.light),
            normals=self.config.optimize.orientation > 0.0 and shading != "albedo",
            jitter=views.jitter.flatten(),
        )
        return seen, seen.colour.view(len(views), size, size, 3).permute(0, 3, 1, 2)

    def _move(self) -> None:
        """The optimiser's step on the gradients of all processes, left out on the device where they are not finite."""
        settings = self.config.optimize
        parameters = list(self.field.parameters())
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        self.ranks.add_up([parameter.grad for parameter in parameters if parameter.grad is not None])
        norm = torch.nn.utils.clip_grad_norm_(
            parameters, settings.gradient_clip if settings.gradient_clip > 0.0 else math.inf
        )
        wrong = ~torch.isfinite(norm)
        # What torch's gradient scaler tells a fused optimiser: where this is 1, it changes nothing, steps included.
        self.optimiser.found_inf = wrong.float()  # type: ignore[attr-defined]
        self.optimiser.step()
        self._broken.logical_or_(wrong)
        self.step += 1

    def _regularisers(self, seen: Rendering, progress: float) -> Tensor:
        settings = self.config.optimize
        total = schedules.opacity_weight(progress, settings) * losses.opacity_loss(seen.opacity)
        total = total + schedules.entropy_weight(progress, settings) * losses.binary_entropy_loss(seen.opacity)
        if seen.orientation is not None:
            total = total + schedules.orientation_weight(progress, settings) * losses.orientation_loss(seen.orientation)
        return total


class _Moment:
    """What a step changes before it moves the field, kept so that a step that breaks off leaves no trace.

    The field itself needs no copy: the optimiser moves it last, in one operation.
    """

    def __init__(self, training: Training, distillation: ScoreDistillation) -> None:
        self._training, self._distillation = training, distillation
        self._generator = training.generator.get_state()
        self._host_generator = training.host_generator.get_state()
        self._levels = training.field.level_weight.clone()
        # The grid changes only in steps that look at the field again.
        looks = training.step % training.config.render.occupancy_every == 0
        self._occupancy = training.occupancy.state_dict() if looks else None
        moments = training.optimiser.state
        self._counts = {parameter: values["step"].clone() for parameter, values in moments.items()}
        self._learned = {name: tensor.clone() for name, tensor in distillation.state().items()}

    def restore(self) -> None:
        """Put everything back."""
        training = self._training
        training.generator.set_state(self._generator)
        training.host_generator.set_state(self._host_generator)
        training.field.level_weight.copy_(self._levels)
        if self._occupancy is not None:
            training.occupancy.load_state_dict(self._occupancy)
        for parameter, values in list(training.optimiser.state.items()):
            if parameter not in self._counts:  # the very first step was making it
                del training.optimiser.state[parameter]
            else:
                values["step"].copy_(self._counts[parameter])
        training.optimiser.zero_grad(set_to_none=True)
        self._distillation.load_state(self._learned)


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n[len(prefix) :]: t for n, t in tensors.items() if n.startswith(prefix)}
