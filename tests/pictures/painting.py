"""Pictures made for tests: an object with a known mask, and files of every kind."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]


def disc(height: int, width: int, *, at: tuple[float, float] = (0.5, 0.5), radius: float = 0.3) -> Floats:
    """The mask of a disc, float32[height, width]; place and radius in shares of height and width, and of the height."""
    y, x = np.indices((height, width)) + 0.5
    away = np.hypot(y - at[0] * height, x - at[1] * width)
    return np.clip(radius * height - away + 0.5, 0.0, 1.0).astype(np.float32)


def cross(height: int, width: int) -> Floats:
    """The mask of a cross with a hole in its middle, its upper arm longer than the lower one."""
    mask = np.zeros((height, width), np.float32)
    h, w = height / 20, width / 20
    mask[round(2 * h) : round(16 * h), round(8 * w) : round(12 * w)] = 1.0
    mask[round(8 * h) : round(13 * h), round(3 * w) : round(17 * w)] = 1.0
    mask[round(9 * h) : round(12 * h), round(9 * w) : round(11 * w)] = 0.0
    return mask


def painted(mask: Floats, colour: tuple[float, float, float], behind: Floats | float, noise: float = 0.01) -> Floats:
    """An object of a colour that darkens to the right, over a background, with a camera's noise."""
    width = mask.shape[1]
    shade = np.linspace(1.0, 0.7, width, dtype=np.float32)[None, :, None]
    cover = mask[..., None]
    picture = cover * np.array(colour, np.float32) * shade + (1.0 - cover) * behind
    grain = np.random.default_rng(5).normal(0.0, noise, picture.shape)
    return np.clip(picture + grain, 0.0, 1.0).astype(np.float32)


def bytes_of(picture: Floats, kind: str = "PNG", **options: Any) -> bytes:
    """The file of a picture float32[H, W], [H, W, 3] or [H, W, 4] in [0, 1], 8 bits a channel."""
    return file_of(Image.fromarray((255.0 * picture + 0.5).astype(np.uint8)), kind, **options)


def file_of(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """The file of a Pillow picture."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()
