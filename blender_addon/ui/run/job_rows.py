"""The lines of the list of jobs, and other values that the window manager keeps. They are never saved in a .blend."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import CollectionProperty, FloatProperty, IntProperty, PointerProperty, StringProperty
from bpy.types import Context, PropertyGroup

from ...core.job import Job
from ...core.picture import read_picture
from ..scene import icons
from . import session


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


CLASSES = (DREAMFUSION_PG_row, DREAMFUSION_PG_window)


def chosen(context: Context) -> Job | None:
    """The job of the chosen line, or None."""
    window = context.window_manager.dreamfusion
    if 0 <= window.index < len(window.rows):
        return session.current().job(window.rows[window.index].name)
    return None


def chosen_now() -> Job | None:
    """The job of the chosen line, without a context, as for the timer."""
    return chosen(bpy.context)


def refresh() -> None:
    """Update the lines from the queue. The chosen job stays chosen, unless a new one comes, which is then chosen."""
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
    """Load the picture of one job that has none yet. Returns whether a picture was loaded.

    The timer calls it when it has time, so that a long list takes many ticks.
    """
    for job in reversed(here.queue.jobs):
        key = f"{job.id}/thumbnail"
        if job.thumbnail is None or not job.state.over or job.thumbnail in here.thumbnails:
            continue
        here.thumbnails.add(job.thumbnail)
        try:
            return icons.show(key, read_picture(job.thumbnail))
        except OSError:  # a folder that was moved away still has its line in the list, without a picture
            continue
    return False


def attach() -> None:
    """Give the window manager the list of jobs."""
    bpy.types.WindowManager.dreamfusion = PointerProperty(name="DreamFusion", type=DREAMFUSION_PG_window)


def detach() -> None:
    """Remove the window manager's list."""
    del bpy.types.WindowManager.dreamfusion
