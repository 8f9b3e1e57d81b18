"""The training of a sphere: render its surface, ask the CLIP, move control vertices and maps."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from dreamfusion_engine.clip_mesh.render import Looks, SphereRenderer
from dreamfusion_engine.clip_mesh.sphere import Sphere, SpherePlan, rate_share, roughness_weight
from dreamfusion_engine.clip_mesh.views import sample_sphere_views
from dreamfusion_engine.config.stages import GenerateConfig, Shading
from dreamfusion_engine.guidance.guidance import Guidance
from dreamfusion_engine.machine.processes import ALONE, Processes
from dreamfusion_engine.mesh.arrays import Floats
from dreamfusion_engine.optimize.step_graphs import StepGraphs
from dreamfusion_engine.optimize.step_part import add_to_gradients, score_loss
from dreamfusion_engine.optimize.step_views import StepViews
from dreamfusion_engine.optimize.training import InputsOf, Training
from dreamfusion_engine.render.renderer import Rendering
from dreamfusion_engine.scene.cameras import Cameras

FILLS = 0.6  # of the half height of a picture that is only looked at: the furthest vertex from the object's middle


class ClipMeshTraining(Training):
    """One optimization of a sphere's control vertices and maps.

    config, seed, device, processes, graphs: as for `Training`; nothing is recorded.
    plan: attribute, SpherePlan.
    """

    field: Sphere
    _moments = ((0.9, 0.999), 1e-8)  # torch's own, as in CLIP-Mesh

    def __init__(
        self,
        config: GenerateConfig,
        *,
        seed: int,
        device: torch.device,
        processes: Processes = ALONE,
        graphs: StepGraphs | None = None,
    ) -> None:
        self.plan = SpherePlan(config.sphere, config.sphere.limit)
        super().__init__(config, seed=seed, device=device, processes=processes)
        self.renderer = SphereRenderer(self.plan, device)

    def looks(self) -> Looks:
        """Return the surface and its maps as they are now, with gradients to the parameters."""
        return Looks(vertices=self.field.surface(), colours=self.field.colours(), normals=self.field.normals())

    @torch.no_grad()
    def frame(self) -> tuple[Floats, float]:
        """Return the middle of the object's box, float32[3], and the scale at which `view` shows it.

        In training it may be of any size and anywhere; where it is only looked at, it fills the picture.
        """
        vertices = self.field.surface()
        middle = 0.5 * (vertices.amin(0) + vertices.amax(0))
        radius = float((vertices - middle).norm(dim=-1).max())
        camera = self.config.camera
        distance, fov = (0.5 * (low + high) for low, high in (camera.distance, camera.fov_deg))
        return middle.cpu().numpy(), FILLS * distance * float(np.tan(np.deg2rad(0.5 * fov))) / max(radius, 1e-6)

    @torch.no_grad()
    def view(self, cameras: Cameras, size: int, *, background: float = 1.0, shading: Shading = "albedo") -> Rendering:
        """Return pictures [B, size, size, ...] of the object brought to the middle by `frame`, lit from each camera.

        cameras, size, background, shading: as for `Training.view`.
        """
        looks = self.looks()
        middle, scale = self.frame()
        there = torch.from_numpy(middle).to(self.device)
        return self.renderer.render(
            Looks(vertices=scale * (looks.vertices - there), colours=looks.colours, normals=looks.normals),
            cameras,
            size,
            background=torch.full((3,), background, device=self.device),
            light=cameras.position,
            shading=shading,
        )

    def _new_field(self) -> nn.Module:
        return Sphere(self.config.sphere, self.plan, seed=self._own_seed, device=self.device)

    def _bring_to(self, progress: float) -> None:
        self._set_rate(self.config.optimize.learning_rate * rate_share(progress))

    def _choose_shading(self, progress: float) -> Shading:
        return "lambertian"

    def _sample_views(self, total: int, size: int) -> StepViews:
        return sample_sphere_views(self.config, total, self.host_generator)

    def _begin_step(self, progress: float) -> None:
        """Make what all parts of the step show, once; the parts' gradients are kept with it until the last one."""
        self._made = self.looks()
        made = (self._made.vertices, self._made.colours, self._made.normals)
        self._shown = tuple(each.detach().requires_grad_(True) for each in made)
        self._pulls = [torch.zeros_like(each) for each in self._shown]

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
        views, (vertices, colours, normals) = inputs.views, self._shown
        settings = self.config
        grey = None
        if self.progress < settings.sphere.plain:
            # Of all views of this process the later half, whatever the parts are.
            number = torch.arange(first, first + count, device=self.device)
            grey = number >= settings.optimize.views // 2
        seen = self.renderer.render(
            Looks(vertices=vertices, colours=colours, normals=normals),
            views.cameras,
            size,
            background=views.background,
            light=views.light,
            shading=shading,
            grey=grey,
        )
        loss = inputs.weights.share * score_loss(seen, inputs, distillation, size)
        gradients = torch.autograd.grad(loss, self._shown, allow_unused=True)
        for pull, gradient in zip(self._pulls, gradients, strict=True):
            if gradient is not None:
                pull += gradient

    def _add_own_gradients(self, progress: float, score_size: float) -> None:
        """Bring the views' gradients to the parameters, and the roughness's, of which every process has its share."""
        weight = roughness_weight(progress, self.config.sphere) / self.processes.count
        made = self._made
        parameters = list(self.field.parameters())
        gradients = torch.autograd.grad(
            [made.vertices, made.colours, made.normals, self.field.roughness()],
            parameters,
            [*self._pulls, torch.tensor(weight, device=self.device)],
        )
        add_to_gradients(parameters, gradients)

    def _move_beside(self, left_out: Tensor) -> None:
        self.field.clamp()
