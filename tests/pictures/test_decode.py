"""Pictures of every kind are read right, and no picture takes more than it may."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from pictures.painting import bytes_of, cross, file_of
from PIL import Image, ImageCms

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.pictures.decode import KEPT_SIDE, decoded

# Left half red above blue, right half a grey that rises: every turn and channel shows.
PICTURE = np.zeros((40, 60, 3), np.float32)
PICTURE[:20, :30], PICTURE[20:, :30] = (0.8, 0.1, 0.1), (0.1, 0.2, 0.9)
PICTURE[:, 30:] = np.linspace(0.2, 0.8, 30)[None, :, None]


def plain() -> Image.Image:
    return Image.open(io.BytesIO(bytes_of(PICTURE)))


def apart(data: bytes, wanted: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = PICTURE) -> float:
    seen = decoded(data, "it").colour
    assert seen.shape == wanted.shape
    return float(np.abs(seen - wanted).max())


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (file_of(plain(), "PNG"), 0.003),
        (file_of(plain(), "JPEG", quality=98, subsampling=0), 0.06),
        (file_of(plain(), "WEBP", lossless=True), 0.003),
        (file_of(plain(), "TIFF"), 0.003),
        (file_of(plain(), "BMP"), 0.003),
        (file_of(plain().quantize(200), "PNG"), 0.03),
        (file_of(plain().quantize(200), "GIF"), 0.03),
        (file_of(plain().convert("CMYK"), "JPEG", quality=98), 0.09),
        (file_of(plain().convert("CMYK"), "TIFF"), 0.003),
    ],
    ids=["png", "jpeg", "webp", "tiff", "bmp", "palette", "gif", "cmyk jpeg", "cmyk tiff"],
)
def test_every_kind_gives_the_same_colours(data: bytes, error: float) -> None:
    assert apart(data) < error
    assert decoded(data, "it").alpha is None


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_picture_is_turned_as_its_camera_says(turn: int) -> None:
    """The stored pixels are those that each turn of the standard would show upright (Exif 2.3, tag 274)."""
    stored = {
        1: PICTURE,
        2: PICTURE[:, ::-1],
        3: PICTURE[::-1, ::-1],
        4: PICTURE[::-1],
        5: PICTURE.transpose(1, 0, 2),
        6: np.rot90(PICTURE, 1),
        7: PICTURE[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(PICTURE, -1),
    }[turn]
    exif = Image.Exif()
    exif[274] = turn
    assert apart(bytes_of(np.ascontiguousarray(stored), "PNG", exif=exif)) < 0.003


def test_sixteen_bits_of_grey_are_not_cut_off_at_eight() -> None:
    ramp = np.linspace(0, 65535, 60).astype(np.uint16)[None].repeat(40, 0)
    seen = decoded(file_of(Image.fromarray(ramp)), "it").colour
    assert np.allclose(seen, (ramp / 65535.0)[..., None], atol=1e-3)


def test_sixteen_bits_of_colour_are_read() -> None:
    """Written by hand, because Pillow does not: PNG, colour type 2, 16 bits."""
    levels = (PICTURE * 65535).astype(">u2")
    raw = b"".join(b"\0" + row.tobytes() for row in levels)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 60, 40, 16, 2, 0, 0, 0))
    assert apart(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")) < 0.005


@pytest.mark.parametrize("mode", ["L", "1", "LA"])
def test_greys_are_read(mode: str) -> None:
    seen = decoded(file_of(plain().convert(mode)), "it")
    assert (seen.colour[..., 0] == seen.colour[..., 2]).all() and seen.colour.max() > 0.7 and seen.alpha is None


def test_a_profile_that_does_not_fit_or_is_damaged_does_not_stop_the_picture() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for profile in (srgb, lab, b"no profile", srgb[:300]):
        assert apart(bytes_of(PICTURE, "PNG", icc_profile=profile)) < 0.01


def test_a_colour_profile_counts() -> None:
    """A profile whose red and blue primaries are exchanged gives a picture with red and blue exchanged."""
    srgb = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    places = {bytes(srgb[i : i + 4]): i for i in range(132, 132 + 12 * int.from_bytes(srgb[128:132], "big"), 12)}
    red, blue = places[b"rXYZ"], places[b"bXYZ"]
    srgb[red + 4 : red + 12], srgb[blue + 4 : blue + 12] = srgb[blue + 4 : blue + 12], srgb[red + 4 : red + 12]
    assert apart(bytes_of(PICTURE, "PNG", icc_profile=bytes(srgb)), PICTURE[..., ::-1]) < 0.02


def test_alpha_is_read_from_channels_palettes_and_marked_colours() -> None:
    mask = cross(40, 60)
    rgba = np.concatenate([PICTURE, mask[..., None]], -1)
    for data in (bytes_of(rgba), bytes_of(rgba, "WEBP", lossless=True, exact=True), bytes_of(rgba, "TIFF")):
        found = decoded(data, "it")
        assert found.alpha is not None and np.abs(found.alpha - mask).max() < 0.01
        assert np.abs(found.colour - PICTURE)[mask > 0.5].max() < 0.01
    indexed = Image.fromarray((mask * 1).astype(np.uint8), "P")
    indexed.putpalette([0, 0, 0, 200, 100, 50])
    found = decoded(file_of(indexed, "PNG", transparency=0), "it")
    assert found.alpha is not None and np.abs(found.alpha - mask).max() < 0.01


def test_an_opaque_alpha_channel_is_none() -> None:
    rgba = np.concatenate([PICTURE, np.ones((40, 60, 1), np.float32)], -1)
    assert decoded(bytes_of(rgba), "it").alpha is None


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_picture_8000_pixels_wide_is_read_small_and_whole(kind: str) -> None:
    wide = Image.new("RGB", (8000, 1000), (200, 40, 40))
    wide.paste((30, 60, 220), (0, 0, 4000, 1000))
    seen = decoded(file_of(wide, kind), "it").colour
    assert seen.shape == (KEPT_SIDE // 8, KEPT_SIDE, 3)
    assert np.abs(seen[:, : KEPT_SIDE // 2 - 8] * 255 - (30, 60, 220)).max() < 4
    assert np.abs(seen[:, KEPT_SIDE // 2 + 8 :] * 255 - (200, 40, 40)).max() < 4


def test_colours_under_transparency_do_not_bleed_in() -> None:
    """As a large picture shrinks, what is invisible must not tint the object's edge."""
    mask = cross(1500, 1500)
    rgba = np.zeros((1500, 1500, 4), np.float32)
    rgba[..., 1] = 1.0  # green where nothing shows
    rgba[mask > 0.5, :3] = (0.8, 0.0, 0.0)
    rgba[..., 3] = mask
    found = decoded(bytes_of(rgba), "it")
    assert found.alpha is not None
    assert found.colour[found.alpha > 0.1, 1].max() < 0.02


@pytest.mark.parametrize(
    ("data", "code", "said"),
    [
        (b"", "input.picture", "an empty file"),
        (b"<svg/>", "input.picture", "none of PNG"),
        (bytes_of(PICTURE)[:100], "input.picture", "broken"),
        (bytes_of(PICTURE, "JPEG")[:300], "input.picture", "broken"),
        (bytes_of(PICTURE[:8, :8]), "input.picture", "8 x 8"),
        (
            bytes_of(np.zeros((16, 40_000, 3), np.float32)),
            "input.picture_large",
            "40,000 x 16 pixels; 32,768 along a side",
        ),
        (bytes(65 << 20), "input.picture_large", "65 MiB"),
    ],
    ids=["empty", "svg", "cut png", "cut jpeg", "tiny", "long", "heavy"],
)
def test_what_is_no_picture_is_refused(data: bytes, code: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        decoded(data, "it")
    assert caught.value.code == code and said in caught.value.why and caught.value.fix


def test_a_bomb_is_refused_by_its_header() -> None:
    """A small file that says it has 60,000 x 60,000 pixels is not unpacked."""
    bomb = bytearray(bytes_of(PICTURE))
    bomb[16:24] = struct.pack(">II", 60_000, 60_000)
    bomb[29:33] = struct.pack(">I", zlib.crc32(bytes(bomb[12:29])))
    with pytest.raises(InputError) as caught:
        decoded(bytes(bomb), "it")
    assert caught.value.code == "input.picture_large" and "67,108,864" in caught.value.why


def test_levels_that_are_not_finite_are_refused() -> None:
    levels = np.full((40, 60), 0.5, np.float32)
    levels[3, 3] = np.nan
    with pytest.raises(InputError) as caught:
        decoded(file_of(Image.fromarray(levels), "TIFF"), "it")
    assert "finite" in caught.value.why
