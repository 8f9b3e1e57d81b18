"""The training of colours on a canvas: render it, ask the diffusion model, move the colours. The shape stays."""

from __future__ import annotations

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import GenerateConfig, Shading
from dreamfusion_engine.field.radiance import RadianceField
from dreamfusion_engine.guidance.guidance import Guidance
from dreamfusion_engine.machine.processes import ALONE, Processes
from dreamfusion_engine.optimize.step_graphs import StepGraphs
from dreamfusion_engine.optimize.step_part import add_to_gradients, score_loss
from dreamfusion_engine.optimize.training import InputsOf, Training
from dreamfusion_engine.paint.render import SurfaceRenderer
from dreamfusion_engine.render.renderer import Rendering
from dreamfusion_engine.scene.cameras import Cameras


class SurfaceTraining(Training):
    """One optimization of colours on a surface: the field's albedo at the surface's points.

    renderer: SurfaceRenderer of the canvas.
    config, seed, device, processes, graphs: as for `Training`; nothing is recorded.
    """

    field: RadianceField

    def __init__(
        self,
        renderer: SurfaceRenderer,
        config: GenerateConfig,
        *,
        seed: int,
        device: torch.device,
        processes: Processes = ALONE,
        graphs: StepGraphs | None = None,
    ) -> None:
        super().__init__(config, seed=seed, device=device, processes=processes)
        self.renderer = renderer

    def colours(self, points: Tensor) -> Tensor:
        """Return the colours at points, sRGB in [0, 1], float32[N, 3], with gradients to the field.

        points: float32[N, 3], world units.
        """
        albedo: Tensor = self.field(points)[1]
        return albedo

    @torch.no_grad()
    def view(self, cameras: Cameras, size: int, *, background: float = 1.0, shading: Shading = "albedo") -> Rendering:
        """Return pictures [B, size, size, ...] of the current state, lit from each camera, over a grey level.

        They have one sample a pixel, because they are only looked at.

        cameras, size, background, shading: as for `Training.view`.
        """
        return self.renderer.render(
            self.colours,
            cameras,
            size,
            background=torch.full((3,), background, device=self.device),
            shading=shading,
            light=cameras.position,
            grid=1,
        )

    def _choose_shading(self, progress: float) -> Shading:
        """Without textureless views: they say nothing of colours."""
        shading = super()._choose_shading(progress)
        return "lambertian" if shading == "textureless" else shading

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
            self.colours, views.cameras, size, background=views.background, shading=shading, light=views.light
        )
        loss = score_loss(seen, inputs, distillation, size)
        parameters = list(self.field.parameters())
        gradients = torch.autograd.grad(inputs.weights.share * loss, parameters, allow_unused=True)
        add_to_gradients(parameters, gradients)
