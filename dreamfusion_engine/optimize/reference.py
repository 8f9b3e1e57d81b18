"""Hold a radiance field to pictures, from the cameras that took them.

V pictures, S pixels along the side of a render, R = S * S rays.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.field.occupancy import OccupancyGrid
from dreamfusion_engine.field.radiance import RadianceField
from dreamfusion_engine.optimize import losses
from dreamfusion_engine.optimize.schedules import linear_ramp
from dreamfusion_engine.render.renderer import Rendering, render
from dreamfusion_engine.scene.background import random_backgrounds
from dreamfusion_engine.scene.cameras import Cameras, camera_rays

FIT_PIXELS = 96  # along a render by which the size of the pictures is fitted


class Places(Protocol):
    """Where pictures lie in their views, V rows of three numbers, and what the views are then."""

    def fitted(self, opacity: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the rows that fit renders of the opacity, float32[V, S, S]."""

    def views(self, rows: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the views, float32[V, 4, N, N], premultiplied."""


class References:
    """The wish that a field looks like given pictures where they were taken.

    Each step compares one picture, in turn. Its rays lie on a square lattice that is moved at random by parts of a
    pixel, so that the whole picture counts, however few rays there are.

    The first steps are the prompt's alone. What has come of them says at which size and place the pictures count.

    cameras: Cameras, V of them.
    pictures: float32[V, 4, N, N], colours in sRGB times alpha, and alpha, in [0, 1].
    config: GenerateConfig of the run.
    places: Places, to fit the pictures to the object; None: they stay as they are.
    rows: float64[V, 3], what `places` was last fitted to; None: it was not yet.
    """

    def __init__(
        self,
        cameras: Cameras,
        pictures: Tensor,
        config: GenerateConfig,
        places: Places | None = None,
        rows: Tensor | None = None,
    ) -> None:
        self.cameras = cameras
        self.pictures = pictures
        self.rows = rows
        self._config = config
        self._places = places
        self._first = math.ceil(config.reference.begin * config.optimize.steps)

    def __len__(self) -> int:
        return len(self.cameras)

    def due(self, step: int) -> bool:
        """Return whether a step looks at a picture.

        step: int, from 0.
        """
        return step >= self._first and step % self._config.reference.every == 0

    def fits(self, step: int) -> bool:
        """Return whether the pictures are to be fitted to the object before a step.

        step: int, from 0.
        """
        return self._places is not None and self.rows is None and step >= self._first > 0

    def fitted(self, opacity: Tensor) -> References:
        """Return the same pictures, at the size and the place of the object.

        opacity: float32[V, FIT_PIXELS, FIT_PIXELS] in [0, 1], renders from the cameras.
        """
        assert self._places is not None
        return self.placed(torch.from_numpy(self._places.fitted(opacity.cpu().numpy())))

    def placed(self, rows: Tensor) -> References:
        """Return the same pictures where they were fitted to before.

        rows: float64[V, 3].
        """
        assert self._places is not None
        pictures = torch.from_numpy(self._places.views(rows.cpu().numpy())).to(self.pictures.device)
        return References(self.cameras, pictures, self._config, self._places, rows.cpu())

    def turn(self, step: int) -> int:
        """Return how many steps before this one have looked at a picture.

        step: int, from 0.
        """
        return step // self._config.reference.every

    def loss(
        self,
        field: RadianceField,
        occupancy: OccupancyGrid,
        generator: torch.Generator,
        *,
        turn: int,
        progress: float,
        score_size: float,
    ) -> Tensor:
        """Return the weighted loss of one picture, a scalar.

        field: RadianceField.
        occupancy: OccupancyGrid of the field.
        generator: of the lattice's place, the jitter and the background, on the field's device.
        turn: int, at least 0; the pictures take turns.
        progress: float in [0, 1], share of training done.
        score_size: float, above 0, from `guidance.score_size`.
        """
        settings, size = self._config.reference, self._config.reference.resolution
        which = turn % len(self)
        moved = torch.rand(2, generator=generator, device=generator.device) - 0.5
        seen, background = self._rendering(field, occupancy, generator, which, moved)
        colour, mask = over(lattice(self.pictures[which], size, moved), background)
        loss = settings.colour * colour_loss(seen.colour, colour) + settings.mask * mask_loss(seen.opacity, mask)
        late = linear_ramp(progress, self._config.pace.smoothness_from, 1.0)
        if seen.normal is not None:
            loss = loss + late * settings.normals * losses.smoothness_loss(seen.normal.view(1, size, size, 3))
        if settings.depth:
            shape = 1, size, size
            bends = depth_bend_loss(seen.depth.view(shape), seen.opacity.view(shape))
            loss = loss + late * settings.depth * bends
        return score_size * loss

    def _rendering(
        self, field: RadianceField, occupancy: OccupancyGrid, generator: torch.Generator, which: int, moved: Tensor
    ) -> tuple[Rendering, Tensor]:
        """The rays of a picture's lattice, over a random background float32[3]."""
        settings, size = self._config.reference, self._config.reference.resolution
        origins, directions = moved_rays(self.cameras.rows(slice(which, which + 1)), size, moved)
        background = random_backgrounds(1, generator)[0]
        seen = render(
            field,
            origins,
            directions,
            occupancy.occupied,
            self._config.render,
            background=background,
            normals=settings.normals > 0.0,
            jitter=torch.rand(size * size, generator=generator, device=generator.device),
        )
        return seen, background


def moved_rays(camera: Cameras, size: int, moved: Tensor) -> tuple[Tensor, Tensor]:
    """Return origins and unit directions float32[R, 3] of rays through pixels, moved by parts of a pixel.

    camera: Cameras, one.
    size: int, S.
    moved: float32[2], right and down, in pixels.
    """
    origins, directions = camera_rays(camera, size, size)
    right, up, backward = camera.rotation[0].unbind(-1)
    ahead = directions / -(directions @ backward)[:, None]  # as far as the picture plane, one unit away
    shift = (moved[0] * right - moved[1] * up) / (size * camera.focal)
    return origins, torch.nn.functional.normalize(ahead + shift, dim=-1)


def lattice(picture: Tensor, size: int, moved: Tensor) -> Tensor:
    """Return what a picture shows at the pixels of `moved_rays`, float32[R, 4].

    picture: float32[4, N, N].
    size: int, S.
    moved: float32[2], right and down, in pixels of the lattice.
    """
    along = (torch.arange(size, device=picture.device) + 0.5) * (2.0 / size) - 1.0
    y, x = torch.meshgrid(along + moved[1] * (2.0 / size), along + moved[0] * (2.0 / size), indexing="ij")
    seen = torch.nn.functional.grid_sample(
        picture[None], torch.stack([x, y], -1)[None], padding_mode="border", align_corners=False
    )
    return seen[0].flatten(1).T


def over(picture: Tensor, background: Tensor) -> tuple[Tensor, Tensor]:
    """Return a picture's colours over a background, float32[R, 3], and its mask, float32[R].

    picture: float32[R, 4], premultiplied.
    background: float32[3], sRGB.
    """
    mask = picture[:, 3]
    return picture[:, :3] + (1.0 - mask)[:, None] * background, mask


def colour_loss(seen: Tensor, wanted: Tensor) -> Tensor:
    """mean_r sum_c (seen - wanted)^2: a sum over channels, as the score's loss is.

    seen, wanted: float32[R, 3], sRGB, over the same background.
    """
    return (seen - wanted).square().sum(-1).mean()


def mask_loss(opacity: Tensor, mask: Tensor) -> Tensor:
    """mean_r (o - m)^2.

    opacity: float32[R] in [0, 1], o.
    mask: float32[R] in [0, 1], m.
    """
    return (opacity - mask).square().mean()


def depth_bend_loss(depth: Tensor, opacity: Tensor) -> Tensor:
    """Mean over three pixels in a row, all on the object, of sqrt(b^2 + 0.01) - 0.1 with the bend b: flat is free.

    b = S (d_1 - 2 d_2 + d_3) is the change of the slope from one pixel to the next. An edge costs in proportion only.

    depth: float32[B, S, S], world units.
    opacity: float32[B, S, S] in [0, 1].
    """
    on_object = opacity.detach() > 0.5
    total, count = depth.new_zeros(()), depth.new_zeros(())
    for axis in (1, 2):
        size = depth.shape[axis] - 2
        first, middle, last = (depth.narrow(axis, i, size) for i in range(3))
        solid = torch.stack([on_object.narrow(axis, i, size) for i in range(3)]).all(0).float()
        bend = depth.shape[axis] * (first - 2.0 * middle + last)
        total = total + (solid * (torch.sqrt(bend.square() + 0.01) - 0.1)).sum()
        count = count + solid.sum()
    return total / count.clamp_min(1.0)
