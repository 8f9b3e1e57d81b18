"""A reader that goes away ends a command quietly, as each system tells it.

Of: dreamfusion_engine/cli/__init__.py.
"""

from __future__ import annotations

import errno
import sys

import pytest

from dreamfusion_engine import cli


@pytest.mark.parametrize(
    ("system", "error", "gone"),
    [
        ("linux", BrokenPipeError(errno.EPIPE, "Broken pipe"), True),
        ("win32", OSError(errno.EINVAL, "Invalid argument"), True),
        ("linux", OSError(errno.EINVAL, "Invalid argument"), False),
        ("win32", OSError(errno.EINVAL, "Invalid argument", "mesh?.glb"), False),
        ("win32", OSError(errno.ENOSPC, "No space left on device"), False),
        ("win32", ValueError("else"), False),
    ],
)
def test_a_reader_that_has_gone_is_known(
    monkeypatch: pytest.MonkeyPatch, system: str, error: Exception, gone: bool
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    assert cli._reader_gone(error) is gone
