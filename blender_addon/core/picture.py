"""The size of a PNG or JPEG, read from its header. A small file can hold a picture that would fill the memory."""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path

PNG_BEGIN, PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
JPEG_BEGIN = b"\xff\xd8\xff"
SHOWN_SIDE, SHOWN_PIXELS = 8192, 1 << 22  # of a picture in the panel: four of 1024 squared in a row
TEXTURE_SIDE = 8192  # the engine's largest texture
FILE_LIMIT = 1 << 25  # bytes: SHOWN_PIXELS of eight bytes each
# Markers of a JPEG that begin a frame, and so tell its size: SOF0 to SOF15 without DHT, JPG and DAC (ITU-T T.81, B.1).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def picture_size(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels, by the header of a PNG or JPEG.

    data: bytes, the file or its beginning.
    Returns None for any other file and for a damaged header.
    """
    try:
        width, height = _png_size(data) if data.startswith(PNG_BEGIN) else _jpeg_size(data)
    except (struct.error, ValueError):
        return None
    return (width, height) if width > 0 and height > 0 else None


def can_be_shown(data: bytes) -> bool:
    """Whether the panel may decode these bytes: a picture small enough to take milliseconds and some megabytes."""
    size = picture_size(data) if len(data) <= FILE_LIMIT else None
    return size is not None and max(size) <= SHOWN_SIDE and size[0] * size[1] <= SHOWN_PIXELS


def can_be_texture(data: bytes) -> bool:
    """Whether these bytes are a picture that is small enough for an object's texture."""
    size = picture_size(data)
    return size is not None and max(size) <= TEXTURE_SIDE


def read_picture(path: Path) -> bytes:
    """The bytes of a picture's file.

    Raises OSError, also for a file that is too large to be shown.
    """
    with path.open("rb") as stream:
        data = stream.read(FILE_LIMIT + 1)
    if len(data) > FILE_LIMIT:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return data


def _png_size(data: bytes) -> tuple[int, int]:
    """Width and height of the first chunk, IHDR: length, name, width, height (PNG specification, 11.2.1)."""
    length, name, width, height = struct.unpack_from(">I4sII", data, len(PNG_BEGIN))
    if length != 13 or name != b"IHDR":
        raise ValueError("no header")
    return width, height


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Width and height of the first frame. The segments before it have a marker, a length and that many bytes."""
    if not data.startswith(JPEG_BEGIN):
        raise ValueError("no JPEG")
    place = 2
    while True:
        begin, marker, length = struct.unpack_from(">BBH", data, place)
        if begin != 0xFF or length < 2:
            raise ValueError("no segment")
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", data, place + 5)
            return width, height
        place += 2 + length
