"""Where a result goes. It is decided when Generate is pressed, kept with the job, and used when the mesh is there.

Lengths are in Blender units. A placeholder is an empty or a mesh. The result fills its box and stands on its floor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import bpy
from bpy.types import Context, Object, Scene
from mathutils import Matrix, Vector

from ...core.jobs.folder import is_between

_SMALLEST = 1e-6
_FARTHEST = 1e9  # Blender units; beyond that 32-bit floats are too coarse
_CENTRED = {"CUBE", "SPHERE"}  # empties that are drawn as a body around their origin; others stand on it


@dataclass(frozen=True)
class Placement:
    """Where one result goes.

    where: str, 'CURSOR', 'ORIGIN', 'PLACEHOLDER', or 'BLOCKOUT': at its own size, its origin at `location`.
    size: float, length of the longest side.
    on_ground: bool, put the base at height zero.
    location: of the base; None for the cursor at the time of the insertion.
    placeholder: str, name of an object; if it has gone, location and size are used.
    after: str, what happens to the placeholder: 'REMOVE', 'HIDE' or 'KEEP'.
    scene: str, name of the scene; if it has gone, the open one is used.
    """

    where: str = "CURSOR"
    size: float = 1.0
    on_ground: bool = False
    location: tuple[float, float, float] | None = None
    placeholder: str = ""
    after: str = "REMOVE"
    scene: str = ""

    def to_json(self) -> dict[str, Any]:
        """The placement as plain values for the job's folder."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Placement:
        """A placement from plain values. Missing and invalid ones get their default."""
        given = {field.name: values[field.name] for field in fields(cls) if field.name in values}
        where, after = given.get("where"), given.get("after")
        size, location, name = given.get("size"), given.get("location"), given.get("placeholder")
        scene = given.get("scene")
        return cls(
            where=where if where in ("CURSOR", "ORIGIN", "PLACEHOLDER", "BLOCKOUT") else "CURSOR",
            size=_length(size),
            on_ground=given.get("on_ground") is True,
            location=_place(location),
            placeholder=name if isinstance(name, str) else "",
            after=after if after in ("REMOVE", "HIDE", "KEEP") else "REMOVE",
            scene=scene if isinstance(scene, str) else "",
        )

    def target(self) -> Object | None:
        """The placeholder, if it still exists as an empty or a mesh."""
        if self.where != "PLACEHOLDER" or not self.placeholder:
            return None
        found = bpy.data.objects.get(self.placeholder)
        return found if found is not None and found.type in {"EMPTY", "MESH"} else None

    @property
    def is_own(self) -> bool:
        """Whether the result comes at its own size and place, around the floor of what it began from."""
        return self.where == "BLOCKOUT"

    def home(self, context: Context) -> Scene:
        """The scene that a result belongs to."""
        return bpy.data.scenes.get(self.scene) or context.scene

    def base(self, context: Context) -> Vector:
        """The point on which a result without a placeholder stands."""
        if self.where == "ORIGIN":
            point = Vector((0.0, 0.0, 0.0))
        else:
            point = Vector(self.location or context.scene.cursor.location)
        return Vector((point.x, point.y, 0.0)) if self.on_ground and self.where != "PLACEHOLDER" else point


def captured(
    context: Context,
    *,
    where: str = "CURSOR",
    size: float = 1.0,
    on_ground: bool = False,
    placeholder: Object | None = None,
    after: str = "REMOVE",
) -> dict[str, Any]:
    """The placement to keep with a job. The cursor's present place is noted, because it may move until the job is done.

    where, size, on_ground, after: as in Placement.
    placeholder: Object to take the place of, or None.
    """
    location, name = tuple(context.scene.cursor.location), ""
    if placeholder is not None:
        where, name = "PLACEHOLDER", placeholder.name
        low, high = _box(placeholder)
        corners = [placeholder.matrix_world @ corner for corner in (low, high)]
        size = max(abs(value) for value in (placeholder.matrix_world.to_3x3() @ (high - low))) or size
        middle = 0.5 * (corners[0] + corners[1])
        location = (middle.x, middle.y, min(corners[0].z, corners[1].z))
    return Placement(where, size, on_ground, location, name, after, context.scene.name).to_json()


@dataclass(frozen=True)
class Fit:
    """How a mesh goes into the box of a placeholder: scaled by `scale`, then moved to `base`.

    scale: float, factor of the mesh.
    base: Vector, the middle of the box's floor.
    stretch: Vector, the placeholder's own scale.

    `scale` and `base` are in the placeholder's axes, after `stretch`.
    """

    scale: float
    base: Vector
    stretch: Vector

    def inside(self) -> Matrix:
        """The matrix from the standing mesh to the placeholder's own, unscaled coordinates."""
        return Matrix.Diagonal((*(1.0 / value for value in self.stretch), 1.0)) @ (
            Matrix.Translation(self.base) @ Matrix.Scale(self.scale, 4)
        )


def standing(low: Vector, high: Vector) -> Matrix:
    """The matrix that moves the middle of a box's floor to the origin.

    low, high: Vector, lowest and highest corner of the mesh's box.
    """
    return Matrix.Translation((-0.5 * (low.x + high.x), -0.5 * (low.y + high.y), -low.z))


def scale_to(size: float, low: Vector, high: Vector) -> float:
    """The factor that makes the longest side of a box as long as `size`.

    low, high: Vector, lowest and highest corner of the box.
    """
    return size / max(*(high - low), _SMALLEST)


def fit(placeholder: Object, low: Vector, high: Vector) -> Fit:
    """The largest size at which a mesh fits into the placeholder's box, standing on its floor.

    low, high: Vector, lowest and highest corner of the mesh's box.
    """
    stretch = Vector(_unless_flat(a * b) for a, b in zip(placeholder.scale, placeholder.delta_scale, strict=True))
    ends = [Vector(corner[i] * stretch[i] for i in range(3)) for corner in _box(placeholder)]
    floor = Vector(min(ends[0][i], ends[1][i]) for i in range(3))
    room = Vector(abs(ends[1][i] - ends[0][i]) for i in range(3))
    sides = [(room[i], high[i] - low[i]) for i in range(3) if room[i] > _SMALLEST and high[i] - low[i] > _SMALLEST]
    scale = min((space / side for space, side in sides), default=1.0)
    return Fit(scale, Vector((floor.x + 0.5 * room.x, floor.y + 0.5 * room.y, floor.z)), stretch)


def is_rigged(placeholder: Object) -> bool:
    """Whether the placeholder is animated, constrained or a parent, so that its own transform must stay as it is."""
    moved = placeholder.delta_location.length > 0.0 or any(abs(s - 1.0) > 0.0 for s in placeholder.delta_scale)
    turned = any(placeholder.delta_rotation_euler) or placeholder.delta_rotation_quaternion.angle > 0.0
    return bool(
        moved or turned or placeholder.animation_data or len(placeholder.constraints) or len(placeholder.children)
    )


def _box(placeholder: Object) -> tuple[Vector, Vector]:
    """Lowest and highest corner of the placeholder's box, in its own coordinates."""
    if placeholder.type == "MESH":
        corners = [Vector(corner) for corner in placeholder.bound_box]
        return corners[0], corners[6]
    half = placeholder.empty_display_size
    floor = -half if placeholder.empty_display_type in _CENTRED else 0.0
    return Vector((-half, -half, floor)), Vector((half, half, floor + 2.0 * half))


def _unless_flat(value: float) -> float:
    return value if abs(value) > _SMALLEST else 1.0


def _length(value: Any) -> float:
    return float(value) if _is_number(value) and value > _SMALLEST else 1.0


def _is_number(value: Any) -> bool:
    return is_between(value, -_FARTHEST, _FARTHEST)


def _place(value: Any) -> tuple[float, float, float] | None:
    if not isinstance(value, (list, tuple)) or len(value) != 3 or not all(map(_is_number, value)):
        return None
    x, y, z = value
    return (float(x), float(y), float(z))
