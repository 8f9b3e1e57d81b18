"""What messages carry: the blockout and the pictures of a `generate`, the picture of a `cut_out`; one after another."""

from __future__ import annotations

from typing import Any

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.inputs.given_path import shortened
from dreamfusion_engine.pictures.given import MOST, GivenPicture
from dreamfusion_engine.pictures.viewpoint import Viewpoint, checked_viewpoint, viewpoint_of

_FIELDS = {"bytes", "view", "mask"}


def attached(message: dict[str, Any], data: bytes) -> tuple[bytes, tuple[GivenPicture, ...]]:
    """Return the blockout, b"" for none, and the pictures of a message.

    message: `generate`, checked against the table of messages.
    data: bytes that followed it.
    Raises InputError for lengths that are none or more than there are, and for a view that is none.
    """
    said = message.get("pictures") or []
    if len(said) > MOST:
        raise _refused(f"It announces {len(said):,} pictures; {MOST} are the most.")
    for each in said:
        if not isinstance(each, dict) or not set(each) <= _FIELDS:
            raise _refused(f"{shortened(each)} is no picture: it has the fields {', '.join(sorted(_FIELDS))}.")
    sizes = [(_length(each.get("bytes"), least=1), _length(each.get("mask") or 0, least=0)) for each in said]
    end = len(data) - sum(picture + mask for picture, mask in sizes)
    if end < 0:
        raise _refused(f"Its pictures have {len(data) - end:,} bytes by their lengths, and {len(data):,} came with it.")
    blockout, found = data[:end], []
    for i, (each, (size, mask)) in enumerate(zip(said, sizes, strict=True)):
        picture = GivenPicture(
            data=data[end : end + size],
            mask=data[end + size : end + size + mask],
            viewpoint=_viewpoint(each.get("view")),
            name=f"picture {i + 1}",
        )
        found.append(picture)
        end += size + mask
    return blockout, tuple(found)


def picture_of(message: dict[str, Any], data: bytes) -> GivenPicture:
    """Return the picture of a message.

    message: `cut_out`, checked against the table of messages.
    data: bytes that followed it.
    Raises InputError for a mask's length that is none or leaves nothing for the picture.
    """
    end = len(data) - _length(message.get("mask") or 0, least=0)
    if end < 1:
        raise _refused(f"Its mask leaves {max(0, end):,} of {len(data):,} bytes for the picture.")
    return GivenPicture(data=data[:end], mask=data[end:])


def _length(value: Any, *, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise _refused(f"{shortened(repr(value))} is no number of bytes of at least {least}.")
    return value


def _viewpoint(view: Any) -> Viewpoint:
    if view is None:
        return Viewpoint()
    if isinstance(view, str):
        return viewpoint_of(view)
    numbers = isinstance(view, list) and [type(each) in (int, float) for each in view] == [True, True]
    if not numbers:
        raise _refused(f"{shortened(repr(view))} is neither the name of a view nor two angles.")
    return checked_viewpoint(float(view[0]), float(view[1]))


def _refused(why: str) -> InputError:
    return InputError(
        "protocol.pictures",
        what="The pictures of a message cannot be told apart.",
        why=why,
        fix="Update the add-on and the engine to the same version; if they are, this is a bug worth reporting.",
    )
