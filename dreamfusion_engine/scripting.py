"""Make objects from Python, in the own process: `from dreamfusion_engine import generate`.

What a function is told is checked as the command line checks it, before torch is loaded. Progress comes as the objects
of `dreamfusion_engine.events`, failures as those of `dreamfusion_engine.errors`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dreamfusion_engine.errors import EngineError, InputError
from dreamfusion_engine.events import Event, Move, Result
from dreamfusion_engine.failures import as_engine_error
from dreamfusion_engine.machine.device import release_memory
from dreamfusion_engine.machine.run_folder import check_spared
from dreamfusion_engine.pictures.given import GivenPicture, picture_files, read_given
from dreamfusion_engine.request.run import Request
from dreamfusion_engine.server.work import TASKS, work

ROOT = Path("outputs")
Told = Callable[[Event], None]
Asked = Callable[[], bool]


def generate(
    prompt: str,
    *,
    output: str | Path | None = None,
    preset: str = "standard",
    model: str | None = None,
    seed: int | None = None,
    settings: Mapping[str, Any] | None = None,
    begin_from: str | Path | None = None,
    images: Sequence[str] = (),
    resume: bool = False,
    progress: Told | None = None,
    cancelled: Asked | None = None,
) -> Result:
    """Make an object of a prompt.

    prompt: str, such as 'a hamburger'.
    output: path of the run's folder; None: outputs/<prompt>-<seed>.
    preset: str, 'draft', 'standard' or 'high'.
    model: str, a folder, a downloaded hub id or a single file; None: the built-in starter.
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
    words = [(word, "") for word in images]
    mesh = b"" if begin_from is None else Path(begin_from)
    given = [path for path in [mesh] if isinstance(path, Path)] + picture_files(words)
    said = _settings(settings, model=model, seed=seed)
    asked = _checked("generate", prompt, mesh, output, preset, said, resume, read_given(words))
    return _made("generate", asked, given, progress, cancelled)


def texture(
    mesh: str | Path,
    prompt: str,
    *,
    output: str | Path | None = None,
    preset: str = "standard",
    model: str | None = None,
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
    said = _settings(settings, model=model, seed=seed)
    asked = _checked("texture", prompt, Path(mesh), output, preset, said, resume)
    return _made("texture", asked, [Path(mesh)], progress, cancelled)


def refine(
    mesh: str | Path,
    prompt: str,
    *,
    output: str | Path | None = None,
    preset: str = "standard",
    model: str | None = None,
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
    said = _settings(settings, model=model, seed=seed)
    asked = _checked("refine", prompt, Path(mesh), output, preset, said, resume)
    return _made("refine", asked, [Path(mesh)], progress, cancelled)


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
        output=None if output is None else Path(output),
        output_root=ROOT,
        resume=resume,
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
        whole[name] = value
    return whole


def _made(task: str, asked: Request, given: Sequence[Path], progress: Told | None, cancelled: Asked | None) -> Result:
    """What a request makes. The caller's own exceptions end the run as a cancel does, and come out as they are."""
    check_spared(asked.output, given, resume=asked.resume)
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
