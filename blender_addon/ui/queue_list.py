"""The list of jobs: queued, running, done and failed, newest first, with picture, time and reason."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import CollectionProperty, FloatProperty, IntProperty, PointerProperty, StringProperty
from bpy.types import Context, PropertyGroup, UILayout, UIList

from ..core.job import Job, JobState
from ..core.jobs.estimates import duration_text
from ..core.picture import read_picture
from . import messages, pictures, session

# Told apart by shape, not by colour.
ICONS = {
    JobState.QUEUED: "TIME",
    JobState.RUNNING: "PLAY",
    JobState.PAUSED: "PAUSE",
    JobState.FINISHING: "SNAP_FACE",
    JobState.DONE: "CHECKMARK",
    JobState.FAILED: "ERROR",
    JobState.CANCELLED: "X",
    JobState.INTERRUPTED: "UNLINKED",
}


def _run_percent(_window: Any) -> float:
    running = session.current().running
    return 100.0 * running.share if running is not None else 0.0


def _setup_percent(_window: Any) -> float:
    return 100.0 * (session.current().setup.fraction or 0.0)


class DREAMFUSION_PG_row(PropertyGroup):
    """One line of the list."""

    name: StringProperty(name="Job", description="The job's id")


class DREAMFUSION_PG_window(PropertyGroup):
    """What the interface remembers while Blender runs: never saved in a .blend."""

    rows: CollectionProperty(name="Jobs", type=DREAMFUSION_PG_row)
    index: IntProperty(name="Chosen Job", description="The line that the buttons below are about", default=0)
    # Progress bars of Blenders before 4.0, which have only sliders.
    share: FloatProperty(
        name="Progress",
        description="How far the run is",
        get=_run_percent,
        min=0.0,
        max=100.0,
        precision=0,
        subtype="PERCENTAGE",
    )
    setup_share: FloatProperty(
        name="Progress",
        description="How far the installation is",
        get=_setup_percent,
        min=0.0,
        max=100.0,
        precision=0,
        subtype="PERCENTAGE",
    )


class DREAMFUSION_UL_jobs(UIList):
    """Draws one job a line."""

    def draw_item(
        self,
        context: Context,
        layout: UILayout,
        _data: Any,
        item: DREAMFUSION_PG_row,
        _icon: int,
        _active_data: Any,
        _active_property: str,
        _index: int = 0,
        _flag: int = 0,
    ) -> None:
        """Picture, prompt and where it stands."""
        job = session.current().job(item.name)
        if job is None:
            layout.label(text="Removed", icon="BLANK1")
            return
        wide = messages.is_wide(context)
        numbers = job.state in (JobState.RUNNING, JobState.FINISHING, JobState.DONE)
        split = layout.split(factor=0.56)
        thumbnail = pictures.icon(f"{job.id}/thumbnail")
        name = split.row(align=True)
        if thumbnail:
            name.template_icon(thumbnail, scale=1.0)
            name.label(text=job.recipe.prompt, translate=False)
        else:
            name.label(text=job.recipe.prompt, icon="MESH_CUBE", translate=False)
        split.label(text=standing(job) if wide or numbers else "", icon=ICONS[job.state], translate=False)


CLASSES = (DREAMFUSION_PG_row, DREAMFUSION_PG_window, DREAMFUSION_UL_jobs)


def standing(job: Job) -> str:
    """Where a job stands, in a word or two: 'Queued', '42 %', 'Done, 4 min', 'The memory ran out.'."""
    if job.owner:
        return "In another Blender"
    if job.state in (JobState.RUNNING, JobState.FINISHING):
        return f"{job.share:.0%}"
    if job.state is JobState.FAILED and job.trouble is not None:
        return job.trouble.what
    if job.state is JobState.DONE and job.seconds is not None:
        return duration_text(job.seconds)
    return job.state.value.capitalize()


def chosen(context: Context) -> Job | None:
    """The job of the line that is chosen."""
    window = context.window_manager.dreamfusion
    if 0 <= window.index < len(window.rows):
        return session.current().job(window.rows[window.index].name)
    return None


def refresh() -> None:
    """Bring the lines in step with the queue. The chosen job stays chosen; a new one is chosen when it comes."""
    window = bpy.context.window_manager.dreamfusion
    jobs = list(reversed(session.current().queue.jobs))
    before = [row.name for row in window.rows]
    names = [job.id for job in jobs]
    if before != names:
        chosen_name = before[window.index] if 0 <= window.index < len(before) else ""
        window.rows.clear()
        for name in names:
            window.rows.add().name = name
        fresh = bool(names) and names[0] not in before
        window.index = 0 if fresh or chosen_name not in names else names.index(chosen_name)


def load_thumbnail(here: session.Session) -> bool:
    """Load the picture of one job that has none yet: one at a time, as the timer has time. Returns whether it did."""
    for job in reversed(here.queue.jobs):
        key = f"{job.id}/thumbnail"
        if job.thumbnail is None or not job.state.over or job.thumbnail in here.thumbnails:
            continue
        here.thumbnails.add(job.thumbnail)
        try:
            return pictures.show(key, read_picture(job.thumbnail))
        except OSError:  # a folder that was moved away still has its line in the list, without a picture
            continue
    return False


def attach() -> None:
    """Give the window manager its list."""
    bpy.types.WindowManager.dreamfusion = PointerProperty(name="DreamFusion", type=DREAMFUSION_PG_window)


def detach() -> None:
    """Take it away again."""
    del bpy.types.WindowManager.dreamfusion
