"""Where the engine is and how it is started: in its own environment, by a chosen Python, or by a command."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..blot import Blot
from ..clean_environment import clean_environment
from ..job import EngineTrouble, Trouble
from ..phrase import phrase
from .cluster import address_trouble
from .command_line import split_command
from .process import EngineProcess
from .troubles import INSTALL

MODULE = "dreamfusion_engine"
PROGRAM = "dreamfusion-engine"
TOKEN_VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN")
# What `python -m` does, but nothing is imported from the folder in which it starts: somebody may have a json.py there.
# Python's own option for that came with 3.11, and -I would leave out packages that the artist installed for himself.
_RUN = (
    "import sys; sys.path[:] = [place for place in sys.path if place]; import runpy; "
    f"runpy.run_module('{MODULE}', run_name='__main__', alter_sys=True)"
)
# Make ssh ask nothing (there is no terminal to answer in), give up on a dead network, and notice a dead link.
_SSH_OPTIONS = {
    "BatchMode": "yes",
    "ConnectTimeout": "15",
    "ServerAliveInterval": "5",
    "ServerAliveCountMax": "4",
}


@dataclass(frozen=True)
class EngineLocation:
    """Where the engine is.

    choice: 'own' (made by Install Engine), 'python' (the artist's interpreter) or 'command' (such as `ssh gpu-box`).
    python: Path of the interpreter, for 'own' and 'python'.
    command: str, the words that stand before the engine's program, for 'command'.
    model_folder: Path in which downloaded models are kept, None for the default.
    online: bool, whether the engine may go to the internet.
    token: str, of the model hub; it goes into the child's environment and nowhere else.
    cluster: str, address of a Ray cluster to which it gives its jobs; '' for none: it makes the objects itself.
    """

    choice: Literal["own", "python", "command"]
    python: Path | None = None
    command: str = ""
    model_folder: Path | None = None
    online: bool = False
    token: str = field(default="", repr=False)
    cluster: str = ""

    @classmethod
    def own(
        cls, user_folder: Path, *, model_folder: Path | None = None, online: bool = False, token: str = ""
    ) -> EngineLocation:
        """The environment that Install Engine makes.

        user_folder: Path of the folder in which the environment `engine` lies.
        model_folder, online, token: as for the class.
        """
        return cls("own", own_python(user_folder), model_folder=model_folder, online=online, token=token)

    @property
    def local(self) -> bool:
        """Whether the engine sees this machine's files. An engine behind a command counts as one that does not."""
        return self.choice != "command"

    def missing(self) -> Trouble | None:
        """What is missing before the start: an interpreter, a command or an address that can be read. Cheap."""
        if self.cluster and (trouble := address_trouble(self.cluster)):
            return trouble
        if self.choice == "command":
            try:
                words = split_command(self.command)
            except ValueError as error:
                return Trouble(
                    "engine.command",
                    "The engine's command cannot be read.",
                    Blot([self.token]).text(f"{error}: {self.command}"),
                    "Correct it in the add-on's preferences, for example: ssh gpu-box",
                )
            if not words:
                return Trouble(
                    "engine.command",
                    "The engine's command is empty.",
                    "There is nothing to start.",
                    "Type it in the add-on's preferences, for example: ssh gpu-box",
                )
            return None
        if self.python is None or not str(self.python).strip() or str(self.python) == ".":
            return Trouble("engine.not_installed", "There is no engine yet.", "No Python was chosen for it.", INSTALL)
        if not self.python.is_file():
            if self.choice == "own":
                return Trouble(
                    "engine.not_installed",
                    phrase("The engine is not installed yet."),
                    phrase("There is no {python}.", python=self.python),
                    INSTALL,
                )
            return Trouble(
                "engine.missing_program",
                "The engine's Python is not there.",
                phrase("There is no file {python}.", python=self.python),
                "Choose another in the add-on's preferences, or press Install Engine.",
            )
        return None

    def words(self) -> list[str]:
        """The command that starts the engine's server.

        Raises EngineTrouble when something is `missing`.
        """
        missing = self.missing()
        if missing is not None:
            raise EngineTrouble(missing)
        where = ["--on", self.cluster] if self.cluster else []
        if self.choice != "command":
            return [str(self.python), "-c", _RUN, "serve", *where]
        words = split_command(self.command)
        if Path(words[0]).stem.lower() == "ssh":
            words[1:1] = self._ssh_options(words)
        named = any(MODULE in word or PROGRAM in word for word in words)
        return [*words, *([] if named else [PROGRAM]), *([] if words[-1] == "serve" else ["serve"]), *where]

    def environ(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """The child's environment: without the variables of Blender's Python, with token and folders.

        base: variables to begin with; None for os.environ.
        """
        values = clean_environment(os.environ if base is None else base)
        if self.token:
            values = {k: v for k, v in values.items() if k.upper() not in TOKEN_VARIABLES}
        values |= {"PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}
        if self.choice == "own":
            values["PYTHONNOUSERSITE"] = "1"  # packages of the user's own Python must not replace the engine's
        if self.token:
            values["HF_TOKEN"] = self.token
        if self.model_folder is not None:
            values["HF_HUB_CACHE"] = str(self.model_folder)
        if not self.online:
            values["HF_HUB_OFFLINE"] = "1"
        return values

    def start(self, log: Path) -> EngineProcess:
        """Start the engine; `lambda: location.start(log)` is JobQueue's `launch`.

        log: Path of the engine's log.
        Raises EngineTrouble.
        """
        words, environ = self.words(), self.environ()
        return EngineProcess(
            words,
            log=log,
            environ=environ,
            folder=Path.home() if Path.home().is_dir() else None,
            secrets=[environ.get(name, "") for name in TOKEN_VARIABLES],
            local=self.local,
        )

    def _ssh_options(self, words: list[str]) -> list[str]:
        """The add-on's options for ssh, except those that the artist gave. ssh uses the first value that it sees."""
        given = {word.partition("=")[0].partition(" ")[0].removeprefix("-o").lower() for word in words}
        options = dict(_SSH_OPTIONS)
        if self.token:
            options["SendEnv"] = "HF_TOKEN"
        ours: list[str] = [] if "-T" in words or "-t" in words else ["-T"]
        for name, value in options.items():
            if name.lower() not in given:
                ours += ["-o", f"{name}={value}"]
        return ours


def own_python(user_folder: Path) -> Path:
    """The interpreter of the environment that Install Engine makes in `user_folder`/engine."""
    inside = Path("Scripts/python.exe") if sys.platform == "win32" else Path("bin/python")
    return user_folder / "engine" / inside
