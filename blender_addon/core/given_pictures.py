"""Pictures that an artist gives of an object: how they travel with a job, and which are of one view. No bpy.

A recipe says how many there are, from where each was taken, and how long its file is, as the message `generate` does.
The files themselves lie one after another in a file of the job's folder, as they follow that message.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .declared_settings import ENGINE

MOST = int(ENGINE.limits["pictures"])  # of one job
FILE_LIMIT = int(ENGINE.limits["picture_bytes"])  # bytes of a picture's file
PIXEL_LIMIT = int(ENGINE.limits["picture_pixels"])  # of a picture
TOTAL_LIMIT = 1 << 28  # bytes of all files of one job; a message has room for twice that, with a blockout
APART_DEG = ENGINE.limits["pictures_apart_deg"]  # two that are nearer than that are of one view
SIDES = {"front": 0.0, "right": 90.0, "back": 180.0, "left": 270.0}  # degrees from -Y, counter-clockwise from above
_FIELDS = {"bytes", "view", "mask"}

View = str | tuple[float, float]  # a name of SIDES, or azimuth and elevation of the camera in degrees


@dataclass(frozen=True)
class GivenPicture:
    """A picture of an object.

    data: bytes of its file.
    view: View, from where it was taken.
    mask: bytes of a picture's file that is white where the object is; b"" for none.
    """

    data: bytes
    view: View = "front"
    mask: bytes = b""

    def said(self) -> dict[str, Any]:
        """What recipe and message say of it, as plain values."""
        view = self.view if isinstance(self.view, str) else list(self.view)
        return {"bytes": len(self.data), "view": view, **({"mask": len(self.mask)} if self.mask else {})}


def from_words(words: Sequence[str]) -> list[GivenPicture]:
    """The pictures that words of a script or a command line mean, read from their files.

    words: FILE or FILE@VIEW each, with VIEW a side, a side and an elevation, or AZIMUTH,ELEVATION in degrees. A file
        whose own name holds an @ is found too.
    Raises ValueError for a view that is none, for what is no file, and for files that are empty, too large or too many;
        OSError.
    """
    if isinstance(words, str | bytes) or any(not isinstance(word, str | os.PathLike) for word in words):
        raise ValueError('pictures come as a list of texts, such as ["car.png@left"]')
    if len(words) > MOST:
        raise ValueError(f"{len(words)} pictures were given, and an object takes {MOST} at most")
    found = []
    for word in words:
        file, view = _file_and_view(os.fspath(word))
        path = Path(os.path.expanduser(file))
        if not file.strip() or (path.exists() and not path.is_file()):  # a pipe may never end
            raise ValueError(f"'{file[:80]}' is no file")
        size = path.stat().st_size
        if size > FILE_LIMIT:
            raise ValueError(f"{path.name[:80]} has more than {FILE_LIMIT >> 20} MiB")
        if not size:
            raise ValueError(f"{path.name[:80]} is an empty file")
        found.append(GivenPicture(path.read_bytes(), view))
    return found


def _file_and_view(word: str) -> tuple[str, View]:
    """The two parts of FILE@VIEW. Raises ValueError for a view that is none."""
    file, at, said = word.rpartition("@")
    if not at or "/" in said or os.sep in said or os.path.isfile(os.path.expanduser(word)):
        return word, "front"
    try:
        return file, _view_in_words(said)
    except ValueError:
        if "." in said and not os.path.isfile(os.path.expanduser(file)):  # photo@2x.png, which is not there
            return word, "front"
        raise


def _view_in_words(said: str) -> View:
    """The view that is meant by 'left', 'left,20' or '30,20'. Raises ValueError."""
    first, comma, second = (part.strip() for part in said.lower().partition(","))
    try:
        if not comma:
            return view_of(first)
        return view_of([SIDES[first] if first in SIDES else float(first), float(second)])
    except ValueError:
        raise ValueError(f"'{said[:40]}' is no view: after the @ goes a side or AZIMUTH,ELEVATION") from None


def joined(pictures: Sequence[GivenPicture]) -> bytes:
    """The files one after another, each picture before its mask."""
    return b"".join(picture.data + picture.mask for picture in pictures)


def size_of(said: Sequence[dict[str, Any]]) -> int:
    """The bytes of all files together.

    said: of a recipe, `checked`.
    """
    return sum(each["bytes"] + each.get("mask", 0) for each in said)


def split(said: Sequence[dict[str, Any]], data: bytes) -> list[GivenPicture]:
    """The pictures that were `joined`.

    said: of a recipe, `checked`.
    data: bytes of all files.
    Raises ValueError where the lengths do not fit.
    """
    if size_of(said) != len(data):
        raise ValueError(f"{len(data):,} bytes for pictures of {size_of(said):,}")
    found, place = [], 0
    for each in said:
        middle = place + each["bytes"]
        end = middle + each.get("mask", 0)
        found.append(GivenPicture(data[place:middle], view_of(each["view"]), data[middle:end]))
        place = end
    return found


def checked(values: Any) -> list[dict[str, Any]]:
    """What a recipe says of pictures, when it says nothing else.

    values: what json.loads gave.
    Raises ValueError.
    """
    if not isinstance(values, list) or len(values) > MOST:
        raise ValueError(f"they must be a list of {MOST} at most")
    for each in values:
        if not isinstance(each, dict) or not {"bytes", "view"} <= set(each) <= _FIELDS:
            raise ValueError(f"each must have {', '.join(sorted(_FIELDS))}")
        for name, least in (("bytes", 1), ("mask", 0)):
            length = each.get(name, 0)
            if type(length) is not int or not (least <= length <= FILE_LIMIT or name not in each):
                raise ValueError(f"'{name}' must be a number of bytes up to {FILE_LIMIT}")
        view_of(each["view"])
    return values


def view_of(value: Any) -> View:
    """The view that a recipe's value means. Raises ValueError for none."""
    if isinstance(value, str) and value in SIDES:
        return value
    numbers = isinstance(value, list | tuple) and [type(each) in (int, float) for each in value] == [True, True]
    if numbers and abs(value[0]) <= 360.0 and abs(value[1]) <= 90.0:
        return float(value[0]), float(value[1])
    raise ValueError("a view must be a side or two angles in degrees")


def apart_deg(one: View, other: View) -> float:
    """The angle between two views, in [0, 180] degrees."""
    a, b = _direction(one), _direction(other)
    return math.degrees(math.acos(max(-1.0, min(1.0, sum(x * y for x, y in zip(a, b, strict=True))))))


def twice(views: Sequence[View]) -> tuple[int, int] | None:
    """The places of the first two that are of one view, from 0; None where there are none."""
    for second, view in enumerate(views):
        for first in range(second):
            if apart_deg(views[first], view) < APART_DEG:
                return first, second
    return None


def view_text(view: View) -> str:
    """'front', or '30, 20 degrees'."""
    return view if isinstance(view, str) else f"{view[0]:g}, {view[1]:g} degrees"


def _direction(view: View) -> tuple[float, float, float]:
    azimuth, elevation = (math.radians(each) for each in ((SIDES[view], 0.0) if isinstance(view, str) else view))
    c = math.cos(elevation)
    return c * math.sin(azimuth), -c * math.cos(azimuth), math.sin(elevation)
