"""What the artist sets for a texture of the selected objects: `scene.dreamfusion.texture`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bpy.props import EnumProperty
from bpy.types import PropertyGroup

FRONTS = {"FRONT": 0.0, "RIGHT": 90.0, "BACK": 180.0, "LEFT": -90.0}  # degrees from -Y, counter-clockwise from above


def front_property() -> Any:
    """The property for the side of the artist's meshes that is the front; `FRONTS` has its values in degrees."""
    return EnumProperty(
        name="Front Side",
        description="The side that the prompt sees as the front, in Blender's views",
        items=(
            ("FRONT", "Front (-Y)", "The side that Blender's front view shows"),
            ("RIGHT", "Right (+X)", "The side that Blender's right view shows"),
            ("BACK", "Back (+Y)", "The side that Blender's back view shows"),
            ("LEFT", "Left (-X)", "The side that Blender's left view shows"),
        ),
        default="FRONT",
    )


def front_of(degrees: Any) -> str:
    """The side of `FRONTS` that is the front; 'FRONT' for degrees that none has."""
    return next((name for name, each in FRONTS.items() if each == degrees), "FRONT")


class DREAMFUSION_PG_texture(PropertyGroup):
    """How the selected objects are painted."""

    uvs: EnumProperty(
        name="UVs",
        description="Where on the texture each face lies",
        items=(
            ("KEEP", "Keep UVs", "Use the active UV layer. An object without one gets new UVs"),
            ("NEW", "New UVs", "Make one more UV layer, in which no two faces share a place. The others stay"),
        ),
        default="KEEP",
    )
    size: EnumProperty(
        name="Texture Size",
        description="Pixels along each side of a texture",
        items=(
            ("1024", "1024", "1024 x 1024 pixels"),
            ("2048", "2048", "2048 x 2048 pixels"),
            ("4096", "4096", "4096 x 4096 pixels. Takes more memory and time at the end"),
        ),
        default="2048",
    )
    front: front_property()
    material: EnumProperty(
        name="Material",
        description="Where the new texture goes",
        items=(
            ("EXISTING", "Existing", "Into the base colour of the material that is there. The rest of it stays"),
            ("NEW", "New Material", "Into a new material, which takes the old one's place on the object"),
        ),
        default="EXISTING",
    )


CLASSES = (DREAMFUSION_PG_texture,)


def overrides(chosen: Any) -> dict[str, dict[str, Any]]:
    """The settings of the engine's command `texture` that the sidebar's other panels do not have.

    chosen: `scene.dreamfusion.texture`.
    """
    # Blender makes new UVs, because the engine sees triangles and could cut a face of the artist's in two.
    return {
        "paint": {"uv": "keep", "front_deg": FRONTS[chosen.front]},
        "mesh": {"texture": int(chosen.size)},
    }


def put(chosen: Any, settings: Mapping[str, Any]) -> bool:
    """Set them from a job's settings. Returns whether that job paints.

    chosen: `scene.dreamfusion.texture`.
    """
    paint, mesh = settings.get("paint"), settings.get("mesh")
    if not isinstance(paint, dict):
        return False
    chosen.front = front_of(paint.get("front_deg"))
    size = str(mesh.get("texture")) if isinstance(mesh, dict) else ""
    if size in ("1024", "2048", "4096"):
        chosen.size = size
    return True
