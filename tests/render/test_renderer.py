from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from twins import torch_render
from twins.torch_field import TorchField

from dreamfusion_engine.config.stages import CameraConfig, FieldConfig, RenderConfig, Shading
from dreamfusion_engine.field.occupancy import OccupancyGrid
from dreamfusion_engine.field.radiance import RadianceField
from dreamfusion_engine.render import renderer
from dreamfusion_engine.render.renderer import Rendering, render, render_image, surface_of
from dreamfusion_engine.scene.cameras import camera_rays, sample_cameras, turntable_cameras
from dreamfusion_engine.scene.light import sample_lights

CPU = torch.device("cpu")
CONFIG = RenderConfig(steps=64, occupancy_resolution=16)
EVERYWHERE = torch.ones(16**3, dtype=torch.uint8)
GREY = torch.full((3,), 0.5)


class Ball:
    """A ball of constant density and an albedo that varies over space; density falls off linearly over `edge`."""

    def __init__(self, radius: float = 0.6, density: float = 200.0, edge: float = 1e-6) -> None:
        self.radius, self.value, self.edge = radius, density, edge

    def density(self, points: Tensor) -> Tensor:
        return self.value * ((self.radius - points.norm(dim=-1)) / self.edge + 0.5).clamp(0.0, 1.0)

    def __call__(self, points: Tensor) -> tuple[Tensor, Tensor]:
        return self.density(points), 0.5 + 0.4 * torch.sin(5.0 * points)


def front_rays(size: int = 24) -> tuple[Tensor, Tensor]:
    return camera_rays(turntable_cameras(1, elevation=0.0, config=CameraConfig(), device=CPU), size, size)


def lived_in(seed: int = 0) -> RadianceField:
    config = FieldConfig(levels=4, log2_table=10, base_resolution=4, finest_resolution=32, hidden=16)
    field = RadianceField(config, seed=seed)
    with torch.no_grad():
        field.grid.table.mul_(1e3)
    return field


@pytest.mark.parametrize("shading", ["albedo", "lambertian", "textureless"])
def test_the_whole_renderer_agrees_with_plain_torch_in_picture_and_gradients(shading: Shading) -> None:
    field = lived_in()
    origins, directions = front_rays()
    light = torch.tensor([2.0, -3.0, 2.0])
    jitter = torch.rand(len(origins), generator=torch.Generator().manual_seed(3))
    ours = render(
        field,
        origins,
        directions,
        EVERYWHERE,
        CONFIG,
        background=GREY,
        shading=shading,
        light=light,
        normals=True,
        jitter=jitter,
    )
    theirs = torch_render.render(
        TorchField(field),
        origins,
        directions,
        EVERYWHERE,
        CONFIG,
        background=GREY,
        shading=shading,
        light=light,
        jitter=jitter,
    )
    assert ours.samples == theirs.samples
    assert ours.normal is not None
    assert theirs.normal is not None
    torch.testing.assert_close(ours.colour, theirs.colour, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(ours.opacity, theirs.opacity, rtol=1e-3, atol=2e-4)
    torch.testing.assert_close(ours.normal, theirs.normal, rtol=1e-2, atol=1e-2)

    def loss(rendering: Rendering) -> Tensor:
        assert rendering.orientation is not None
        return rendering.colour.square().sum() + rendering.opacity.sum() + rendering.orientation.sum()

    parameters = list(field.parameters())
    for a, b in zip(
        torch.autograd.grad(loss(ours), parameters), torch.autograd.grad(loss(theirs), parameters), strict=True
    ):
        assert float((a - b).norm() / b.norm()) < 5e-3


def test_a_homogeneous_ball_stops_light_along_its_chord() -> None:
    field = Ball(radius=0.6, density=1.5)
    config = RenderConfig(steps=1000, occupancy_resolution=16, max_samples_per_ray=4000)
    origins = torch.tensor([[x, -3.0, 0.0] for x in (0.0, 0.3, 0.5, 0.59)])
    directions = torch.tensor([[0.0, 1.0, 0.0]]).expand(4, 3)
    found = render(field, origins, directions, EVERYWHERE, config, background=GREY).opacity
    chord = 2.0 * torch.sqrt(0.36 - origins[:, 0] ** 2)
    torch.testing.assert_close(found, 1.0 - torch.exp(-1.5 * chord), rtol=0.0, atol=3e-3)


def test_skipping_empty_space_gives_the_very_same_picture() -> None:
    field = Ball()
    grid = OccupancyGrid(CONFIG)
    cells = (grid.cell_corners(torch.arange(16**3)) + 0.5) / 8.0 - 1.0
    near = (cells.norm(dim=-1) < 0.6 + 3.0**0.5 / 16.0).to(torch.uint8)
    origins, directions = front_rays()
    views = [
        render(
            field,
            origins,
            directions,
            occupied,
            CONFIG,
            background=GREY,
            jitter=torch.rand(len(origins), generator=torch.Generator().manual_seed(0)),
        )
        for occupied in (EVERYWHERE, near)
    ]
    assert views[1].samples < 0.5 * views[0].samples
    assert torch.equal(views[0].colour, views[1].colour)
    assert torch.equal(views[0].depth, views[1].depth)


def test_a_solid_ball_is_seen_where_its_surface_is() -> None:
    config = RenderConfig(steps=256, occupancy_resolution=16, max_samples_per_ray=600)
    origins, directions = torch.tensor([[0.3, -3.0, 0.2]]), torch.tensor([[0.0, 1.0, 0.0]])
    found = render(Ball(), origins, directions, EVERYWHERE, config, background=GREY)
    assert float(found.depth) == pytest.approx(3.0 - math.sqrt(0.36 - 0.09 - 0.04), abs=0.02)
    assert float(found.opacity) == pytest.approx(1.0, abs=1e-3)


def test_normals_of_a_seen_ball_are_radial_and_face_the_camera() -> None:
    origins, directions = front_rays(48)
    found = render(Ball(edge=0.2), origins, directions, EVERYWHERE, CONFIG, background=GREY, normals=True)
    assert found.normal is not None
    assert found.orientation is not None
    solid = found.opacity > 0.999
    radial = torch.nn.functional.normalize(origins + found.depth[:, None] * directions, dim=-1)
    assert int(solid.sum()) > 300
    assert ((found.normal * radial).sum(-1)[solid] > 0.99).all()
    assert (found.orientation[solid] < 0.02).all()
    assert (found.normal[found.opacity == 0.0] == 0.0).all()


def test_the_surface_point_is_held_fixed() -> None:
    origins, directions = front_rays(4)
    opacity = torch.ones(16, requires_grad=True)
    depth = torch.full((16,), 2.6, requires_grad=True)
    found = surface_of(Ball(edge=0.2), origins, directions, opacity, depth, 0.03)
    assert not found.point.requires_grad
    assert not found.normal.requires_grad
    assert not found.orientation.requires_grad


def test_the_side_towards_the_light_is_the_bright_one() -> None:
    origins, directions = front_rays(32)
    found = render(
        Ball(edge=0.2),
        origins,
        directions,
        EVERYWHERE,
        CONFIG,
        background=torch.zeros(3),
        shading="textureless",
        light=torch.tensor([4.0, -1.0, 0.0]),
    )
    picture = found.colour.view(32, 32, 3)
    assert float(picture[:, 16:].mean()) > 2.0 * float(picture[:, :16].mean())  # +X is right, seen from the front
    assert float(picture[8:24, 20:24].max()) <= 1.0


def test_textureless_pictures_do_not_know_the_albedo() -> None:
    field = lived_in()
    origins, directions = front_rays()
    found = render(
        field,
        origins,
        directions,
        EVERYWHERE,
        CONFIG,
        background=GREY,
        shading="textureless",
        light=torch.tensor([0.0, -3.0, 3.0]),
    )
    found.colour.square().sum().backward()
    assert field.out.weight.grad is not None
    assert (field.out.weight.grad[1:] == 0.0).all()
    assert (field.out.weight.grad[0] != 0.0).any()


def test_lit_pictures_are_the_albedo_times_the_light() -> None:
    field, (origins, directions) = Ball(edge=0.2), front_rays()
    light = torch.tensor([1.0, -3.0, 3.0])
    albedo, lit, clay = (
        render(
            field, origins, directions, EVERYWHERE, CONFIG, background=torch.zeros(3), shading=shading, light=light
        ).colour
        for shading in ("albedo", "lambertian", "textureless")
    )
    opacity = render(field, origins, directions, EVERYWHERE, CONFIG, background=torch.zeros(3)).opacity
    torch.testing.assert_close(lit * opacity[:, None], albedo * clay, rtol=1e-4, atol=1e-5)


def test_an_empty_scene_is_the_background_and_trains_without_complaint() -> None:
    field = lived_in()
    origins, directions = front_rays(8)
    background = torch.rand(64, 3)
    found = render(
        field, origins, directions, EVERYWHERE * 0, CONFIG, background=background, shading="lambertian", light=GREY
    )
    assert found.samples == 0
    assert torch.equal(found.colour, background)
    (found.colour.sum() + found.opacity.sum()).backward()
    assert all(p.grad is None or (p.grad == 0.0).all() for p in field.parameters())


def test_a_lit_picture_without_a_light_is_refused() -> None:
    origins, directions = front_rays(4)
    with pytest.raises(ValueError, match="light"):
        render(Ball(), origins, directions, EVERYWHERE, CONFIG, background=GREY, shading="lambertian")


def test_an_image_is_its_rays_in_any_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    field = lived_in()
    cameras = turntable_cameras(2, elevation=0.3, config=CameraConfig(), device=CPU)
    origins, directions = camera_rays(cameras, 8, 10)
    light = cameras.position.repeat_interleave(80, 0)
    background = torch.rand(160, 3)
    whole = render(
        field, origins, directions, EVERYWHERE, CONFIG, background=background, shading="lambertian", light=light
    )
    monkeypatch.setattr(renderer, "CHUNK_RAYS", 37)
    image = render_image(
        field,
        origins,
        directions,
        EVERYWHERE,
        CONFIG,
        height=8,
        width=10,
        background=background,
        shading="lambertian",
        light=light,
    )
    assert image.colour.shape == (2, 8, 10, 3)
    assert image.opacity.shape == (2, 8, 10)
    assert image.normal is not None
    assert not image.colour.requires_grad
    torch.testing.assert_close(image.colour.view(-1, 3), whole.colour)
    torch.testing.assert_close(image.depth.view(-1), whole.depth)
    assert image.samples == whole.samples


def test_room_for_samples_changes_neither_the_picture_nor_the_gradients() -> None:
    field = lived_in()
    origins, directions = front_rays(16)
    light = torch.tensor([2.0, -3.0, 2.0])
    found = []
    for rows in (None, 30_000):
        seen = render(
            field,
            origins,
            directions,
            EVERYWHERE,
            CONFIG,
            background=GREY,
            shading="lambertian",
            light=light,
            rows=rows,
        )
        loss = seen.colour.square().sum() + seen.opacity.sum() + seen.depth.sum()
        found.append((seen, torch.autograd.grad(loss, list(field.parameters()))))
    (exact, expected), (roomy, gradients) = found
    assert exact.samples < roomy.samples == 30_000
    assert roomy.wanted is not None and int(roomy.wanted) == exact.samples
    assert torch.equal(roomy.colour, exact.colour)
    for one, other in zip(gradients, expected, strict=True):
        assert float((one - other).norm()) <= 1e-5 * float(other.norm()), "sums over more rows, in another order"


def test_training_gives_the_same_bits_on_any_number_of_threads(set_threads: Callable[[int], None]) -> None:
    results = []
    for threads in (1, 2):
        set_threads(threads)
        generator = torch.Generator().manual_seed(0)
        field = RadianceField(FieldConfig(), seed=0)
        grid = OccupancyGrid(RenderConfig())
        adam = torch.optim.Adam(field.parameters(), lr=1e-2, fused=True)
        for step in range(3):
            field.open_levels(0.3 * step)
            grid.update(field.density, generator)
            cameras = sample_cameras(2, CameraConfig(), generator)
            light = sample_lights(cameras.position, generator).repeat_interleave(24 * 24, 0)
            found = render(
                field,
                *camera_rays(cameras, 24, 24),
                grid.occupied,
                RenderConfig(),
                background=torch.rand(3, generator=generator),
                shading="lambertian",
                light=light,
                jitter=torch.rand(2 * 24 * 24, generator=generator),
            )
            assert found.orientation is not None
            (found.colour.square().mean() + found.orientation.mean()).backward()
            adam.step()
            adam.zero_grad()
        results.append(torch.cat([p.detach().flatten() for p in field.parameters()]))
    assert torch.equal(*results)


@pytest.mark.cuda
def test_cuda_agrees_with_the_cpu() -> None:
    origins, directions = front_rays()
    light = torch.tensor([1.0, -3.0, 3.0])
    pictures = [
        render(
            lived_in().to(device),
            origins.to(device),
            directions.to(device),
            EVERYWHERE.to(device),
            CONFIG,
            background=GREY.to(device),
            shading="lambertian",
            light=light.to(device),
        ).colour.cpu()
        for device in ("cpu", "cuda")
    ]
    torch.testing.assert_close(*pictures, rtol=1e-3, atol=1e-3)


def test_normals_asked_everywhere_are_the_normals_asked_where_they_are_wanted() -> None:
    """The CPU asks only where there is a surface, a GPU everywhere."""
    field = RadianceField(FieldConfig(), seed=0)
    point = 0.9 * torch.rand(200, 3, generator=torch.Generator().manual_seed(2)) - 0.4
    wanted = torch.arange(200) % 3 > 0
    point[~wanted] = 1e30  # what is behind a ray that meets nothing
    some, everywhere = (
        renderer_normals(field, point, wanted, 0.05)
        for renderer_normals in (renderer.normals_of_some, renderer.normals_of_all)
    )
    torch.testing.assert_close(everywhere, some, rtol=1e-5, atol=1e-6)
    assert (everywhere[~wanted] == 0.0).all()
    for normals in (some, everywhere):
        (gradient,) = torch.autograd.grad(normals.square().sum() + normals.sum(), field.grid.table)
        assert torch.isfinite(gradient).all() and gradient.abs().sum() > 0.0
