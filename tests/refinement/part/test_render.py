"""Normals that turn with a part, against rotations; at rest the picture is that of the part's own renderer."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from mesh.shapes import icosphere
from paint.surfaces import part_of, unwrapped_ball
from reference.tiny_training import CPU

from dreamfusion_engine.config.stages import CameraConfig
from dreamfusion_engine.paint.canvas import Canvas, DeviceCanvas, canvas_of
from dreamfusion_engine.paint.part.render import Changing, PartRenderer, Table
from dreamfusion_engine.refinement.part.render import MovingPartRenderer, TurningNormals
from dreamfusion_engine.refinement.part.welded import WeldedPart, welded_part
from dreamfusion_engine.scene.cameras import turntable_cameras


def ball() -> Canvas:
    return canvas_of([part_of(unwrapped_ball(2))], None)


def whole(canvas: Canvas) -> WeldedPart:
    everything = np.ones(len(canvas.triangles), bool)
    return welded_part(canvas, np.ones(len(canvas.vertices), np.float32), everything, 0.0)


def turn() -> torch.Tensor:
    angle = torch.tensor(0.4)
    c, s = torch.cos(angle), torch.sin(angle)
    return torch.stack([torch.stack([c, -s, 0 * c]), torch.stack([s, c, 0 * c]), torch.tensor([0.0, 0.0, 1.0])])


def test_at_rest_every_normal_is_the_stored_one() -> None:
    part = whole(ball())
    now = TurningNormals(part, CPU).now(torch.from_numpy(part.places))
    np.testing.assert_allclose(now.numpy(), part.normals, atol=1e-6)


def test_a_turned_surface_has_turned_normals() -> None:
    part = whole(ball())
    now = TurningNormals(part, CPU).now(torch.from_numpy(part.places) @ turn().T)
    np.testing.assert_allclose(now.numpy(), part.normals @ turn().numpy().T, atol=2e-3)


def test_flat_faces_stay_flat_when_their_corners_move() -> None:
    vertices, triangles = icosphere(1)
    corners = vertices[triangles].astype(np.float64)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    split = corners.reshape(-1, 3), np.arange(3 * len(triangles), dtype=np.int32).reshape(-1, 3)
    uv = np.zeros((len(triangles), 3, 2), np.float32)
    canvas = canvas_of([part_of((*split, uv), normals=np.repeat(normal, 3, 0).astype(np.float32))], None)
    part = whole(canvas)
    places = part.places * np.array([1.0, 0.6, 1.3], np.float32)
    now = TurningNormals(part, CPU).now(torch.from_numpy(places)).numpy()[part.corners]
    shape = places[part.triangles].astype(np.float64)
    expected = np.cross(shape[:, 1] - shape[:, 0], shape[:, 2] - shape[:, 0])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(now, np.repeat(expected[:, None], 3, 1), atol=1e-5)


def test_what_may_not_turn_does_not() -> None:
    part = dataclasses.replace(whole(ball()), turns=np.zeros(66, bool))
    now = TurningNormals(part, CPU).now(torch.from_numpy(part.places) @ turn().T)
    np.testing.assert_array_equal(now.numpy(), part.normals)


def test_at_rest_the_picture_is_that_of_the_parts_own_renderer() -> None:
    canvas = ball()
    part = whole(canvas)
    numbers = [np.full((4, 4, width), value, np.float32) for width, value in ((3, 0.2), (1, 1.0))]
    own, weight = (Table.of([each], canvas.first, CPU) for each in numbers)
    changing = Changing(own=own, weight=weight, shown=Table.of([None], canvas.first, CPU))
    sent = DeviceCanvas.of(canvas, CPU)
    still = PartRenderer(sent, changing, 2)
    on_places = dataclasses.replace(
        sent, vertices=torch.from_numpy(part.places), triangles=torch.from_numpy(part.triangles)
    )
    moving = MovingPartRenderer(PartRenderer(on_places, changing, 2), part)
    cameras = turntable_cameras(2, elevation=0.3, config=CameraConfig(), device=CPU)
    grey = torch.full((3,), 0.5)
    light = cameras.position
    first = still.render(
        lambda points: points.abs(), cameras, 24, background=grey, shading="lambertian", light=light
    ).colour
    second = moving.render(
        lambda points, uv: points.abs(),
        torch.from_numpy(part.places),
        cameras,
        24,
        background=grey,
        shading="lambertian",
        light=light,
    ).pictures.colour
    opacity = still.render(lambda points: points, cameras, 24, background=grey).opacity
    inside = -torch.nn.functional.max_pool2d(-opacity[:, None], 3, 1, 1)[:, 0] == 1.0  # the outline is smoothed in one
    assert int(inside.sum()) > 100 and float((first - second).abs()[inside].max()) < 2e-3
