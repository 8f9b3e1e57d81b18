"""A run stands aside while Blender renders or bakes: held before its next step, and let go afterwards.

Found out by the timer and not by Blender's render handlers, because those are called from the render's own thread.
"""

from __future__ import annotations

from ...core.job import JobState
from ..scene import moment
from ..settings import preferences
from . import session

_HELD_IN = ("", "load", "train")  # stages that a pause can hold; the others are over soon


def look(here: session.Session) -> None:
    """Hold the run that is at work, or let go the one that was held. What the artist paused or resumed stays so."""
    job = here.queue.current
    if moment.rendering():
        free = job is not None and job.state is JobState.RUNNING and not job.wish and job.stage in _HELD_IN
        if free and job is not None and job.id != here.aside and preferences.of().pause_rendering:
            here.aside = job.id
            here.queue.pause(job)
        return
    if here.aside:
        if job is not None and job.id == here.aside:
            here.queue.resume(job)
        here.aside = ""
