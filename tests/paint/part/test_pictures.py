"""Old colours: what a factor makes of stored ones and the way back."""

from __future__ import annotations

import numpy as np

from dreamfusion_engine.paint.part.pictures import OwnPicture, encoded, linear


def test_what_is_stored_for_a_colour_is_seen_as_that_colour() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)
    own = OwnPicture(pixels=levels, factor=np.array([0.5, 1.0, 0.25]), flat=False)
    back = own.stored(own.shown.reshape(-1, 3) / 255.0)
    seen = encoded(linear(back) * own.factor)
    away = np.abs(255.0 * seen - own.shown.reshape(-1, 3))
    assert away[:-1].max() < 1e-6 and away[-1].max() <= 0.5  # the brightest was rounded up, and stored is 1 at most
    # Brighter than the factor lets through: the nearest that can be.
    np.testing.assert_allclose(own.stored(np.ones((1, 3))), 1.0)


def test_a_white_factor_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (4, 5, 4)).astype(np.uint8)
    own = OwnPicture(pixels=pixels, factor=np.ones(3), flat=False)
    np.testing.assert_array_equal(own.shown, pixels[..., :3])
    colours = rng.random((7, 3))
    np.testing.assert_array_equal(own.stored(colours), colours)
    x = np.linspace(0.0, 1.0, 101)
    np.testing.assert_allclose(encoded(linear(x)), x, atol=1e-6)
