"""What the artist sets in the sidebar: `scene.dreamfusion`, saved with the file.

Nothing about a run is stored here. So a file that is saved during a run opens idle, on any machine.
"""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty, StringProperty
from bpy.types import Context, Object, PropertyGroup, Text

from ...core import suggestions
from ...core.declared_settings import ENGINE
from ...core.engine_preset import PRESETS, preset_value
from ...core.phrase import phrase
from ..translation import fixed
from . import artist_settings, engine_properties, models
from .adapter_settings import DREAMFUSION_PG_adapters
from .engine_settings import (
    DREAMFUSION_PG_camera,
    DREAMFUSION_PG_field,
    DREAMFUSION_PG_guidance,
    DREAMFUSION_PG_memory,
    DREAMFUSION_PG_mesh,
    DREAMFUSION_PG_optimize,
    DREAMFUSION_PG_start,
)
from .picture_settings import DREAMFUSION_PG_pictures
from .texture_settings import DREAMFUSION_PG_texture, front_property

PROMPT_LIMIT = int(ENGINE.limits["prompt"])  # characters
BEST_OF_LIMIT = 8
SEED_LIMIT = int(ENGINE.stages[""]["seed"].range[1])


def _has_box(_placement: Any, candidate: Object) -> bool:
    return candidate.type in {"EMPTY", "MESH"}


def _is_mesh(_placement: Any, candidate: Object) -> bool:
    return candidate.type == "MESH"


class DREAMFUSION_PG_placement(PropertyGroup):
    """Where a finished object goes."""

    size: FloatProperty(
        name="Size",
        description="Length of the object's longest side",
        default=1.0,
        min=0.001,
        soft_min=0.01,
        soft_max=100.0,
        subtype="DISTANCE",
        unit="LENGTH",
    )
    where: EnumProperty(
        name="Location",
        description="Where the object is put",
        items=(
            ("CURSOR", "3D Cursor", "At the 3D cursor, where it stands when Generate is pressed"),
            ("ORIGIN", "World Origin", "In the middle of the world"),
        ),
        default="CURSOR",
    )
    on_ground: BoolProperty(
        name="On Ground",
        description="Lower the object to height zero, whatever the height of the location",
        default=False,
    )
    placeholder: PointerProperty(
        name="Placeholder",
        description="An empty or a mesh that the object takes the place of: its box gives size, place and turn",
        type=Object,
        poll=_has_box,
    )
    after: EnumProperty(
        name="Then",
        description="What becomes of the placeholder",
        items=(
            ("REMOVE", "Replace", "Remove it, and give its children and users to the new object"),
            ("HIDE", "Hide", "Hide it"),
            ("KEEP", "Keep", "Leave it as it is"),
        ),
        default="REMOVE",
    )
    start_from: EnumProperty(
        name="Start From",
        description="What the object begins as",
        items=(
            ("NOTHING", "Nothing", "It begins from nothing, and goes where you say below"),
            (
                "OBJECT",
                "Mesh",
                "It begins as a mesh of yours, and takes its size and place. How much of the shape holds, Lock says",
            ),
            (
                "SELECTED",
                "Selected",
                "It begins as the mesh objects that are selected when Generate is pressed, all together",
            ),
        ),
        default="NOTHING",
    )
    blockout: PointerProperty(
        name="Mesh",
        description="The mesh object from which the new one begins. It stays as it is",
        type=Object,
        poll=_is_mesh,
    )
    front: front_property()
    hide_blockout: BoolProperty(
        name="Hide It Afterwards",
        description="Hide what the object began from, in the viewport and in renders, as soon as the object is there",
        default=True,
    )


def _preset_line(preset: str) -> tuple[str, str, str]:
    """The line of a preset in its menu: its name, and what it sets."""
    triangles, texture = (preset_value(preset, "mesh", key) for key in ("triangles", "texture"))
    if preset == "draft":
        return (
            preset,
            phrase("Draft"),
            fixed("Fewer steps, {triangles:,} triangles. To see what a prompt gives", triangles=triangles),
        )
    if preset == "standard":
        return (
            preset,
            phrase("Standard"),
            fixed("{triangles:,} triangles, a {texture} pixel texture", triangles=triangles, texture=texture),
        )
    return (
        preset,
        phrase("High"),
        fixed(
            "More views and steps, {triangles:,} triangles, a {texture} pixel texture",
            triangles=triangles,
            texture=texture,
        ),
    )


def _suggest(settings: DREAMFUSION_PG_settings, _context: Context, text: str) -> list[str]:
    return suggestions.suggestions(text, models.told(), settings.model)


def _recipe_chosen(settings: DREAMFUSION_PG_settings, _context: Context) -> None:
    artist_settings.settle(settings)


def _preset_chosen(settings: DREAMFUSION_PG_settings, _context: Context) -> None:
    artist_settings.settle_preset(settings)


class DREAMFUSION_PG_settings(PropertyGroup):
    """`scene.dreamfusion`."""

    prompt: StringProperty(
        name="Prompt",
        description="What the object is, in a few English words, such as 'a hamburger'",
        maxlen=PROMPT_LIMIT,
        search=_suggest,
        search_options={"SUGGESTION"},
    )
    negative: StringProperty(
        name="Negative Prompt",
        description="What the object should not look like. Empty is the usual choice",
        maxlen=PROMPT_LIMIT,
    )
    model: StringProperty(
        name="Model Name",
        description="Name of the built-in model, a folder, or the id of a downloaded model",
        default="starter",
        update=_recipe_chosen,
    )
    # The name above is saved, because an enum is saved as a number, and the numbers change as models come and go.
    model_choice: EnumProperty(
        name="Model",
        description="The text-to-image model that teaches the object its looks",
        items=models.items,
        get=models.chosen,
        set=models.choose,
    )
    texture_model: StringProperty(
        name="Texture Model Name",
        description="Name of the model that paints the finished shape. Empty is none",
        default="",
    )
    texture_choice: EnumProperty(
        name="Texture Model",
        description="Another model, which paints the finished shape by the same prompt. The first one makes the shape",
        items=models.texture_items,
        get=models.texture_chosen,
        set=models.choose_texture,
    )
    method: engine_properties.one(ENGINE.stages[""]["method"], _recipe_chosen)
    preset: EnumProperty(
        name="Quality",
        description="How much time goes into the object. Sets what the model's recipe has, and keeps your changes",
        items=tuple(map(_preset_line, PRESETS)),
        default="standard",
        update=_preset_chosen,
    )
    seed: engine_properties.one(ENGINE.stages[""]["seed"])
    best_of: IntProperty(
        name="Best of",
        description="How many seeds begin, from the one beside this on. Those that look worse stop early, and the best "
        "one is finished. 1 is a single run",
        default=1,
        min=1,
        max=BEST_OF_LIMIT,
    )
    prompts: PointerProperty(
        name="Prompts",
        description="A text block with one prompt a line, to be made one after another",
        type=Text,
    )
    guidance: PointerProperty(name="Guidance", type=DREAMFUSION_PG_guidance)
    camera: PointerProperty(name="Cameras", type=DREAMFUSION_PG_camera)
    optimize: PointerProperty(name="Training", type=DREAMFUSION_PG_optimize)
    field: PointerProperty(name="Field", type=DREAMFUSION_PG_field)
    mesh: PointerProperty(name="Mesh", type=DREAMFUSION_PG_mesh)
    memory: PointerProperty(name="Memory", type=DREAMFUSION_PG_memory)
    start: PointerProperty(name="Start", type=DREAMFUSION_PG_start)
    adapters: PointerProperty(name="LoRAs and Words", type=DREAMFUSION_PG_adapters)
    # The three of `artist_settings`; the last is for saved presets, and nothing of it is stored.
    kept: StringProperty(name="Kept Settings", options={"HIDDEN"})
    shown: StringProperty(name="Shown Settings", options={"HIDDEN"})
    artist: StringProperty(
        name="Changed Settings",
        options={"HIDDEN"},
        get=artist_settings.names,
        set=artist_settings.set_names,
    )
    placement: PointerProperty(name="Placement", type=DREAMFUSION_PG_placement)
    task: EnumProperty(
        name="Task",
        description="What is made",
        items=(
            ("OBJECT", "New Object", "Make a new object from the prompt"),
            ("TEXTURE", "Texture", "Make a new texture for the selected objects. Their shape stays as it is"),
        ),
        default="OBJECT",
        update=_recipe_chosen,
    )
    texture: PointerProperty(name="Texture", type=DREAMFUSION_PG_texture)
    pictures: PointerProperty(name="Pictures", type=DREAMFUSION_PG_pictures)


CLASSES = (DREAMFUSION_PG_placement, DREAMFUSION_PG_settings)


def of(context: Context) -> Any:
    """The settings of the scene in the context."""
    return context.scene.dreamfusion


def attach() -> None:
    """Give every scene its settings."""
    bpy.types.Scene.dreamfusion = PointerProperty(name="DreamFusion", type=DREAMFUSION_PG_settings)


def detach() -> None:
    """Remove the scenes' settings."""
    del bpy.types.Scene.dreamfusion
