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
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.guidance.prompts import Shading
from dreamfusion_engine.optimize import losses, schedules
from dreamfusion_engine.optimize.checkpoint import optimizer_tensors, restore_optimizer
from dreamfusion_engine.optimize.health import Probe, make_probe, probe_cameras
from dreamfusion_engine.render.renderer import Rendering, render, render_image
from dreamfusion_engine.scene.background import random_backgrounds
from dreamfusion_engine.scene.cameras import Cameras, camera_rays, sample_cameras
from dreamfusion_engine.scene.light import sample_lights

_BETAS = (0.9, 0.99)  # Adam, with eps 1e-15: Mueller 2022 (arXiv 2201.05989), section 4, "Training"
_EPS = 1e-15


class Training:
    """One optimisation of a field: the field, its occupancy, Adam and the random state, at a step.

    config: of the run. seed: of this attempt (a recovery uses another). device: where everything lives.
    """

    def __init__(self, config: GenerateConfig, *, seed: int, device: torch.device) -> None:
        self.config = config
        self.device = device
        self.field = RadianceField(config.field, seed=seed, device=device)
        self.occupancy = OccupancyGrid(config.render, device)
        self.optimiser = torch.optim.Adam(
            self.field.parameters(), lr=config.optimize.learning_rate, betas=_BETAS, eps=_EPS, fused=True
        )
        self.generator = torch.Generator(device=device).manual_seed(seed)
        self.step = 0

    @property
    def progress(self) -> float:
        """Share of training done, in [0, 1]."""
        return self.step / self.config.optimize.steps

    def train_step(self, distillation: ScoreDistillation) -> bool:
        """One step of the optimiser on the SDS gradient of freshly sampled views.

        Whether prediction and gradient were finite; if not, the field was not moved. Whole or not at all: where memory
        runs out on the way everything is as it was before, random numbers too, and the same step can be made again.
        """
        before = _Moment(self, distillation)
        try:
            return self._advance(distillation)
        except Exception as error:
            if out_of_memory(error):
                before.restore()
            raise

    def _advance(self, distillation: ScoreDistillation) -> bool:
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
        shading = schedules.choose_shading(progress, settings, self.generator)
        # 2. Views, their light and what lies behind them.
        cameras = sample_cameras(settings.views, self.config.camera, self.generator)
        origins, directions = camera_rays(cameras, size, size)
        light = sample_lights(cameras.position, self.generator).repeat_interleave(size * size, 0)
        background = self._background(directions, size)
        # 3. Pictures.
        seen = render(
            self.field,
            origins,
            directions,
            self.occupancy.occupied,
            self.config.render,
            background=background,
            shading=shading,
            light=light,
            normals=settings.orientation > 0.0 and shading != "albedo",
            generator=self.generator,
        )
        images = seen.colour.view(settings.views, size, size, 3).permute(0, 3, 1, 2)
        # 4. What the diffusion model thinks of them, and the regularisers.
        loss, info = distillation.step(images, cameras.azimuth, cameras.elevation, shading, progress, self.generator)
        if not info.finite:
            return False
        loss = loss + self._regularisers(seen, progress)
        # 5. One move.
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(
            self.field.parameters(), settings.gradient_clip if settings.gradient_clip > 0.0 else math.inf
        )
        finite = bool(torch.isfinite(norm))
        if finite:
            self.optimiser.step()
        self.step += 1
        return finite

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
        tensors["step"] = torch.tensor(self.step)
        return tensors

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from `state()` of a training with the same configuration."""
        self.field.load_state_dict(_under(tensors, "field."))
        self.occupancy.load_state_dict(_under(tensors, "occupancy."))
        restore_optimizer(self.optimiser, tensors)
        self.generator.set_state(tensors["generator"].cpu())
        self.step = int(tensors["step"])

    def _background(self, directions: Tensor, size: int) -> Tensor:
        """Colours float32[R, 3] behind the rays: a random one a view, or what the field has learned."""
        if self.config.field.background == "learned":
            return self.field.background(directions)
        return random_backgrounds(self.config.optimize.views, self.generator).repeat_interleave(size * size, 0)

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
