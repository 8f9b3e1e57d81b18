"""From a given picture to the object alone."""

from __future__ import annotations

import io

import numpy as np
import pytest
from pictures.painting import Floats, bytes_of, cross, disc, painted
from PIL import Image

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.pictures.given import GivenPicture
from dreamfusion_engine.pictures.prepare import SIDE, CutOut, digest_of, prepared, whole
from dreamfusion_engine.pictures.viewpoint import Viewpoint

RED = 0.75, 0.12, 0.1


def with_alpha(mask: Floats) -> bytes:
    return bytes_of(np.concatenate([painted(mask, RED, 0.0, noise=0.0), mask[..., None]], -1))


def one(data: bytes, mask: bytes = b"") -> CutOut:
    return prepared([GivenPicture(data=data, mask=mask, name="it.png")])[0]


def refused(data: bytes, mask: bytes = b"") -> InputError:
    with pytest.raises(InputError) as caught:
        one(data, mask)
    assert caught.value.what and caught.value.why and caught.value.fix
    return caught.value


def test_alpha_is_the_mask_and_the_picture_is_cropped_to_it() -> None:
    found = one(with_alpha(disc(200, 300, at=(0.4, 0.7), radius=0.2)))
    pixels = found.pixels()
    assert found.by == "alpha" and not found.cropped
    assert pixels.shape[0] == pixels.shape[1] == pytest.approx(80 + 2 * 3, abs=2)
    assert pixels[..., 3].mean() == pytest.approx(np.pi * 40**2 / pixels[..., 3].size, rel=0.02)
    assert found.share == pytest.approx(np.pi * 40**2 / 60_000, rel=0.02)


@pytest.mark.slow
def test_without_alpha_the_object_is_cut_out_by_its_colours_and_keeps_no_rim_of_the_background() -> None:
    found = one(bytes_of(painted(disc(200, 300), RED, 0.9)))
    pixels = found.pixels()
    assert found.by == "colours"
    assert found.share == pytest.approx(np.pi * 60**2 / 60_000, rel=0.02)
    seen = pixels[pixels[..., 3] > 0.1]
    assert seen[:, 1].max() < 0.3  # the background's green is 0.9


def test_a_mask_wins_over_alpha_and_may_have_another_size_of_the_same_shape() -> None:
    mask = cross(100, 150)
    found = one(with_alpha(disc(200, 300)), bytes_of(mask))
    assert found.by == "mask"
    assert found.share == pytest.approx(float(mask.mean()), abs=0.01)


@pytest.mark.slow
def test_an_object_at_the_edge_of_a_picture_is_told() -> None:
    assert one(bytes_of(painted(disc(200, 300, at=(0.9, 0.5)), RED, 0.9))).cropped


@pytest.mark.slow
def test_a_large_object_is_kept_small() -> None:
    assert max(one(with_alpha(disc(1500, 1500, radius=0.45))).pixels().shape) == SIDE


def test_a_preview_shows_the_object_before_a_checker() -> None:
    with Image.open(io.BytesIO(one(with_alpha(disc(200, 300))).preview())) as preview:
        pixels = np.asarray(preview)
    assert preview.mode == "RGB"
    assert len(np.unique(pixels[0], axis=0)) == 2 and (pixels[0, :, 0] == pixels[0, :, 1]).all()
    assert pixels[60, 60, 0] > 2 * pixels[60, 60, 1]


@pytest.mark.parametrize(
    ("data", "mask", "code"),
    [
        (with_alpha(np.zeros((100, 100), np.float32)), b"", "input.picture_empty"),
        (with_alpha(0.3 * disc(100, 100)), b"", "input.picture_empty"),
        (bytes_of(np.full((100, 100, 3), 0.5, np.float32)), b"", "input.picture_no_object"),
        (with_alpha(disc(100, 100, radius=0.04)), b"", "input.picture_no_object"),
        (with_alpha(disc(100, 100)), b"no mask", "input.mask"),
        (with_alpha(disc(100, 100)), bytes_of(disc(100, 140)), "input.mask"),
        (with_alpha(disc(100, 100)), bytes_of(np.zeros((100, 100), np.float32)), "input.mask"),
        (with_alpha(disc(100, 100)), bytes_of(np.ones((100, 100), np.float32)), "input.mask"),
    ],
    ids=["transparent", "faint", "no object", "too small", "no mask", "other shape", "black mask", "white mask"],
)
def test_what_shows_no_object_is_refused(data: bytes, mask: bytes, code: str) -> None:
    assert refused(data, mask).code == code


@pytest.mark.parametrize("mask", [b"no mask", bytes_of(np.ones((4, 4), np.float32))], ids=["text", "tiny"])
def test_a_mask_that_cannot_be_read_is_not_called_a_picture(mask: bytes) -> None:
    error = refused(with_alpha(disc(100, 100)), mask)
    assert error.code == "input.mask" and error.what.startswith("The mask ") and "the mask of" in error.why


def test_no_object_is_answered_with_the_ways_to_mend_it() -> None:
    fix = refused(bytes_of(np.full((100, 100, 3), 0.5, np.float32))).fix
    assert "--mask" in fix and "alpha" in fix


def test_a_digest_tells_pictures_and_viewpoints_apart() -> None:
    data = with_alpha(disc(100, 100))
    made = [
        prepared([GivenPicture(data=data)]),
        prepared([GivenPicture(data=data, viewpoint=Viewpoint(90.0))]),
        prepared([GivenPicture(data=with_alpha(cross(100, 100)))]),
        prepared([]),
    ]
    assert len({digest_of(each) for each in made}) == 4 and digest_of(()) == ""
    assert digest_of(made[0]) == digest_of(prepared([GivenPicture(data=data)]))


def test_what_was_not_made_here_is_no_cut_out() -> None:
    for png in (b"", bytes_of(np.ones((40, 40, 3), np.float32)), bytes_of(np.ones((600, 40, 4), np.float32))):
        with pytest.raises(ValueError, match="no cut-out"):
            CutOut(png, Viewpoint()).pixels()


@pytest.mark.slow
def test_the_whole_picture_shows_what_a_run_cuts_out_and_keeps_the_background_for_who_paints_it_back() -> None:
    data = bytes_of(painted(disc(200, 300), RED, 0.9))
    shown = whole(GivenPicture(data=data))
    pixels = np.asarray(Image.open(io.BytesIO(shown.png)), np.float32) / 255.0
    assert (shown.by, shown.cropped, pixels.shape) == ("colours", False, (200, 300, 4))
    assert pixels[0, 0] == pytest.approx([0.9, 0.9, 0.9, 0.0], abs=0.05)
    again, before = one(shown.png), one(data)
    assert again.by == "alpha" and again.share == pytest.approx(before.share, abs=1e-4)
    both = again.pixels(), before.pixels()
    solid = (both[0][..., 3] > 0.1) & (both[1][..., 3] > 0.1)
    assert both[0].shape == both[1].shape
    assert np.abs(both[0] - both[1])[solid].max() < 0.02, "the edge has no background's colour in it either way"


def test_a_whole_picture_in_which_there_is_nothing_is_refused_as_it_is_for_a_run() -> None:
    with pytest.raises(InputError) as caught:
        whole(GivenPicture(data=bytes_of(np.full((64, 64, 3), 0.5, np.float32))))
    assert caught.value.code == "input.picture_no_object"
