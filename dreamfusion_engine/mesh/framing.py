"""Bring an artist's meshes into the box in which objects are made, and back to where they stand."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.mesh.arrays import Doubles

HALF_LENGTH = 0.83  # world units: longest half side in the box, what training cameras frame; as the starter's objects
REACH = 1.0  # world units: no vertex lies further from the middle
_NO_AREA = 1e-12  # of a triangle, over the square of the longest half side


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A turn about the vertical axis, then a move and a scale, which `frame_of` chooses.

    turn: float64[3, 3], rotation from the artist's axes to the box's.
    middle: float64[3], the turned point that comes to the origin.
    scale: float, world units of the box for one of the artist's.
    """

    turn: Doubles
    middle: Doubles
    scale: float

    def to_box(self, vertices: NDArray[np.floating]) -> Doubles:
        """Return vertices in the box, float64[V, 3].

        vertices: float[V, 3], the artist's.
        """
        placed: Doubles = (np.asarray(vertices, np.float64) @ self.turn.T - self.middle) * self.scale
        return placed

    def from_box(self, vertices: NDArray[np.floating]) -> Doubles:
        """Return vertices where the artist's meshes stand, float64[V, 3].

        vertices: float[V, 3], in the box.
        """
        placed: Doubles = (np.asarray(vertices, np.float64) / self.scale + self.middle) @ self.turn
        return placed

    def turned(self, normals: NDArray[np.floating]) -> Doubles:
        """Return unit vectors in the axes of the box, float64[N, 3].

        normals: float[N, 3], in the artist's axes.
        """
        return np.asarray(np.asarray(normals, np.float64) @ self.turn.T)


def frame_of(vertices: NDArray[np.floating], triangles: NDArray[np.integer], front_deg: float = 0.0) -> Frame:
    """Return the frame whose box is centred on what triangles use, at the size that cameras frame.

    The longest half side becomes HALF_LENGTH, or less where a vertex would lie further than REACH from the middle.

    vertices: float[V, 3], the artist's; Z up.
    triangles: int[T, 3].
    front_deg: float, degrees counter-clockwise from above, from -Y to the side that is the front.
    Raises InputError input.mesh where no triangle has an area.
    """
    turn = about_up(-math.radians(front_deg))
    turned = np.asarray(vertices, np.float64) @ turn.T
    used = turned[np.unique(triangles)]
    low, high = used.min(0), used.max(0)
    middle = 0.5 * low + 0.5 * high
    half = float((0.5 * high - 0.5 * low).max())
    if not half > 0.0:
        raise _no_surface("All corners of the mesh lie in one point.")
    corners = ((turned - middle) / half)[triangles]
    if np.abs(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])).max() < _NO_AREA:
        raise _no_surface("None of its faces has an area: all of them are lines or points.")
    furthest = float(np.linalg.norm(used - middle, axis=1).max())
    return Frame(turn=turn, middle=middle, scale=min(HALF_LENGTH / half, REACH / furthest))


def _no_surface(why: str) -> InputError:
    return InputError(
        "input.mesh", what="The mesh has no surface.", why=why, fix="Give a mesh with faces that have an area."
    )


def about_up(angle: float) -> Doubles:
    """Return the rotation about +Z, float64[3, 3], counter-clockwise from above.

    angle: float, radians.
    """
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
