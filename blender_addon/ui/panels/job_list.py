"""The list of jobs: queued, running, done and failed, newest first, with picture, time and reason."""

from __future__ import annotations

from typing import Any

from bpy.types import Context, UILayout, UIList

from ...core.job import Job, JobState
from ...core.jobs.estimates import duration_text
from ...core.phrase import phrase
from ..run import session
from ..run.job_rows import DREAMFUSION_PG_row
from ..scene import icons
from ..translation import translated
from . import trouble_box
from .run_box import STATES, icon_of

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
        """Draw the picture, the prompt and the standing of one job."""
        job = session.current().job(item.name)
        if job is None:
            layout.label(text=translated("Removed"), translate=False, icon="BLANK1")
            return
        wide = trouble_box.is_wide(context)
        numbers = job.state in (JobState.RUNNING, JobState.FINISHING, JobState.DONE)
        split = layout.split(factor=0.56)
        thumbnail = icons.icon(f"{job.id}/thumbnail")
        name = split.row(align=True)
        if thumbnail:
            name.template_icon(thumbnail, scale=1.0)
            name.label(text=job.recipe.title, translate=False)
        else:
            name.label(text=job.recipe.title, icon=icon_of(job), translate=False)
        split.label(text=translated(standing(job)) if wide or numbers else "", icon=ICONS[job.state], translate=False)


CLASSES = (DREAMFUSION_UL_jobs,)


def standing(job: Job) -> str:
    """The state of a job in a word or two: 'Queued', '42 %', 'Done, 4 min', 'The memory ran out.'."""
    if job.owner:
        return phrase("In another Blender")
    if job.state in (JobState.RUNNING, JobState.FINISHING):
        return f"{job.share:.0%}"
    if job.state is JobState.FAILED and job.trouble is not None:
        return job.trouble.what
    if job.state is JobState.DONE and job.seconds is not None:
        return duration_text(job.seconds)
    return STATES[job.state]
