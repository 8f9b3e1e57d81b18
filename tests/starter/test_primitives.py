"""Facts about the corpus's primitives and objects."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dreamfusion_engine.starter.objects.kinds import KINDS, make_object
from dreamfusion_engine.starter.objects.palette import COLOURS
from dreamfusion_engine.starter.primitives import CAPSULE, ball, box, cylinder, normalised, rod, torus

GREY = (0.5, 0.5, 0.5)


def test_a_rod_reaches_from_its_start_to_its_end() -> None:
    part = rod((0.1, -0.2, 0.3), (0.7, 0.5, -0.4), 0.05, GREY)
    axis = np.asarray(part.rotation)[:, 2] * part.size[1]
    assert part.shape == CAPSULE
    np.testing.assert_allclose(np.asarray(part.centre) + axis, (0.7, 0.5, -0.4), atol=1e-6)
    np.testing.assert_allclose(np.asarray(part.centre) - axis, (0.1, -0.2, 0.3), atol=1e-6)


def test_rotations_are_orthogonal_and_right_handed() -> None:
    for part in (rod((0, 0, 0), (1, 2, 3), 0.1, GREY), box((0, 0, 0), (1, 1, 1), GREY, turn=(0.3, -0.7, 1.1))):
        rotation = np.asarray(part.rotation)
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-6)
        assert np.linalg.det(rotation) == pytest.approx(1.0)


def test_the_extent_of_a_turned_box_holds_its_corners() -> None:
    part = box((0, 0, 0), (0.5, 0.2, 0.1), GREY, turn=(0.0, 0.0, math.pi / 2))
    np.testing.assert_allclose(part.half_extent(), (0.2, 0.5, 0.1), atol=1e-6)


def test_normalised_parts_are_centred_and_as_long_as_asked() -> None:
    parts = normalised([ball((3, 0, 0), 1.0, GREY), cylinder((3, 0, 4), 0.2, 0.5, GREY)], half_length=0.8, reach=10.0)
    low = np.min([np.asarray(p.centre) - p.half_extent() for p in parts], axis=0)
    high = np.max([np.asarray(p.centre) + p.half_extent() for p in parts], axis=0)
    np.testing.assert_allclose(low + high, 0.0, atol=1e-6)
    assert (high - low).max() / 2 == pytest.approx(0.8)


def test_scaling_a_torus_scales_ring_and_tube_alike() -> None:
    (part,) = normalised([torus((0, 0, 0), 3.0, 1.0, GREY)], half_length=1.0, reach=10.0)
    assert part.size[0] / part.size[1] == pytest.approx(3.0)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.names[0])
def test_every_kind_fits_the_box_stands_centred_and_varies(kind) -> None:  # type: ignore[no-untyped-def]
    colour = kind.colours[0] if kind.colours else None
    first = make_object(np.random.default_rng(0), kind, colour)
    again = make_object(np.random.default_rng(0), kind, colour)
    other = make_object(np.random.default_rng(1), kind, colour)
    assert first == again
    assert first != other
    for part in first:
        assert (np.abs(np.asarray(part.centre)) + part.half_extent()).max() < 1.0
        assert all(0.0 <= c <= 1.0 for c in part.colour)


def test_the_named_colour_is_on_the_object() -> None:
    for kind in KINDS:
        for colour in kind.colours:
            parts = make_object(np.random.default_rng(0), kind, colour)
            nearest = [
                min(COLOURS, key=lambda c: float(np.abs(np.subtract(COLOURS[c], p.colour)).sum())) for p in parts
            ]
            assert colour in nearest, f"{colour} {kind.names[0]}"
