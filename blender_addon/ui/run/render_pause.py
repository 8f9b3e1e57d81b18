"""Holds a run while Blender renders or bakes, and releases it afterwards.

The timer looks for renders. Blender's render handlers are no use, because the render's own thread calls them.
"""

from __future__ import annotations

from ...core.engine import cluster
from ...core.job import JobState
from ..scene import moment
from ..settings import preferences
from . import session

_HELD_IN = ("", "load", "train")  # stages that a pause can hold; the others are over soon


def poll(here: session.Session) -> None:
    """Hold the run that is at work, or release the one that was held. A run that the artist paused stays paused."""
    job = None if cluster.is_there(here.devices) else here.queue.current  # whose machines do not render
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
