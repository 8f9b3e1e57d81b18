"""The pixels of an image as the bytes of a PNG or JPEG, with what an artist has painted and not saved."""

from __future__ import annotations

from array import array
from pathlib import Path

import bpy
from bpy.types import Image

from ...core.jobs.folder import read_source
from ...core.picture import JPEG_BEGIN, PNG_BEGIN, TEXTURE_SIDE, can_be_texture
from ...core.png import png_file


def picture_file(image: Image) -> bytes:
    """The bytes of a PNG or JPEG with the image's colours; b"" where it has none, or is larger than a texture may be.

    image: not of UDIM tiles.
    """
    if not image.is_dirty:
        data = _kept(image)
        if data.startswith((PNG_BEGIN, JPEG_BEGIN)) and can_be_texture(data):
            return data
    width, height = image.size
    return _png(image, width, height) if min(width, height) > 0 and max(width, height) <= TEXTURE_SIDE else b""


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
    """An 8-bit RGB PNG, without numpy. Blender's rows go from the bottom up."""
    channels = image.channels
    pixels = array("f", bytes(4 * width * height * channels))
    image.pixels.foreach_get(pixels)
    values = bytes(min(255, max(0, int(255.0 * value + 0.5))) if value == value else 0 for value in pixels)
    colours = bytearray(3 * width * height)
    for channel in range(3):
        colours[channel::3] = values[min(channel, channels - 1) :: channels]
    rows = (colours[3 * width * row : 3 * width * (row + 1)] for row in reversed(range(height)))
    return png_file(b"".join(rows), width, height, 3)
