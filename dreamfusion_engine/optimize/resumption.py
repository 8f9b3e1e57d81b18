"""Which checkpoint a training may go on from, and what becomes of one that it does not go on from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.events import Note, Report
from dreamfusion_engine.guidance.denoiser.choice import Choice
from dreamfusion_engine.machine.places import spoken_kind
from dreamfusion_engine.optimize.checkpoint import Checkpoint, load_checkpoint, set_aside


def resumable_checkpoint(
    folder: Path, config: GenerateConfig, *, model: str, subject: str, kind: str, report: Report
) -> Checkpoint:
    """Return the checkpoint of a run that is to go on; the artist is told where that is on other devices.

    folder: Path of the checkpoint.
    config: GenerateConfig as asked for.
    model: str, digest of the model's weights.
    subject: str, digest of a given surface or pictures; "": there are none.
    kind: str, of the run's places.
    report: told of notes.
    Raises InputError or SetupError where no checkpoint fits.
    """
    saved = load_checkpoint(folder, config, given=bool(subject))
    if saved.extra["model"] != model:
        raise InputError(
            "checkpoint.other_run",
            what="The saved checkpoint was trained with another diffusion model.",
            why=f"The weights behind '{config.model}' have changed since.",
            fix="Resume with the weights of then, or leave out --resume to start anew.",
        )
    if saved.extra.get("subject", "") != subject:
        raise InputError(
            "checkpoint.other_run",
            what="The saved checkpoint is about another mesh or other pictures.",
            why="The mesh, its UVs, its front or the pictures and their views are not those of the run.",
            fix="Resume with those of then, or leave out --resume to start anew.",
        )
    if saved.device != kind:
        then_on, now_on = (spoken_kind(each) for each in (str(saved.device), kind))
        text = f"The run began on {then_on}. It continues on {now_on}. "
        text += "The mesh may differ from that of an unbroken run."
        report(Note(code="run.other_device", text=text))
    return saved


def recorded_runtime(saved: Checkpoint) -> Choice | None:
    """Return what ran the denoiser so far; None where the checkpoint does not say, as an earlier version's.

    saved: Checkpoint that the run goes on from.
    """
    values = saved.extra.get("denoiser")
    return None if values is None else Choice.from_json(values)


def set_earlier_aside(folder: Path, later: Sequence[Path], report: Report) -> None:
    """Keep what an unfinished run has left in the folder under another name; the artist is told.

    folder: Path of the checkpoint.
    later: Paths of the checkpoints of trainings that go on from this one.
    report: told of notes.
    """
    aside = set_aside(folder, *later)
    if aside:
        names = " and ".join(path.name for path in aside)
        text = f"An unfinished run was in this folder. Its checkpoint is kept: {names}"
        report(Note(code="run.set_aside", text=text))
