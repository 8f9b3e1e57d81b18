"""Writer of PNG files (PNG specification, third edition), without a picture library."""

from __future__ import annotations

import struct
import zlib

from .picture import PNG_BEGIN

_COLOUR_TYPES = {3: 2, 4: 6}  # channels: truecolour, truecolour with alpha
_LEVEL = 3  # of zlib: little slower than 1, and nearly as small as 6


def png_file(pixels: bytes, width: int, height: int, channels: int) -> bytes:
    """The PNG of a picture with 8 bits a channel.

    pixels: bytes, rows from the top, channels side by side.
    width, height: int, pixels.
    channels: int, 3 for RGB or 4 for RGBA.
    """
    row = width * channels
    body = zlib.compressobj(_LEVEL)
    packed = [body.compress(b"\0" + pixels[start : start + row]) for start in range(0, row * height, row)]
    packed.append(body.flush())
    head = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    return PNG_BEGIN + _chunk(b"IHDR", head) + _chunk(b"IDAT", b"".join(packed)) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
