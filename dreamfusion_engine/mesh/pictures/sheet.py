"""The pictures for a first look: views.png, eight sides at once, and turntable.mp4, a turn around the object."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from dreamfusion_engine.config.stages import CameraConfig
from dreamfusion_engine.machine.atomic_file import write_whole
from dreamfusion_engine.mesh.arrays import Floats
from dreamfusion_engine.mesh.pictures.render import Scene, Views, over, render_mesh, scene_of
from dreamfusion_engine.mesh.pictures.video import encode_video
from dreamfusion_engine.mesh.textured import TexturedMesh, framed
from dreamfusion_engine.scene.cameras import Cameras, orbit_cameras

VIEWS = 8
VIEW_PIXELS = 256
ELEVATION = math.radians(18.0)  # enough to see the top, not so much that the sides are foreshortened
MARGIN = 1.06  # the object's ball fills the picture but for this
FRAMES = 60
FRAME_PIXELS = 320
BATCH = 10  # frames rendered at once
STUDIO = (0.80, 0.62)  # sRGB grey of the background's top and bottom: white and dark objects both stand out


def portrait_cameras(count: int, config: CameraConfig) -> Cameras:
    """Return `count` cameras around the unit ball at the origin, from the front on, that just hold it in view.

    count: int.
    config: CameraConfig, whose middle field of view they have.
    """
    fov = math.radians(0.5 * (config.fov_deg[0] + config.fov_deg[1]))
    one = torch.ones(count)
    azimuth = torch.arange(count, dtype=torch.float32) * (2.0 * math.pi / count)
    return orbit_cameras(azimuth, ELEVATION * one, MARGIN / math.sin(0.5 * fov) * one, fov * one)


def studio_background(height: int) -> Floats:
    """Return a soft neutral gradient, sRGB, float32[height, 1, 3]: light above, darker below."""
    down = np.linspace(0.0, 1.0, height, dtype=np.float32)
    eased = down * down * (3.0 - 2.0 * down)
    grey = STUDIO[0] + (STUDIO[1] - STUDIO[0]) * eased
    return (grey[:, None, None] * np.array([0.985, 0.995, 1.0], np.float32)).astype(np.float32)


def portrait_scene(mesh: TexturedMesh, device: torch.device | str = "cpu") -> Scene:
    """Return a mesh as the pictures of this module show it. Making it takes longer than some pictures: make it once.

    mesh: TexturedMesh.
    device: to compute on.
    """
    return scene_of(framed(mesh), torch.device(device))


def write_views(scene: Scene, path: Path, config: CameraConfig) -> None:
    """Write views.png: eight views in colour, and below them the same ones textureless.

    scene: Scene, from `portrait_scene`.
    path: Path of the file.
    config: CameraConfig.
    Raises OSError.
    """
    views = render_mesh(scene, portrait_cameras(VIEWS, config), VIEW_PIXELS, VIEW_PIXELS, grid=3)
    colour, clay, _ = studio_pictures(views)
    sheet = np.concatenate([np.concatenate(list(row), axis=1) for row in (colour, clay)])
    write_whole(path, Image.fromarray(sheet).save)


def write_turntable(
    scene: Scene,
    path: Path,
    config: CameraConfig,
    advance: Callable[[float], None] = lambda share: None,
) -> None:
    """Write turntable.mp4: 360 degrees, colour beside normals, H.264.

    scene: Scene, from `portrait_scene`.
    path: Path of the file.
    config: CameraConfig.
    advance: told the share done, in [0, 1].
    Raises OSError where the file cannot be written, SetupError where the video encoder does not work.
    """
    cameras = portrait_cameras(FRAMES, config)

    def frames() -> Iterator[NDArray[np.uint8]]:
        for start in range(0, FRAMES, BATCH):
            advance(start / FRAMES)
            views = render_mesh(scene, part_of(cameras, start, start + BATCH), FRAME_PIXELS, FRAME_PIXELS, grid=2)
            colour, _, normal = studio_pictures(views)
            yield from np.concatenate([colour, normal], axis=2)

    write_whole(path, lambda temporary: encode_video(frames(), temporary, (2 * FRAME_PIXELS, FRAME_PIXELS)))
    advance(1.0)


def part_of(cameras: Cameras, start: int, end: int) -> Cameras:
    """Return cameras start to end - 1.

    cameras: Cameras.
    start, end: int.
    """
    names = ("position", "rotation", "focal", "azimuth", "elevation")
    return Cameras(**{name: getattr(cameras, name)[start:end] for name in names})


def studio_pictures(views: Views) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Return lit colour, clay and normals of every view on the studio background: uint8[B, H, W, 3] each."""
    background = studio_background(views.coverage.shape[1])
    clay = np.repeat(views.clay[..., None], 3, axis=-1)
    pictures = [over(layer, views.coverage, background) for layer in (views.lit, clay, views.normal)]
    colour, grey, normal = (np.rint(np.clip(p, 0.0, 1.0) * 255.0).astype(np.uint8) for p in pictures)
    return colour, grey, normal
