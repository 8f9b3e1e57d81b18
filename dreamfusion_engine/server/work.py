"""The work that the command line and the server can be asked for: one entry of TASKS for each command of the wire."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dreamfusion_engine.config.paint import PaintConfig
from dreamfusion_engine.config.seed_range import SeedRange
from dreamfusion_engine.events import Chosen, Control, Report, Result
from dreamfusion_engine.machine.main_memory import check_room_to_start
from dreamfusion_engine.machine.run_folder import check_begun
from dreamfusion_engine.pictures.given import GivenPicture
from dreamfusion_engine.request.contest import checked_contest_request
from dreamfusion_engine.request.generate import checked_request
from dreamfusion_engine.request.refine import checked_refine_request
from dreamfusion_engine.request.run import Request
from dreamfusion_engine.request.texture import checked_texture_request

Maker = Callable[..., Result]  # such as tasks.generate.generate


@dataclass(frozen=True)
class Task:
    """What the engine does for one command.

    check: makes the request of a prompt, a mesh (Path, or bytes of a binary glTF, b"" for none) and GivenPictures; by
        name it takes preset_name, settings, output, output_root and resume, and for a contest seeds.
    load: gives the function that does the work. It imports what is heavy.
    run: calls that function for a request, with what it reports to and asks.
    """

    check: Callable[..., Request]
    load: Callable[[], Maker]
    run: Callable[[Maker, Request, Report, Control, Chosen], Result]


def nobody_chose() -> None:
    """Say that no seed of a contest was chosen by a person."""


def work(
    task: str,
    asked: Request,
    report: Report,
    control: Control,
    makers: Mapping[str, Maker],
    chosen: Chosen = nobody_chose,
) -> Result:
    """Do what a request asks for.

    task: str, a name of TASKS.
    asked: Request.
    report, control: as for tasks.generate.generate.
    makers: by task, functions that stand in for the engine's own.
    chosen: asked by a contest which seed a person lets win.
    Raises InputError checkpoint.missing, before anything heavy is imported, where there is nothing to resume.
    """
    known = TASKS[task]
    make = makers.get(task)
    if make is None:
        if asked.resume and asked.seeds is None:  # a contest's board has been looked for with its request
            check_begun(asked.output / "checkpoint")
        make = known.load()
    return known.run(make, asked, report, control, chosen)


def _check_generate(prompt: str, mesh: Path | bytes, pictures: Sequence[GivenPicture] = (), **asked: Any) -> Request:
    return checked_request(prompt, blockout=mesh, pictures=pictures, **asked)


def _load_generate() -> Maker:
    check_room_to_start()
    from dreamfusion_engine.tasks.generate import generate

    return generate


def _run_generate(make: Maker, asked: Request, report: Report, control: Control, _chosen: Chosen) -> Result:
    return make(
        asked.config,
        asked.output,
        report=report,
        control=control,
        resume=asked.resume,
        blockout=asked.mesh,
        pictures=asked.pictures,
    )


def _check_texture(prompt: str, mesh: Path | bytes, pictures: Sequence[GivenPicture] = (), **asked: Any) -> Request:
    assert not pictures  # neither the command line nor the wire lets them through
    return checked_texture_request(prompt, mesh, **asked)


def _load_texture() -> Maker:
    check_room_to_start()
    from dreamfusion_engine.tasks.texture import texture

    return texture


def _run_texture(make: Maker, asked: Request, report: Report, control: Control, _chosen: Chosen) -> Result:
    paint = asked.paint or PaintConfig()
    return make(asked.config, paint, asked.mesh, asked.output, report=report, control=control, resume=asked.resume)


def _check_refine(prompt: str, mesh: Path | bytes, pictures: Sequence[GivenPicture] = (), **asked: Any) -> Request:
    assert not pictures  # as above
    return checked_refine_request(prompt, mesh, **asked)


def _load_refine() -> Maker:
    check_room_to_start()
    from dreamfusion_engine.tasks.refine import refine

    return refine


def _run_refine(make: Maker, asked: Request, report: Report, control: Control, _chosen: Chosen) -> Result:
    return make(asked.config, asked.mesh, asked.output, report=report, control=control, resume=asked.resume)


def _check_contest(
    prompt: str, mesh: Path | bytes, pictures: Sequence[GivenPicture], *, seeds: SeedRange, **asked: Any
) -> Request:
    return checked_contest_request(prompt, seeds, blockout=mesh, pictures=pictures, **asked)


def _load_contest() -> Maker:
    check_room_to_start()
    from dreamfusion_engine.contest.run import contest

    return contest


def _run_contest(make: Maker, asked: Request, report: Report, control: Control, chosen: Chosen) -> Result:
    return make(
        asked.config,
        asked.seeds,
        asked.output,
        report=report,
        control=control,
        resume=asked.resume,
        blockout=asked.mesh,
        chosen=chosen,
    )


TASKS = {
    "generate": Task(_check_generate, _load_generate, _run_generate),
    "contest": Task(_check_contest, _load_contest, _run_contest),
    "texture": Task(_check_texture, _load_texture, _run_texture),
    "refine": Task(_check_refine, _load_refine, _run_refine),
}
