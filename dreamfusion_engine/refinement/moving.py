"""A training that moves the vertices of a surface beside its colours: what is the same, whatever the colours are."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import Shading
from dreamfusion_engine.field.radiance import RadianceField
from dreamfusion_engine.guidance.guidance import Guidance
from dreamfusion_engine.optimize import schedules
from dreamfusion_engine.optimize.step_part import add_to_gradients, score_loss
from dreamfusion_engine.optimize.training import InputsOf, Training
from dreamfusion_engine.refinement.colours import flatness_loss
from dreamfusion_engine.refinement.moves import VertexMoves
from dreamfusion_engine.refinement.render import MovingRenderer, PlacedColours
from dreamfusion_engine.render.renderer import Rendering
from dreamfusion_engine.scene.cameras import Cameras


class MovingTraining(Training):
    """A training of colours and vertices. Its kinds set the three when they are made.

    moves: VertexMoves of the surface.
    moving: MovingRenderer of it.
    placed: PlacedColours that are trained.
    """

    field: RadianceField
    moves: VertexMoves
    moving: MovingRenderer
    placed: PlacedColours

    @torch.no_grad()
    def view(self, cameras: Cameras, size: int, *, background: float = 1.0, shading: Shading = "albedo") -> Rendering:
        """Return pictures [B, size, size, ...] of the current state, lit from each camera, over a grey level.

        They have one sample a pixel, because they are only looked at.

        cameras, size, background, shading: as for `Training.view`.
        """
        vertices = self.moves.shape.vertices()
        self.moving.move(vertices)
        return self.moving.render(
            self.placed,
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
        return super().state() | self.moves.state()

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore what `state()` of a training with the same configuration returned."""
        super().load_state(tensors)
        self.moves.load_state(tensors)

    def _begin_step(self, progress: float) -> None:
        self.moving.move(self.moves.begin())

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
        seen = self.moving.render(
            self.placed,
            self.moves.now,
            views.cameras,
            size,
            background=views.background,
            shading=shading,
            light=views.light,
        )
        loss = score_loss(seen.pictures, inputs, distillation, size)
        flatness = self.config.refine.flatness * distillation.score_size(self.progress, size)
        if flatness and shading != "textureless":
            loss = loss + flatness * flatness_loss(seen.albedo, seen.met)
        self._add(inputs.weights.share * loss)

    def _add_own_gradients(self, progress: float, score_size: float) -> None:
        """The regularisers' pull on the vertices; every process has its share of it."""
        if self.moves.active:
            self._add(score_size / self.processes.count * self.moves.own_loss())

    def _add(self, loss: Tensor) -> None:
        if not loss.requires_grad:
            return
        fields, leaves = list(self.field.parameters()), self.moves.leaves()
        gradients = torch.autograd.grad(loss, [*fields, *leaves], allow_unused=True)
        for gradient in gradients[len(fields) :]:
            self.moves.add(gradient)
        add_to_gradients(fields, gradients[: len(fields)])

    def _gradients_beside(self) -> list[Tensor]:
        return self.moves.pulls()

    def _move_beside(self, left_out: Tensor) -> None:
        share = schedules.learning_rate(self.progress, self.config.optimize) / self.config.optimize.learning_rate
        self.moves.move(share * self._pace(), left_out)

    def _pace(self) -> float:
        """The share of their rate at which vertices move now."""
        return 1.0
