"""Pictures as a person or a program hands them over: bytes, a name, a viewpoint, and a mask. Not decoded yet."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.inputs.given_path import UnusablePath, given_path, shortened
from dreamfusion_engine.pictures.viewpoint import Viewpoint, check_apart, viewpoint_of

FILE_LIMIT = 1 << 26  # bytes of a picture's file
MOST = 16  # pictures of one run


@dataclass(frozen=True, kw_only=True)
class GivenPicture:
    """A picture, not decoded.

    data: bytes of its file.
    viewpoint: Viewpoint that it shows the object from.
    mask: bytes of a picture that is white where the object is; b"": none.
    name: str, what messages call it.
    """

    data: bytes
    viewpoint: Viewpoint = Viewpoint()
    mask: bytes = b""
    name: str = "the picture"


def check_number(pictures: Sequence[GivenPicture]) -> None:
    """Raise InputError for more pictures than a run may have, or two of one view."""
    if len(pictures) > MOST:
        raise InputError(
            "input.picture",
            what="There are too many pictures.",
            why=f"{len(pictures)} were given; a run takes {MOST} at most.",
            fix="Keep those that show the object best from different sides.",
        )
    check_apart([picture.viewpoint for picture in pictures])


def read_given(images: Sequence[tuple[str, str]]) -> tuple[GivenPicture, ...]:
    """Return the pictures that words of the command line mean, read from their files.

    images: pairs of FILE[@VIEW] and the mask's FILE, "" for none.
    Raises InputError for a view that is none, and for a file that cannot be read or is too large.
    """
    found = []
    for word, mask in images:
        file, viewpoint = split_word(word)
        data = read_picture_file(file, "picture")
        masked = read_picture_file(mask, "mask") if mask else b""
        found.append(GivenPicture(data=data, viewpoint=viewpoint, mask=masked, name=shortened(os.path.basename(file))))
    return tuple(found)


def picture_files(images: Sequence[tuple[str, str]]) -> list[Path]:
    """Return the files that words of the command line mean, of pictures and masks.

    images: as for `read_given`.
    """
    return [Path(file) for word, mask in images for file in (split_word(word)[0], mask) if file]


def split_word(word: str) -> tuple[str, Viewpoint]:
    """Return file and viewpoint of FILE[@VIEW]. A file whose own name holds an @ is found too.

    word: str.
    Raises InputError input.picture_view.
    """
    file, at, view = word.rpartition("@")
    if not (file if at else word).strip():
        raise InputError(
            "input.picture",
            what="A picture has no file.",
            why=f"{shortened(word)!r} names none.",
            fix="Give its file, and after an @ its view: --image chair.png@front.",
        )
    if not at or os.path.sep in view or "/" in view or os.path.isfile(os.path.expanduser(word)):
        return word, Viewpoint()
    try:
        return file, viewpoint_of(view)
    except InputError:
        if "." in view and not os.path.isfile(os.path.expanduser(file)):  # photo@2x.png, which is not there
            return word, Viewpoint()
        raise


def read_picture_file(file: str, kind: str) -> bytes:
    """Return the bytes of a picture's file.

    file: str, as typed.
    kind: str, 'picture' or 'mask', for messages.
    Raises InputError for one that cannot be read or is too large.
    """
    try:
        found = Path(given_path(file))
        status = found.stat()
        if not stat.S_ISREG(status.st_mode):  # a device may never end
            raise UnusablePath("it is a folder" if found.is_dir() else "it is no file")
        check_size(status.st_size, shortened(file), kind)
        return found.read_bytes()
    except (OSError, UnusablePath) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InputError(
            f"input.{kind}",
            what=f"The {kind} cannot be read.",
            why=f"{shortened(file)}: {why}.",
            fix=f"Give the path of a PNG or JPEG file as the {kind}.",
        ) from error


def check_size(size: int, name: str, kind: str = "picture") -> None:
    """Raise InputError input.picture_large for a file of more than FILE_LIMIT.

    size: int, bytes.
    name: str, of the file.
    kind: str, 'picture' or 'mask', for messages.
    """
    if size > FILE_LIMIT:
        raise InputError(
            "input.picture_large",
            what=f"The {kind}'s file is too large.",
            why=f"{name} has {size >> 20:,} MiB; the limit is {FILE_LIMIT >> 20} MiB.",
            fix="Save a smaller copy: 2,000 pixels along a side are more than enough.",
        )
