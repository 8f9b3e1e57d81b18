"""The buttons Download and Stop, for models of the hub."""

from __future__ import annotations

from bpy.props import StringProperty
from bpy.types import Context, Operator

from ..run import enqueue, session, timer
from ..scene import redraw
from ..settings import online
from ..translation import translated


class DREAMFUSION_OT_download_model(Operator):
    """Download this model from the hub. What a broken download has left is kept and completed"""

    bl_idname = "dreamfusion.download_model"
    bl_label = "Download"
    bl_options = {"REGISTER", "INTERNAL"}

    model: StringProperty(name="Model", description="Its id at the hub", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, _context: Context) -> bool:
        """Whether there is an engine, no download is at work, and Blender may go to the internet."""
        if not enqueue.engine_is_there(cls):
            return False
        if session.current().queue.downloads.active:
            cls.poll_message_set(translated("Another model is being downloaded"))
            return False
        if not online.online():
            cls.poll_message_set(translated("Allow online access first: Preferences > System > Network"))
            return False
        return True

    def execute(self, _context: Context) -> set[str]:
        """Hand the model to the queue's downloads and start the engine if need be."""
        queue = session.current().queue
        queue.downloads.ask(self.model)
        queue.start_engine()
        timer.wake()
        redraw.panels()
        return {"FINISHED"}


class DREAMFUSION_OT_stop_download(Operator):
    """Stop the download. What has arrived is kept for the next time"""

    bl_idname = "dreamfusion.stop_download"
    bl_label = "Stop"
    bl_options = {"REGISTER", "INTERNAL"}

    def execute(self, _context: Context) -> set[str]:
        """Stop the queue's download, which tells the engine."""
        session.current().queue.downloads.stop()
        timer.wake()
        redraw.panels()
        return {"FINISHED"}


CLASSES = (DREAMFUSION_OT_download_model, DREAMFUSION_OT_stop_download)
