"""The training loop: render, ask the diffusion model, move the field. This file has one step, and the state it changes.

Axis letters: B views, R = B * H * W rays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import GenerateConfig, Shading
from dreamfusion_engine.field.occupancy import OccupancyGrid
from dreamfusion_engine.field.radiance import RadianceField
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.guidance.step_inputs import Part
from dreamfusion_engine.machine.device import out_of_memory
from dreamfusion_engine.machine.processes import ALONE, Ranks
from dreamfusion_engine.optimize import schedules
from dreamfusion_engine.optimize.checkpoint import optimizer_tensors, restore_optimizer
from dreamfusion_engine.optimize.health import Probe, make_probe, probe_cameras
from dreamfusion_engine.optimize.overlap import add_gradients_overlapped, halves, may_overlap
from dreamfusion_engine.optimize.sample_capacity import sample_capacity
from dreamfusion_engine.optimize.step_graphs import StepGraphs
from dreamfusion_engine.optimize.step_part import PartInputs, PartKind, add_gradients, part_weights
from dreamfusion_engine.optimize.step_views import sample_step_views
from dreamfusion_engine.render.renderer import Rendering, render_image
from dreamfusion_engine.scene.cameras import Cameras, camera_rays

_BETAS = (0.9, 0.99)  # Adam, with eps 1e-15: Mueller 2022 (arXiv 2201.05989), section 4, "Training"
_EPS = 1e-15
LOOK_EVERY = 25  # steps between looks at whether gradients were finite, on a GPU


class Training:
    """One optimization of a field: the field, its occupancy, Adam and the random state, at a step.

    config: GenerateConfig of the run.
    seed: int, of this attempt (a recovery uses another).
    device: torch.device of everything here.
    ranks: Ranks, the processes that train together; each renders `optimize.views` views of its own.
    graphs: StepGraphs, recorded parts of steps, on a card; None: no part is recorded.
    """

    def __init__(
        self,
        config: GenerateConfig,
        *,
        seed: int,
        device: torch.device,
        ranks: Ranks = ALONE,
        graphs: StepGraphs | None = None,
    ) -> None:
        self.config = config
        self.device = device
        self.ranks = ranks
        self.graphs = graphs
        # On a CPU there is nobody to wait for, and samples are counted.
        on_host = device.type == "cpu"
        self.room = None if on_host else sample_capacity(config, device)
        self.field = RadianceField(config.field, seed=seed, device=device)
        self.occupancy = OccupancyGrid(config.render, device)
        self.optimizer = torch.optim.Adam(
            self.field.parameters(), lr=config.optimize.learning_rate, betas=_BETAS, eps=_EPS, fused=True
        )
        self.generator = torch.Generator(device=device).manual_seed(seed)
        # What the host decides by (views, shading) is drawn on the host: to read it from a GPU is to wait for it.
        self.host_generator = self.generator if on_host else torch.Generator().manual_seed(seed)
        self._broken = torch.zeros((), dtype=torch.bool, device=device)
        self.step = 0

    @property
    def progress(self) -> float:
        """Share of training done, in [0, 1]."""
        return self.step / self.config.optimize.steps

    def train_step(self, distillation: ScoreDistillation, *, overlap: bool = False) -> None:
        """Make one step of the optimizer on the score distillation of new random views; `broken` tells how it went.

        A gradient that is not finite moves nothing. Where memory runs out during the step, everything is restored,
        random numbers too, and the same step can be made again.

        distillation: ScoreDistillation of the teacher.
        overlap: bool, on a CPU: judge half of the views on another thread while the other half is rendered, see
            `overlap`.
        """
        before = _Moment(self, distillation)
        try:
            self.ranks.all_or_none(lambda: self._gather(distillation, overlap))
            self._move()
        except Exception as error:
            if out_of_memory(error):
                before.restore()
            raise

    def _gather(self, distillation: ScoreDistillation, overlap: bool) -> None:
        """This process's gradients of the step. Processes do not meet here."""
        settings = self.config.optimize
        # 1. What this step looks like.
        progress = self.progress
        self.field.open_levels(schedules.open_fraction(progress, settings))
        for group in self.optimizer.param_groups:
            group["lr"] = schedules.learning_rate(progress, settings)
        if self.step % self.config.render.occupancy_every == 0:
            self.occupancy.set_threshold(schedules.occupancy_threshold(progress, self.config.render))
            self.occupancy.update(self.field.density, self.generator)
        size = schedules.render_resolution(progress, settings)
        shading = schedules.choose_shading(progress, settings, self.config.pace, self.host_generator)
        # 2. Views of all processes, their light and what lies behind them; of those, this process's.
        total = settings.views * self.ranks.count
        views = sample_step_views(self.config, total, size, self.host_generator, self.generator)
        mine = views.rows(self.ranks.index * settings.views, settings.views)
        self._clear_gradients()
        drawn = self.generator.get_state()
        pull = distillation.score_size(progress, size)
        at_once = self.config.memory.views_at_once or settings.views
        overlap = overlap and self.device.type == "cpu" and may_overlap(self.config)

        def inputs_of(first: int, count: int) -> PartInputs:
            """What the diffusion model is asked about some of the views, and what counts how much."""
            if first:
                self.generator.set_state(drawn)
            part = mine.rows(first, count)
            where = Part(first=self.ranks.index * settings.views + first, total=total)
            angles = part.cameras.azimuth, part.cameras.elevation
            shape = (len(part), *distillation.model_shape(size))
            return PartInputs(
                views=part.on(self.device),
                step=distillation.step_inputs(shape, *angles, shading, progress, self.generator, where),
                weights=part_weights(progress, len(part) / total, self.config, pull).on(self.device),
            )

        # 3. Part by part: pictures, what the model thinks of them, and the way back.
        for first in range(0, settings.views, at_once):
            count = min(at_once, settings.views - first)
            if overlap and count > 1:
                parts = [inputs_of(*half) for half in halves(first, count)]
                kinds = [PartKind(size=size, shading=shading, views=len(each.views), rows=None) for each in parts]
                add_gradients_overlapped(self.field, self.occupancy, self.config, distillation, parts, kinds)
            else:
                self._add_gradients(inputs_of(first, count), size, shading, distillation)
        if self.ranks.count > 1 and not self.optimizer.state:
            # Memory for the optimizer is found while a process may still be short of it: a move that moves nothing.
            self._fill_gradients()
            self.optimizer.found_inf = torch.ones((), device=self.device)  # type: ignore[attr-defined]
            self.optimizer.step()

    def broken(self) -> bool:
        """Whether a gradient since the last look was not finite.

        On a GPU it looks only now and then, because a look waits for the GPU.
        """
        if self.device.type != "cpu" and self.step % LOOK_EVERY and self.step < self.config.optimize.steps:
            return False
        found = bool(self._broken)
        self._broken.zero_()
        if self.room is not None and self.room.look() and self.graphs is not None:
            self.graphs.forget()  # none of them has arrays of that length
        return found

    @torch.no_grad()
    def view(self, cameras: Cameras, size: int, *, background: float = 1.0, shading: Shading = "albedo") -> Rendering:
        """Return pictures [B, size, size, ...] of the current state, lit from each camera, over a grey level.

        cameras: Cameras, B of them.
        size: int, pixels.
        background: float in [0, 1], grey level.
        shading: Shading of the pictures.
        """
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
        """Return the field's density float32[N] and albedo float32[N, 3] at points, as functions without gradients."""

        @torch.no_grad()
        def density(points: Tensor) -> Tensor:
            return self.field.density(points)

        @torch.no_grad()
        def albedo(points: Tensor) -> Tensor:
            colours: Tensor = self.field(points)[1]
            return colours

        return density, albedo

    def probe(self, size: int = 32) -> Probe:
        """Render four small views and measure them for the health check.

        size: int, pixels.
        """
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
        """Return every tensor that a checkpoint needs to continue bit for bit."""
        tensors = {f"field.{n}": t for n, t in self.field.state_dict().items()}
        tensors |= {f"occupancy.{n}": t for n, t in self.occupancy.state_dict().items()}
        tensors |= optimizer_tensors(self.optimizer)
        tensors["generator"] = self.generator.get_state()
        tensors["host_generator"] = self.host_generator.get_state()
        tensors["step"] = torch.tensor(self.step)
        return tensors

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore what `state()` of a training with the same configuration returned."""
        self.field.load_state_dict(_under(tensors, "field."))
        self.occupancy.load_state_dict(_under(tensors, "occupancy."))
        restore_optimizer(self.optimizer, tensors)
        self.generator.set_state(tensors["generator"].cpu())
        self.host_generator.set_state(tensors["host_generator"].cpu())
        self.step = int(tensors["step"])

    def _clear_gradients(self) -> None:
        """No gradient yet. Recorded work adds to the same memory always, so with graphs they are zeros."""
        self.optimizer.zero_grad(set_to_none=self.graphs is None)
        if self.graphs is not None:
            self._fill_gradients()
        if self.room is not None:
            self.room.short.zero_()

    def _fill_gradients(self) -> list[Tensor]:
        """The gradient of every parameter, zeros where there is none."""
        for parameter in self.field.parameters():
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        return [parameter.grad for parameter in self.field.parameters() if parameter.grad is not None]

    def _add_gradients(self, inputs: PartInputs, size: int, shading: Shading, distillation: ScoreDistillation) -> None:
        """A part's gradients on top of those before it: by a recorded graph where that is possible."""
        rays = len(inputs.views) * size * size
        room = self.room
        rows = None if room is None else room.rows(rays)
        fresh = 0 if inputs.step.fresh is None else len(inputs.step.fresh)
        kind = PartKind(size=size, shading=shading, views=len(inputs.views), rows=rows, fresh=fresh)

        def work(read: PartInputs) -> None:
            seen = add_gradients(self.field, self.occupancy, self.config, distillation, read, kind)
            if room is not None and seen.wanted is not None:
                room.note(seen.wanted, rays, seen.samples)
            elif room is not None:
                room.counted(seen.samples, rays)

        memory = self.config.memory
        recordable = rows is not None and distillation.recordable and memory.graphs and memory.offload != "all"
        if self.graphs is None or not recordable:
            work(inputs)
        else:
            places = tuple(gradient.data_ptr() for gradient in self._fill_gradients())  # where a replay adds to
            self.graphs.run((kind, memory, distillation.config, places), inputs, work)

    def _move(self) -> None:
        """The optimizer's step on the gradients of all processes, left out on the device where they are not finite."""
        settings = self.config.optimize
        short = [] if self.room is None else [self.room.short.float()]
        self.ranks.add_up([*self._fill_gradients(), *short])  # a step that is short in one process is left out in all
        norm = torch.nn.utils.clip_grad_norm_(
            self.field.parameters(), settings.gradient_clip if settings.gradient_clip > 0.0 else math.inf
        )
        wrong = ~torch.isfinite(norm)
        left_out = wrong if self.room is None else wrong | (short[0] > 0.0)
        # What torch's gradient scaler tells a fused optimizer: where this is 1, it changes nothing, steps included.
        self.optimizer.found_inf = left_out.float()  # type: ignore[attr-defined]
        self.optimizer.step()
        self._broken.logical_or_(wrong)
        self.step += 1


class _Moment:
    """What a step changes before it moves the field, kept so that a step that breaks off leaves no trace.

    The field itself needs no copy: the optimizer moves it last, in one operation.
    """

    def __init__(self, training: Training, distillation: ScoreDistillation) -> None:
        self._training, self._distillation = training, distillation
        self._generator = training.generator.get_state()
        self._host_generator = training.host_generator.get_state()
        self._levels = training.field.level_weight.clone()
        # The grid changes only in steps that look at the field again.
        looks = training.step % training.config.render.occupancy_every == 0
        self._occupancy = training.occupancy.state_dict() if looks else None
        moments = training.optimizer.state
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
        for parameter, values in list(training.optimizer.state.items()):
            if parameter not in self._counts:  # the very first step was making it
                del training.optimizer.state[parameter]
            else:
                values["step"].copy_(self._counts[parameter])
        training.optimizer.zero_grad(set_to_none=training.graphs is None)
        self._distillation.load_state(self._learned)


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n[len(prefix) :]: t for n, t in tensors.items() if n.startswith(prefix)}
