"""The pictures of a contest's drafts, read from the job's folder when they are not known from its run."""

from __future__ import annotations

from ...core import contest
from ...core.job import Job
from ...core.picture import read_picture
from ..scene import icons
from . import job_rows, session


def key(job: Job, seed: int) -> str:
    """The name of a draft's icon.

    seed: int.
    """
    return f"{job.id}/{contest.picture_name(seed)}"


def load(here: session.Session, chosen: Job | None) -> bool:
    """Load one picture that is not known yet, of the contests that a panel may show. Returns whether one was loaded.

    chosen: Job of the chosen line in the results, or None. The timer calls it when it has time.
    """
    for job in (here.shown, chosen):
        if job is None or job.standing is None:
            continue
        for each in job.standing.seeds:
            name, path = key(job, each.seed), job.folder / contest.thumbnail_file(each.seed)
            if not each.step or path in here.thumbnails or icons.has(name):
                continue
            here.thumbnails.add(path)
            try:
                return icons.show(name, read_picture(path))
            except OSError:  # the folder was moved away, or the engine is elsewhere and its picture never came
                continue
    return False


def load_chosen(here: session.Session) -> bool:
    """As `load`, with the line that is chosen in the results."""
    return load(here, job_rows.chosen_now())


def forget(job: Job) -> None:
    """Free the pictures of a contest that is deleted."""
    for each in job.standing.seeds if job.standing is not None else ():
        icons.forget(key(job, each.seed))
