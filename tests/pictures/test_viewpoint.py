"""From where a picture was taken."""

from __future__ import annotations

import pytest

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.pictures.viewpoint import Viewpoint, check_apart, checked_viewpoint, viewpoint_of


@pytest.mark.parametrize(
    ("text", "angles"),
    [
        ("front", (0.0, 0.0)),
        ("RIGHT", (90.0, 0.0)),
        ("back", (180.0, 0.0)),
        ("left, 20", (270.0, 20.0)),
        ("30,-15.5", (30.0, -15.5)),
        ("-90, 0", (-90.0, 0.0)),
    ],
)
def test_a_view_is_a_side_or_two_angles(text: str, angles: tuple[float, float]) -> None:
    assert viewpoint_of(text) == Viewpoint(*angles)


@pytest.mark.parametrize(
    "text", ["", "frnt", "30", "30,", "30,20,10", "front,x", "400,0", "0,91", "nan,0", "0,inf", "1e9,0"]
)
def test_what_is_no_view_is_refused_with_the_forms_that_are(text: str) -> None:
    with pytest.raises(InputError) as caught:
        viewpoint_of(text)
    assert caught.value.code == "input.picture_view"
    assert "front" in caught.value.fix and "AZIMUTH" in caught.value.fix


def test_a_viewpoint_is_named_by_its_side() -> None:
    assert [viewpoint_of(word).text for word in ("front", "left", "-90,0", "30,20")] == [
        "front",
        "left",
        "left",
        "30, 20 degrees",
    ]


def test_angles_between_viewpoints_are_those_on_the_sphere() -> None:
    assert viewpoint_of("front").apart_deg(viewpoint_of("right")) == pytest.approx(90.0)
    assert viewpoint_of("front").apart_deg(viewpoint_of("360,0")) == pytest.approx(0.0, abs=1e-4)
    assert viewpoint_of("0,90").apart_deg(viewpoint_of("180,90")) == pytest.approx(0.0, abs=1e-4)
    assert viewpoint_of("0,60").apart_deg(viewpoint_of("180,60")) == pytest.approx(60.0)


def test_two_pictures_of_one_view_are_refused() -> None:
    check_apart([viewpoint_of(word) for word in ("front", "right", "back", "left", "0,40")])
    with pytest.raises(InputError) as caught:
        check_apart([checked_viewpoint(0.0, 0.0), checked_viewpoint(90.0, 0.0), checked_viewpoint(-358.0, 1.0)])
    assert caught.value.code == "input.picture_twice" and "Pictures 1 and 3" in caught.value.why
