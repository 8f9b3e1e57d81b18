"""A contest in the panel: a picture of every seed with rank and grade, who is out, who ranks, and a choice by hand."""

from __future__ import annotations

from bpy.types import Context, UILayout

from ...core.contest import Seed, Standing
from ...core.job import Job, JobState
from ...core.phrase import phrase
from ..run import contest_pictures
from ..scene import icons
from ..translation import translated
from . import trouble_box

_COLUMNS, _NARROW = 4, 2  # of pictures, in a wide sidebar and in a narrow one
_SCALE = 3.2  # of a picture, in units of Blender's buttons
_TROUBLES = 2  # failed seeds whose reason is shown


def draw(layout: UILayout, context: Context, job: Job) -> None:
    """Draw where a contest stands; nothing for a plain run.

    job: Job, at work or over.
    """
    standing = job.standing
    if standing is None:
        return
    box = layout.box()
    box.label(text=translated(headline(job, standing)), icon="SORTBYEXT", translate=False)
    if standing.judge:
        text = phrase("Ranked by {judge}. Higher is better", judge=standing.judge)
        trouble_box.draw_text(box, context, text, "BLANK1", limit=4, inset=trouble_box.BOX)
    columns = _COLUMNS if trouble_box.is_wide(context) else _NARROW
    grid = box.grid_flow(row_major=True, columns=columns, even_columns=True, even_rows=False, align=False)
    for rank, each in enumerate(standing.seeds, start=1):
        _seed(grid.column(align=True), job, standing, rank, each)
    if any(map(_can_finish, standing.seeds)):
        text = phrase("Check: finish that seed. Arrow: put its draft into the scene")
        trouble_box.draw_text(box, context, text, "INFO", limit=3, inset=trouble_box.BOX)
    for each in [each for each in standing.seeds if each.trouble][:_TROUBLES]:
        text = phrase("Seed {seed} failed: {reason}", seed=each.seed, reason=each.trouble)
        trouble_box.draw_text(box, context, text, "ERROR", limit=4, inset=trouble_box.BOX)


def headline(job: Job, standing: Standing) -> str:
    """What is happening in the contest, in a few words."""
    count = len(standing.seeds)
    if job.winner is not None and job.state is JobState.DONE:
        return phrase("Seed {seed} won of {count}", seed=job.winner, count=count)
    if job.state.over:
        return phrase("Best of {count}, not finished", count=count)
    left = standing.left
    if len(left) == 1:
        return phrase("Seed {seed} is being finished", seed=left[0].seed)
    if job.choice is not None:
        return phrase("You chose seed {seed}", seed=job.choice)
    return phrase(
        "Round {round} of {rounds}: {left} of {count} left",
        round=min(standing.round + 1, standing.rounds),
        rounds=standing.rounds,
        left=len(left),
        count=count,
    )


def grade_text(each: Seed) -> str:
    """The grade of a seed as short text, or why there is none."""
    if each.grade is not None:
        return f"{each.grade:.3g}"
    return phrase("failed") if each.trouble else "..." if each.on else phrase("not begun")


def _seed(column: UILayout, job: Job, standing: Standing, rank: int, each: Seed) -> None:
    column.template_icon(icons.icon(contest_pictures.key(job, each.seed)), scale=_SCALE)
    place = f"{rank}. " if each.grade is not None else ""
    column.label(
        text=place + translated("Seed {seed}", seed=each.seed), icon=_icon(job, standing, each), translate=False
    )
    row = column.row(align=True)
    row.label(text=translated(grade_text(each)), translate=False)
    if _can_finish(each) and not _is_finished(job, standing, each):
        button = row.operator("dreamfusion.finish_seed", text="", icon="CHECKMARK")
        button.job_id, button.seed = job.id, each.seed
    if each.mesh:
        button = row.operator("dreamfusion.insert_draft", text="", icon="IMPORT")
        button.job_id, button.seed = job.id, each.seed


def _icon(job: Job, standing: Standing, each: Seed) -> str:
    """What has become of a seed, told by shape: failed, the winner, chosen, out, or still in."""
    if each.trouble:
        return "ERROR"
    if _is_finished(job, standing, each):
        return "CHECKMARK"
    if not each.on:
        return "X"
    return "PLAY" if each.grade is not None else "TIME"


def _can_finish(each: Seed) -> bool:
    return bool(each.step) and not each.trouble


def _is_finished(job: Job, standing: Standing, each: Seed) -> bool:
    """Whether a seed has won, or is being finished."""
    if job.state is JobState.DONE:
        return each.seed == job.winner
    chosen = job.choice if job.choice is not None else standing.left[0].seed if len(standing.left) == 1 else None
    return job.state.active and each.seed == chosen
