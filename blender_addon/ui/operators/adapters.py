"""The buttons of the list of LoRAs and words: add, choose another file, remove."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, CollectionProperty, IntProperty, StringProperty
from bpy.types import Context, Event, Operator, OperatorFileListElement

from ...core import adapter_file
from ...core.phrase import phrase
from ..settings import adapter_settings, models, preferences, scene_settings
from ..translation import translated

_ALWAYS = phrase("The starter model takes no LoRAs or words. Choose another model first")
_NEVER = phrase("This model takes no LoRAs or words. Choose another one first")


class DREAMFUSION_OT_add_adapter(Operator):
    """Add LoRAs and words that change what the model makes: .safetensors files, of which it tells what they are"""

    bl_idname = "dreamfusion.add_adapter"
    bl_label = "Add LoRA or Word"
    bl_options = {"REGISTER", "UNDO"}

    filepath: StringProperty(name="File", description="The file", subtype="FILE_PATH", options={"SKIP_SAVE"})
    directory: StringProperty(name="Folder", description="Where the files are", subtype="DIR_PATH")
    files: CollectionProperty(name="Files", type=OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"})
    filter_glob: StringProperty(default="*.safetensors", options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether the model takes any adapter. If not, the button's hint says so."""
        model = scene_settings.of(context).model
        if not any(adapter_settings.takes(model, adapter_type) for adapter_type in ("lora", "embeddings")):
            cls.poll_message_set(translated(_ALWAYS if model == models.STARTER else _NEVER))
            return False
        return True

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Open the file browser."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: Context) -> set[str]:
        """Add every chosen file that is a LoRA or a word. For every other file, report why it is not."""
        names = [element.name for element in self.files if element.name]
        paths = [os.path.join(self.directory, name) for name in names] or [self.filepath]
        added = [path for path in paths if self._add(scene_settings.of(context).adapters, path)]
        return {"FINISHED"} if added else {"CANCELLED"}

    def _add(self, mine: Any, path: str) -> bool:
        about = _recognised(self, path)
        if about is None:
            return False
        lines = mine.words if about.word else mine.loras
        if any(adapter_settings.absolute(line.file) == adapter_settings.absolute(path) for line in lines):
            self.report({"WARNING"}, translated("{name} is in the list already", name=Path(path).name))
            return False
        lines.add().file = _beside_the_blend(path)
        return True


class _Line:
    """Mixed into operators about one line of the list."""

    list_name: StringProperty(name="List", description="The list: 'loras' or 'words'", options={"SKIP_SAVE", "HIDDEN"})
    index: IntProperty(name="Line", description="Which line of the list", min=0, options={"SKIP_SAVE", "HIDDEN"})

    def lines(self, context: Context) -> Any:
        """The list that the line is in; None where there is no such line."""
        mine = scene_settings.of(context).adapters
        lines = mine.words if self.list_name == "words" else mine.loras
        return lines if self.index < len(lines) else None


class DREAMFUSION_OT_change_adapter(_Line, Operator):
    """Choose another file for this line, such as one that has moved"""

    bl_idname = "dreamfusion.change_adapter"
    bl_label = "Choose File"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    filepath: StringProperty(name="File", description="The file", subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default="*.safetensors", options={"HIDDEN", "SKIP_SAVE"})
    hide_props_region: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def description(cls, context: Context, properties: Any) -> str:
        """A tooltip with the line's path, which has no room in the list."""
        lines = getattr(scene_settings.of(context).adapters, "words" if properties.list_name == "words" else "loras")
        file = lines[properties.index].file if properties.index < len(lines) else ""
        return (
            translated("Choose another file in place of {file}", file=file)
            if file
            else translated("Choose another file for this line")
        )

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Open the file browser at the present file."""
        lines = self.lines(context)
        if lines is None:
            return {"CANCELLED"}
        self.filepath = adapter_settings.absolute(lines[self.index].file)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: Context) -> set[str]:
        """Put the chosen file into the line, unless it is of the other kind."""
        lines, about = self.lines(context), _recognised(self, self.filepath)
        if lines is None or about is None:
            return {"CANCELLED"}
        if bool(about.word) != (self.list_name == "words"):
            said = phrase("{name} is a word. Add it anew", name=Path(self.filepath).name)
            if not about.word:
                said = phrase("{name} is a LoRA. Add it anew", name=Path(self.filepath).name)
            self.report({"ERROR"}, translated(said))
            return {"CANCELLED"}
        lines[self.index].file = _beside_the_blend(self.filepath)
        return {"FINISHED"}


class DREAMFUSION_OT_remove_adapter(_Line, Operator):
    """Take it from the list. The file stays"""

    bl_idname = "dreamfusion.remove_adapter"
    bl_label = "Remove"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    def execute(self, context: Context) -> set[str]:
        """Delete the line from the list of LoRAs or words."""
        lines = self.lines(context)
        if lines is None:
            return {"CANCELLED"}
        lines.remove(self.index)
        return {"FINISHED"}


CLASSES = (DREAMFUSION_OT_add_adapter, DREAMFUSION_OT_change_adapter, DREAMFUSION_OT_remove_adapter)


def _recognised(operator: Operator, path: str) -> adapter_file.AdapterFile | None:
    """Whether a file is a LoRA or a word. For any other file, report why and return None."""
    file = Path(adapter_settings.absolute(path))
    if not path.strip() or file.is_dir():
        operator.report({"ERROR"}, translated("Choose a .safetensors file"))
        return None
    if preferences.of().engine == "command" and not file.exists():
        return adapter_file.AdapterFile()  # it may be on the engine's machine
    try:
        return adapter_file.read(file)
    except adapter_file.NoAdapter as error:
        operator.report({"ERROR"}, translated(error.args[0]))
        return None


def _beside_the_blend(path: str) -> str:
    """The path relative to the .blend, if the file lies in its folder or below, so that both can move together."""
    folder = os.path.dirname(bpy.data.filepath)
    wanted = bpy.context.preferences.filepaths.use_relative_paths
    if not folder or not wanted or path.startswith("//") or not os.path.isabs(path):
        return path
    inside = os.path.normpath(path).startswith(os.path.join(os.path.normpath(folder), ""))
    return str(bpy.path.relpath(path)) if inside else path
