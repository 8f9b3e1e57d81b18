"""From the sidebar's settings to a job in the queue."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.types import Context

from ...core import engine_preset
from ...core.adapters import STAGE
from ...core.job import EngineTrouble, Job, Recipe
from ...core.visible_text import visible
from ..scene import placement, redraw
from ..settings import adapter_settings, artist_settings, models, preferences, scene_settings
from ..settings.scene_settings import SEED_LIMIT
from . import session, timer


def recipe(context: Context, prompt: str = "") -> Recipe:
    """What the sidebar is set to. prompt: in place of the sidebar's."""
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


def of_preset(context: Context, preset: str) -> Recipe:
    """A job in a quality as it is, with the sidebar's model: for what that would cost."""
    device = preferences.of().device
    overrides = {"device": device} if device != "auto" else {}
    return Recipe(prompt="a", preset=preset, model=scene_settings.of(context).model, settings=overrides)


def where(context: Context) -> dict[str, Any]:
    """Where the sidebar says that the object goes, and in which .blend."""
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


def enqueue(context: Context, what: Recipe, place: dict[str, Any] | None = None) -> Job:
    """Add a job to the queue and wake the timer. place: without it, where the sidebar says.

    Raises EngineTrouble, with nothing queued, where a file of its LoRAs and words is not there.
    """
    here = session.current()
    missing = adapter_settings.missing(what.settings)
    if missing is not None:
        raise EngineTrouble(missing)
    here.trouble, here.notice = None, ""
    job = here.queue.add(what, place if place is not None else where(context))
    timer.wake()
    return job


def ask(operator: Any, context: Context, what: Recipe, place: dict[str, Any] | None = None) -> bool:
    """As `enqueue`, for an operator: what is not there is told by it and in the panel. Whether a job was queued."""
    try:
        enqueue(context, what, place)
    except EngineTrouble as error:
        session.current().trouble = error.trouble
        operator.report({"ERROR"}, str(error))
        redraw.panels()
        return False
    return True


def engine_is_there(operator: Any) -> bool:
    """For `poll` of what queues a job: whether something can be made; the grey button says what is missing."""
    if session.current().missing is not None:
        operator.poll_message_set("Install the engine first: it makes the objects")
        return False
    return True


def next_seed(seed: int) -> int:
    """The seed after this one, within what the engine takes."""
    return (seed + 1) % (SEED_LIMIT + 1)


def write(context: Context, what: Recipe) -> None:
    """Set the sidebar to a recipe. Settings that the sidebar does not have are left out."""
    chosen = scene_settings.of(context)
    artist_settings.reset(chosen)
    chosen.prompt, chosen.negative, chosen.seed, chosen.model = what.prompt, what.negative, what.seed, what.model
    if what.preset in engine_preset.PRESETS:
        chosen.preset = what.preset
    artist_settings.put(chosen, what.settings)
    adapter_settings.put(chosen, what.settings)
