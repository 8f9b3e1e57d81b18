"""What an agent gives a run beside words: a mesh, and pictures of the object. A run that never began still has them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dreamfusion_engine.agents.folder import AllowedFolder
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.inputs.given_path import shortened
from dreamfusion_engine.machine.atomic_file import write_atomically
from dreamfusion_engine.machine.disk import output_error
from dreamfusion_engine.pictures.given import MOST, GivenPicture, check_number, read_picture_file
from dreamfusion_engine.pictures.viewpoint import FORMS, checked_viewpoint, viewpoint_of

BYTES_LIMIT = 1 << 28  # of all pictures of a run; they are sent to the engine at once
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,5}")


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a run is given.

    mesh: bytes of a binary glTF; b"": none.
    pictures: GivenPictures.
    """

    mesh: bytes = b""
    pictures: tuple[GivenPicture, ...] = ()

    @property
    def data(self) -> bytes:
        """What follows the message: the mesh, then each picture and its mask."""
        return self.mesh + b"".join(each.data + each.mask for each in self.pictures)

    @property
    def announced(self) -> dict[str, Any]:
        """What the message says of the pictures; nothing where there is none."""
        said = [
            {
                "bytes": len(each.data),
                "view": [each.viewpoint.azimuth_deg, each.viewpoint.elevation_deg],
                "mask": len(each.mask),
            }
            for each in self.pictures
        ]
        return {"pictures": said} if said else {}


def read_pictures(folder: AllowedFolder, asked: Sequence[Mapping[str, str]]) -> tuple[GivenPicture, ...]:
    """Return the pictures that an agent names, read from the allowed folder.

    folder: AllowedFolder.
    asked: {"file", "view", "mask"} each, checked as the tool declares them; "mask" is "" for none.
    Raises InputError for a file outside, one that cannot be read, files that are too large together, a view that is
        none, and for two pictures of one view.
    """
    files = [(folder.inside(each["file"]), folder.inside(each["mask"]) if each["mask"] else None) for each in asked]
    sizes = [path.stat().st_size for pair in files for path in pair if path is not None and path.is_file()]
    if sum(sizes) > BYTES_LIMIT:
        raise InputError(
            "input.picture_large",
            what="The pictures' files are too large together.",
            why=f"They have {sum(sizes) >> 20:,} MiB; the limit is {BYTES_LIMIT >> 20} MiB.",
            fix="Give smaller copies: 2,000 pixels along a side are more than enough.",
        )
    found = []
    for each, (path, mask) in zip(asked, files, strict=True):
        try:
            viewpoint = viewpoint_of(each["view"])
        except InputError as error:
            fix = f"'view' is {FORMS}, such as 'left' or '30,20'."
            raise InputError(error.code, what=error.what, why=error.why, fix=fix) from error
        data = read_picture_file(str(path), "picture")
        masked = read_picture_file(str(mask), "mask") if mask is not None else b""
        found.append(GivenPicture(data=data, viewpoint=viewpoint, mask=masked, name=shortened(path.name)))
    check_number(found)
    return tuple(found)


def keep_pictures(run: Path, pictures: Sequence[GivenPicture]) -> list[dict[str, Any]]:
    """Write copies of the pictures into a run's folder; return what its request says of them.

    run: Path of the run's folder.
    pictures: GivenPictures.
    Raises InputError where they cannot be written.
    """
    said = []
    try:
        for i, each in enumerate(pictures):
            ending = Path(each.name).suffix
            name = f"given-{i}{ending if _ENDING.fullmatch(ending) else ''}"
            write_atomically(run / name, each.data)
            mask = f"given-{i}-mask" if each.mask else ""
            if mask:
                write_atomically(run / mask, each.mask)
            view = [each.viewpoint.azimuth_deg, each.viewpoint.elevation_deg]
            said.append({"file": name, "view": view, "mask": mask})
    except OSError as error:
        raise output_error(run, error) from error
    return said


def kept_pictures(folder: AllowedFolder, run: Path, said: Any) -> tuple[GivenPicture, ...]:
    """Return the pictures that `keep_pictures` wrote.

    folder: AllowedFolder.
    run: Path of the run's folder.
    said: of its request, which somebody may have changed.
    Raises InputError where it names no pictures of that folder.
    """
    found = []
    try:
        for each in list(said or ())[:MOST]:
            azimuth, elevation = (float(angle) for angle in each["view"])
            paths = [str(folder.inside(f"{run.name}/{each[name]}")) if each[name] else "" for name in ("file", "mask")]
            found.append(
                GivenPicture(
                    data=read_picture_file(paths[0], "picture"),
                    viewpoint=checked_viewpoint(azimuth, elevation),
                    mask=read_picture_file(paths[1], "mask") if paths[1] else b"",
                    name=Path(paths[0]).name,
                )
            )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            "input.picture",
            what="The pictures of this run cannot be told.",
            why=f"Its request was changed: {shortened(repr(error))}.",
            fix="Begin it anew: generate, with the pictures.",
        ) from error
    return tuple(found)
