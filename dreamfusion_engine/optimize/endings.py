"""The ends of a training before its last step, as errors that say what is kept and how to go on."""

from __future__ import annotations

from dreamfusion_engine.errors import Cancelled, RunError
from dreamfusion_engine.inputs.outside_text import first_line


def lost_device(error: BaseException, step: int, *, kept: bool) -> RunError:
    """Build the error of a run whose device stopped answering.

    error: what torch or Warp said.
    step: int, of the training.
    kept: bool, whether this step is in the checkpoint; else what was saved before is.
    """
    saved = f"The training is kept up to step {step}." if kept else "What was saved before is kept."
    return RunError(
        "run.device_lost",
        what=f"A graphics card stopped answering at step {step}.",
        why=first_line(str(error) or type(error).__name__),
        fix=f"{saved} Look after its cable, its power and its driver, start the engine again and give the same command "
        "with --resume; with --device cpu it goes on without the card.",
    )


def cancelled(what: str, why: str = "You asked for it.") -> Cancelled:
    """Build the exception for a run that was asked to stop, with its checkpoint kept.

    what: str, what was stopped, one sentence.
    why: str.
    """
    return Cancelled(
        "run.cancelled",
        what=what,
        why=why,
        fix="Give the same command with --resume to go on from here.",
    )
