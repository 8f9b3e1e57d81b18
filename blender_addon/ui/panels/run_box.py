"""The run at work in the panel: bar, stage, speed, time left, its buttons, and its latest pictures."""

from __future__ import annotations

from bpy.types import Context, UILayout

from ...core.job import GENERATE, REFINE, TEXTURE, Job, JobState
from ...core.jobs.estimates import duration_text
from ...core.phrase import phrase, phrases
from ..run import insertion, session
from ..scene import icons
from ..translation import translated
from . import trouble_box

STATES = phrases(
    {
        JobState.QUEUED: "Queued",
        JobState.RUNNING: "Running",
        JobState.PAUSED: "Paused",
        JobState.FINISHING: "Finishing",
        JobState.DONE: "Done",
        JobState.FAILED: "Failed",
        JobState.CANCELLED: "Cancelled",
        JobState.INTERRUPTED: "Interrupted",
    }
)
_WISHES = phrases({"cancel": "Cancelling...", "pause": "Pausing...", "resume": "Going on...", "finish": "Stopping..."})
_ICONS = {GENERATE: "MESH_CUBE", TEXTURE: "TEXTURE", REFINE: "MOD_SMOOTH"}
_COMING_NOW = phrases(
    {
        GENERATE: "The object comes into the scene now",
        TEXTURE: "The texture comes onto its objects now",
        REFINE: "The refined mesh comes into its object now",
    }
)
_COMING = {
    GENERATE: lambda reason: phrase("The object comes into the scene when {reason}", reason=reason),
    TEXTURE: lambda reason: phrase("The texture comes onto its objects when {reason}", reason=reason),
    REFINE: lambda reason: phrase("The refined mesh comes into its object when {reason}", reason=reason),
}
_STAGES = phrases(
    {
        "": "Starting...",
        "download": "Downloading...",
        "load": "Loading the model...",
        "train": "Training...",
        "extract": "Cutting out the mesh...",
        "unwrap": "Unwrapping...",
        "bake": "Baking the texture...",
        "render": "Rendering the turntable...",
    }
)
VIEWS = (phrase("Front"), phrase("Side"), phrase("Back"), phrase("Top"))
_INPUTS = 4  # cut-outs of the artist's pictures that are shown
_SILENT_S = 6.0  # the engine speaks every two seconds


def draw_job(layout: UILayout, context: Context, here: session.Session, job: Job) -> None:
    """Draw the progress bar with pause and cancel, the numbers, and Stop Here and Keep It."""
    box = layout.box()
    box.label(text=job.recipe.title, icon=icon_of(job), translate=False)
    row = box.row(align=True)
    row.scale_y = 1.4
    bar(row, context, "share", job.share, f"{job.share:.0%}")
    held = job.state is JobState.PAUSED
    if held:
        row.operator("dreamfusion.resume_job", text="", icon="PLAY").job_id = job.id
    else:
        row.operator("dreamfusion.pause", text="", icon="PAUSE").job_id = job.id
    row.operator("dreamfusion.cancel", text="", icon="X").job_id = job.id
    column = box.column(align=True)
    for line in describe(here, job):
        trouble_box.draw_text(column, context, line, limit=3, inset=trouble_box.BOX)
    if job.stage in ("", "load", "train") and job.state in (JobState.RUNNING, JobState.PAUSED):
        box.operator("dreamfusion.finish", icon="CHECKMARK").job_id = job.id
    ahead = sum(other.state is JobState.QUEUED for other in here.queue.jobs if other is not job)
    if ahead:
        box.label(text=translated("{count} more in the queue", count=ahead), translate=False, icon="TIME")
    for note in job.notes[-2:]:
        trouble_box.draw_text(box, context, note, "INFO", limit=4, inset=trouble_box.BOX)


def icon_of(job: Job) -> str:
    """The icon of a job without a picture: of a new object, of a texture, or of a refinement."""
    return _ICONS[job.task]


def draw_end(layout: UILayout, context: Context, job: Job) -> None:
    """Draw how the last job ended, unless it failed, and what can be done with it now."""
    box = layout.box()
    row = box.row()
    done = job.state is JobState.DONE
    if done and job.seconds is not None:
        text = phrase("Done in {time}: {prompt}", time=duration_text(job.seconds), prompt=job.recipe.title)
    else:
        text = phrase("{state}: {prompt}", state=STATES[job.state], prompt=job.recipe.title)
    icon = "CHECKMARK" if done else "INFO"
    trouble_box.draw_text(row.column(), context, text, icon, limit=3, inset=trouble_box.BOX + trouble_box.BUTTON)
    row.operator("dreamfusion.dismiss", text="", icon="X", emboss=False).job_id = job.id
    if not done:
        box.operator("dreamfusion.resume_job", text="Resume", icon="PLAY").job_id = job.id
    for note in job.notes[-2:]:
        trouble_box.draw_text(box, context, note, "INFO", limit=4, inset=trouble_box.BOX)
    draw_verdict(box, context, job)


def draw_verdict(layout: UILayout, context: Context, job: Job) -> None:
    """Draw a judge's grade of the result, where there is one, and what its model's licence allows."""
    for line in job.verdict:
        trouble_box.draw_text(layout, context, line, "BLANK1", limit=6, inset=trouble_box.BOX)


def describe(here: session.Session, job: Job) -> list[str]:
    """Two lines on a job: its stage and progress, then speed and time left."""
    if job.wish in _WISHES:
        return [_WISHES[job.wish]]
    if job.state is JobState.PAUSED:
        if job.id == here.aside:
            return [phrase("Paused while Blender renders")]
        paused = phrase("Paused at step {step} of {total}", step=job.step, total=job.total)
        return [paused if job.total else STATES[JobState.PAUSED]]
    if job.state is JobState.QUEUED and here.queue.held:
        return [phrase("The queue waits for the engine")]
    if job.state is JobState.QUEUED:
        starting = here.queue.engine_state in ("absent", "starting")
        return [phrase("Starting the engine...") if starting else phrase("Waiting for its turn")]
    if here.queue.silence_s > _SILENT_S:
        return [phrase("No word from the engine for {seconds:.0f} s...", seconds=here.queue.silence_s)]
    lines: list[str] = [_STAGES.get(job.stage, _STAGES[""])]
    if job.stage == "train" and job.total:
        lines = [phrase("Training, step {step} of {total}", step=job.step, total=job.total)]
    if job.state is JobState.FINISHING and job.stage == "train":
        lines = [phrase("Stopping, to make the mesh...")]
    facts: list[str] = []
    if job.rate:
        fast = phrase("{rate:.3g} steps/s", rate=job.rate)
        facts.append(fast if job.rate >= 1 else phrase("{seconds:.3g} s/step", seconds=1 / job.rate))
    if job.eta_s is not None:
        facts.append(phrase("{time} left", time=duration_text(job.eta_s)))
    if job.memory_mib >= 1:
        facts.append(f"{job.memory_mib / 1024:.1f} GiB")
    return [*lines, ", ".join(translated(fact).replace(" ", trouble_box.TIE) for fact in facts)] if facts else lines


def bar(layout: UILayout, context: Context, name: str, share: float, text: str) -> None:
    """Draw a progress bar. Blender has its own since 4.0; before, a slider that cannot be moved stands in.

    name: str, the slider's property.
    share: float, in [0, 1].
    text: str, the words on the bar.
    """
    if hasattr(layout, "progress"):
        layout.progress(factor=share, text=text, type="BAR")
    else:
        layout.prop(context.window_manager.dreamfusion, name, text="", slider=True)


def draw_inputs(layout: UILayout, context: Context, job: Job) -> None:
    """Draw what the engine has cut out of the artist's pictures, once it has said so."""
    found = [icons.icon(f"{job.id}/input-{number}") for number in range(len(job.recipe.pictures))]
    shown = [icon for icon in found if icon]
    if not shown:
        return
    layout.label(text=translated("Taken from Your Pictures"), translate=False)
    row = layout.row(align=True)
    unit = 20.0 * trouble_box.ui_scale(context)
    for icon in shown[:_INPUTS]:
        row.template_icon(icon, scale=max(1.5, min(4.0, trouble_box.text_width(context, 4.0) / unit / _INPUTS)))


def draw_pictures(layout: UILayout, context: Context, here: session.Session, job: Job) -> None:
    """Draw the latest render, and below it the row of four views. A job at work has room for them before they come."""
    if job.id in here.waiting:
        reason = insertion.obstacle()
        text = _COMING[job.task](reason) if reason else _COMING_NOW[job.task]
        trouble_box.draw_text(layout, context, text, "INFO")
    latest = icons.icon(f"{job.id}/latest") or icons.icon(f"{job.id}/thumbnail")
    if not latest and not job.state.active:
        return
    box = layout.box()
    unit = 20.0 * trouble_box.ui_scale(context)  # pixels of an icon at scale 1
    room = trouble_box.text_width(context, 4.0)
    box.template_icon(latest, scale=max(3.0, min(12.0, room / unit)))
    views = [icons.icon(f"{job.id}/views/{number}") for number in range(len(VIEWS))]
    if all(views) or job.state.active:
        row = box.row(align=True)
        for view, name in zip(views, VIEWS, strict=True):
            column = row.column(align=True)
            column.template_icon(view, scale=max(1.5, min(4.0, room / unit / len(VIEWS))))
            caption = column.row()
            caption.alignment = "CENTER"
            caption.label(text=translated(name), translate=False)
    if job.has_pictures and job.state.active:
        draw_inputs(box, context, job)
