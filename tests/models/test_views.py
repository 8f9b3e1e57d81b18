"""Which view and which heading a camera has."""

from __future__ import annotations

import math

import pytest

from dreamfusion_engine.models.views import heading_of, view_of


@pytest.mark.parametrize(
    ("azimuth", "elevation", "view"),
    [
        (0, 0, "front"),
        (44, 59, "front"),
        (46, 0, "side"),
        (134, -10, "side"),
        (136, 0, "back"),
        (180, 0, "back"),
        (224, 0, "back"),
        (226, 0, "side"),
        (270, 0, "side"),
        (316, 0, "front"),
        (360, 0, "front"),
        (0, 61, "overhead"),
        (180, 90, "overhead"),
    ],
)
def test_views_are_named_by_azimuth_and_overhead_above_sixty_degrees(azimuth: int, elevation: int, view: str) -> None:
    assert view_of(math.radians(azimuth), math.radians(elevation)) == view


def test_the_named_view_does_not_depend_on_whole_turns_or_on_left_and_right() -> None:
    for degrees in range(0, 360, 7):
        angle = math.radians(degrees + 0.5)
        assert view_of(angle, 0.1) == view_of(angle + 4.0 * math.pi, 0.1) == view_of(-angle, 0.1)


def test_front_side_and_back_share_the_circle_one_to_two_to_one() -> None:
    seen = [view_of(math.radians(d + 0.5), 0.0) for d in range(360)]
    assert [seen.count(view) for view in ("front", "side", "back")] == [90, 180, 90]


@pytest.mark.parametrize(
    ("degrees", "heading"),
    [
        (0, "front"),
        (22, "front"),
        (23, "front right"),
        (90, "right"),
        (-90, "left"),
        (180, "back"),
        (-406, "front left"),
    ],
)
def test_the_heading_is_the_nearest_of_eight_compass_points(degrees: float, heading: str) -> None:
    assert heading_of(math.radians(degrees)) == heading
