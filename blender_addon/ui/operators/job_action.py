"""What every button about one job has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bpy.props import StringProperty
from bpy.types import Context

from ...core.job import Job
from ..run import insertion, job_rows, session, timer
from ..scene import redraw
from ..translation import translated


class JobAction:
    """Mixed into operators that do something to the named job, or to the one that the panel shows.

    A subclass does its work in `act`. The engine's answer comes later, by the timer.
    """

    if TYPE_CHECKING:  # the class Operator defines it
        report: Any

    bl_options = {"REGISTER"}  # no UNDO: jobs are not in the file

    job_id: StringProperty(
        name="Job",
        description="Id of the job. Empty is the one at work, or the chosen one of the list",
        options={"SKIP_SAVE", "HIDDEN"},
    )

    def execute(self, context: Context) -> set[str]:
        """Find the job, call `act`, and have the panels drawn again. Refuse a job of another Blender."""
        here = session.current()
        job = here.job(self.job_id) if self.job_id else here.running or job_rows.chosen(context)
        if job is None:
            self.report({"WARNING"}, translated("That job is not in the list any more"))
            return {"CANCELLED"}
        if job.owner:
            self.report({"WARNING"}, translated("Another Blender is at work on this job"))
            return {"CANCELLED"}
        done = self.act(context, job)
        job_rows.refresh()
        timer.wake()
        redraw.panels()
        return {"FINISHED"} if done else {"CANCELLED"}

    def act(self, context: Context, job: Job) -> bool:
        """Work on the job. Returns whether that was possible."""
        raise NotImplementedError


class InsertAction(JobAction):
    """Mixed into operators that put a job's object into the scene."""

    if TYPE_CHECKING:
        poll_message_set: Any

    @classmethod
    def poll(cls, _context: Context) -> bool:
        """Whether nothing stops an object from coming into the scene now."""
        reason = insertion.obstacle()
        if reason:
            cls.poll_message_set(translated("Objects come into the scene when {reason}", reason=reason))
        return not reason
