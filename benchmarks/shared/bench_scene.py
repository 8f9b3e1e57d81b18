"""The scenes of the benchmarks: two fields, the rays of some views, and the same field in plain torch.

'blob' is the field as a run starts. 'solid' is a ball of radius 0.8 with opaque walls, as full as finished objects are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from twins import torch_field, torch_render

from dreamfusion_engine.config.stages import CameraConfig, FieldConfig, RenderConfig
from dreamfusion_engine.field.occupancy import OccupancyGrid
from dreamfusion_engine.field.radiance import RadianceField
from dreamfusion_engine.render.composite import composite
from dreamfusion_engine.render.march import Samples, march
from dreamfusion_engine.render.renderer import Field
from dreamfusion_engine.scene.cameras import Cameras, camera_rays, sample_cameras
from dreamfusion_engine.scene.light import sample_lights

FIELDS = {"blob": FieldConfig(), "solid": FieldConfig(blob_density=60.0, blob_radius=0.8)}
_UPDATES = 8  # of the occupancy; after its first full ones, so that empty cells are skipped

March = Callable[..., Samples]
Composite = Callable[[Tensor, Tensor, Samples], tuple[Tensor, Tensor, Tensor]]


@dataclass(frozen=True, kw_only=True)
class Side:
    """One way of computing.

    field: gives densities and colours.
    march: finds the samples of rays.
    composite: adds up the samples of each ray.
    """

    field: Field
    march: March
    composite: Composite


@dataclass(frozen=True, kw_only=True)
class BenchScene:
    """A field seen by some cameras, with R rays.

    rays: origins and directions, float32[R, 3] each.
    light: float32[R, 3], position of each ray's light.
    jitter: float32[R], in [0, 1).
    sides: 'ours' and 'torch', on the same parameters.
    """

    name: str
    field: RadianceField
    occupancy: OccupancyGrid
    config: RenderConfig
    cameras: Cameras
    rays: tuple[Tensor, Tensor]
    light: Tensor
    jitter: Tensor
    sides: dict[str, Side]

    def marched(self, side: Side) -> Samples:
        """The samples of all rays, by one side."""
        return side.march(
            *self.rays,
            self.occupancy.occupied,
            step=2.0 / self.config.steps,
            jitter=self.jitter,
            max_samples=self.config.max_samples_per_ray,
        )


def bench_scene(
    name: str, *, resolution: int, views: int, device: torch.device, config: RenderConfig | None = None
) -> BenchScene:
    """A scene in random views. The same arguments give the same scene.

    name: str, 'blob' or 'solid'.
    resolution: int, pixels along a side of each view.
    views: int, their number.
    device: where the tensors lie.
    config: settings of the renderer; None for the default.
    """
    config = config or RenderConfig()
    generator = torch.Generator(device).manual_seed(0)
    field = RadianceField(FIELDS[name], seed=0, device=device)
    occupancy = OccupancyGrid(config, device)
    for _ in range(_UPDATES):
        occupancy.update(field.density, generator)
    cameras = sample_cameras(views, CameraConfig(), generator)
    rays = camera_rays(cameras, resolution, resolution)
    return BenchScene(
        name=name,
        field=field,
        occupancy=occupancy,
        config=config,
        cameras=cameras,
        rays=rays,
        light=sample_lights(cameras.position, generator).repeat_interleave(resolution * resolution, 0),
        jitter=torch.rand(len(rays[0]), generator=generator, device=device),
        sides={
            "ours": Side(field=field, march=march, composite=composite),
            "torch": Side(
                field=torch_field.TorchField(field), march=torch_render.march, composite=torch_render.composite
            ),
        },
    )
