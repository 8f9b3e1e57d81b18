"""Turns the sidebar's settings into a job in the queue."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bpy
from bpy.types import Context

from ...core import engine_preset
from ...core.adapters import STAGE
from ...core.declared_settings import ENGINE
from ...core.job import GENERATE, START, EngineTrouble, Job, Recipe, Trouble
from ...core.model_card import FIELD
from ...core.phrase import phrase
from ...core.visible_text import visible
from ..scene import blockout, placement, redraw
from ..scene.placement import Placement
from ..settings import (
    adapter_settings,
    artist_settings,
    devices,
    models,
    picture_settings,
    preferences,
    scene_settings,
    texture_settings,
)
from ..settings.scene_settings import BEST_OF_LIMIT, SEED_LIMIT
from ..translation import told, translated
from . import session, timer

REFERENCE = "reference"  # the stage of the settings about given pictures
# Stages of settings that say nothing of a texture for what is there:
_OF_NEW_OBJECTS = ("field", START, REFERENCE, "texture")


def recipe(context: Context, prompt: str = "") -> Recipe:
    """The recipe to which the sidebar is set.

    prompt: str, used in place of the sidebar's; '' for the sidebar's.
    """
    chosen = scene_settings.of(context)
    overrides: dict[str, Any] = models.counting(chosen, artist_settings.overrides(chosen))
    method = models.method(chosen)
    if method != FIELD:
        overrides["method"] = method
    led = overrides.pop(START, {})
    if chosen.placement.start_from != "NOTHING":
        overrides[START] = {**led, "front_deg": texture_settings.FRONTS[chosen.placement.front]}
    device = devices.asked(preferences.of())
    if device != devices.AUTOMATIC:
        overrides["device"] = device
    judge = preferences.judge(preferences.of())
    if judge:
        overrides["judge"] = judge
    adapters = adapter_settings.sent(chosen).to_json()
    if adapters:
        overrides[STAGE] = adapters
    base = models.base_of(chosen.model)
    if base:
        overrides["base"] = base
    second = _texture_stage(chosen)
    if second:
        overrides["texture"] = second
    poses = picture_settings.poses_of(chosen.pictures) if models.asks_poses(chosen.model) else ""
    if poses:
        overrides[REFERENCE] = {"pose": poses}
    return Recipe(
        prompt=" ".join(visible(prompt or chosen.prompt).split()),
        negative=" ".join(visible(chosen.negative).split()),
        seed=chosen.seed,
        model=chosen.model,
        preset=chosen.preset,
        settings=overrides,
        seeds=min(chosen.best_of, SEED_LIMIT + 1 - chosen.seed) if method == FIELD else 1,
    )


def texture_recipe(context: Context, prompt: str = "") -> Recipe:
    """The recipe to which the sidebar is set, for a texture of the selected objects.

    prompt: as for `recipe`.
    """
    what = recipe(context, prompt)
    shared = {key: value for key, value in what.settings.get("mesh", {}).items() if key == "padding"}
    own = texture_settings.overrides(scene_settings.of(context).texture)
    rest = {stage: group for stage, group in what.settings.items() if stage not in _OF_NEW_OBJECTS}
    what.settings = {**rest, **own, "mesh": {**shared, **own["mesh"]}}
    what.seeds = 1
    return what


def of_preset(context: Context, preset: str) -> Recipe:
    """The recipe of an unchanged preset with the sidebar's model and task, to estimate what it costs."""
    device = devices.asked(preferences.of())
    overrides: dict[str, Any] = {"device": device} if device != devices.AUTOMATIC else {}
    chosen = scene_settings.of(context)
    paints, method = chosen.task == "TEXTURE", models.method(chosen)
    second = _texture_stage(chosen)
    if paints:
        overrides["paint"] = {}
    elif second:
        overrides["texture"] = second
    if method != FIELD:
        overrides["method"] = method
    seeds = 1 if paints or method != FIELD else chosen.best_of
    return Recipe("a", preset=preset, model=chosen.model, settings=overrides, seeds=seeds)


def _texture_stage(chosen: Any) -> dict[str, str]:
    """The stage `texture` of the settings: the sidebar's texture model; nothing where there is none."""
    if not chosen.texture_model or models.method(chosen) != FIELD:
        return {}
    base = models.base_of(chosen.texture_model)
    return {"model": chosen.texture_model, **({"base": base} if base else {})}


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


def where_again(context: Context, job: Job) -> dict[str, Any]:
    """Where a finished object goes when it is inserted from the results: where the sidebar says now.

    One that began from a mesh goes where that stood. Only in the same file that mesh can be hidden.
    """
    now = where(context)
    if not Placement.from_json(job.placement).is_own:
        return now
    kept = {key: now[key] for key in ("file", "path", "scene")}
    if session.same_file(job.placement):
        kept["file"] = job.placement.get("file")  # by which its objects are found again
        return {**job.placement, **kept}
    return {**job.placement, **kept, blockout.ABOUT: {}}


def start_obstacle(context: Context) -> str:
    """Why no object can begin from what Placement says; "" where one can, also from nothing. Cheap."""
    chosen = scene_settings.of(context)
    placed = chosen.placement
    if placed.start_from != "NOTHING" and models.method(chosen) != FIELD:
        return phrase("With this method an object starts from a sphere. Choose Nothing under Start From in Placement")
    return blockout.obstacle(context, placed.start_from, placed.blockout)


def beginning(context: Context) -> tuple[dict[str, Any] | None, bytes | None]:
    """Placement and file of what an object begins from, as Placement says; two None where it begins from nothing.

    Raises EngineTrouble where that cannot be read.
    """
    chosen = scene_settings.of(context).placement
    if chosen.start_from == "NOTHING":
        return None, None
    why = start_obstacle(context)
    if why:
        raise EngineTrouble(
            Trouble(
                "start.not_now", "No object can start from that mesh now.", phrase("{why}.", why=why), "Try again then."
            )
        )
    read = blockout.read(context, blockout.chosen(context, chosen.start_from, chosen.blockout))
    return {**where(context), **read.placed(context, hide=chosen.hide_blockout)}, read.file


def enqueue(
    context: Context,
    what: Recipe,
    place: dict[str, Any] | None = None,
    source: bytes | Path | None = None,
    task: str = GENERATE,
    begun: Path | None = None,
    pictures: bytes | Path | None = None,
) -> Job:
    """Add a job to the queue and wake the timer.

    what: Recipe to make.
    place: placement; None for the sidebar's.
    source: the meshes to paint or to begin from, a GLB or the Path of one; None for none.
    task: str, what the job is.
    begun: folder of a run of the same recipe that it goes on with; None: it begins from nothing.
    pictures: the files of the recipe's pictures, or the Path of them; None for none.
    Raises EngineTrouble, with nothing queued, where a file of a LoRA or a word does not exist.
    """
    here = session.current()
    missing = adapter_settings.missing(what.settings)
    if missing is not None:
        raise EngineTrouble(missing)
    here.trouble, here.notice = None, ""
    job = here.queue.add(what, place if place is not None else where(context), source, task, begun, pictures)
    timer.wake()
    return job


def ask(
    operator: Any,
    context: Context,
    what: Recipe,
    place: dict[str, Any] | None = None,
    source: bytes | Path | None = None,
    task: str = GENERATE,
    begun: Path | None = None,
    pictures: bytes | Path | None = None,
) -> bool:
    """Call `enqueue` for an operator. A missing file is reported by the operator and in the panel.

    operator: Operator that reports.
    what, place, source, task, begun, pictures: as for `enqueue`.
    Returns whether a job was queued.
    """
    try:
        enqueue(context, what, place, source, task, begun, pictures)
    except EngineTrouble as error:
        refuse(operator, error)
        return False
    return True


def refuse(operator: Any, error: EngineTrouble) -> None:
    """Say in the panel and by an operator's report why nothing was queued."""
    session.current().trouble = error.trouble
    operator.report({"ERROR"}, told(error.trouble))
    redraw.panels()


def engine_is_there(operator: Any) -> bool:
    """Whether there is an engine, for the `poll` of an operator that queues a job. Else the button's hint says so."""
    if session.current().missing is not None:
        operator.poll_message_set(translated("Install the engine first: it makes the objects"))
        return False
    return True


def next_seed(seed: int, count: int = 1) -> int:
    """The seed after this one. After the largest comes 0.

    count: int, seeds that are needed from there on.
    """
    after = seed + 1
    return after if after + count - 1 <= SEED_LIMIT else 0


def write(context: Context, what: Recipe, place: Mapping[str, Any] | None = None) -> None:
    """Set the sidebar to a recipe. Settings that the sidebar does not have are left out.

    place: placement of the recipe's job, with what it began from; None where that is not known.
    """
    chosen = scene_settings.of(context)
    artist_settings.reset(chosen)
    chosen.prompt, chosen.negative, chosen.seed, chosen.model = what.prompt, what.negative, what.seed, what.model
    chosen.texture_model = what.texture_model
    chosen.method = what.method if what.method in ENGINE.stages[""]["method"].words else FIELD
    chosen.best_of = min(what.seeds, BEST_OF_LIMIT)
    if what.preset in engine_preset.PRESETS:
        chosen.preset = what.preset
    chosen.task = "TEXTURE" if texture_settings.put(chosen.texture, what.settings) else "OBJECT"
    shared = {stage: group for stage, group in what.settings.items() if stage != "mesh" or chosen.task == "OBJECT"}
    artist_settings.put(chosen, shared)
    adapter_settings.put(chosen, what.settings)
    picture_settings.set_poses(chosen.pictures, what.settings)
    _write_start(chosen.placement, what, place or {})


def _write_start(chosen: Any, what: Recipe, place: Mapping[str, Any]) -> None:
    """Set Start From: to the mesh if it was one and is still there, to the selection if they were several."""
    if not what.begins_from_mesh:
        chosen.start_from = "NOTHING"
        return
    led = what.settings[START]
    chosen.front = texture_settings.front_of(led.get("front_deg") if isinstance(led, dict) else None)
    objects = blockout.noted(place, same_session=place.get("file") == session.current().file)
    chosen.start_from = "SELECTED" if len(objects) > 1 else "OBJECT"
    chosen.blockout = objects[0] if len(objects) == 1 and session.same_file(dict(place)) else None
