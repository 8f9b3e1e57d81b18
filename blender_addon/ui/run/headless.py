"""Runs without a window. Timers do not run while a script does, so the script itself calls them until the work is done.

  obj = headless.generate("a hamburger", output="hamburger.blend", picture="hamburger.png")

The add-on must be enabled, and the engine installed or named in the preferences.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import bpy
from bpy.types import Object

from ...core import given_pictures
from ...core.job import EngineTrouble, Job, JobState, Recipe, Trouble
from ...core.phrase import phrase
from ...core.setup.installation import EngineSetup
from ..scene import object_recipe, placement, still
from . import enqueue, session, timer

PACE = 0.05  # seconds between two ticks
CANCEL_SECONDS = 10.0  # for the engine to keep what it has when the script is interrupted

Tell = Callable[[str], None]


class HeadlessFailed(Exception):
    """The object was not made. `trouble` says what happened, why, and what to do."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(f"{trouble.what}\n  why: {trouble.why}\n  fix: {trouble.fix}")
        self.trouble = trouble


def generate(
    prompt: str = "",
    *,
    images: Sequence[str] = (),
    negative: str = "",
    seed: int = 0,
    best_of: int = 1,
    model: str = "starter",
    texture_model: str = "",
    method: str = "",
    preset: str = "standard",
    settings: Mapping[str, Any] | None = None,
    size: float = 1.0,
    where: str = "ORIGIN",
    output: str | Path = "",
    picture: str | Path = "",
    tell: Tell | None = None,
) -> Object:
    """Make one object, put it into the open scene, and return it.

    prompt, negative: str, words. A model that is told a picture needs none.
    images: pictures of the object, FILE or FILE@VIEW, such as "car.png@left" or "car.png@30,20".
    seed: int, in [0, 2**31).
    best_of: int, how many seeds from there begin, of which the best is finished; 1: a single run.
    model: str, 'starter', a folder or a hub id.
    texture_model: str, another one, which paints the finished shape; '' for none.
    method: str, 'field' or with a CLIP 'clip-mesh'; '' for the usual one.
    preset: str, 'draft', 'standard' or 'high'.
    settings: nested by stage, over the preset, such as {"optimize": {"steps": 300}}.
    size: float, length of the longest side in Blender units.
    where: str, 'ORIGIN' or 'CURSOR'.
    output: path of a .blend to save the scene as; '' for none.
    picture: path of a PNG to render the object to; '' for none.
    tell: gets a line of text whenever there is news.
    Raises HeadlessFailed. On Ctrl-C the job is cancelled, and can be resumed, before KeyboardInterrupt is raised again.
    """
    say = tell if tell is not None else _nobody
    here = session.current()
    here.poll(now=True)
    if here.missing is not None:
        raise HeadlessFailed(here.missing)
    try:
        pictures = given_pictures.from_words(images)
    except (OSError, ValueError) as error:
        why = f"{error.strerror}: {error.filename}." if isinstance(error, OSError) and error.strerror else f"{error}."
        fix = 'Give PNG or JPEG files, each with its view, such as "car.png@left".'
        raise HeadlessFailed(Trouble("input.picture", "A picture cannot be read.", why, fix)) from error
    said = [each.said() for each in pictures]
    given = dict(settings or {})
    if texture_model:
        stage = given.get("texture")
        given["texture"] = {**(stage if isinstance(stage, Mapping) else {}), "model": texture_model}
    if method:
        given["method"] = method
    what = Recipe(prompt, negative, seed, model, preset, given, seeds=best_of, pictures=said)
    place = placement.captured(bpy.context, where=where, size=size, on_ground=where == "ORIGIN")
    files = given_pictures.joined(pictures) or None
    try:
        job = enqueue.enqueue(
            bpy.context, what, {**place, "file": here.file, "path": bpy.data.filepath}, pictures=files
        )
    except EngineTrouble as error:
        raise HeadlessFailed(error.trouble) from error
    news = _News(say)
    try:
        _pump(lambda: not job.state.active and job.id not in here.waiting, lambda: news.job(job))
    except KeyboardInterrupt:
        here.queue.cancel(job)
        deadline = time.monotonic() + CANCEL_SECONDS
        _pump(lambda: not job.state.active or time.monotonic() > deadline)
        raise
    obj = _object_of(here, job)
    say(f"{obj.name}: {len(obj.data.polygons):,} faces")
    if picture:
        say(f"Rendering {picture}")
        still.render(bpy.context, obj, _absolute(picture))
    if output:
        path = _absolute(output)
        path.parent.mkdir(parents=True, exist_ok=True)
        bpy.ops.wm.save_as_mainfile(filepath=str(path), check_existing=False)
        say(f"Saved {output}")
    return obj


def install_engine(tell: Tell | None = None) -> Path:
    """Make the engine's environment, as the button Install Engine does, and return its Python.

    tell: gets a line of text whenever there is news.
    Raises HeadlessFailed.
    """
    say = tell if tell is not None else _nobody
    setup, news = session.current().setup, _News(say)
    setup.examine()
    try:
        _pump(lambda: setup.state != "examining")
        for line in setup.plan.lines() if setup.plan is not None else ():
            say(line)
        if setup.trouble is None:
            setup.start()
            _pump(lambda: setup.state != "running", lambda: news.setup(setup))
    except KeyboardInterrupt:
        setup.cancel()
        _pump(lambda: setup.state != "running")
        raise
    if setup.python is None:
        raise HeadlessFailed(
            setup.trouble or Trouble("setup.failed", "The installation was stopped.", "", "Try again.")
        )
    return setup.python


def _pump(done: Callable[[], bool], news: Callable[[], None] | None = None) -> None:
    """Tick at least once, until `done`."""
    while True:
        timer.tick()
        if news is not None:
            news()
        if done():
            return
        time.sleep(PACE)


class _News:
    """Passes on each line that differs from the one before."""

    def __init__(self, say: Tell) -> None:
        self._say = say
        self._told = ""

    def job(self, job: Job) -> None:
        """Tell the state of a job, and every tenth of a stage."""
        line, more = str(job.state), ""
        if job.state in (JobState.RUNNING, JobState.FINISHING) and job.stage:
            tenth = 10 * job.step // max(1, job.total)
            line = f"{job.stage} {10 * tenth} %" if job.total > 1 else job.stage
            more = f", about {job.eta_s:.0f} s left" if job.eta_s is not None and tenth else ""
        self._line(line, more)

    def setup(self, setup: EngineSetup) -> None:
        """Tell the step of an installation."""
        self._line(setup.stage)

    def _line(self, line: str, more: str = "") -> None:
        if line and line != self._told:
            self._told = line
            self._say(line + more)


def _object_of(here: session.Session, job: Job) -> Object:
    """The object that a job made. Raises HeadlessFailed where the job ended without one."""
    if job.state is JobState.DONE and here.trouble is None:
        for obj in bpy.context.scene.objects:
            if object_recipe.job_id(obj) == job.id:
                return obj
    trouble = job.trouble or here.trouble
    if trouble is None:
        trouble = Trouble(
            "internal.bug", "No object came of it.", phrase("The job is {state}.", state=job.state), "Open an issue."
        )
    raise HeadlessFailed(trouble)


def _absolute(path: str | Path) -> Path:
    return Path(bpy.path.abspath(str(path))).expanduser().absolute()


def _nobody(_text: str) -> None:
    """Ignore the news."""
