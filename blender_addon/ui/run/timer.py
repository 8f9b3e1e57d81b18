"""The timer that does all the work: a few milliseconds, several times a second. It never waits.

It is not a modal operator, because Blender does not save automatically while one runs. The timer survives the opening
of files. It is removed when the add-on is disabled and when Blender exits, because some versions of Blender hang on a
timer that is left then.
"""

from __future__ import annotations

import atexit
import contextlib
import time
import traceback
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any, NamedTuple

import bpy

from ...core.blot import Blot
from ...core.job import JobState, Trouble
from ...core.jobs.queue import Change
from ..scene import blockout, icons, preview_object, redraw
from ..scene.texture import texture_preview
from ..settings import artist_settings, models
from . import contest_pictures, cut_outs, job_rows, painting, render_pause, session
from . import insertion as arrival

BUDGET_S = 0.008  # of the main thread a tick
_QUEUE_SHARE_S = 0.004  # of that for the queue; the rest is for pictures and meshes
_LATEST_S = 2.0  # after which something that has arrived is shown, even on a machine so busy that every tick is long
_FAST_S = 0.1  # to the next tick while things arrive,
_STEADY_S = 0.25  # while a job runs,
_IDLE_S = 0.5  # and while nothing does


class Tick(NamedTuple):
    """The main thread's time for one tick. A tuple of numbers, which the garbage collector does not visit.

    seconds: float, its length on the clock.
    cpu_s: float, its processor time in seconds, which a busy machine does not stretch.
    insertion: bool, whether an object came into the scene.
    """

    seconds: float
    cpu_s: float
    insertion: bool


# One grey pixel. With the first picture Blender loads its readers, which takes 50 ms. So it is read before a run.
_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000"
    "000d4944415478da63686868f80f0005840280539374360000000049454e44ae426082"
)

ticks: deque[Tick] = deque(maxlen=100_000)  # for measurements: some seven hours of a run
# Pictures and meshes that have arrived and are not shown yet, by job and name: only the newest of each counts.
_arrived: OrderedDict[tuple[str, str, str], Change] = OrderedDict()
_shown_at = 0.0  # time.perf_counter() when something that had arrived was last shown
_parts: OrderedDict[str, icons.Pixels] = OrderedDict()  # of a decoded row, by icon; one a tick, as above


def tick() -> float:
    """Do one round of work. Returns the seconds to the next one, which is what Blender's timers expect."""
    began, cpu_began = time.perf_counter(), time.thread_time()
    inserted = False
    try:
        pause, inserted = _work(began)
    except Exception as error:  # Blender drops a timer that raises, and then nothing would go on
        pause = _IDLE_S
        _report(error)
    ticks.append(Tick(time.perf_counter() - began, time.thread_time() - cpu_began, inserted))
    return pause


def _work(began: float) -> tuple[float, bool]:
    global _shown_at
    here = session.current()
    here.poll()
    news = here.poll_test()
    if here.setup.poll():
        news = True
        if here.setup.state == "done":
            here.poll(now=True)
    elif here.plan_wanted and here.setup.state == "idle":
        here.setup.examine()
    here.queue.ask_about(models.to_ask())
    here.ask_models()
    render_pause.poll(here)
    with arrival.window():
        shown = preview_object.tick(bpy.context) or texture_preview.tick(bpy.context)
    painting.poll(here)
    changes = here.queue.tick(_QUEUE_SHARE_S)
    for change in changes:
        _take(here, change)
    now = time.perf_counter()
    if (_parts or _arrived) and not shown and (now - began < _QUEUE_SHARE_S or now - _shown_at > _LATEST_S):
        _shown_at = now
        if _parts:
            icons.put(*_parts.popitem(last=False))
        else:  # one a tick: checking a mesh or decoding a picture takes milliseconds
            _show(_arrived.popitem(last=False)[1])
        news = True
    news = artist_settings.poll() or news
    news = cut_outs.poll(here) or news
    inserted = False
    if here.waiting and not _arrived:
        inserted = arrival.insert_next(here)
    news = bool(changes) or inserted or shown or news
    if not here.listed or inserted or any(change.topic in ("state", "result", "engine") for change in changes):
        if not here.listed:
            icons.decoded(_PIXEL)
        job_rows.refresh()
        here.listed = news = True
    elif not _arrived and not _parts and not shown:
        news = job_rows.load_thumbnail(here) or contest_pictures.load_chosen(here) or news
    redraw.after(news)
    if _arrived or _parts or preview_object.waiting() or texture_preview.waiting():
        return _FAST_S, inserted
    busy = here.queue.busy or here.setup.state in ("examining", "running") or here.probe is not None
    return (_FAST_S if news else _STEADY_S) if busy else _IDLE_S, inserted


def _take(here: session.Session, change: Change) -> None:
    """Handle a change at once, or put it aside for a later tick if it takes time."""
    job = change.job
    if change.topic == "cut_out":
        cut_outs.take(here, change)
    if job is None:
        return
    if change.topic == "state":
        here.recent.add(job.id)
    if change.topic in ("picture", "mesh", "texture"):
        _arrived[job.id, change.topic, change.name] = change  # in an older one's place, so that each has its turn
    elif change.topic == "result":
        here.waiting.append(job.id)
        here.estimates.learn(job, here.queue.devices, models.card(job.recipe.model))
    elif change.topic == "state" and job.state.over:
        _forget(job.id)
        if job.state is not JobState.DONE:
            arrival.remove_preview(job)


def _show(change: Change) -> None:
    """Show one picture or mesh to the artist."""
    job = change.job
    if job is None or job.state.over:
        return
    key = f"{job.id}/{change.name}"
    if change.topic == "mesh":
        # A refined mesh lies in its object's own surface, and both would flicker: the panel has its pictures.
        if session.same_file(job.placement) and not job.refines:
            covered = blockout.is_seen(bpy.context, job.placement, same_session=painting.same_session(job))
            preview_object.show(job.id, change.data, change.vertices, change.triangles, job.placement, in_front=covered)
    elif change.topic == "texture":
        painting.show(job, int(change.name), change.data)
    elif change.name == "views":
        for number, part in enumerate(icons.row_parts(change.data, 4)):
            _parts[f"{key}/{number}"] = part
    else:
        icons.show(key, change.data)


def _forget(name: str) -> None:
    """Drop a job's pictures and meshes that are still to be shown."""
    for key in [key for key in _arrived if key[0] == name]:
        del _arrived[key]


def _report(error: Exception) -> None:
    """Write a bug of the add-on into the log and show a sentence in the panel, once even if it comes every tick."""
    if not session.begun():
        return
    here = session.current()
    trouble = Trouble(
        "internal.bug",
        "The add-on met a bug in itself.",
        f"{type(error).__name__}: {error}",
        "The run goes on. If this comes again, copy the report and open an issue with it.",
    )
    if trouble == here.bug:
        return
    here.bug = here.trouble = trouble
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    # A full disk must not end the timer.
    with contextlib.suppress(OSError), here.log.open("a", encoding="utf-8", errors="backslashreplace") as log:
        log.write(Blot().text("".join(lines)))
    redraw.panels()


@bpy.app.handlers.persistent
def _file_opened(*_: object) -> None:
    """Note that another .blend is open. Runs go on, the list is filled again, the settings are looked at."""
    artist_settings.forget()
    if session.begun():
        session.current().file = session.new_file_name()
        session.current().listed = False


@bpy.app.handlers.persistent
def _undone(*_: object) -> None:
    """Look at the settings again, because undo may bring back values from before the engine told its recipes."""
    artist_settings.forget()


def wake() -> None:
    """Let the next tick come soon, even in an idle pause."""
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
        bpy.app.timers.register(tick, first_interval=0.01, persistent=True)


def start() -> None:
    """Begin ticking, and arrange for the end when Blender exits."""
    bpy.app.timers.register(tick, first_interval=_FAST_S, persistent=True)
    for handlers, handler in _handlers():
        handlers.append(handler)
    atexit.register(_at_exit)


def _handlers() -> list[tuple[list[Any], Callable[..., None]]]:
    """Blender's lists of handlers, each with the function that belongs in it."""
    of = bpy.app.handlers
    return [(of.load_post, _file_opened), (of.undo_post, _undone), (of.redo_post, _undone)]


def stop() -> None:
    """End the ticking and the session: engine, connection test, installation."""
    atexit.unregister(_at_exit)
    _stop_timer()
    for handlers, handler in _handlers():
        if handler in handlers:
            handlers.remove(handler)
    artist_settings.forget()
    cut_outs.forget()
    session.close()
    _arrived.clear()
    _parts.clear()
    ticks.clear()


def _stop_timer() -> None:
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)


def _at_exit() -> None:
    _stop_timer()
    session.close()
