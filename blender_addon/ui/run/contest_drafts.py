"""The drafts of a contest in the scene: a mesh that was made when a seed stopped, as an object of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.types import Context, Object

from ...core import contest
from ...core.job import Job
from ...core.jobs.folder import CHECKPOINT
from ...core.phrase import phrase
from ..scene import insert
from ..scene.placement import Placement
from . import enqueue, insertion

_APART = 1.25  # between two seeds of a contest that are in the scene, of their longest side


def note(job: Job, seed: int) -> str:
    """What the object of a draft says of itself.

    seed: int.
    """
    found = job.standing.of(seed) if job.standing is not None else None
    if found is None or not found.step:
        return phrase("A draft of a contest: its training stopped. Regenerate makes the whole object")
    return phrase(
        "A draft of a contest: its training stopped at step {step}. Regenerate makes the whole object", step=found.step
    )


def begun(job: Job, seed: int) -> Path | None:
    """The folder of a draft that a run of its own can go on with; None where it lies on another machine or is gone.

    seed: int.
    """
    folder = job.folder / contest.draft_folder(seed)
    return folder if (folder / CHECKPOINT).is_file() else None


def put(context: Context, job: Job, seed: int) -> Object:
    """Put the mesh of a draft into the scene, beside where the winner goes, as one undo step.

    seed: int.
    Raises DamagedMesh, or OSError where the file cannot be read.
    """
    place = beside(context, job, seed)
    with insertion.scene_of(Placement.from_json(place)):
        file = job.folder / contest.mesh_file(seed)
        return insert.insert(bpy.context, file, job.of_seed(seed), place, job.id, verdict=[note(job, seed)])


def beside(context: Context, job: Job, seed: int) -> dict[str, Any]:
    """The place of a seed that did not win: beside the winner's, the better the nearer.

    seed: int.
    """
    place = enqueue.where_again(context, job)
    read = Placement.from_json(place)
    base = read.base(context)
    ranking = [each.seed for each in job.standing.seeds] if job.standing is not None else []
    rank = max(1, ranking.index(seed)) if seed in ranking else 1
    return {
        **place,
        "where": "BLOCKOUT" if read.is_own else "CURSOR",
        "location": [base.x + _APART * read.size * rank, base.y, base.z],
        "on_ground": False,
        "placeholder": "",
    }
