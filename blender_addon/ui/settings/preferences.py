"""The add-on's preferences: where the engine is, what it computes on, where results go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, IntProperty, StringProperty
from bpy.types import AddonPreferences, Context, PropertyGroup, UILayout

from ... import ADDON
from ...core.engine.location import EngineLocation, own_python
from . import devices


@dataclass
class Answers:
    """What happens when a preference changes, and how the preferences are drawn.

    Registration sets these, because the functions are in modules that import this one.

    engine_moved: called when the engine's place changes.
    output_moved: called when the output folder changes.
    keep_changed: called with the minutes for which an idle engine is kept.
    draw: called with layout, context and the preferences.
    """

    engine_moved: Callable[[], None] | None = None
    output_moved: Callable[[], None] | None = None
    keep_changed: Callable[[float], None] | None = None
    draw: Callable[[UILayout, Context, Any], None] | None = None


answers = Answers()


def _engine_moved(_preferences: Any, _context: Context | None) -> None:
    if answers.engine_moved is not None:
        answers.engine_moved()


def _output_moved(_preferences: Any, _context: Context | None) -> None:
    if answers.output_moved is not None:
        answers.output_moved()


def _keep_changed(preferences: Any, _context: Context | None) -> None:
    if answers.keep_changed is not None:
        answers.keep_changed(preferences.keep_loaded)


class DREAMFUSION_PG_model(PropertyGroup):
    """A model that the artist has added."""

    name: StringProperty(name="Name", description="What the list of models in the sidebar calls it")
    path: StringProperty(
        name="Model",
        description="Folder of a diffusers pipeline, a .safetensors file, or a downloaded model's id",
    )
    base: StringProperty(
        name="Base",
        description="For a .safetensors file: folder or downloaded id of the model it was made from, which gives what "
        "the file lacks. Empty is the usual one of its kind",
    )


class DREAMFUSION_AP_preferences(AddonPreferences):
    """`preferences.addons[ADDON].preferences`."""

    bl_idname = ADDON

    engine: EnumProperty(
        name="Engine",
        description="Where the program is that makes the objects",
        items=(
            ("own", "Own Environment", "Installed by the button here, in a folder of its own"),
            ("python", "Existing Python", "A Python in which the engine is installed already"),
            ("command", "Command", "A command that reaches an engine elsewhere, such as 'ssh gpu-box'"),
        ),
        default="own",
        update=_engine_moved,
    )
    python: StringProperty(
        name="Python",
        description="The interpreter of an environment that has the engine",
        subtype="FILE_PATH",
        update=_engine_moved,
    )
    command: StringProperty(
        name="Command Prefix",
        description="What comes before the engine's own command, such as 'ssh gpu-box'",
        update=_engine_moved,
    )
    jobs_on: EnumProperty(
        name="Run Jobs On",
        description="What computes the objects",
        items=(
            ("engine", "Engine's Machine", "The machine of the engine, one job after another"),
            ("ray", "Ray Cluster", "The machines of a Ray cluster, as many jobs at once as there is room for"),
        ),
        default="engine",
        update=_engine_moved,
    )
    cluster: StringProperty(
        name="Cluster",
        description="Address of the cluster's head, such as 'gpu-box:6379', as the engine's machine reaches it; from "
        "outside the cluster 'ray://gpu-box:10001'. 'ray' is the one that runs on the engine's machine",
        default="ray",
        update=_engine_moved,
    )
    setup_python: StringProperty(
        name="Python for the Engine",
        description="A Python from which Install Engine makes the engine's environment. Empty is the first that fits",
        subtype="FILE_PATH",
    )
    setup_processor: BoolProperty(
        name="Processor Only",
        description="Install the small build that computes on the processor, even where there is a graphics card",
    )
    device: StringProperty(
        name="Device Name", description="auto, cpu, cuda, mps, xpu, cuda:1 and so on, or a card's name", default="auto"
    )
    field_device: StringProperty(name="Object's Device Name", description="auto, cpu, cuda or cuda:1", default="auto")
    device_choice: EnumProperty(
        name="Device",
        description="What the model computes on, which is most of the work",
        items=devices.items,
        get=devices.chosen,
        set=devices.choose,
    )
    field_choice: EnumProperty(
        name="Object On",
        description="What the object is computed on. Only the processor and NVIDIA's cards can; with other cards its "
        "pictures travel between the two",
        items=devices.field_items,
        get=devices.field_chosen,
        set=devices.field_choose,
    )
    model_folder: StringProperty(
        name="Model Folder",
        description="Folder in which downloaded models are kept. Empty is the model hub's own folder",
        subtype="DIR_PATH",
        update=_engine_moved,
    )
    show_offer: BoolProperty(name="Models to Download", description="Show what could be downloaded", default=False)
    models: CollectionProperty(name="Models", type=DREAMFUSION_PG_model)
    show_shortcuts: BoolProperty(
        name="Shortcuts in the 3D View", description="Show what can have a key of its own", default=False
    )
    token: StringProperty(
        name="Hub Token",
        description="For models that ask who you are. Kept in these preferences only, never in a .blend or a log",
        subtype="PASSWORD",
        update=_engine_moved,
    )
    output: StringProperty(
        name="Output Folder",
        description="Every object gets a folder here, with its mesh, pictures and settings. Empty is the default",
        subtype="DIR_PATH",
        update=_output_moved,
    )
    judge: StringProperty(
        name="Judge",
        description="Folder of a CLIP model, on the engine's machine: it grades results and ranks the seeds of a "
        "contest. Empty is the built-in judge, of what the built-in model knows; 'off' is none",
        subtype="DIR_PATH",
    )
    keep_loaded: IntProperty(
        name="Keep Engine for",
        description="Minutes that the engine stays in memory without work. It then gives its memory back",
        default=5,
        min=0,
        max=24 * 60,
        soft_max=60,
        update=_keep_changed,
    )

    pause_rendering: BoolProperty(
        name="Pause While Rendering",
        description="Hold a run while Blender renders or bakes, so that both do not share the device",
        default=True,
    )

    def draw(self, context: Context) -> None:
        """Draw the add-on's part of Blender's preferences."""
        if answers.draw is not None:
            answers.draw(self.layout, context, self)


CLASSES = (DREAMFUSION_PG_model, DREAMFUSION_AP_preferences)


def of() -> Any:
    """The add-on's preferences.

    Raises KeyError when the add-on is not enabled.
    """
    return bpy.context.preferences.addons[ADDON].preferences


def user_folder() -> Path:
    """The folder in which the add-on may write; it is made if need be. An update of the add-on keeps it."""
    if ADDON.startswith("bl_ext."):
        return Path(bpy.utils.extension_path_user(ADDON, create=True))
    return Path(bpy.utils.user_resource("DATAFILES", path="dreamfusion", create=True))


def output_folder(chosen: Any) -> Path:
    """The folder of all jobs: the chosen one, or `jobs` in the add-on's own folder."""
    return Path(bpy.path.abspath(chosen.output)) if chosen.output else user_folder() / "jobs"


def judge(chosen: Any) -> str:
    """Who grades, as the engine's setting `judge` takes it; "" for the engine's own choice."""
    text = str(chosen.judge).strip()
    elsewhere = chosen.engine == "command"  # whose paths Blender does not know
    return text if elsewhere or text in ("", "auto", "off") else bpy.path.abspath(text)


def location(chosen: Any) -> EngineLocation:
    """Where the engine is, according to the preferences."""
    python = own_python(user_folder()) if chosen.engine == "own" else None
    if chosen.engine == "python" and chosen.python:
        python = Path(bpy.path.abspath(chosen.python))
    return EngineLocation(
        choice=chosen.engine,
        python=python,
        command=chosen.command,
        model_folder=Path(bpy.path.abspath(chosen.model_folder)) if chosen.model_folder else None,
        online=bool(getattr(bpy.app, "online_access", True)),
        token=chosen.token,
        cluster=str(chosen.cluster).strip() if chosen.jobs_on == "ray" else "",
    )
