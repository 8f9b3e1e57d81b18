"""The folder of a run: held by one run at a time, and cleaned of the half-written files of killed runs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.machine.atomic_file import sweep
from dreamfusion_engine.machine.file_lock import only_one

LOCK = ".run.lock"
SOURCE = "source.glb"  # the mesh that the run was given
INPUTS = "inputs.json"  # the pictures that it was given, and from where they show the object
INPUT = "input-{}.png"  # a picture, cut out
CONTEST = "contest.json"  # where a contest of seeds stands
RESULT = "result.json"  # what a finished run says of itself, written last
INDEX = "checkpoint.json"  # of a checkpoint's folder: it names the state
_WRITTEN = ("mesh.glb", "views.png", "turntable.mp4", RESULT, INPUTS, INPUT.format("*"), CONTEST)
_REPLACED = (*_WRITTEN, "before.png", "textures", "previews*", "seeds")  # by a run that begins anew
_WRITTEN_INSIDE = {"checkpoint*": ("state-*.safetensors", INDEX), "previews*": ("step-*.png",)}


def can_resume(folder: Path) -> bool:
    """Return whether a run or a contest in the folder has left something to go on from.

    folder: Path of the run.
    """
    # Of a run that was killed in its first save there is a folder without one.
    return (folder / "checkpoint" / INDEX).is_file() or (folder / CONTEST).is_file()


def check_begun(checkpoint: Path) -> None:
    """Raise InputError checkpoint.missing where there is no checkpoint to resume from. Torch is not needed.

    checkpoint: Path of its folder.
    """
    path = checkpoint / INDEX
    if not path.is_file():
        raise InputError(
            "checkpoint.missing",
            what="There is nothing to resume.",
            why=f"There is no {path}.",
            fix="Leave out --resume, or give the --output of a run that was broken off.",
        )


def check_contest(folder: Path, seeds: str, *, resume: bool) -> None:
    """Raise InputError where a run is to resume and the folder holds another kind of run: a contest, or a single seed.

    folder: Path of the run.
    seeds: str, the seeds of a contest as they are typed; '' for a run of a single seed.
    resume: bool, whether the run resumes.
    """
    contest, single = (folder / CONTEST).is_file(), (folder / "checkpoint").is_dir()
    if not resume or (contest if seeds else single or not contest):
        return  # where one was begun in the other's folder both are there, and the seeds say which is meant
    if contest:
        raise InputError(
            "checkpoint.other_run",
            what="The run in this folder is a contest of seeds.",
            why=f"{folder / CONTEST} is there, and no seeds were given.",
            fix="Add the --seeds that it was begun with, or resume one of its seeds: --output FOLDER/seeds/N --seed N.",
        )
    if seeds:
        raise InputError(
            "checkpoint.missing",
            what="There is no contest to resume in this folder.",
            why=f"{folder} holds {'a run of a single seed' if single else 'no ' + CONTEST}.",
            fix="Leave out --seeds to resume that run." if single else "Leave out --resume to begin the contest.",
        )


def check_spared(folder: Path, given: Iterable[Path], *, resume: bool) -> None:
    """Raise InputError where a run would write over a file that it was given.

    folder: Path of the run.
    given: Path each, of the meshes and pictures that it reads.
    resume: bool, whether the run resumes.
    """
    if resume:
        return
    for path in given:
        place = Path(os.path.realpath(os.path.expanduser(path)))
        inside = [above.name for above in (place, *place.parents) if above.parent == Path(os.path.realpath(folder))]
        if any(fnmatch(found, name) for found in inside for name in _REPLACED):
            raise InputError(
                "input.output_taken",
                what="The run would write over a file that it was given.",
                why=f"{path} lies in the output folder {folder}, by a name that a run writes there.",
                fix="Give another --output folder, or move the file out of this one.",
            )


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the folder for one run. It is made, and removed at the end if it is still empty.

    Temporary files of killed runs are removed: whoever holds the folder is alone in it, so nobody uses them.

    folder: Path of the run.
    Raises InputError input.output_busy while a run of another process writes into it.
    Raises OSError where the folder cannot be made or written.
    """

    def busy(holder: str) -> InputError:
        return InputError(
            "input.output_busy",
            what="Another run writes into this folder.",
            why=f"{folder} is held by {holder}.",
            fix="Wait for that run, or stop it, or give another --output folder.",
        )

    with held_by(folder, LOCK, busy):
        sweep(folder, _WRITTEN)
        for pattern, names in _WRITTEN_INSIDE.items():
            for inside in folder.glob(pattern):
                sweep(inside, names)
        yield


@contextlib.contextmanager
def held_by(folder: Path, lock: str, busy: Callable[[str], InputError]) -> Iterator[None]:
    """Hold a folder for one process. It is made, and removed at the end if it is still empty.

    folder: Path.
    lock: str, name of the lock's file in it.
    busy: what is raised while another process holds it; takes the words for that one.
    Raises OSError where the folder cannot be made or written.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with only_one(folder / lock, busy):
            yield
    finally:
        for path in made:
            with contextlib.suppress(OSError):
                path.rmdir()
