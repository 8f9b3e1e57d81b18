"""Pack charts into the unit square: on shelves, tallest first, at the largest scale that fits."""

from __future__ import annotations

import numpy as np

from dreamfusion_engine.mesh.arrays import Doubles, Floats, Ints

HALVINGS = 24  # of the search for the scale


def pack(chart: Ints, flat: Doubles, *, texture: int, padding: int) -> Floats:
    """Return uv float32[T, 3, 2] in [0, 1]: every chart turned to its main axis, scaled alike, at its own place.

    chart: int32[T].
    flat: float64[T, 3, 2], corners in their chart's plane.
    texture: int, pixels along the texture.
    padding: int, texels between charts, and half as many to the border; less where there are too many charts for it.
    """
    index = np.unique(chart, return_inverse=True)[1].reshape(-1)
    number = int(index.max()) + 1
    turned = _along_main_axis(index, flat, number)
    owner = np.repeat(index, 3)
    points = turned.reshape(-1, 2)
    low = np.full((number, 2), np.inf)
    high = np.full((number, 2), -np.inf)
    np.minimum.at(low, owner, points)
    np.maximum.at(high, owner, points)
    size = high - low
    room = float(padding)
    while _shelves(0.0 * size, texture, room) is None:
        room *= 0.5  # so many charts that even without any size their padding does not fit
    scale = _largest_scale(size, texture, room)
    place = np.asarray(_shelves(size * scale, texture, room))
    uv = ((points - low[owner]) * scale + place[owner] + 0.5 * room) / texture
    return uv.reshape(-1, 3, 2).astype(np.float32)


def _along_main_axis(index: np.ndarray, flat: Doubles, number: int) -> Doubles:
    """Charts turned so that they are widest along the first axis."""
    points, owner = flat.reshape(-1, 2), np.repeat(index, 3)
    count = np.bincount(owner, minlength=number)
    mean = np.stack([np.bincount(owner, points[:, i], minlength=number) / count for i in (0, 1)], -1)
    x, y = (points - mean[owner]).T
    xx, yy, xy = (np.bincount(owner, p, minlength=number) for p in (x * x, y * y, x * y))
    angle = 0.5 * np.arctan2(2.0 * xy, xx - yy)
    c, s = np.cos(angle)[owner], np.sin(angle)[owner]
    return np.stack([c * x + s * y, c * y - s * x], -1).reshape(-1, 3, 2)


def _largest_scale(size: Doubles, texture: int, padding: float) -> float:
    """Texels a unit at which the charts just fit."""
    low, high = 0.0, texture / max(float(np.sqrt((size[:, 0] * size[:, 1]).sum())), float(size[:, 0].max()), 1e-12)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _shelves(size * middle, texture, padding) is not None else (low, middle)
    return low


def _shelves(size: Doubles, texture: int, padding: float) -> Doubles | None:
    """Lower left corners float64[n, 2] of boxes of this size, texels, with padding around; None if they do not fit."""
    box = size + padding
    order = np.lexsort((-box[:, 0], -box[:, 1]))
    place = np.zeros_like(size)
    x = y = shelf = 0.0
    for i in order.tolist():
        width, height = box[i]
        if x + width > texture:
            x, y, shelf = 0.0, y + shelf, 0.0
        if width > texture or y + height > texture:
            return None
        place[i] = (x, y)
        x += width
        shelf = max(shelf, height)
    return place
