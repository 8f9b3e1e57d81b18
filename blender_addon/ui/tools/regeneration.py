"""Regenerate and Variation: run an object's recipe again, for a place beside the object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bpy.types import Context, Object, Operator

from ...core.job import Recipe
from ...core.jobs.folder import PICTURES, SOURCE
from ..run import enqueue, session
from ..scene import object_recipe
from ..translation import translated
from .chosen_object import Tool

_GAP = 0.25  # between an object and its variation, of the object's width


class _AgainTool(Tool):
    """The common part of tools that start a run from an object's recipe."""

    @classmethod
    def poll(cls: Any, context: Context) -> bool:
        """Whether there is a recipe and an engine."""
        return bool(super().poll(context) and enqueue.engine_is_there(cls))

    def start(self: Any, context: Context, steps: int) -> set[str]:
        """Queue the recipe for a place beside the object.

        steps: int, 0 for the same seed, 1 for the next one that is free.
        """
        obj = context.active_object
        made_by = object_recipe.read(obj)
        if made_by is None:
            self.report({"ERROR"}, translated("The recipe on the object is damaged. Type its prompt and generate anew"))
            return {"CANCELLED"}
        seed = enqueue.next_seed(_last_seed(made_by)) if steps else made_by.seed
        values = {**made_by.to_json(), "seed": seed, "versions": {}}
        source = _kept(obj, SOURCE) if made_by.begins_from_mesh else None
        pictures = _kept(obj, PICTURES) if made_by.pictures else None
        if made_by.begins_from_mesh and source is None:
            self.report(
                {"ERROR"},
                translated("The mesh that it started from is gone with its job. Choose it in Placement again"),
            )
            return {"CANCELLED"}
        if made_by.pictures and pictures is None:
            self.report(
                {"ERROR"}, translated("Its pictures are gone with its job. Add them in Pictures and press Generate")
            )
            return {"CANCELLED"}
        place = _beside(context, obj, made_by)
        if not enqueue.ask(self, context, Recipe.from_json(values), place, source, pictures=pictures):
            return {"CANCELLED"}
        self.report({"INFO"}, translated("'{prompt}' is queued with seed {seed}", prompt=made_by.title, seed=seed))
        return {"FINISHED"}


class DREAMFUSION_OT_regenerate(_AgainTool, Operator):
    """The same recipe again"""

    bl_idname = "dreamfusion.regenerate"
    bl_label = "Regenerate"
    bl_description = "Make the object again by the same recipe, beside this one"
    bl_options = {"REGISTER"}

    def execute(self, context: Context) -> set[str]:
        """Queue the recipe with the same seed."""
        return self.start(context, 0)


class DREAMFUSION_OT_variation(_AgainTool, Operator):
    """The same recipe with the next seed"""

    bl_idname = "dreamfusion.variation"
    bl_label = "Variation"
    bl_description = "Make another object by the same recipe with the next seed, beside this one"
    bl_options = {"REGISTER"}

    def execute(self, context: Context) -> set[str]:
        """Queue the recipe with the next seed that the queue does not have."""
        return self.start(context, 1)


def _last_seed(made_by: Recipe) -> int:
    """The last seed, counted up from the recipe's own, before one that the queue lacks for prompt, model and method."""
    jobs = session.current().queue.jobs
    own = (made_by.prompt, made_by.model, made_by.method, made_by.texture_model)
    every = [job.recipe for job in jobs]
    alike = [each for each in every if (each.prompt, each.model, each.method, each.texture_model) == own]
    same = {seed for recipe in alike for seed in range(recipe.seed, recipe.seed + recipe.seeds)}
    seed = made_by.seed
    while seed + 1 in same:
        seed += 1
    return seed


def _kept(obj: Object, name: str) -> Path | None:
    """A file that an object's job was given, in the job's folder; None where it is gone."""
    job = session.current().job(object_recipe.job_id(obj))
    return job.folder / name if job is not None and (job.folder / name).is_file() else None


def _beside(context: Context, obj: Object, made_by: Recipe) -> dict[str, Any]:
    """The next free place to the right of an object, with the object's size, or that of what it began from."""
    source = object_recipe.job_id(obj) or obj.name
    number = 1 + sum(job.placement.get("beside") == source for job in session.current().queue.jobs)
    place = obj.matrix_world.translation
    return {
        **enqueue.where(context),
        "where": "BLOCKOUT" if made_by.begins_from_mesh else "CURSOR",
        "location": [place.x + (1.0 + _GAP) * obj.dimensions.x * number, place.y, place.z],
        "size": max(*obj.dimensions, 1e-3),
        "on_ground": False,
        "placeholder": "",
        "beside": source,
    }


CLASSES = (DREAMFUSION_OT_regenerate, DREAMFUSION_OT_variation)
