"""From where a given picture was taken: a word or two angles. Nothing heavy is imported here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.inputs.given_path import shortened

# As the add-on and Blender's views name them: the camera of 'right' is at +X and sees the object's right in Blender.
AZIMUTHS = {"front": 0.0, "right": 90.0, "back": 180.0, "left": 270.0}
APART_DEG = 5.0  # two pictures nearer than that are of one view
FORMS = "front, right, back, left, or AZIMUTH,ELEVATION in degrees"


@dataclass(frozen=True)
class Viewpoint:
    """The direction of a camera from the object.

    azimuth_deg: float in [-360, 360], 0 in front, growing counter-clockwise from above: 90 is at +X.
    elevation_deg: float in [-90, 90], above the horizon.
    """

    azimuth_deg: float = 0.0
    elevation_deg: float = 0.0

    @property
    def text(self) -> str:
        """'front', or '30, 20 degrees'."""
        for name, azimuth in AZIMUTHS.items():
            if self.elevation_deg == 0.0 and math.remainder(self.azimuth_deg - azimuth, 360.0) == 0.0:
                return name
        return f"{self.azimuth_deg:g}, {self.elevation_deg:g} degrees"

    def apart_deg(self, other: Viewpoint) -> float:
        """Return the angle between two viewpoints, in [0, 180] degrees."""
        a, b = self._direction(), other._direction()
        return math.degrees(math.acos(max(-1.0, min(1.0, sum(x * y for x, y in zip(a, b, strict=True))))))

    def _direction(self) -> tuple[float, float, float]:
        azimuth, elevation = math.radians(self.azimuth_deg), math.radians(self.elevation_deg)
        c = math.cos(elevation)
        return c * math.sin(azimuth), -c * math.cos(azimuth), math.sin(elevation)


def viewpoint_of(text: str) -> Viewpoint:
    """Return the viewpoint that a person means: a name, a name and an elevation, or an azimuth and an elevation.

    text: str, such as 'front', 'left,20' or '30,20'.
    Raises InputError input.picture_view.
    """
    first, comma, second = (part.strip() for part in text.lower().partition(","))
    try:
        azimuth = AZIMUTHS[first] if first in AZIMUTHS else float(first)
        elevation = float(second) if comma else 0.0
    except ValueError:
        raise _refused(text, "it is neither a side nor two angles") from None
    if first not in AZIMUTHS and not comma:
        raise _refused(text, "an azimuth needs an elevation beside it")
    return checked_viewpoint(azimuth, elevation)


def checked_viewpoint(azimuth: float, elevation: float) -> Viewpoint:
    """Return the viewpoint of two angles.

    azimuth, elevation: float, degrees.
    Raises InputError input.picture_view for angles out of range.
    """
    if not -360.0 <= azimuth <= 360.0:  # also false for what is not a number
        raise _refused(f"{azimuth:g},{elevation:g}", "an azimuth lies in [-360, 360] degrees")
    if not -90.0 <= elevation <= 90.0:
        raise _refused(f"{azimuth:g},{elevation:g}", "an elevation lies in [-90, 90] degrees")
    return Viewpoint(azimuth, elevation)


def check_apart(viewpoints: Sequence[Viewpoint]) -> None:
    """Raise InputError input.picture_twice where two pictures are of one view."""
    for i, one in enumerate(viewpoints):
        for j, other in enumerate(viewpoints[:i]):
            if one.apart_deg(other) < APART_DEG:
                raise InputError(
                    "input.picture_twice",
                    what="Two pictures are of one view.",
                    why=f"Pictures {j + 1} and {i + 1} are both taken from '{one.text}', or less than "
                    f"{APART_DEG:g} degrees from there.",
                    fix="Keep one of them, or say from where the other was taken: --image FILE@left.",
                )


def _refused(text: str, why: str) -> InputError:
    return InputError(
        "input.picture_view",
        what="The view of a picture cannot be read.",
        why=f"{shortened(text)!r}: {why}.",
        fix=f"After the @ goes {FORMS}. For example: --image chair.png@front, or --image chair.png@30,20.",
    )
