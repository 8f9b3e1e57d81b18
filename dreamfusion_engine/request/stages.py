"""Which stages of settings count in which task. What would do nothing is refused: its owner meant something by it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import InputError

_SURFACE = "They say how rays march through a field, and this run renders the surface of a mesh"
_NEW_OBJECT = "They are about a new object, and this run changes a mesh that is there"
_ONE_MODEL = "They name a second model for the texture of a new object, and this run has the one that `model` names"
# Task -> the stages that do nothing in it, and why. `paint` is a stage of `texture` alone: the others do not know it.
UNUSED: dict[str, dict[str, str]] = {
    "generate": {},
    "contest": {},
    "texture": {
        "render": _SURFACE,
        "start": _NEW_OBJECT,
        "reference": _NEW_OBJECT,
        "texture": _ONE_MODEL,
        "refine": "They say how vertices and colours move together, and this run moves colours only",
    },
    "refine": {"render": _SURFACE, "start": _NEW_OBJECT, "reference": _NEW_OBJECT, "texture": _ONE_MODEL},
}


def check_stages(task: str, settings: Mapping[str, Any] | None, *, counts: Collection[str] = ()) -> None:
    """Raise InputError for settings of a stage that does nothing in a task.

    task: str, of UNUSED.
    settings: nested by stage, as the artist gave them.
    counts: stages that count after all in this run.
    """
    for stage, why in UNUSED[task].items():
        if stage not in counts and (settings or {}).get(stage):
            raise _does_nothing(stage, f"{why}.", f'Leave out "{stage}".')


def check_method(config: GenerateConfig, task: str) -> None:
    """Raise InputError where a task makes no object with the method that was asked for.

    config: GenerateConfig of the run.
    task: str, of UNUSED.
    """
    if config.method == "field" or task == "generate":
        return
    why = "It makes a new object, and this run changes a mesh that is there."
    if task == "contest":
        why = "The drafts of a contest are fields, and this method has none."
    raise InputError(
        "input.method",
        what=f"The method '{config.method}' does nothing in this run.",
        why=why,
        fix="Leave the method out, or make one object with it by the command generate.",
    )


def check_refinement(config: GenerateConfig, settings: Mapping[str, Any] | None) -> None:
    """Raise InputError where it is said how a run ends in a refinement, and it ends in none.

    config: GenerateConfig of a run that makes an object.
    settings: nested by stage, as the artist gave them.
    """
    given = (settings or {}).get("refine")
    if isinstance(given, Mapping) and given and "steps" not in given and not config.refine.steps:
        why = f"They say how the run ends in a refinement, and in the preset '{config.preset}' it ends in none."
        raise _does_nothing("refine", why, 'Set refine.steps too, such as refine.steps=60. Or leave out "refine".')


def _does_nothing(stage: str, why: str, fix: str) -> InputError:
    return InputError(
        "input.setting", what=f"The settings of the stage '{stage}' do nothing in this run.", why=why, fix=fix
    )
