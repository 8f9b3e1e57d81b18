"""The pixels of an image as the bytes of a PNG or JPEG, with what an artist has painted and not saved."""

from __future__ import annotations

import struct
import zlib
from array import array
from pathlib import Path

import bpy
from bpy.types import Image

from ...core.jobs.folder import read_source
from ...core.picture import JPEG_BEGIN, PNG_BEGIN, can_be_texture


def picture_file(image: Image) -> bytes:
    """The bytes of a PNG or JPEG with the image's colours; b"" where it has none, or is larger than a texture may be.

    image: not of UDIM tiles.
    """
    if not image.is_dirty:
        data = _kept(image)
        if data.startswith((PNG_BEGIN, JPEG_BEGIN)) and can_be_texture(data):
            return data
    width, height = image.size
    return _png(image, width, height) if 0 < width <= 8192 and 0 < height <= 8192 else b""


def _kept(image: Image) -> bytes:
    """The file of the image, packed or on the disk; b"" for none."""
    if image.packed_file is not None:
        return bytes(image.packed_file.data)
    if image.source != "FILE" or not image.filepath:
        return b""
    try:
        return read_source(Path(bpy.path.abspath(image.filepath, library=image.library)))
    except OSError:
        return b""


def _png(image: Image, width: int, height: int) -> bytes:
    """An 8-bit RGB PNG (PNG specification, 2nd edition). Blender's rows go from the bottom up."""
    channels = image.channels
    pixels = array("f", bytes(4 * width * height * channels))
    image.pixels.foreach_get(pixels)
    values = bytes(min(255, max(0, int(255.0 * value + 0.5))) if value == value else 0 for value in pixels)
    colours = bytearray(3 * width * height)
    for channel in range(3):
        colours[channel::3] = values[min(channel, channels - 1) :: channels]
    rows = (colours[3 * width * row : 3 * width * (row + 1)] for row in reversed(range(height)))
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows), 1)),
        (b"IEND", b""),
    ]
    body = (struct.pack(">I", len(d)) + name + d + struct.pack(">I", zlib.crc32(name + d)) for name, d in chunks)
    return PNG_BEGIN + b"".join(body)
