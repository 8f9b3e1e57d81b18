"""Where the engine is, and how it is started there: own environment, a chosen Python, or behind a command prefix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from .connection import EngineProcess
from .job import Trouble


@dataclass(frozen=True)
class EngineLocation:
    """Where the engine is.

    kind: 'own' (made by Install Engine; `python` is its interpreter), 'python' (an interpreter that the artist chose) or
    'command' (a prefix such as `ssh gpu-box`). model_folder: where downloaded models are kept, None for the default.
    online: whether the engine may go to the internet. token: of the model hub; only ever in the child's environment.
    """

    kind: Literal["own", "python", "command"]
    python: Path | None = None
    command: str = ""
    model_folder: Path | None = None
    online: bool = False
    token: str = field(default="", repr=False)

    @classmethod
    def own(cls, user_folder: Path) -> EngineLocation:
        """The environment that Install Engine makes in `user_folder`/engine."""
        raise NotImplementedError

    @property
    def local(self) -> bool:
        """Whether the engine sees this machine's files."""
        raise NotImplementedError

    def missing(self) -> Trouble | None:
        """What is plainly missing before anything is started: no interpreter, an empty prefix. Cheap."""
        raise NotImplementedError

    def words(self) -> list[str]:
        """The command that starts the engine's server. Raises EngineTrouble when `missing`."""
        raise NotImplementedError

    def environ(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """The child's environment: `base` (default os.environ) without Blender's Python, with token and folders."""
        raise NotImplementedError

    def start(self, log: Path) -> EngineProcess:
        """A started engine; `lambda: location.start(log)` is JobQueue's `launch`. Raises EngineTrouble."""
        raise NotImplementedError


@dataclass(frozen=True)
class ProbeReport:
    """What Test Connection found. devices, models: as the engine's `ready`. seconds: until it answered."""

    trouble: Trouble | None = None
    engine: str = ""
    devices: dict[str, Any] = field(default_factory=dict)
    models: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0


class Probe:
    """Test Connection: starts the engine, says hello and ends it. `poll` from a timer until it returns a report."""

    def __init__(self, location: EngineLocation, log: Path, timeout_s: float = 120.0) -> None:
        raise NotImplementedError

    def poll(self) -> ProbeReport | None:
        """The report, or None while the engine has not answered. Never blocks."""
        raise NotImplementedError

    def cancel(self) -> None:
        """End the probe's engine. Returns at once."""
        raise NotImplementedError


def own_python(user_folder: Path) -> Path:
    """The interpreter of the environment that Install Engine makes: `user_folder`/engine/bin/python or so."""
    raise NotImplementedError
