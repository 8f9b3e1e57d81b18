"""The pictures of a new object: `scene.dreamfusion.pictures`, saved with the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bpy.props import CollectionProperty, EnumProperty, FloatProperty, PointerProperty
from bpy.types import Context, Image, PropertyGroup

from ...core.given_pictures import View

ANGLES = "ANGLES"  # the view that two angles say; the others are the engine's names in capitals
UNSAID = "UNSAID"  # no poses are chosen
POSES = {"ZERO123": "zero123", "STABLE": "stable-zero123"}  # choice to the engine's name


def _image_chosen(row: DREAMFUSION_PG_picture, _context: Context) -> None:
    """Another image is no cut-out of the one before."""
    row.uncut = None


class DREAMFUSION_PG_picture(PropertyGroup):
    """A picture of the object, and from where it was taken."""

    image: PointerProperty(
        name="Picture",
        description="A picture that shows the object. Its alpha says what is the object; without alpha it is cut out",
        type=Image,
        update=_image_chosen,
    )
    view: EnumProperty(
        name="View",
        description="The side of the object that the picture shows",
        items=(
            ("FRONT", "Front", "The camera is in front, as in Blender's front view (-Y)"),
            ("RIGHT", "Right", "The camera is at +X, as in Blender's right view"),
            ("BACK", "Back", "The camera is behind, as in Blender's back view (+Y)"),
            ("LEFT", "Left", "The camera is at -X, as in Blender's left view"),
            (ANGLES, "Angles", "Two angles say where the camera is"),
        ),
        default="FRONT",
    )
    azimuth: FloatProperty(
        name="Azimuth",
        description="Degrees from the front, counter-clockwise seen from above: 90 is the right side",
        default=45.0,
        min=-360.0,
        max=360.0,
        step=500,
        precision=1,
    )
    elevation: FloatProperty(
        name="Elevation",
        description="Degrees above the horizon",
        default=20.0,
        min=-90.0,
        max=90.0,
        step=500,
        precision=1,
    )
    mask: PointerProperty(
        name="Mask",
        description="A picture that is white where the object is and black elsewhere, in place of alpha",
        type=Image,
    )
    uncut: PointerProperty(
        name="Before Cutting Out",
        description="The picture of which the present one is the cut-out",
        type=Image,
    )


class DREAMFUSION_PG_pictures(PropertyGroup):
    """A scene's pictures of the new object."""

    rows: CollectionProperty(name="Pictures", type=DREAMFUSION_PG_picture)
    pose: EnumProperty(
        name="Poses",
        description="How the model was taught to be told where a view is from. With the wrong one every view is wrong",
        items=(
            (UNSAID, "Choose...", "The model's folder does not say it"),
            ("ZERO123", "Zero123", "For Zero123, Zero123-XL and models made from them"),
            ("STABLE", "Stable Zero123", "For Stable Zero123 and models made from it"),
        ),
        default=UNSAID,
    )


CLASSES = (DREAMFUSION_PG_picture, DREAMFUSION_PG_pictures)


def view_of(row: Any) -> View:
    """The view that a row says, as a recipe has it.

    row: DREAMFUSION_PG_picture.
    """
    if row.view == ANGLES:
        return float(f"{row.azimuth:.6g}"), float(f"{row.elevation:.6g}")
    return str(row.view.lower())


def set_view(row: Any, view: View) -> None:
    """Set a row to a view.

    row: DREAMFUSION_PG_picture.
    """
    if isinstance(view, str):
        row.view = view.upper()
        return
    row.view, row.azimuth, row.elevation = ANGLES, *view


def poses_of(pictures: Any) -> str:
    """The engine's name of the chosen poses; "" where none are chosen.

    pictures: DREAMFUSION_PG_pictures.
    """
    return POSES.get(pictures.pose, "")


def set_poses(pictures: Any, settings: Mapping[str, Any]) -> None:
    """Choose the poses that a recipe names; none where it names none.

    pictures: DREAMFUSION_PG_pictures.
    settings: nested by stage, as the engine takes them.
    """
    group = settings.get("reference")
    named = group.get("pose") if isinstance(group, Mapping) else None
    pictures.pose = next((choice for choice, pose in POSES.items() if pose == named), UNSAID)
