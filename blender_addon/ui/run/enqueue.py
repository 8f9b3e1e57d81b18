"""Turns the sidebar's settings into a job in the queue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.types import Context

from ...core import engine_preset
from ...core.adapters import STAGE
from ...core.job import EngineTrouble, Job, Recipe
from ...core.visible_text import visible
from ..scene import placement, redraw
from ..settings import adapter_settings, artist_settings, models, preferences, scene_settings, texture_settings
from ..settings.scene_settings import SEED_LIMIT
from . import session, timer


def recipe(context: Context, prompt: str = "") -> Recipe:
    """The recipe to which the sidebar is set.

    prompt: str, used in place of the sidebar's; '' for the sidebar's.
    """
    chosen = scene_settings.of(context)
    overrides: dict[str, Any] = artist_settings.overrides(chosen)
    device = preferences.of().device
    if device != "auto":
        overrides["device"] = device
    adapters = adapter_settings.sent(chosen).to_json()
    if adapters:
        overrides[STAGE] = adapters
    base = models.base_of(chosen.model)
    if base:
        overrides["base"] = base
    return Recipe(
        prompt=" ".join(visible(prompt or chosen.prompt).split()),
        negative=" ".join(visible(chosen.negative).split()),
        seed=chosen.seed,
        model=chosen.model,
        preset=chosen.preset,
        settings=overrides,
    )


def texture_recipe(context: Context, prompt: str = "") -> Recipe:
    """The recipe to which the sidebar is set, for a texture of the selected objects.

    prompt: as for `recipe`.
    """
    what = recipe(context, prompt)
    shared = {key: value for key, value in what.settings.get("mesh", {}).items() if key == "padding"}
    own = texture_settings.overrides(scene_settings.of(context).texture)
    what.settings = {**what.settings, **own, "mesh": {**shared, **own["mesh"]}}
    return what


def of_preset(context: Context, preset: str) -> Recipe:
    """The recipe of an unchanged preset with the sidebar's model and task, to estimate what it costs."""
    device = preferences.of().device
    overrides: dict[str, Any] = {"device": device} if device != "auto" else {}
    if scene_settings.of(context).task == "TEXTURE":
        overrides["paint"] = {}
    return Recipe(prompt="a", preset=preset, model=scene_settings.of(context).model, settings=overrides)


def where(context: Context) -> dict[str, Any]:
    """The sidebar's placement, and the .blend that is open."""
    chosen = scene_settings.of(context).placement
    captured = placement.captured(
        context,
        where="PLACEHOLDER" if chosen.placeholder is not None else chosen.where,
        size=chosen.size,
        on_ground=chosen.on_ground,
        placeholder=chosen.placeholder,
        after=chosen.after,
    )
    return {
        **captured,
        "file": session.current().file,
        "path": bpy.data.filepath,
    }


def enqueue(
    context: Context, what: Recipe, place: dict[str, Any] | None = None, source: bytes | Path | None = None
) -> Job:
    """Add a job to the queue and wake the timer.

    what: Recipe to make.
    place: placement; None for the sidebar's.
    source: the meshes to paint, a GLB or the Path of one; None for a new object.
    Raises EngineTrouble, with nothing queued, where a file of a LoRA or a word does not exist.
    """
    here = session.current()
    missing = adapter_settings.missing(what.settings)
    if missing is not None:
        raise EngineTrouble(missing)
    here.trouble, here.notice = None, ""
    job = here.queue.add(what, place if place is not None else where(context), source)
    timer.wake()
    return job


def ask(
    operator: Any,
    context: Context,
    what: Recipe,
    place: dict[str, Any] | None = None,
    source: bytes | Path | None = None,
) -> bool:
    """Call `enqueue` for an operator. A missing file is reported by the operator and in the panel.

    operator: Operator that reports.
    what, place, source: as for `enqueue`.
    Returns whether a job was queued.
    """
    try:
        enqueue(context, what, place, source)
    except EngineTrouble as error:
        session.current().trouble = error.trouble
        operator.report({"ERROR"}, str(error))
        redraw.panels()
        return False
    return True


def engine_is_there(operator: Any) -> bool:
    """Whether there is an engine, for the `poll` of an operator that queues a job. Else the button's hint says so."""
    if session.current().missing is not None:
        operator.poll_message_set("Install the engine first: it makes the objects")
        return False
    return True


def next_seed(seed: int) -> int:
    """The seed after this one. After the largest comes 0."""
    return (seed + 1) % (SEED_LIMIT + 1)


def write(context: Context, what: Recipe) -> None:
    """Set the sidebar to a recipe. Settings that the sidebar does not have are left out."""
    chosen = scene_settings.of(context)
    artist_settings.reset(chosen)
    chosen.prompt, chosen.negative, chosen.seed, chosen.model = what.prompt, what.negative, what.seed, what.model
    if what.preset in engine_preset.PRESETS:
        chosen.preset = what.preset
    chosen.task = "TEXTURE" if texture_settings.put(chosen.texture, what.settings) else "OBJECT"
    shared = {stage: group for stage, group in what.settings.items() if stage != "mesh" or chosen.task == "OBJECT"}
    artist_settings.put(chosen, shared)
    adapter_settings.put(chosen, what.settings)
