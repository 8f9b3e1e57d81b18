"""The training of a radiance field: render it, ask the diffusion model, move it.

Axis letters: B views, R = B * H * W rays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import GenerateConfig, Shading
from dreamfusion_engine.field.occupancy import OccupancyGrid
from dreamfusion_engine.field.radiance import RadianceField
from dreamfusion_engine.guidance.guidance import Guidance
from dreamfusion_engine.machine.processes import ALONE, Processes
from dreamfusion_engine.optimize import schedules
from dreamfusion_engine.optimize.checkpoint import under
from dreamfusion_engine.optimize.overlap import add_gradients_overlapped, halves, may_overlap
from dreamfusion_engine.optimize.reference import FIT_PIXELS, References
from dreamfusion_engine.optimize.sample_capacity import sample_capacity
from dreamfusion_engine.optimize.shape_lock import ShapeLock
from dreamfusion_engine.optimize.step_graphs import StepGraphs
from dreamfusion_engine.optimize.step_part import PartInputs, PartPlan, add_gradients, add_to_gradients
from dreamfusion_engine.optimize.training import InputsOf, Training
from dreamfusion_engine.render.renderer import Rendering, render_image
from dreamfusion_engine.scene.cameras import Cameras, camera_rays

_PLACES = "references.places"  # in a checkpoint: where the pictures lie in their views


class VolumeTraining(Training):
    """One optimization of a radiance field and its occupancy.

    config, seed, device, processes, graphs: as for `Training`.
    lock: ShapeLock, the solid as which it begins (`begin`) and that it keeps; None: it begins from nothing.
    references: References, pictures that it is held to; None: there are none.
    """

    field: RadianceField

    def __init__(
        self,
        config: GenerateConfig,
        *,
        seed: int,
        device: torch.device,
        processes: Processes = ALONE,
        graphs: StepGraphs | None = None,
        lock: ShapeLock | None = None,
        references: References | None = None,
    ) -> None:
        super().__init__(config, seed=seed, device=device, processes=processes, graphs=graphs)
        self._lock = lock
        self.references = references
        self._seed = seed
        # On a CPU there is nobody to wait for, and samples are counted.
        self.room = None if device.type == "cpu" else sample_capacity(config, device)
        self.occupancy = OccupancyGrid(config.render, device)

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

    def _occupied(self) -> float:
        # Not the fraction that rays look at: early in training they look nearly everywhere.
        return self.occupancy.fraction_above(self.config.render.occupancy_threshold)

    def state(self) -> dict[str, Tensor]:
        """Return every tensor that a checkpoint needs to continue bit for bit."""
        state = super().state() | {f"occupancy.{n}": t for n, t in self.occupancy.state_dict().items()}
        fitted = None if self.references is None else self.references.rows
        return state if fitted is None else state | {_PLACES: fitted}

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore what `state()` of a training with the same configuration returned."""
        super().load_state(tensors)
        self.occupancy.load_state_dict(under(tensors, "occupancy."))
        if self.references is not None and _PLACES in tensors:
            self.references = self.references.placed(tensors[_PLACES])

    def begin(self) -> None:
        """Make the field the solid that it begins as. That takes seconds."""
        if self._lock is not None:
            self._lock.fit(self.field, torch.Generator(device=self.device).manual_seed(self._seed))

    def _begin_step(self, progress: float) -> None:
        if self.step % self.config.render.occupancy_every == 0:
            self.occupancy.set_threshold(schedules.occupancy_threshold(progress, self.config.render))
            self.occupancy.update(self.field.density, self.generator)
        if self.references is not None and self.references.fits(self.step):
            self.references = self.references.fitted(self.view(self.references.cameras, FIT_PIXELS).opacity)

    def _add_own_gradients(self, progress: float, score_size: float) -> None:
        lock, references, count = self._lock, self.references, self.processes.count
        weight = 0.0 if lock is None else lock.weight(progress, score_size) / count
        if lock is not None and weight > 0.0:
            self._add_gradients_of(weight * lock.loss(self.field, self.generator))
        if references is not None and references.due(self.step):
            loss = references.loss(
                self.field,
                self.occupancy,
                self.generator,
                turn=references.turn(self.step) * count + self.processes.index,
                progress=progress,
                score_size=score_size / count,
            )
            self._add_gradients_of(loss)

    def _add_gradients_of(self, loss: Tensor) -> None:
        parameters = list(self.field.parameters())
        add_to_gradients(parameters, torch.autograd.grad(loss, parameters, allow_unused=True))

    def _undo(self) -> Callable[[], None]:
        if self.step % self.config.render.occupancy_every:
            return lambda: None  # the grid changes only in steps that look at the field again
        kept = self.occupancy.state_dict()
        return lambda: self.occupancy.load_state_dict(kept)

    def _short(self) -> list[Tensor]:
        return [] if self.room is None else [self.room.short.float()]

    def _look(self) -> None:
        if self.room is not None and self.room.adapt() and self.graphs is not None:
            self.graphs.forget()  # none of them has arrays of that length

    def _clear_gradients(self) -> None:
        super()._clear_gradients()
        if self.room is not None:
            self.room.short.zero_()

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
        group = self.config.camera.group
        if overlap and self.device.type == "cpu" and may_overlap(self.config) and count > group:
            parts = [inputs_of(*half) for half in halves(first, count, group)]
            plans = [PartPlan(size=size, shading=shading, views=len(each.views), rows=None) for each in parts]
            add_gradients_overlapped(self.field, self.occupancy, self.config, distillation, parts, plans)
        else:
            self._add_part(inputs_of(first, count), size, shading, distillation)

    def _add_part(self, inputs: PartInputs, size: int, shading: Shading, distillation: Guidance) -> None:
        """A part's gradients on top of those before it: by a recorded graph where that is possible."""
        rays = len(inputs.views) * size * size
        room = self.room
        rows = None if room is None else room.rows(rays)
        fresh = distillation.further_noises(inputs.step)
        plan = PartPlan(size=size, shading=shading, views=len(inputs.views), rows=rows, fresh=fresh)

        def work(read: PartInputs) -> None:
            seen = add_gradients(self.field, self.occupancy, self.config, distillation, read, plan)
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
            self.graphs.run((plan, memory, distillation.config, places), inputs, work)
