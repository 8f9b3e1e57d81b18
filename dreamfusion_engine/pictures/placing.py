"""Put cut-outs before cameras: at which size and place in the view, when neither lens nor distance is known.

Each picture was taken from a known direction by an unknown lens. All count as taken by training's middle camera, and
the object as filling the ellipsoid with half axes a, b, c whose pictures come nearest to the boxes of the cut-outs.
Its longest half axis has a length that teachers draw objects at. V: pictures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import least_squares

from dreamfusion_engine.config.stages import CameraConfig
from dreamfusion_engine.pictures.decode import Floats, resized
from dreamfusion_engine.pictures.viewpoint import Viewpoint
from dreamfusion_engine.scene.cameras import Cameras, mid_orbit_cameras

HALF_LENGTH = 0.8  # world units: an object fills the box but for a fifth, as what teachers draw does
# The same where pictures show the object along one line only, as front and back do: it may be longer along that.
HALF_LENGTH_ALONG = 0.6
SIDEWAYS_DEG = 30.0  # two pictures farther from one line than that show all sides of the box
ROUND = 0.05  # weight of the wish that the half axes are alike, for what no picture shows
TARGET_PIXELS = 256  # of a placed picture

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Placement:
    """Where a cut-out lies in a view.

    scale: float, image heights of the view for a pixel of the cut-out.
    across, down: float, where the middle of the object's box is, image heights from the middle of the view.
    """

    scale: float
    across: float
    down: float


def picture_cameras(viewpoints: Sequence[Viewpoint], config: CameraConfig) -> Cameras:
    """Return the cameras of pictures, on the host: from their directions, at training's middle distance and lens.

    viewpoints: V Viewpoints.
    config: CameraConfig.
    """
    angles = torch.deg2rad(torch.tensor([[each.azimuth_deg, each.elevation_deg] for each in viewpoints]))
    return mid_orbit_cameras(angles[:, 0], angles[:, 1], config)


def ellipsoid_boxes(half_axes: Doubles, cameras: Cameras) -> Doubles:
    """Return the boxes of an ellipsoid's pictures, float64[V, 4]: left, right, top and bottom in image heights.

    They are exact: the outline of its picture is the dual conic K = P Q P^T with Q = diag(a^2, b^2, c^2, -1).

    half_axes: float64[3], a, b, c along x, y, z, world units.
    cameras: Cameras, V of them.
    Source: Hartley & Zisserman 2004, result 8.9.
    """
    dual = np.diag([*(half_axes**2), -1.0])
    boxes = []
    for rotation, position, focal in zip(
        cameras.rotation.double().numpy(), cameras.position.double().numpy(), cameras.focal.tolist(), strict=True
    ):
        into = np.concatenate([rotation.T, -(rotation.T @ position)[:, None]], 1)
        seen = np.diag([focal, -focal, -1.0]) @ into  # x right, y down
        conic = seen @ dual @ seen.T
        sides = []
        for axis in (0, 1):
            middle, root = conic[axis, 2], np.sqrt(conic[axis, 2] ** 2 - conic[axis, axis] * conic[2, 2])
            sides += sorted([(middle - root) / conic[2, 2], (middle + root) / conic[2, 2]])
        boxes.append(sides)
    return np.array(boxes)


def longest_half_axis(cameras: Cameras) -> float:
    """Return how long the longest half axis that pictures show is taken to be, world units.

    cameras: Cameras, V of them.
    """
    lines = torch.nn.functional.normalize(cameras.position.double(), dim=-1)
    along = bool(((lines @ lines.T).abs() > math.cos(math.radians(SIDEWAYS_DEG))).all())
    return HALF_LENGTH_ALONG if along else HALF_LENGTH


def fit_ellipsoid(sizes: Doubles, cameras: Cameras) -> Doubles:
    """Return the half axes whose pictures have the given widths and heights best, each picture at a scale of its own.

    sizes: float64[V, 2], width and height of the object's box in each picture, in any unit of that picture.
    cameras: Cameras, V of them.
    """
    longest = longest_half_axis(cameras)

    def apart(logs: Doubles) -> Doubles:
        left, right, top, bottom = ellipsoid_boxes(np.exp(logs), cameras).T
        # Of a picture only the ratio of its sides counts; that its scale is free takes away the mean.
        ratio = np.log(sizes[:, 0] / sizes[:, 1]) - np.log((right - left) / (bottom - top))
        return np.concatenate([ratio, ROUND * (logs - logs.mean()), [logs.max() - np.log(longest)]])

    start = np.full(3, np.log(longest))
    found = least_squares(apart, start, bounds=(np.log(0.05), np.log(1.0)))
    return np.exp(found.x) * (longest / np.exp(found.x).max())


def placements(pixels: Sequence[Floats], cameras: Cameras) -> list[Placement]:
    """Return where each cut-out lies in its view.

    pixels: V cut-outs, float32[H, W, 4].
    cameras: Cameras, V of them.
    """
    boxes = np.array([object_box(each[..., 3]) for each in pixels])
    sizes = np.stack([boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2]], -1)
    found = ellipsoid_boxes(fit_ellipsoid(sizes, cameras), cameras)
    wanted = np.stack([found[:, 1] - found[:, 0], found[:, 3] - found[:, 2]], -1)
    # Both sides speak for the scale, the longer one more.
    scales = (sizes * wanted).sum(-1) / (sizes * sizes).sum(-1)
    middles = 0.5 * np.stack([found[:, 0] + found[:, 1], found[:, 2] + found[:, 3]], -1)
    return [Placement(float(s), float(x), float(y)) for s, (x, y) in zip(scales, middles, strict=True)]


def object_box(alpha: Floats) -> tuple[float, float, float, float]:
    """Return left, right, top and bottom of an object in pixels, to parts of a pixel.

    alpha: float32[H, W] in [0, 1], with some above a half.
    """
    ends: list[float] = []
    for axis in (0, 1):
        reach = alpha.max(axis)
        inside = np.flatnonzero(reach > 0.5)
        first, last = int(inside[0]), int(inside[-1])
        before = float(reach[first - 1]) if first else 0.0
        after = float(reach[last + 1]) if last + 1 < len(reach) else 0.0
        ends += [first - before, last + 1.0 + after]
    return ends[0], ends[1], ends[2], ends[3]


def placed(pixels: Floats, placement: Placement, size: int = TARGET_PIXELS) -> Floats:
    """Return the view that shows a cut-out in its place, float32[size, size, 4], premultiplied.

    pixels: float32[H, W, 4], not premultiplied.
    placement: Placement of its object.
    size: int, pixels along the view.
    """
    left, right, top, bottom = object_box(pixels[..., 3])
    side = 1.0 / placement.scale  # of the view, in pixels of the cut-out
    x = 0.5 * (left + right) - (0.5 + placement.across) * side
    y = 0.5 * (top + bottom) - (0.5 + placement.down) * side
    height, width = pixels.shape[:2]
    around = [max(0, int(np.ceil(-low)) + 1) for low in (y, x)]
    beyond = [max(0, int(np.ceil(low + side - size)) + 1) for low, size in ((y, height), (x, width))]
    premultiplied = pixels * np.concatenate([pixels[..., 3:].repeat(3, -1), np.ones_like(pixels[..., 3:])], -1)
    wide = np.pad(premultiplied, ((around[0], beyond[0]), (around[1], beyond[1]), (0, 0)))
    x, y = x + around[1], y + around[0]
    return resized(wide, size, size, (x, y, x + side, y + side))
