"""Pictures on a texture: the colours of what is seen, the old bits of what is not, nothing of the background."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from mesh.shapes import icosphere, joined
from numpy.typing import NDArray

from dreamfusion_engine.config.stages import CameraConfig
from dreamfusion_engine.mesh.bake import texel_owners
from dreamfusion_engine.mesh.projection import BEYOND, SQUARELY, texels_along, with_pictures
from dreamfusion_engine.mesh.surface.topology import vertex_normals
from dreamfusion_engine.mesh.textured import TexturedMesh
from dreamfusion_engine.mesh.uv.unwrap import unwrap
from dreamfusion_engine.scene.cameras import Cameras, camera_rays, mid_orbit_cameras

CPU = torch.device("cpu")
SIZE, PIXELS, RADIUS = 128, 160, 0.6
GREY = 100  # of the texture before
Floats = NDArray[np.float32]
RED, BLUE = (np.array(colour, np.float32) for colour in ((0.9, 0.1, 0.1), (0.1, 0.1, 0.9)))


def grey_mesh(vertices: NDArray[np.float64], triangles: NDArray[np.int32]) -> TexturedMesh:
    """A mesh with UVs and a grey texture."""
    return TexturedMesh(
        vertices=vertices.astype(np.float32),
        triangles=triangles,
        normals=vertex_normals(vertices, triangles).astype(np.float32),
        uv=unwrap(vertices, triangles, texture=SIZE, padding=2, seconds=60.0).uv,
        texture=np.full((SIZE, SIZE, 3), GREY, np.uint8),
    )


@pytest.fixture(scope="module")
def ball() -> TexturedMesh:
    """A ball of 512 triangles."""
    return grey_mesh(*icosphere(3, RADIUS))


def cameras_at(*azimuths_deg: float) -> Cameras:
    """Cameras on the horizon."""
    azimuth = torch.deg2rad(torch.tensor(azimuths_deg))
    return mid_orbit_cameras(azimuth, torch.zeros_like(azimuth), CameraConfig())


def picture_of_ball(camera: Cameras, radius: float, colour: Callable[[Floats], Floats]) -> Floats:
    """A picture float32[4, N, N], premultiplied, of a ball around the origin, by its equation."""
    origin, direction = (each.numpy() for each in camera_rays(camera, PIXELS, PIXELS))
    along = (origin * direction).sum(-1)
    room = along**2 - (origin**2).sum(-1) + radius**2
    hit = room > 0.0
    points = origin + (-along - np.sqrt(np.maximum(room, 0.0)))[:, None] * direction
    flat = np.concatenate([colour(points) * hit[:, None], hit[:, None]], 1).astype(np.float32)
    return np.ascontiguousarray(flat.T.reshape(4, PIXELS, PIXELS))


def plain(colour: Floats) -> Callable[[Floats], Floats]:
    return lambda points: np.broadcast_to(colour, points.shape)


def by_place(points: Floats) -> Floats:
    """A colour that tells each place."""
    return np.float32(0.5) + points * np.float32(0.4 / RADIUS)


def places(mesh: TexturedMesh) -> tuple[NDArray[np.bool_], Floats]:
    """The used texels, and the points that they show."""
    face, weights = texel_owners(mesh.uv, SIZE, CPU)
    used = face >= 0
    return used, np.einsum("kc,kci->ki", weights[used], mesh.vertices[mesh.triangles[face[used]]])


def cosines(camera: Cameras, points: Floats) -> Floats:
    """Between the view and the normal of a ball."""
    towards = camera.position[0].numpy() - points
    return (towards * points).sum(-1) / np.linalg.norm(towards, axis=1) / np.linalg.norm(points, axis=1)


def laid(mesh: TexturedMesh, cameras: Cameras, *pictures: Floats, strength: float = 1.0) -> NDArray[np.uint8]:
    return with_pictures(mesh, cameras, np.stack(pictures), strength=strength, padding=2, device=CPU).texture


def test_seen_texels_take_the_colour_of_their_place_and_unseen_ones_keep_their_bits(ball: TexturedMesh) -> None:
    camera = cameras_at(30.0)
    done = with_pictures(
        ball, camera, picture_of_ball(camera, RADIUS, by_place)[None], strength=1.0, padding=2, device=CPU
    )
    used, points = places(ball)
    cosine = cosines(camera, points)
    colours = done.texture[used] / 255.0
    squarely = cosine > SQUARELY[1] + 0.1  # the triangles are flat, the ball is not
    assert np.abs(colours - by_place(points))[squarely].max() < 0.03
    assert (done.texture[used][cosine < SQUARELY[0] - 0.1] == GREY).all()
    assert 0.2 < done.share < 0.4  # of a ball a camera sees less than a half
    half = laid(ball, camera, picture_of_ball(camera, RADIUS, by_place), strength=0.5)
    wanted = 0.5 * (by_place(points) + GREY / 255.0)
    assert np.abs(half[used] / 255.0 - wanted)[squarely].max() < 0.03


def test_what_is_not_used_and_not_beside_a_new_colour_keeps_its_bits(ball: TexturedMesh) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8)
    noisy, camera = replace(ball, texture=noise), cameras_at(0.0)
    nothing = np.zeros((4, PIXELS, PIXELS), np.float32)
    assert (laid(noisy, camera, nothing) == noise).all()
    assert (laid(noisy, camera, picture_of_ball(camera, RADIUS, plain(RED)), strength=0.0) == noise).all()
    made = laid(noisy, camera, picture_of_ball(camera, RADIUS, plain(RED)))
    used, points = places(ball)
    behind = np.zeros((SIZE, SIZE), bool)
    behind[used] = cosines(camera, points) < 0.0
    assert (made[behind] == noise[behind]).all() and (made != noise).any()


def test_nothing_of_the_background_comes_onto_the_object(ball: TexturedMesh) -> None:
    """The picture's rim is half a green background, and the ball is a little larger than in the picture."""
    camera = cameras_at(0.0)
    inner, outer = (picture_of_ball(camera, radius * RADIUS, plain(RED)) for radius in (0.95, 0.97))
    rim = outer[3] - inner[3]
    picture = inner + rim * np.array([0.05, 0.5, 0.05, 0.6], np.float32)[:, None, None]
    picture[:3] += (1.0 - outer[3]) * np.array([0.0, 1.0, 0.0], np.float32)[:, None, None]
    made = laid(ball, camera, picture)
    used, points = places(ball)
    assert made[used][:, 1].max() <= GREY
    seen = cosines(camera, points) > 0.6
    assert np.abs(made[used][seen] / 255.0 - RED).max() < 0.02


def test_the_mask_is_respected(ball: TexturedMesh) -> None:
    """Of a picture of half the size only the middle of the ball takes colours."""
    camera = cameras_at(0.0)
    made = laid(ball, camera, picture_of_ball(camera, 0.5 * RADIUS, plain(RED)))
    used, points = places(ball)
    height = float(camera.position.norm() / camera.focal)
    across = np.hypot(points[:, 0], points[:, 2])
    front = points[:, 1] < 0.0
    far = across > 0.5 * RADIUS * 1.1 + BEYOND[1] * height
    assert (made[used][front & far] == GREY).all() and far[front].mean() > 0.2
    assert np.abs(made[used][front & (across < 0.4 * RADIUS)] / 255.0 - RED).max() < 0.02


def test_two_pictures_meet_without_a_step(ball: TexturedMesh) -> None:
    cameras = cameras_at(0.0, 90.0)
    made = laid(
        ball, cameras, *(picture_of_ball(cameras.rows(slice(i, i + 1)), RADIUS, plain((RED, BLUE)[i])) for i in (0, 1))
    )
    used, points = places(ball)
    near, colours = np.abs(points[:, 2]) < 0.1, made[used] / 255.0
    azimuth = np.degrees(np.arctan2(points[:, 0], -points[:, 1]))
    for middle, wanted in ((10.0, RED), (80.0, BLUE), (45.0, 0.5 * (RED + BLUE))):
        assert np.abs(colours[near & (np.abs(azimuth - middle) < 2.0)] - wanted).max() < 0.12, middle
    order = np.argsort(azimuth[near])
    steps = np.abs(np.diff(colours[near][order], axis=0)).max(1) / np.maximum(1.0, np.diff(azimuth[near][order]))
    assert steps[(azimuth[near][order][1:] > 5.0) & (azimuth[near][order][1:] < 85.0)].max() < 0.15
    assert (made[used][near & (np.abs(azimuth + 135.0) < 20.0)] == GREY).all()


def test_what_stands_before_another_thing_hides_it_and_keeps_its_colours_to_itself() -> None:
    big, small = icosphere(3, RADIUS), icosphere(2, 0.2)
    mesh = grey_mesh(*joined(big, (small[0] + np.array([0.0, -1.0, 0.0]), small[1])))
    camera = cameras_at(0.0)
    shadow = 0.2 * (float(camera.position.norm()) - RADIUS) / (float(camera.position.norm()) - 1.0)
    wide = picture_of_ball(camera, RADIUS, plain(RED))
    spot = picture_of_ball(camera, 0.2, plain(BLUE))  # smaller in the picture than the small ball of the mesh
    made = laid(mesh, camera, wide * (1.0 - spot[3]) + spot)
    used, points = places(mesh)
    behind = (np.linalg.norm(points, axis=1) < RADIUS + 0.01) & (points[:, 1] < 0.0)
    hidden = behind & (np.hypot(points[:, 0], points[:, 2]) < 0.7 * shadow)
    assert hidden.sum() > 20 and (made[used][hidden] == GREY).all()
    assert made[used][behind][:, 2].max() <= GREY, "nothing of the blue ball lies on the red one"
    assert (np.abs(made[used][~behind] / 255.0 - BLUE).max(1) < 0.02).sum() > 20


def test_texels_along_a_picture_follow_from_areas(ball: TexturedMesh) -> None:
    camera = cameras_at(0.0)
    used, _ = places(ball)
    height = float(camera.position.norm() / camera.focal)
    wanted = height * math.sqrt(used.sum() / (4.0 * math.pi * RADIUS**2))
    assert texels_along(ball, camera) == pytest.approx(wanted, rel=0.15)  # texels on the rims of charts count here
