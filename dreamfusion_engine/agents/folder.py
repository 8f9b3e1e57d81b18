"""The one folder that an agent may read and write: paths outside are refused, also behind links."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dreamfusion_engine.errors import EngineError, InputError
from dreamfusion_engine.hub.address import is_hub_id
from dreamfusion_engine.inputs.given_path import UnusablePath, given_path, shortened
from dreamfusion_engine.machine.atomic_file import write_atomically
from dreamfusion_engine.machine.disk import output_error
from dreamfusion_engine.machine.file_lock import holder_of, only_one
from dreamfusion_engine.machine.run_folder import LOCK, SOURCE, can_resume
from dreamfusion_engine.request.mesh import mesh_bytes
from dreamfusion_engine.request.output import folder_name
from dreamfusion_engine.wire.bounded_json import UnsafeJson, read_json_file

REQUEST = "request.json"  # in a run's folder: what it was asked for, so that another server can resume it
HOLD = ".agent.lock"  # in a run's folder, as long as a server has the run in its queue or at work
MOST_RUNS = 10_000  # folders that are looked at
RUN_NAME = re.compile(r"[^\W_][\w.-]{0,99}")
# Settings that name files, by dotted name, and the words that are no files. All other text is for people or a choice.
PATHS: dict[str, tuple[str, ...]] = {
    "model": ("starter",),
    "base": ("",),
    "texture.model": ("", "starter"),
    "texture.base": ("",),
    "judge": ("auto", "off"),
    "adapters.lora": (),
    "adapters.embeddings": (),
    "memory.tiny_vae": ("",),
}


class AllowedFolder:
    """The folder, with a folder in it for every run."""

    def __init__(self, given: Path) -> None:
        """Take a folder, and make it where it is missing.

        given: Path, as typed.
        Raises InputError for one that cannot be made or written.
        """
        try:
            path = Path(given_path(given))
            if path.is_file():
                raise UnusablePath("it is a file")
            path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=path):  # or the first run would find that nothing can be written
                pass
            self.path = path.resolve()
        except (OSError, UnusablePath) as error:
            raise InputError(
                "input.output",
                what="The folder cannot be used.",
                why=f"{shortened(given)}: {error.strerror if isinstance(error, OSError) else error}.",
                fix="Give another --folder, or change the permissions of this one.",
            ) from error

    def inside(self, given: str) -> Path:
        """Return the path of a file or folder that is there, without links.

        given: str, relative to the folder, or absolute.
        Raises InputError input.outside_folder for one outside, input.no_file where nothing is there.
        """
        try:
            if "\0" in given or given.startswith("~"):
                raise UnusablePath("it is no plain path")
            path = (self.path / given).resolve()
            there = path.exists()
        except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: a circle of links
            why = error.strerror if isinstance(error, OSError) else error
            raise InputError(
                "input.no_file",
                what="A path cannot be used.",
                why=f"{shortened(repr(given))}: {why}.",
                fix="Give the path of a file in the allowed folder, relative to it.",
            ) from error
        if not path.is_relative_to(self.path):
            raise InputError(
                "input.outside_folder",
                what="A path leads out of the allowed folder.",
                why=f"{shortened(repr(given))} is not in {self.path}.",
                fix="Put the file into that folder. Whoever starts the server chooses another one with --folder.",
            )
        if not there:
            raise InputError(
                "input.no_file",
                what="There is no such file.",
                why=f"{shortened(repr(given))} is not in {self.path}.",
                fix="Give its path relative to that folder.",
            )
        return path

    def allowed_settings(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings with the files that they name as absolute paths.

        settings: nested by stage.
        Raises InputError for a file outside.
        """
        allowed: dict[str, Any] = {}
        for name, value in settings.items():
            if isinstance(value, Mapping):
                allowed[name] = {
                    key: self._setting(f"{name}.{key}", each)
                    for key, each in list(value.items())
                    if isinstance(key, str)
                }
            else:
                allowed[name] = self._setting(name, value)
        return allowed

    def _setting(self, name: str, value: Any) -> Any:
        if name not in PATHS:
            return value
        if isinstance(value, str):
            return self._file(value, PATHS[name])
        if isinstance(value, list):  # of files, or of files with a weight
            return [
                self._file(each, ())
                if isinstance(each, str)
                else [self._file(each[0], ()), *each[1:]]
                if isinstance(each, list) and each and isinstance(each[0], str)
                else each
                for each in value
            ]
        return value  # of a type that the engine refuses

    def _file(self, given: str, words: tuple[str, ...]) -> str:
        """A word that is no file, a file inside, or the id of a model that was downloaded."""
        if given in words:
            return given
        if is_hub_id(given) and not os.path.lexists(self.path / given):
            return given  # the engine looks for it in the cache alone
        return str(self.inside(given))

    def new_run(self, prompt: str, seed: int) -> Path:
        """Make the folder of a new run, by a name that none has.

        prompt: str.
        seed: int.
        Raises InputError where it cannot be made.
        """
        name = folder_name(prompt, seed)
        for number in range(1, MOST_RUNS):
            folder = self.path / (name if number == 1 else f"{name}-{number}")
            try:
                folder.mkdir()
                return folder
            except FileExistsError:
                continue
            except OSError as error:
                raise output_error(folder, error) from error
        raise InputError(
            "input.output_taken",
            what="There are too many runs of this prompt and seed.",
            why=f"{MOST_RUNS:,} folders begin with {name}.",
            fix="Give another seed, or move old runs away.",
        )

    def keep_request(self, folder: Path, request: Mapping[str, Any], mesh: bytes = b"") -> None:
        """Write down what a run was asked for. One that is stopped before it begins then lacks nothing.

        folder: Path of the run.
        request: {"task", "prompt", "preset", "settings"}, and "pictures" of `given.keep_pictures`.
        mesh: bytes of a binary glTF that it was given; b"": none.
        Raises InputError where it cannot be written.
        """
        try:
            if mesh:
                write_atomically(folder / SOURCE, mesh)
            write_atomically(folder / REQUEST, (json.dumps(request, indent=1) + "\n").encode())
        except OSError as error:
            raise output_error(folder, error) from error

    def request_of(self, name: str) -> dict[str, Any]:
        """Return what a run of this folder was asked for.

        name: str, of the run.
        Raises InputError input.no_run where there is none.
        """
        if not RUN_NAME.fullmatch(name):
            raise no_run(name)
        try:
            folder = self.inside(name)
            request = read_json_file(folder / REQUEST)
            if folder.parent != self.path or not isinstance(request, dict):
                raise no_run(name)
            if request.get("task") not in ("generate", "texture", "refine") or not isinstance(request["prompt"], str):
                raise no_run(name)
        except (OSError, UnsafeJson, KeyError, EngineError) as error:
            raise no_run(name) from error
        return request

    def mesh_of(self, folder: Path) -> bytes:
        """Return the mesh that a run was given; b"" for none.

        folder: Path of the run.
        Raises InputError where it cannot be read.
        """
        source = folder / SOURCE
        return mesh_bytes(source) if source.is_file() else b""

    def state_of(self, name: str) -> str:
        """Return how a run stands that this server does not know.

        It is 'elsewhere' while another process has it, else 'done', 'stopped' with a checkpoint, or 'left' without.

        name: str, of the run.
        """
        folder = self.path / name
        if self.holder(name):
            return "elsewhere"
        if (folder / "result.json").is_file():
            return "done"
        return "stopped" if can_resume(folder) else "left"

    def hold(self, folder: Path) -> Callable[[], None]:
        """Hold a run for this server, so that others on the same folder see that it is at work. Return what ends that.

        folder: Path of the run.
        Raises InputError input.at_work where another server holds it, or where the folder cannot be written.
        """
        held = contextlib.ExitStack()
        try:
            held.enter_context(only_one(folder / HOLD, lambda who: at_work(folder.name, who)))
        except OSError as error:
            raise output_error(folder, error) from error
        return held.close

    def holder(self, name: str) -> str:
        """Return who has a run at work, of which this server has not: a server or a command, in words; "" for nobody.

        name: str, of the run.
        """
        folder = self.path / name
        return holder_of(folder / HOLD) or holder_of(folder / LOCK) or ""

    def runs(self) -> list[str]:
        """Return the names of all runs that this folder has, the newest first."""
        found = []
        with os.scandir(self.path) as entries:
            for number, entry in enumerate(entries):
                if number >= MOST_RUNS:
                    break
                if RUN_NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                    with contextlib.suppress(OSError):  # no run, or gone in this moment
                        found.append((os.stat(os.path.join(entry.path, REQUEST)).st_mtime, entry.name))
        return [name for _, name in sorted(found, reverse=True)]

    def forget(self, folder: Path) -> None:
        """Take back the folder of a run that was refused.

        folder: Path, made by `new_run`.
        """
        shutil.rmtree(folder, ignore_errors=True)


def no_run(name: str) -> InputError:
    """Return the error for a name that no run has.

    name: str.
    """
    return InputError(
        "input.no_run",
        what="There is no such run.",
        why=f"No run in the allowed folder is named {shortened(repr(name))}.",
        fix="The tool list_runs names them all.",
    )


def at_work(name: str, who: str) -> InputError:
    """Return the error for a run that another server, or a command, has at work.

    name: str, of the run.
    who: str, that process in words.
    """
    return InputError(
        "input.at_work",
        what="This run is at work in another server.",
        why=f"{name} is held by {who}.",
        fix="The tool watch waits for it. Cancel it where it was begun; when that process is gone, resume goes on.",
    )
