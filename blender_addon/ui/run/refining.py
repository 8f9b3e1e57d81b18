"""Jobs that refine a finished object: their recipe, and the mesh when it is done."""

from __future__ import annotations

import bpy

from ...core.adapters import STAGE
from ...core.job import START, EngineTrouble, Job, Recipe, Trouble
from ...core.jobs.folder import read_source
from ...core.phrase import phrase
from ..scene import refine_result
from . import painting, session

ABOUT = "refine"  # what a job's placement has under this name is for `refine_result`
_SHARED = ("device", "base", "judge", STAGE, "mesh")  # of an object's recipe: the others are about another kind of run


def recipe(made_by: Recipe) -> Recipe:
    """The recipe to refine what another one made: the same words, model, adapters and texture size.

    made_by: Recipe on the object.
    """
    kept = {key: value for key, value in made_by.settings.items() if key in _SHARED}
    led = made_by.settings.get(START)
    front = led.get("front_deg", 0.0) if isinstance(led, dict) else 0.0
    others = {"settings": {**kept, ABOUT: {"front_deg": front}}, "versions": {}, "seeds": 1, "pictures": []}
    return Recipe.from_json({**made_by.to_json(), **others})


def apply(here: session.Session, job: Job) -> None:
    """Put a job's mesh in the place of its object's, or beside that, which is told.

    Raises EngineTrouble for a damaged file, and OSError for one that cannot be read.
    """
    assert job.result is not None
    about = job.placement.get(ABOUT)
    if not refine_result.is_sound(about):
        raise EngineTrouble(
            Trouble(
                "refine.nowhere",
                phrase("'{prompt}' is refined, and its object cannot be found.", prompt=job.recipe.title),
                "What the job noted about it is damaged.",
                "The refined mesh is in the job's folder: File > Import > glTF 2.0.",
            )
        )
    assert isinstance(about, dict)
    told = refine_result.put(
        bpy.context,
        read_source(job.result),
        about,
        job.recipe,
        job.id,
        same_session=painting.same_session(job),
        verdict=job.verdict,
    )
    if told:
        here.notice = told
