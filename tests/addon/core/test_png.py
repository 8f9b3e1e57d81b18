"""The PNG writer, against a reader of another house."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from blender_addon.core.picture import picture_size
from blender_addon.core.png import png_file


@pytest.mark.parametrize("channels", [3, 4])
def test_pixels_come_back_bit_for_bit(channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, channels)).astype(np.uint8)
    made = png_file(pixels.tobytes(), 7, 5, channels)
    assert picture_size(made) == (7, 5)
    with Image.open(io.BytesIO(made)) as read:
        np.testing.assert_array_equal(np.asarray(read), pixels)
