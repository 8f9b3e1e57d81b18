"""What a message carries is cut into blockout and pictures by lengths that are checked."""

from __future__ import annotations

from typing import Any

import pytest

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.pictures.given import MOST
from dreamfusion_engine.pictures.viewpoint import Viewpoint
from dreamfusion_engine.server.attachments import attached, picture_of


def test_a_message_without_pictures_carries_a_blockout() -> None:
    assert attached({}, b"glTF...") == (b"glTF...", ())
    assert attached({"pictures": []}, b"") == (b"", ())


def test_pictures_and_masks_follow_the_blockout() -> None:
    pictures = [{"bytes": 3, "view": "back", "mask": 2}, {"bytes": 1, "view": [30, 20.5]}, {"bytes": 2}]
    blockout, found = attached({"pictures": pictures}, b"gltfAAAaaBCC")
    assert blockout == b"gltf"
    assert [(each.data, each.mask, each.viewpoint) for each in found] == [
        (b"AAA", b"aa", Viewpoint(180.0)),
        (b"B", b"", Viewpoint(30.0, 20.5)),
        (b"CC", b"", Viewpoint()),
    ]


@pytest.mark.parametrize(
    ("pictures", "code"),
    [
        ([{"bytes": 11}], "protocol.pictures"),
        ([{"bytes": 4}, {"bytes": 7}], "protocol.pictures"),
        ([{"bytes": 10, "mask": 1}], "protocol.pictures"),
        ([{"bytes": 10**18}], "protocol.pictures"),
        ([{"bytes": 0}], "protocol.pictures"),
        ([{"bytes": -1}], "protocol.pictures"),
        ([{"bytes": 2.0}], "protocol.pictures"),
        ([{"bytes": True}], "protocol.pictures"),
        ([{"bytes": "3"}], "protocol.pictures"),
        ([{"bytes": 3, "mask": -3}], "protocol.pictures"),
        ([{"bytes": 3, "mask": "all"}], "protocol.pictures"),
        ([{}], "protocol.pictures"),
        (["front"], "protocol.pictures"),
        ([None], "protocol.pictures"),
        ([{"bytes": 3, "file": "/etc/passwd"}], "protocol.pictures"),
        ([{"bytes": 1}] * (MOST + 1), "protocol.pictures"),
        ([{"bytes": 3, "view": 30}], "protocol.pictures"),
        ([{"bytes": 3, "view": [30]}], "protocol.pictures"),
        ([{"bytes": 3, "view": [30, None]}], "protocol.pictures"),
        ([{"bytes": 3, "view": [30, True]}], "protocol.pictures"),
        ([{"bytes": 3, "view": {"azimuth": 3}}], "protocol.pictures"),
        ([{"bytes": 3, "view": "above"}], "input.picture_view"),
        ([{"bytes": 3, "view": [30, 100]}], "input.picture_view"),
        ([{"bytes": 3, "view": [1e300, 0]}], "input.picture_view"),
    ],
)
def test_lies_about_sizes_and_views_are_refused(pictures: list[Any], code: str) -> None:
    with pytest.raises(InputError) as caught:
        attached({"pictures": pictures}, bytes(10))
    assert caught.value.code == code and caught.value.why and caught.value.fix


def test_a_mask_follows_the_picture_of_a_cut_out() -> None:
    found = picture_of({"mask": 2}, b"AAAaa")
    assert (found.data, found.mask, found.viewpoint) == (b"AAA", b"aa", Viewpoint())
    assert picture_of({}, b"AAA").mask == b""


@pytest.mark.parametrize(
    ("mask", "data"), [(0, b""), (3, b"AAA"), (4, b"AAA"), (-1, b"AAA"), (True, b"AAA"), (10**18, b"A")]
)
def test_a_mask_that_leaves_no_picture_is_refused(mask: Any, data: bytes) -> None:
    with pytest.raises(InputError) as caught:
        picture_of({"mask": mask}, data)
    assert caught.value.code == "protocol.pictures"
