"""Paths as people give them. An impossible file name is refused at once, before anything is looked for or made."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

LONGEST_ON_WINDOWS = 259  # characters of a path, the zero at its end left out
CARRIED = (
    "DREAMFUSION_CARRIED"  # JSON, path as given -> path here: set for a run on a machine that files were carried to
)


class UnusablePath(ValueError):
    """The file system takes no such path; the message says why and ends a sentence."""


def given_path(given: str | os.PathLike[str], holds: str = "") -> Path:
    """Return the path that a person gave, with `~` expanded. Whether something is there is not checked.

    What a batch has carried to this machine is found by the name that it was given by.

    given: as typed.
    holds: str, the longest relative path of what will be made in it, which must be possible too.
    Raises UnusablePath for a name that is too long, a zero byte, an unknown `~user`, a circle of links, or a folder on
        the way that may not be entered.
    """
    text = os.path.expanduser(_carried().get(os.fspath(given), given))
    if text.startswith("~") and not os.path.lexists(text):
        raise UnusablePath(f"there is no user {shortened(text[1:].partition('/')[0])!r}, as ~ asks for")
    path = Path(text)
    try:
        _look(path)
        if holds:
            _look(path / holds)
    except ValueError as error:  # a zero byte, or letters that no name can hold
        reason = str(error) if "null" in str(error) else "it holds letters that no file name can have"
        raise UnusablePath(reason) from error
    except OSError as error:
        raise UnusablePath(error.strerror or str(error)) from error
    if sys.platform == "win32" and not text.startswith("\\\\?\\"):
        longest = len(os.path.abspath(path / holds if holds else path))
        if longest > LONGEST_ON_WINDOWS and not _takes_long_paths():
            raise UnusablePath(f"with what will be in it, it has {longest} characters, and Windows takes 259 here")
    return path


def _takes_long_paths() -> bool:
    """Whether this Windows takes longer paths, which a setting of the machine decides. True on other systems."""
    if sys.platform != "win32":
        return True
    import winreg

    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\FileSystem") as key:
            return bool(winreg.QueryValueEx(key, "LongPathsEnabled")[0])
    except OSError:
        return False


def _carried() -> dict[str, str]:
    said = os.environ.get(CARRIED)
    return json.loads(said) if said else {}


def absence(path: Path) -> str:
    """Return in which way a file or folder is missing, as the end of a sentence."""
    if path.is_symlink():
        return f"is a link to {os.readlink(path)}, which is not there"
    return "is missing"


def shortened(text: object, limit: int = 60) -> str:
    """Return text as an error shows it: only the beginning of a long one.

    text: anything, as str() gives it.
    limit: int, characters.
    """
    whole = str(text)
    return whole if len(whole) <= limit else whole[:limit] + "..."


def _look(path: Path) -> None:
    """Ask for a path. Raises OSError, but not because nothing is there, and ValueError."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        # The first folder that is missing ends the look; names after it are tried where they would come to be.
        there = path
        while there != there.parent and not os.path.lexists(there):
            there = there.parent
        for name in path.relative_to(there).parts:
            try:
                os.lstat(there / name)
            except (FileNotFoundError, NotADirectoryError):
                continue
