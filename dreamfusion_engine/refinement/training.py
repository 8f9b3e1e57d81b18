"""The training of a refinement: render the surface, ask the diffusion model, move colours and vertices."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from dreamfusion_engine.config.stages import GenerateConfig, Shading
from dreamfusion_engine.guidance.guidance import Guidance
from dreamfusion_engine.machine.processes import ALONE, Processes
from dreamfusion_engine.mesh.arrays import Floats
from dreamfusion_engine.optimize import schedules
from dreamfusion_engine.optimize.step_graphs import StepGraphs
from dreamfusion_engine.optimize.step_part import add_to_gradients, behind_of
from dreamfusion_engine.optimize.training import InputsOf, Training, under
from dreamfusion_engine.paint.canvas import DeviceCanvas
from dreamfusion_engine.refinement.colours import SurfaceColours, change_nothing, flatness_loss
from dreamfusion_engine.refinement.render import MovingRenderer
from dreamfusion_engine.refinement.shape import SmoothShape, crease_loss, edge_loss, roughness_loss, triangle_pairs
from dreamfusion_engine.refinement.surface import RefinedSurface
from dreamfusion_engine.render.renderer import Rendering
from dreamfusion_engine.scene.cameras import Cameras

RATE = 2e-3  # world units a step at strength 1, of the vertex that is pulled most


class RefineTraining(Training):
    """One refinement of a surface: changes of its colours, and moves of its vertices.

    surface: RefinedSurface.
    freedom: float32[V] in [0, 1], how much of its move each vertex makes; 0: it stays bit for bit. None: all of it.
    config, seed, device, processes, graphs: as for `Training`; nothing is recorded.
    """

    def __init__(
        self,
        surface: RefinedSurface,
        config: GenerateConfig,
        *,
        seed: int,
        device: torch.device,
        processes: Processes = ALONE,
        graphs: StepGraphs | None = None,
        freedom: Floats | None = None,
    ) -> None:
        super().__init__(config, seed=seed, device=device, processes=processes)
        change_nothing(self.field)
        canvas = surface.canvas
        self.shape = SmoothShape(
            canvas.vertices,
            canvas.triangles,
            stiffness=config.refine.stiffness,
            reach=config.refine.reach,
            freedom=freedom,
            device=device,
        )
        self.renderer = MovingRenderer(DeviceCanvas.of(canvas, device), config.refine.samples)
        texture = torch.from_numpy(np.ascontiguousarray(surface.mesh.texture, np.float32) / 255.0).to(device)
        self.colours = SurfaceColours(texture, self.field)
        ends = self.shape.rest[self.shape.edges]
        self._lengths = torch.linalg.vector_norm(ends[:, 0] - ends[:, 1], dim=-1)
        self._pairs = triangle_pairs(self.renderer.canvas.triangles)
        self._scale = float(self._lengths.mean()) if len(self._lengths) else 1.0
        self._vertices = self.shape.vertices()
        self._pull = torch.zeros_like(self._vertices)

    @property
    def moves(self) -> bool:
        """Whether vertices may move at all."""
        return self.config.refine.strength > 0.0

    @torch.no_grad()
    def view(self, cameras: Cameras, size: int, *, background: float = 1.0, shading: Shading = "albedo") -> Rendering:
        """Return pictures [B, size, size, ...] of the current state, lit from each camera, over a grey level.

        They have one sample a pixel, because they are only looked at.

        cameras, size, background, shading: as for `Training.view`.
        """
        vertices = self.shape.vertices()
        self.renderer.move(vertices)
        return self.renderer.render(
            self.colours,
            vertices,
            cameras,
            size,
            background=torch.full((3,), background, device=self.device),
            shading=shading,
            light=cameras.position,
            grid=1,
        ).pictures

    def state(self) -> dict[str, Tensor]:
        """Return every tensor that a checkpoint needs to continue bit for bit."""
        return super().state() | {f"shape.{name}": tensor for name, tensor in self.shape.state().items()}

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore what `state()` of a training with the same configuration returned."""
        super().load_state(tensors)
        self.shape.load_state(under(tensors, "shape."))

    def _begin_step(self, progress: float) -> None:
        self._vertices = self.shape.vertices().requires_grad_(self.moves)
        self.renderer.move(self._vertices)
        self._pull = torch.zeros_like(self._vertices)

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
        inputs = inputs_of(first, count)
        views = inputs.views
        seen = self.renderer.render(
            self.colours,
            self._vertices,
            views.cameras,
            size,
            background=views.background,
            shading=shading,
            light=views.light,
        )
        images = seen.pictures.colour.permute(0, 3, 1, 2)
        behind = behind_of(seen.pictures.opacity, views, size)
        loss, _ = distillation.loss(distillation.seen(images, inputs.step, behind), inputs.step)
        flatness = self.config.refine.flatness * distillation.score_size(self.progress, size)
        if flatness and shading != "textureless":
            loss = loss + flatness * flatness_loss(seen.albedo, seen.met)
        self._add(inputs.weights.share * loss)

    def _add_own_gradients(self, progress: float, score_size: float) -> None:
        """The regularisers' pull on the vertices; every process has its share of it."""
        if not self.moves:
            return
        settings, edges = self.config.refine, self.shape.edges
        rough = roughness_loss(self._vertices - self.shape.rest, edges, self._scale)
        long = edge_loss(self._vertices, edges, self._lengths)
        bumpy = crease_loss(self._vertices, self.renderer.canvas.triangles, self._pairs)
        loss = settings.roughness * rough + settings.edges * long + settings.bumps * bumpy
        self._add(score_size / self.processes.count * loss)

    def _add(self, loss: Tensor) -> None:
        if not loss.requires_grad:
            return
        parameters = [*self.field.parameters(), *([self._vertices] if self.moves else [])]
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        if self.moves and gradients[-1] is not None:
            self._pull += gradients[-1]
        fields = gradients[: len(parameters) - int(self.moves)]
        add_to_gradients(parameters[: len(fields)], fields)

    def _gradients_beside(self) -> list[Tensor]:
        return [self._pull] if self.moves else []

    def _move_beside(self, left_out: Tensor) -> None:
        if not self.moves:
            return
        share = schedules.learning_rate(self.progress, self.config.optimize) / self.config.optimize.learning_rate
        self.shape.move(self._pull, RATE * self.config.refine.strength * share, left_out)
