"""Make objects from Python, in the own process: `from dreamfusion_engine import generate`.

What a function is told is checked as the command line checks it, before torch is loaded. Progress comes as the objects
of `dreamfusion_engine.events`, failures as those of `dreamfusion_engine.errors`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dreamfusion_engine.errors import EngineError, InputError, RunError
from dreamfusion_engine.events import Event, Move, Result
from dreamfusion_engine.failures import as_engine_error
from dreamfusion_engine.inputs.given_path import shortened
from dreamfusion_engine.machine.device import release_memory
from dreamfusion_engine.machine.run_folder import check_spared
from dreamfusion_engine.pictures.given import GivenPicture, picture_files, read_given
from dreamfusion_engine.request.run import Request
from dreamfusion_engine.server.work import TASKS, work

ROOT = Path("outputs")
_alone = threading.Lock()  # held while a run computes: two would share devices, memory and random numbers
Told = Callable[[Event], None]
Asked = Callable[[], bool]


def generate(
    prompt: str = "",
    *,
    output: str | Path | None = None,
    preset: str = "standard",
    model: str | Path | None = None,
    texture_model: str | Path | None = None,
    seed: int | None = None,
    settings: Mapping[str, Any] | None = None,
    begin_from: str | Path | None = None,
    images: Sequence[str] = (),
    resume: bool = False,
    progress: Told | None = None,
    cancelled: Asked | None = None,
) -> Result:
    """Make an object of a prompt.

    prompt: str, such as 'a hamburger'; may be left out where the model is told a picture.
    output: path of the run's folder; None: outputs/<prompt>-<seed>.
    preset: str, 'draft', 'standard' or 'high'.
    model: a folder, a downloaded hub id or a single file; None: the built-in starter.
    texture_model: another one, which paints the finished shape; None: the texture is the first model's.
    seed: int, 0 or more; None: 0.
    settings: nested by stage, such as {"optimize": {"steps": 400}}; `dreamfusion-engine settings --about` lists them.
    begin_from: path of a .glb from whose shape the object begins; None: from nothing.
    images: 'FILE' or 'FILE@VIEW' each, pictures of the object, as for --image.
    resume: bool, whether to go on from the checkpoint in the folder; the rest as the run was begun with.
    progress: called with every event, between two steps; what it raises stops the run, and comes out here.
    cancelled: asked between two steps; once it says True the run stops with a checkpoint.
    Raises InputError or SetupError before anything is written, RunError when the run fails, Cancelled when it was
        stopped. Its `code`, `what`, `why` and `fix` are those of the message `failed`.
    """
    _check_types(prompt=prompt, preset=preset, settings=settings, progress=progress, cancelled=cancelled)
    words = [(word, "") for word in _image_words(images)]
    mesh = b"" if begin_from is None else _path("begin_from", begin_from)
    given = [path for path in [mesh] if isinstance(path, Path)] + picture_files(words)
    said = _with_texture_model(_settings(settings, model=model, seed=seed), texture_model)
    asked = _checked("generate", prompt, mesh, output, preset, said, resume, read_given(words))
    return _made("generate", asked, given, progress, cancelled)


def texture(
    mesh: str | Path,
    prompt: str,
    *,
    output: str | Path | None = None,
    preset: str = "standard",
    model: str | Path | None = None,
    seed: int | None = None,
    settings: Mapping[str, Any] | None = None,
    resume: bool = False,
    progress: Told | None = None,
    cancelled: Asked | None = None,
) -> Result:
    """Paint a mesh as a prompt says.

    mesh: path of a .glb, whose shape and UVs stay.
    prompt: str, what it is to look like.
    output: path of the run's folder; None: outputs/<mesh>-<prompt>-texture-<seed>.
    preset, model, seed, settings, resume, progress, cancelled: as for `generate`; the stage `paint` is about this.
    Raises as `generate`.
    """
    _check_types(prompt=prompt, preset=preset, settings=settings, progress=progress, cancelled=cancelled)
    path, said = _path("mesh", mesh), _settings(settings, model=model, seed=seed)
    asked = _checked("texture", prompt, path, output, preset, said, resume)
    return _made("texture", asked, [path], progress, cancelled)


def refine(
    mesh: str | Path,
    prompt: str,
    *,
    output: str | Path | None = None,
    preset: str = "standard",
    model: str | Path | None = None,
    seed: int | None = None,
    settings: Mapping[str, Any] | None = None,
    resume: bool = False,
    progress: Told | None = None,
    cancelled: Asked | None = None,
) -> Result:
    """Improve a mesh: its vertices and its colours.

    mesh: path of a .glb.
    prompt: str, what it is.
    output: path of the run's folder; None: outputs/<mesh>-<prompt>-refined-<seed>.
    preset, model, seed, settings, resume, progress, cancelled: as for `generate`; the stage `refine` is about this.
    Raises as `generate`.
    """
    _check_types(prompt=prompt, preset=preset, settings=settings, progress=progress, cancelled=cancelled)
    path, said = _path("mesh", mesh), _settings(settings, model=model, seed=seed)
    asked = _checked("refine", prompt, path, output, preset, said, resume)
    return _made("refine", asked, [path], progress, cancelled)


def _checked(
    task: str,
    prompt: str,
    mesh: Path | bytes,
    output: str | Path | None,
    preset: str,
    settings: dict[str, Any],
    resume: bool,
    pictures: Sequence[GivenPicture] = (),
) -> Request:
    return TASKS[task].check(
        prompt,
        mesh,
        pictures,
        preset_name=preset,
        settings=settings,
        output=None if output is None else _path("output", output),
        output_root=ROOT,
        resume=bool(resume),
    )


def _check_types(**given: Any) -> None:
    """Raise InputError for arguments of another type: an error from the middle of the engine would not name them."""
    for name, value in given.items():
        if name in ("prompt", "preset"):
            fits, wanted = isinstance(value, str), "text"
        elif name == "settings":
            fits, wanted = (
                value is None or isinstance(value, Mapping),
                'a dict, as {"optimize": {"steps": 400}}',
            )
        else:
            fits, wanted = value is None or callable(value), "a function"
        if not fits:
            raise _refused(name, value, wanted)


def _path(name: str, value: str | Path) -> Path:
    if not isinstance(value, str | os.PathLike):
        raise _refused(name, value, "a path")
    if not str(value).strip():  # it would be the folder that the program runs in
        raise _refused(name, value, "a path with a name in it")
    return Path(value)


def _image_words(images: Sequence[str]) -> list[str]:
    if isinstance(images, str | bytes) or not isinstance(images, Sequence):  # a text is a sequence of letters
        raise _refused("images", images, 'a list, such as ["car.png@front"]')
    for image in images:
        if not isinstance(image, str | os.PathLike):
            raise _refused("images", image, "texts, such as 'car.png@front'")
    return [os.fspath(image) for image in images]


def _refused(name: str, value: object, wanted: str) -> InputError:
    return InputError(
        "input.argument",
        what=f"The argument '{name}' cannot be {shortened(repr(value))}.",
        why=f"It must be {wanted}, and this is {type(value).__name__}.",
        fix="See help(dreamfusion_engine.generate).",
    )


def _settings(settings: Mapping[str, Any] | None, **named: Any) -> dict[str, Any]:
    """The settings with those that have an argument of their own."""
    whole = dict(settings or {})
    for name, value in named.items():
        if value is None:
            continue
        if name in whole:
            raise InputError(
                "input.setting",
                what=f"'{name}' was given twice.",
                why=f"It is an argument, {str(value)[:60]!r}, and in settings, {str(whole[name])[:60]!r}.",
                fix="Keep one of them.",
            )
        whole[name] = str(value) if isinstance(value, Path) else value
    return whole


def _with_texture_model(settings: dict[str, Any], model: str | Path | None) -> dict[str, Any]:
    """The settings with what the argument `texture_model` says."""
    stage = settings.get("texture", {})
    if model is None or not isinstance(stage, Mapping):  # which is refused with the others
        return settings
    return {**settings, "texture": _settings(stage, model=model)}


def _made(task: str, asked: Request, given: Sequence[Path], progress: Told | None, cancelled: Asked | None) -> Result:
    """What a request makes, one at a time."""
    check_spared(asked.output, given, resume=asked.resume)
    if not _alone.acquire(blocking=False):
        raise RunError(
            "run.at_work",
            what="Another run is at work in this process.",
            why="The functions compute one run at a time; another thread, or what hears of progress, began one.",
            fix="Wait for it. For several at once start the command line, or `dreamfusion-engine batch`.",
        )
    try:
        return _worked(task, asked, progress, cancelled)
    finally:
        _alone.release()


def _worked(task: str, asked: Request, progress: Told | None, cancelled: Asked | None) -> Result:
    """What a request makes. The caller's own exceptions end the run as a cancel does, and come out as they are."""
    raised: list[BaseException] = []

    def report(event: Event) -> None:
        if progress is not None and not raised:
            try:
                progress(event)
            except BaseException as error:
                raised.append(error)

    def control() -> Move:
        if cancelled is not None and not raised:
            try:
                if cancelled():
                    return "cancel"
            except BaseException as error:
                raised.append(error)
        return "cancel" if raised else "continue"

    try:
        result = work(task, asked, report, control, {})
    except Exception as error:
        if raised:
            raise raised[0] from None
        if isinstance(error, EngineError):
            raise
        raise as_engine_error(error, asked.output) from error
    finally:
        release_memory()
    if raised:  # of the last event, when all was made
        raise raised[0]
    return result
