"""Sizes of pictures from their headers, checked against Pillow's own files."""

from __future__ import annotations

import io
import random
import struct
from pathlib import Path
from typing import Any

import pytest
from fakes.shapes import png
from PIL import Image

from blender_addon.core.engine.payload import payload_fault
from blender_addon.core.picture import FILE_LIMIT, can_be_shown, can_be_texture, picture_size, read_picture
from blender_addon.core.protocol import Frame


def encoded(kind: str, width: int, height: int, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (width, height), (9, 99, 199)).save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("size", [(1, 1), (640, 360), (300, 7)])
def test_the_size_is_the_one_that_was_written(size: tuple[int, int]) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a description " * 100  # a long segment before the frame
    for data in (
        encoded("PNG", *size),
        encoded("JPEG", *size),
        encoded("JPEG", *size, progressive=True),
        encoded("JPEG", *size, exif=exif),
    ):
        assert picture_size(data) == size and can_be_shown(data) and can_be_texture(data)


def of_size(width: int, height: int) -> bytes:
    """A whole PNG of some bytes that says it is so large."""
    data = bytearray(png(2, 2, 0))
    data[16:24] = struct.pack(">II", width, height)
    return bytes(data)


@pytest.mark.parametrize("size", [(12_000, 12_000), (2**31 - 1, 1), (1, 8193), (0, 5), (4096, 1025)])
def test_a_picture_that_would_fill_the_memory_is_refused_by_its_header(size: tuple[int, int]) -> None:
    assert not can_be_shown(of_size(*size))
    assert payload_fault(Frame({"type": "preview", "id": "a", "name": "latest", "step": 1}, of_size(*size)))


def test_the_largest_texture_of_the_engine_passes() -> None:
    assert can_be_texture(of_size(8192, 8192)) and not can_be_texture(of_size(8193, 64))
    assert can_be_shown(of_size(4096, 1024))


def test_damaged_headers_have_no_size() -> None:
    chance = random.Random(0)
    for whole in (encoded("PNG", 30, 20), encoded("JPEG", 30, 20)):
        for length in range(len(whole)):
            assert picture_size(whole[:length]) in (None, (30, 20))
        for _ in range(2000):
            data = bytearray(whole)
            data[chance.randrange(len(data))] = chance.randrange(256)
            picture_size(bytes(data))  # never an exception, never a loop
    assert picture_size(b"") is None and picture_size(b"GIF89a") is None


def test_a_file_without_end_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "big.png").open("wb") as stream:
        stream.truncate(FILE_LIMIT + 1)
    with pytest.raises(OSError, match="large"):
        read_picture(tmp_path / "big.png")
    (tmp_path / "small.png").write_bytes(png(2, 2, 0))
    assert read_picture(tmp_path / "small.png") == png(2, 2, 0)
