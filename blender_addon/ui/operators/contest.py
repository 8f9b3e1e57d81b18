"""The buttons of a contest: finish a seed, whatever its grade, and insert the draft of one that stopped."""

from __future__ import annotations

from bpy.props import IntProperty
from bpy.types import Context, Operator

from ...core.job import EngineTrouble, Job, JobState, Trouble
from ..run import contest_drafts, enqueue, session
from ..translation import translated
from .job import source_of
from .job_action import InsertAction, JobAction


class _SeedAction(JobAction):
    """Mixed into operators about one seed of a contest."""

    bl_options = {"REGISTER", "INTERNAL"}

    seed: IntProperty(name="Seed", description="The seed of the contest", options={"SKIP_SAVE", "HIDDEN"})

    def known(self, job: Job) -> bool:
        """Whether the contest has the seed; else that is reported."""
        if job.standing is not None and job.standing.of(self.seed) is not None:
            return True
        self.report({"WARNING"}, translated("This job has no seed {seed}", seed=self.seed))
        return False


class DREAMFUSION_OT_finish_seed(_SeedAction, Operator):
    """Finish this seed, whatever its grade. While the seeds are ranked it wins, and the others stop. Afterwards a \
run of its own goes on with it"""

    bl_idname = "dreamfusion.finish_seed"
    bl_label = "Finish This One"

    def act(self, context: Context, job: Job) -> bool:
        """Ask the contest at work to let the seed win, or queue a plain run of it."""
        if not self.known(job) or job.standing is None:
            return False
        if len(job.standing.left) > 1 and session.current().queue.choose(job, self.seed):
            self.report({"INFO"}, translated("Seed {seed} is finished next", seed=self.seed))
            return True
        if self.seed in (job.winner, job.choice) and (job.state.active or job.state is JobState.DONE):
            self.report({"WARNING"}, translated("Seed {seed} is the one that is finished", seed=self.seed))
            return False
        place = contest_drafts.beside(context, job, self.seed)
        draft = contest_drafts.begun(job, self.seed)
        if not enqueue.ask(self, context, job.of_seed(self.seed), place, source_of(job), begun=draft):
            return False
        self.report(
            {"INFO"}, translated("'{prompt}' is queued with seed {seed}", prompt=job.recipe.title, seed=self.seed)
        )
        return True


class DREAMFUSION_OT_insert_draft(InsertAction, _SeedAction, Operator):
    """Put the draft of this seed into the scene, beside the winner: a quick mesh of how far its training came"""

    bl_idname = "dreamfusion.insert_draft"
    bl_label = "Insert Draft"

    def act(self, context: Context, job: Job) -> bool:
        """Insert the draft's mesh, or say why there is none."""
        if not self.known(job):
            return False
        try:
            contest_drafts.put(context, job, self.seed)
        except EngineTrouble as damage:
            enqueue.refuse(self, damage)
            return False
        except OSError as error:
            trouble = Trouble(
                "contest.no_draft",
                "The draft cannot be read.",
                f"{error.filename or job.folder}: {error.strerror or error}",
                "Press Finish This One at its picture: that makes the whole object.",
            )
            enqueue.refuse(self, EngineTrouble(trouble))
            return False
        return True


CLASSES = (DREAMFUSION_OT_finish_seed, DREAMFUSION_OT_insert_draft)
