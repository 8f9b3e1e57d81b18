"""Fixtures of the add-on's tests: `blender` runs a test once in each Blender at hand, `newest_blender` in one.

A Blender that is missing here is named in the report; where the suite must leave none out, that is a failure.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from addon.blenders import WINDOW_PROGRAMS, Session, blenders, missing, windowed

HERE = Path(__file__).resolve().parent


@pytest.fixture(params=blenders(), ids=lambda found: f"blender-{found.series}")
def blender(request: pytest.FixtureRequest, tmp_path: Path) -> Session:
    """Each Blender at hand, with user folders of its own: `blender.run(script)`."""
    return Session(request.param, tmp_path)


@pytest.fixture
def newest_blender(tmp_path: Path) -> Session:
    """One Blender, the newest at hand, for what does not differ between them."""
    if not blenders():
        pytest.fail("There is no Blender here. fix: python3 install.py test makes the environments that hold one.")
    return Session(blenders()[-1], tmp_path)


@pytest.fixture
def window_blender(tmp_path: Path) -> Session:
    """The Blender that has windows."""
    found = windowed()
    if found is None:
        pytest.fail("There is no Blender with windows here. fix: apt install blender xvfb xauth imagemagick")
    return Session(found, tmp_path)


@pytest.hookimpl(tryfirst=True)  # before pytest's own hook, which chooses by marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what cannot run on this machine; the summary says so. CI leaves nothing out, and fails instead."""
    for item in items:
        if HERE in item.path.parents and needs_blender(item):
            item.add_marker("blender")
    if os.environ.get("CI") == "true":
        return
    gone = [item for item in items if HERE in item.path.parents and cannot_run(item)]
    if gone:
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if item not in gone]


def needs_blender(item: pytest.Item) -> bool:
    """Whether a test runs in a Blender."""
    names = {"blender", "newest_blender", "window_blender", "series"}
    return not names.isdisjoint(getattr(item, "fixturenames", ()))


def cannot_run(item: pytest.Item) -> bool:
    """Whether a test needs a Blender that is not here."""
    fixtures = getattr(item, "fixturenames", ())
    call = getattr(item, "callspec", None)
    series = call.params.get("series") if call is not None else None
    if "window_blender" in fixtures:
        return windowed() is None or any(shutil.which(program) is None for program in WINDOW_PROGRAMS)
    if "newest_blender" in fixtures:
        return not blenders()
    return series is not None and series not in [found.series for found in blenders()]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Which Blenders the add-on was tested in, and what was left out."""
    here = ", ".join(found.series for found in blenders()) or "none"
    terminalreporter.write_line(f"Blender: {here}")
    if missing():
        terminalreporter.write_line(f"LEFT OUT, not on this machine: {', '.join(missing())}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where nothing may be left out (CI sets CI=true), a missing Blender fails the whole run."""
    if os.environ.get("CI") == "true" and missing() and session.exitstatus == 0:
        print(f"\nMissing, and CI leaves no test out: {', '.join(missing())}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
