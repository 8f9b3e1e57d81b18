"""Pictures of jobs as icons for the panel, made from PNG bytes. No file and no data-block stays behind."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import bpy
import bpy.utils.previews
from bpy.utils.previews import ImagePreviewCollection

from ...core.picture import PNG_BEGIN, can_be_shown


@dataclass(frozen=True)
class Pixels:
    """A decoded picture.

    width, height: int, pixels.
    values: float[height * width * 4], RGBA in [0, 1] as encoded in the file, row by row from the bottom.
    """

    width: int
    height: int
    values: array[float]

    def square(self, number: int, count: int) -> Pixels:
        """Part `number` of `count` equal parts, counted from left to right from 0."""
        width = self.width // count
        start, row = 4 * width * number, 4 * self.width
        part = array("f")
        for y in range(self.height):
            part.extend(self.values[y * row + start : y * row + start + 4 * width])
        return Pixels(width, self.height, part)


_collection: ImagePreviewCollection | None = None


def show(key: str, png: bytes) -> bool:
    """Make the picture that `icon(key)` gives.

    key: str, the picture's name.
    png: bytes of the file.
    Returns False if it is not a PNG that Blender can read.
    """
    pixels = decoded(png)
    if pixels is None:
        return False
    put(key, pixels)
    return True


def show_row(key: str, png: bytes, count: int) -> bool:
    """Make pictures key/0, key/1 ... of one PNG with a row of square pictures.

    key: str, the row's name.
    png: bytes of the file.
    count: int, the number of pictures.
    Returns False if it is not a PNG that Blender can read.
    """
    parts = row_parts(png, count)
    for number, part in enumerate(parts):
        put(f"{key}/{number}", part)
    return bool(parts)


def row_parts(png: bytes, count: int) -> list[Pixels]:
    """The pictures of `show_row`, for a caller that `put`s them one by one. Empty if the PNG is damaged."""
    pixels = decoded(png)
    if pixels is None or pixels.width < count:
        return []
    return [pixels.square(number, count) for number in range(count)]


def icon(key: str) -> int:
    """The number for `icon_value=` or `template_icon`; 0, which shows no icon, when there is no such picture."""
    found = _collection.get(key) if _collection is not None else None
    return found.icon_id if found is not None else 0


def has(key: str) -> bool:
    """Whether there is such a picture. `icon` cannot tell: without windows Blender has no icons, and it is 0."""
    return _collection is not None and key in _collection


def forget(key: str) -> None:
    """Free the pictures `key` and key/0, key/1 ..."""
    if _collection is None:
        return
    for name in [name for name in _collection if name == key or name.startswith(key + "/")]:
        del _collection[name]


def decoded(png: bytes) -> Pixels | None:
    """The pixels of a PNG, by Blender's own reader; None if it is damaged, or its header says that it is too large."""
    if not png.startswith(PNG_BEGIN) or not can_be_shown(png):
        return None
    image = bpy.data.images.new("DreamFusion Picture", 1, 1)
    try:
        image.pack(data=png, data_len=len(png))
        image.source = "FILE"
        width, height = image.size
        if not width or not height or image.channels != 4:
            return None
        values = array("f", bytes(16 * width * height))
        image.pixels.foreach_get(values)
        return Pixels(width, height, values)
    finally:
        bpy.data.images.remove(image)


def register() -> None:
    """Make the collection of pictures."""
    global _collection
    _collection = bpy.utils.previews.new()


def unregister() -> None:
    """Free every picture."""
    global _collection
    if _collection is not None:
        bpy.utils.previews.remove(_collection)
        _collection = None


def put(key: str, pixels: Pixels) -> None:
    """Make the decoded picture that `icon(key)` gives."""
    assert _collection is not None, "pictures.register() comes first"
    found = _collection.get(key) or _collection.new(key)
    found.image_size = (pixels.width, pixels.height)
    found.image_pixels_float.foreach_set(pixels.values)
