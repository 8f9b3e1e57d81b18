"""The names of where a picture is seen from: four views, and eight headings. Angles are radians."""

from __future__ import annotations

import math
from typing import Literal, get_args

View = Literal["front", "side", "back", "overhead"]
Heading = Literal["front", "front right", "right", "back right", "back", "back left", "left", "front left"]
VIEWS: tuple[View, ...] = get_args(View)
HEADINGS: tuple[Heading, ...] = get_args(Heading)  # by azimuth, from 0 on; right is +X, as in Blender's Right view

OVERHEAD_ABOVE = math.radians(60.0)  # elevation, DreamFusion section 3.2
FRONT_HALF_ANGLE = math.radians(45.0)  # azimuth either side of the front; the back is as wide


def view_of(azimuth: float, elevation: float) -> View:
    """Return the named view of a camera: overhead above 60 degrees of elevation, else front, side or back by azimuth.

    azimuth: float, radians, 0 in front of the object, any number of turns.
    elevation: float in [-pi/2, pi/2], radians.
    """
    if elevation > OVERHEAD_ABOVE:
        return "overhead"
    from_front = abs(math.remainder(azimuth, 2.0 * math.pi))  # [0, pi]
    if from_front <= FRONT_HALF_ANGLE:
        return "front"
    return "back" if from_front >= math.pi - FRONT_HALF_ANGLE else "side"


def heading_of(azimuth: float) -> Heading:
    """Return the nearest of eight headings that a camera looks from: sectors of 45 degrees, the first in front.

    azimuth: float, radians, 0 in front of the object, pi / 2 at its right (+X), any number of turns.
    """
    return HEADINGS[round(azimuth / (2.0 * math.pi) * len(HEADINGS)) % len(HEADINGS)]


def azimuth_of(heading: Heading) -> float:
    """Return the azimuth in the middle of a heading's sector, radians in [0, 2 pi)."""
    return HEADINGS.index(heading) * 2.0 * math.pi / len(HEADINGS)
