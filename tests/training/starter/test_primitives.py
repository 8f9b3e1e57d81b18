"""Facts about the corpus's primitives and objects."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.starter.objects.kinds import KINDS, Appearance, Kind, kind_named, make_object, random_appearance
from training.starter.objects.palette import COLOURS
from training.starter.primitives import CAPSULE, PLAIN, Part, ball, box, cylinder, dome, normalised, rod, torus

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
    appearance = Appearance(colour=kind.colours[0] if kind.colours else None)
    first = make_object(np.random.default_rng(0), kind, appearance)
    again = make_object(np.random.default_rng(0), kind, appearance)
    other = make_object(np.random.default_rng(1), kind, appearance)
    assert first == again
    assert first != other
    for part in first:
        assert (np.abs(np.asarray(part.centre)) + part.half_extent()).max() < 1.0
        assert all(0.0 <= c <= 1.0 for c in part.colour)


def nearest_colours(parts: list[Part]) -> set[str]:
    """The colour names nearest to what the parts are painted in."""
    return {min(COLOURS, key=lambda c: float(np.abs(np.subtract(COLOURS[c], p.colour)).sum())) for p in parts}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.names[0])
def test_the_named_colours_are_on_the_object(kind: Kind) -> None:
    for colour in kind.colours:
        parts = make_object(np.random.default_rng(0), kind, Appearance(colour=colour))
        assert colour in nearest_colours(parts)
    if kind.part:
        without = nearest_colours(make_object(np.random.default_rng(0), kind, Appearance()))
        for colour in set(COLOURS) - without:
            assert colour in nearest_colours(make_object(np.random.default_rng(0), kind, Appearance(part=colour)))


def test_the_corpus_has_the_variety_that_it_promises() -> None:
    names = [name for kind in KINDS for name in kind.names]
    assert len(KINDS) >= 40
    assert len(COLOURS) >= 10
    assert len(set(names)) == len(names)
    assert sum(bool(kind.part) for kind in KINDS) >= 20
    assert sum(kind.patterned for kind in KINDS) >= 8
    assert sum(kind.front for kind in KINDS) >= 20
    assert kind_named("cup") is kind_named("mug")


def test_a_pattern_lies_on_the_parts_of_the_main_colour_only() -> None:
    mug = kind_named("mug")
    appearance = Appearance(colour="blue", part="yellow", pattern="stripes", pattern_colour="white")
    parts = make_object(np.random.default_rng(0), mug, appearance)
    patterned = [p for p in parts if p.pattern != PLAIN]
    assert 0 < len(patterned) < len(parts)
    assert nearest_colours(patterned) == {"blue"}


def test_random_looks_never_name_a_colour_twice_and_pattern_only_what_has_a_colour() -> None:
    rng = np.random.default_rng(0)
    appearances = [random_appearance(rng, kind) for kind in KINDS for _ in range(100)]
    for appearance in appearances:
        assert appearance.colour is None or appearance.colour != appearance.part
        assert appearance.colour is None or appearance.colour != appearance.pattern_colour
        assert (appearance.pattern is None) == (appearance.pattern_colour is None)
        assert appearance.pattern is None or appearance.colour is not None
    assert sum(appearance.part is not None for appearance in appearances) > 500
    assert sum(appearance.pattern is not None for appearance in appearances) > 100


def test_a_dome_stands_on_its_base() -> None:
    part = dome((0.0, 0.0, 0.5), (0.4, 0.4, 0.3), GREY)
    assert part.centre[2] - part.half_extent()[2] == pytest.approx(0.5)
    assert part.centre[2] + part.half_extent()[2] == pytest.approx(0.8)
