"""Check the pictures of a request beside its settings, and cut them out. What decodes is loaded for pictures only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.pictures.given import GivenPicture, check_number

if TYPE_CHECKING:
    from dreamfusion_engine.events import WholeCutOut
    from dreamfusion_engine.pictures.prepare import CutOut


def check_pictures(pictures: Sequence[GivenPicture], settings: Mapping[str, Any] | None, resume: bool) -> None:
    """Raise InputError for pictures and settings that do not make a run. Nothing is decoded.

    pictures: GivenPictures.
    settings: nested by stage, as the artist gave them.
    resume: bool, whether the run goes on, perhaps with pictures of its own.
    """
    check_number(pictures)
    given = (settings or {}).get("reference")
    # Of a model that needs poses it is said later, once it is known, that it needs a picture.
    poses = isinstance(given, Mapping) and set(given) == {"pose"}
    if not pictures and not resume and "reference" in (settings or {}) and not poses:
        raise InputError(
            "input.setting",
            what="The settings of the stage 'reference' do nothing in this run.",
            why="They say how given pictures lead the run, and none was given.",
            fix='Give a picture: --image FILE@front. Or leave out "reference".',
        )


def cut_outs_of(pictures: Sequence[GivenPicture]) -> tuple[CutOut, ...]:
    """Return the objects of given pictures, each alone: `prepare.prepared`.

    pictures: GivenPictures.
    Raises InputError for those in which no object is found, and those that are broken.
    """
    if not pictures:
        return ()
    from dreamfusion_engine.pictures.prepare import prepared

    return prepared(pictures)


def whole_cut_out(picture: GivenPicture) -> WholeCutOut:
    """Return a picture as a whole, with the alpha by which its object is cut out: `prepare.whole`.

    picture: GivenPicture.
    Raises InputError where no object is found, and for a broken picture.
    """
    from dreamfusion_engine.pictures.prepare import whole

    return whole(picture)
