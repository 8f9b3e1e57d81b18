"""What every button that asks for a folder has in common."""

from __future__ import annotations

from bpy.props import BoolProperty, StringProperty
from bpy.types import Context, Event


class FolderChoice:
    """Mixed into operators whose `execute` takes the folder in `directory`; the file browser asks for it."""

    directory: StringProperty(name="Folder", description="The folder", subtype="DIR_PATH")
    filter_folder: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})

    def begin(self) -> str:
        """The folder at which the file browser opens; '' for the one of last time."""
        return ""

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Open the file browser."""
        self.directory = self.begin() or self.directory
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}
