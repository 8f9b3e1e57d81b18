"""The present base colour of a primitive, and the pictures that are none."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from reference.glb_builder import Glb, square

from dreamfusion_engine.mesh.gltf.picture import read_base_colour
from dreamfusion_engine.mesh.gltf.read import read_gltf

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)


def encoded(pixels: NDArray[Any], kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def coloured(picture: bytes | None, factor: Any = None) -> Glb:
    """A square with a base colour of a picture and a factor."""
    glb = square()
    pbr: dict[str, Any] = {}
    if picture is not None:
        glb.add("images", {"bufferView": glb.view(picture), "mimeType": "image/png"})
        glb.add("textures", {"source": 0})
        pbr["baseColorTexture"] = {"index": 0}
    if factor is not None:
        pbr["baseColorFactor"] = factor
    glb.document["meshes"][0]["primitives"][0]["material"] = glb.add("materials", {"pbrMetallicRoughness": pbr})
    return glb


def base_colour(glb: Glb) -> NDArray[np.uint8] | None:
    return read_base_colour(read_gltf(glb.data()), 0)


def test_a_picture_is_read_as_it_is() -> None:
    np.testing.assert_array_equal(base_colour(coloured(encoded(PIXELS))), PIXELS)


def test_a_jpeg_is_read() -> None:
    found = base_colour(coloured(encoded(np.full((8, 8, 3), 90, np.uint8), "JPEG", quality=95)))
    assert found is not None and np.abs(found.astype(int) - 90).max() <= 2


def test_alpha_is_left_aside_and_grey_is_grey() -> None:
    alpha = np.concatenate([PIXELS, np.zeros((5, 7, 1), np.uint8)], 2)
    np.testing.assert_array_equal(base_colour(coloured(encoded(alpha))), PIXELS)
    grey = PIXELS[..., 0]
    np.testing.assert_array_equal(base_colour(coloured(encoded(grey))), np.repeat(grey[..., None], 3, 2))
    deep = grey.astype(np.uint16) * 257
    np.testing.assert_array_equal(base_colour(coloured(encoded(deep))), np.repeat(grey[..., None], 3, 2))


def test_the_factor_multiplies_light_not_numbers() -> None:
    found = base_colour(coloured(encoded(PIXELS), [1.0, 0.5, 0.0, 0.3]))
    assert found is not None
    np.testing.assert_array_equal(found[..., 0], PIXELS[..., 0])
    assert (found[..., 2] == 0).all()
    white = base_colour(coloured(encoded(np.full((1, 1, 3), 255, np.uint8)), [1, 0.5, 1, 1]))
    assert white is not None and white[0, 0].tolist() == [255, 188, 255]  # half the light is 188 of 255 in sRGB


def test_a_factor_alone_is_one_pixel_of_srgb() -> None:
    found = base_colour(coloured(None, [0.2158605, 1.0, 0.0, 1.0]))
    assert found is not None and found.tolist() == [[[128, 255, 0]]]
    assert (np.array(base_colour(coloured(None))) == [[[255, 255, 255]]]).all()
    assert (np.array(base_colour(square())) == [[[255, 255, 255]]]).all()


def large(width: int, height: int) -> bytes:
    """A PNG that claims a size, and holds one row of nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(
    ("shape", "read"), [((1, 8192), True), ((8192, 1), True), ((1, 8193), False), ((8193, 1), False)]
)
def test_a_side_has_8192_pixels_at_most(shape: tuple[int, int], read: bool) -> None:
    found = base_colour(coloured(encoded(np.zeros(shape, np.uint8))))
    assert (found is not None) == read


@pytest.mark.parametrize(
    "content",
    [
        b"no picture",
        encoded(PIXELS)[:60],
        encoded(PIXELS)[:-30],
        encoded(PIXELS, "BMP"),
        large(1_000_000, 1_000_000),
        large(0, 0),
    ],
    ids=["text", "cut", "short", "bmp", "huge", "empty"],
)
def test_a_picture_that_cannot_be_used_is_none(content: bytes) -> None:
    assert base_colour(coloured(content)) is None


@pytest.mark.parametrize(
    "change",
    [
        "d['images'][0] = {'uri': 'bark.png'}",
        "d['images'][0]['bufferView'] = 99",
        "d['textures'][0]['source'] = 3",
        "d['textures'][0] = {}",
        "d['textures'] = []",
        "d['materials'][0]['pbrMetallicRoughness']['baseColorTexture']['index'] = 'one'",
        "d['materials'][0]['pbrMetallicRoughness']['baseColorFactor'] = [1, 2]",
        "d['materials'][0]['pbrMetallicRoughness']['baseColorFactor'] = 'red'",
        "d['bufferViews'][-1]['byteLength'] = 10**9",
    ],
)
def test_a_reference_that_leads_nowhere_is_none(change: str) -> None:
    glb = coloured(encoded(PIXELS))
    exec(change, {"d": glb.document})
    assert base_colour(glb) is None
