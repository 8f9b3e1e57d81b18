"""A training: score distillation steps that move the parameters of a field, whatever renders it.

`volume_training` renders a radiance field, `paint/training.py` colours on a given mesh. Axis letters: B views,
R = B * H * W rays.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from dreamfusion_engine.config.stages import GenerateConfig, Shading
from dreamfusion_engine.field.radiance import RadianceField
from dreamfusion_engine.guidance.guidance import Guidance
from dreamfusion_engine.guidance.step_inputs import ViewRange
from dreamfusion_engine.machine.device import device_lost, out_of_memory
from dreamfusion_engine.machine.processes import ALONE, Processes
from dreamfusion_engine.optimize import schedules
from dreamfusion_engine.optimize.checkpoint import optimizer_tensors, restore_optimizer, under
from dreamfusion_engine.optimize.health import Probe, make_probe, probe_cameras
from dreamfusion_engine.optimize.step_graphs import StepGraphs
from dreamfusion_engine.optimize.step_part import PartInputs, part_weights
from dreamfusion_engine.optimize.step_undo import StepUndo
from dreamfusion_engine.optimize.step_views import StepViews, sample_step_views
from dreamfusion_engine.render.renderer import Rendering
from dreamfusion_engine.scene.cameras import Cameras

_BETAS = (0.9, 0.99)  # Adam, with eps 1e-15: Mueller 2022 (arXiv 2201.05989), section 4, "Training"
_EPS = 1e-15
LOOK_EVERY = 25  # steps between looks at whether gradients were finite, on a GPU
# (index of the first view, number of views) to what the diffusion model is asked about them
InputsOf = Callable[[int, int], PartInputs]


class Training(ABC):
    """One optimization of a field: the field, Adam and the random state, at a step.

    The field is a radiance field, but for a kind of training that moves other parameters (`_new_field`).

    config: GenerateConfig of the run.
    seed: int, of this attempt (a recovery uses another).
    device: torch.device of everything here.
    processes: Processes, the processes that train together; each renders `optimize.views` views of its own.
    graphs: StepGraphs, recorded parts of steps, on a card; None: no part is recorded.
    """

    field: nn.Module
    _moments = (_BETAS, _EPS)  # of Adam

    def __init__(
        self,
        config: GenerateConfig,
        *,
        seed: int,
        device: torch.device,
        processes: Processes = ALONE,
        graphs: StepGraphs | None = None,
    ) -> None:
        self.config = config
        self.device = device
        self._own_seed = seed
        self.processes = processes
        self.graphs = graphs
        self.field = self._new_field()
        betas, eps = self._moments
        self.optimizer = torch.optim.Adam(
            self.field.parameters(), lr=config.optimize.learning_rate, betas=betas, eps=eps, fused=True
        )
        self.generator = torch.Generator(device=device).manual_seed(seed)
        # What the host decides by (views, shading) is drawn on the host: to read it from a GPU is to wait for it.
        on_host = device.type == "cpu"
        self.host_generator = self.generator if on_host else torch.Generator().manual_seed(seed)
        self._broken = torch.zeros((), dtype=torch.bool, device=device)
        self.step = 0

    # What a kind of training does in its own way.

    @abstractmethod
    def view(self, cameras: Cameras, size: int, *, background: float = 1.0, shading: Shading = "albedo") -> Rendering:
        """Return pictures [B, size, size, ...] of the current state, lit from each camera, over a grey level.

        cameras: Cameras, B of them.
        size: int, pixels.
        background: float in [0, 1], grey level.
        shading: Shading of the pictures.
        """

    def probe(self, size: int = 32) -> Probe:
        """Render four small views and measure them for the health check.

        size: int, pixels.
        """
        cameras = probe_cameras(self.config.camera, self.device)
        seen = self.view(cameras, size)
        colour, focal = seen.colour.permute(0, 3, 1, 2), float(cameras.focal[0])
        return make_probe(self.step, self.progress, colour, seen.opacity, seen.depth, self._occupied(), focal)

    def _occupied(self) -> float:
        """The fraction of the box that is in use; 0 where a surface is given, which cannot fill it."""
        return 0.0

    @abstractmethod
    def _add_gradients(
        self,
        inputs_of: InputsOf,
        first: int,
        count: int,
        *,
        size: int,
        shading: Shading,
        distillation: Guidance,
        overlap: bool,
    ) -> None:
        """Add the gradients of `count` of the step's views, from `first` on, to those before them."""

    def _new_field(self) -> nn.Module:
        """Return what is trained, as it begins."""
        return RadianceField(self.config.field, seed=self._own_seed, device=self.device)

    def _bring_to(self, progress: float) -> None:
        """Bring what is trained, and the optimizer's rate, to a moment of training."""
        assert isinstance(self.field, RadianceField)
        self.field.open_levels(schedules.open_fraction(progress, self.config.optimize))
        self._set_rate(schedules.learning_rate(progress, self.config.optimize))

    def _set_rate(self, rate: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def begin(self) -> None:  # noqa: B027 (nothing to do for some)
        """Do what comes before the first step. One that goes on from a checkpoint has that behind it."""

    def _begin_step(self, progress: float) -> None:  # noqa: B027
        """Do what comes before a step's first view."""

    def _add_own_gradients(self, progress: float, score_size: float) -> None:  # noqa: B027
        """Add gradients that no view gives."""

    def _choose_shading(self, progress: float) -> Shading:
        return schedules.choose_shading(progress, self.config.optimize, self.config.pace, self.host_generator)

    def _sample_views(self, total: int, size: int) -> StepViews:
        """Draw the views of a step for all processes, on the host."""
        return sample_step_views(self.config, total, size, self.host_generator, self.generator)

    def _short(self) -> list[Tensor]:
        """float32[] above 0 on the device where a step must move nothing for a reason of its own; [] without one."""
        return []

    def _gradients_beside(self) -> list[Tensor]:
        """The gradients of what this kind moves beside the field, of this process; the processes' are added up."""
        return []

    def _move_beside(self, left_out: Tensor) -> None:  # noqa: B027
        """Move what `_gradients_beside` is about. left_out: bool[], on the device: nothing may change."""

    def _look(self) -> None:  # noqa: B027
        """Do what needs the host to wait for the device, now that it does."""

    def _undo(self) -> Callable[[], None]:
        """Return what takes back the changes of the coming step in this kind's own state."""
        return lambda: None

    # What is the same for all.

    @property
    def progress(self) -> float:
        """Share of training done, in [0, 1]."""
        return self.step / self.config.optimize.steps

    def train_step(self, distillation: Guidance, *, overlap: bool = False) -> None:
        """Make one step of the optimizer on the score distillation of new random views; `broken` tells how it went.

        A gradient that is not finite moves nothing. Where memory runs out during the step, everything is restored,
        random numbers too, and the same step can be made again. So it is where the device of the teacher alone is lost.

        distillation: Guidance of the teacher.
        overlap: bool, on a CPU: score half of the views on another thread while the other half is rendered, see
            `overlap`.
        """
        generators = (self.generator, self.host_generator)
        before = StepUndo(self.field, self.optimizer, generators, distillation, self._undo())
        try:
            self.processes.all_or_none(lambda: self._gather(distillation, overlap))
            self._move()
        except Exception as error:
            # Of a lost device nothing can be read again; where it is the teacher's alone, the field is whole here.
            if out_of_memory(error) or (device_lost(error) and self.device.type == "cpu"):
                before.restore(keep_gradients=self.graphs is not None)
            raise

    def _gather(self, distillation: Guidance, overlap: bool) -> None:
        """This process's gradients of the step. Processes do not meet here."""
        settings = self.config.optimize
        # 1. What this step looks like.
        progress = self.progress
        self._bring_to(progress)
        self._begin_step(progress)
        size = schedules.render_resolution(progress, settings)
        shading = self._choose_shading(progress)
        # 2. Views of all processes, their light and what lies behind them; of those, this process's.
        total = settings.views * self.processes.count
        views = self._sample_views(total, size)
        mine = views.rows(self.processes.index * settings.views, settings.views)
        self._clear_gradients()
        drawn = self.generator.get_state()
        pull = distillation.score_size(progress, size)
        at_once = self.config.memory.views_at_once or settings.views

        def inputs_of(first: int, count: int) -> PartInputs:
            if first:
                self.generator.set_state(drawn)
            part = mine.rows(first, count)
            where = ViewRange(first=self.processes.index * settings.views + first, total=total)
            angles = part.cameras.azimuth, part.cameras.elevation
            shape = (len(part), *distillation.model_shape(size))
            return PartInputs(
                views=part.on(self.device),
                step=distillation.step_inputs(shape, *angles, shading, progress, self.generator, where),
                weights=part_weights(progress, len(part) / total, self.config, pull).on(self.device),
            )

        # 3. Part by part: pictures, what the model thinks of them, and the way back.
        for first in range(0, settings.views, at_once):
            self._add_gradients(
                inputs_of,
                first,
                min(at_once, settings.views - first),
                size=size,
                shading=shading,
                distillation=distillation,
                overlap=overlap,
            )
        self._add_own_gradients(progress, pull)
        if self.processes.count > 1 and not self.optimizer.state:
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
        self._look()
        return found

    def state(self) -> dict[str, Tensor]:
        """Return every tensor that a checkpoint needs to continue bit for bit."""
        tensors = {f"field.{n}": t for n, t in self.field.state_dict().items()}
        tensors |= optimizer_tensors(self.optimizer)
        tensors["generator"] = self.generator.get_state()
        tensors["host_generator"] = self.host_generator.get_state()
        tensors["step"] = torch.tensor(self.step)
        return tensors

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore what `state()` of a training with the same configuration returned."""
        self.field.load_state_dict(under(tensors, "field."))
        restore_optimizer(self.optimizer, tensors)
        self.step = int(tensors["step"])
        drawn = tensors["generator"].cpu()
        if drawn.shape == self.generator.get_state().shape:
            self.generator.set_state(drawn)
        else:  # it was on another kind of device, whose random numbers are others
            self.generator.manual_seed((self._own_seed << 32) + self.step)
        self.host_generator.set_state(tensors["host_generator"].cpu())

    def _clear_gradients(self) -> None:
        """No gradient yet. Recorded work adds to the same memory always, so with graphs they are zeros."""
        self.optimizer.zero_grad(set_to_none=self.graphs is None)
        if self.graphs is not None:
            self._fill_gradients()

    def _fill_gradients(self) -> list[Tensor]:
        """The gradient of every parameter, zeros where there is none."""
        for parameter in self.field.parameters():
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        return [parameter.grad for parameter in self.field.parameters() if parameter.grad is not None]

    def _move(self) -> None:
        """The optimizer's step on the gradients of all processes, left out on the device where they are not finite."""
        settings = self.config.optimize
        short, beside = self._short(), self._gradients_beside()
        # A step that is short in one process is left out in all.
        self.processes.add_up([*self._fill_gradients(), *beside, *short])
        norm = torch.nn.utils.clip_grad_norm_(
            self.field.parameters(), settings.gradient_clip if settings.gradient_clip > 0.0 else math.inf
        )
        wrong = ~torch.isfinite(norm)
        for gradient in beside:
            wrong = wrong | ~torch.isfinite(gradient).all()
        left_out = wrong | (short[0] > 0.0) if short else wrong
        # What torch's gradient scaler tells a fused optimizer: where this is 1, it changes nothing, steps included.
        self.optimizer.found_inf = left_out.float()  # type: ignore[attr-defined]
        self.optimizer.step()
        self._move_beside(left_out)
        self._broken.logical_or_(wrong)
        self.step += 1


class NewTraining(Protocol):
    """Makes a training that has not begun: `VolumeTraining`, or a kind that renders something else."""

    def __call__(
        self,
        config: GenerateConfig,
        *,
        seed: int,
        device: torch.device,
        processes: Processes,
        graphs: StepGraphs | None,
    ) -> Training: ...
