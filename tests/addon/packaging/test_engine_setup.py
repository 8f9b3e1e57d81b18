"""Install Engine: finding a Python, progress, cancel, failure, and that half-made environments are never used.

The steps are the real set-up's; pip, which would need the internet, is a script of the test that behaves as told.

Of: blender_addon/core/setup/installation.py, blender_addon/core/setup/interpreters.py.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from addon.blenders import ROOT
from addon.inside.effort import counted

from blender_addon.core.clean_environment import clean_environment
from blender_addon.core.setup import installation, interpreters
from blender_addon.core.setup.installation import EngineSetup

PATIENCE = 600.0  # seconds for what will come unless something hangs
# In place of the set-up's `step`: makes what the step would leave, in a child process that can be slow or fail.
FAKE_STEPS = """
import os, sys, time
from pathlib import Path
import installer.environment, installer.processes, installer.torch_build
from installer.processes import ENVIRONMENT, Told

real_step = installer.processes.step

def step(label, command):
    text = " ".join(map(str, command))
    script = "print('Collecting torch'); "
    if "-m venv" in text:
        python = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        python.parent.mkdir(parents=True, exist_ok=True)
        python.write_text("")
    if os.environ["BEHAVE"] == "slow" and "torch" in text:
        script += "import time; bar = lambda n: print('Progress', n * 10**6, 'of', 10**8, flush=True); "
        script += "[bar(n) or time.sleep(0.2) for n in range(600)]"
    if os.environ["BEHAVE"] == "fail" and "torch" in text:
        script += "import sys; sys.exit('ERROR: No space left on device')"
    if os.environ["BEHAVE"] == "die" and "torch" in text:
        os._exit(9)
    real_step(label, [sys.executable, "-c", script])

for module in (installer.environment, installer.torch_build):
    module.step = step
    module.output_of = lambda command: "{}" if "--report" in command else "99.0 2.13.0"
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `engine` as in the packed add-on, whose steps are those above."""
    folder = tmp_path / "a package" / "engine"
    shutil.copytree(ROOT / "installer", folder / "installer", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "constraints.txt", folder)
    (folder / "dreamfusion_engine-9.9.9-py3-none-any.whl").write_bytes(b"a wheel")
    child = folder / "installer" / "addon_child.py"
    text = child.read_text(encoding="utf-8")
    mark = "    teller = JsonLines("
    assert mark in text
    (folder / "installer" / "fake_steps.py").write_text(FAKE_STEPS, encoding="utf-8")
    child.write_text(text.replace(mark, "    import installer.fake_steps\n" + mark), encoding="utf-8")
    monkeypatch.setattr(installation, "package_source", lambda: folder)
    monkeypatch.setenv("BEHAVE", "well")
    return folder


@pytest.fixture
def setup(package: Path, tmp_path: Path) -> Iterator[EngineSetup]:
    made = EngineSetup(tmp_path / "user folder" / "engine", preferred_python=sys.executable, torch="cpu")
    yield made
    made.close()


def wait(setup: EngineSetup, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, (setup.state, setup.stage, setup.trouble, list(setup.log_tail))
        with counted() as effort:
            setup.poll()
        assert not effort.waits
        time.sleep(0.02)


def test_looking_says_what_would_be_made_and_makes_nothing(setup: EngineSetup) -> None:
    setup.examine()
    wait(setup, lambda: setup.state != "examining")
    assert setup.state == "ready" and setup.plan is not None
    text = "\n".join(setup.plan.lines())
    assert "GB" in text and "CPU" in text and str(setup.place) in text
    assert not setup.place.exists()


def test_an_installation_ends_in_an_environment_that_counts(setup: EngineSetup) -> None:
    setup.start()
    wait(setup, lambda: setup.state not in ("examining", "running"))
    assert setup.state == "done", setup.trouble
    assert setup.fraction == 1.0 and setup.python is not None and setup.python.exists()
    stamp = json.loads((setup.place / "dreamfusion-environment.json").read_text())
    assert stamp["complete"] is True
    assert setup.log_path is not None and "Collecting torch" in setup.log_path.read_text()
    setup.start()
    wait(setup, lambda: setup.state != "running")
    assert setup.state == "done", "an environment that is there is used as it is"


@pytest.mark.slow
def test_progress_grows_and_cancel_stops_it_and_its_children(
    setup: EngineSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEHAVE", "slow")
    setup.start()
    wait(setup, lambda: (setup.fraction or 0.0) > 0.06)
    before = setup.fraction or 0.0
    wait(setup, lambda: (setup.fraction or 0.0) > before)
    setup.cancel()
    wait(setup, lambda: setup.state != "running")
    assert setup.state == "cancelled"
    stamp = json.loads((setup.place / "dreamfusion-environment.json").read_text())
    assert stamp["complete"] is False
    monkeypatch.setenv("BEHAVE", "well")
    (setup.place / "left over").write_text("")
    setup.start()
    wait(setup, lambda: setup.state != "running")
    assert setup.state == "done" and not (setup.place / "left over").exists(), "it is made anew, not patched"


def test_a_failure_says_what_why_and_what_to_do(setup: EngineSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEHAVE", "fail")
    setup.start()
    wait(setup, lambda: setup.state not in ("examining", "running"))
    assert setup.state == "failed" and setup.trouble is not None
    assert setup.trouble.code == "setup.failed" and setup.trouble.what == "The disk is full."
    assert "Traceback" not in str(setup.trouble)


def test_a_child_that_dies_is_noticed_and_its_work_not_used(
    setup: EngineSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEHAVE", "die")
    setup.start()
    wait(setup, lambda: setup.state not in ("examining", "running"))
    assert setup.state == "failed" and setup.trouble is not None and "ended in the middle" in setup.trouble.what
    stamp = json.loads((setup.place / "dreamfusion-environment.json").read_text())
    assert stamp["complete"] is False


@pytest.mark.slow
def test_closing_ends_the_child(setup: EngineSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEHAVE", "slow")
    setup.start()
    wait(setup, lambda: (setup.fraction or 0.0) > 0.06)
    child = setup._child
    assert child is not None
    setup.close()
    assert child.over() and setup.state == "cancelled"


def test_the_processor_alone_is_planned_anew_and_passed_on(setup: EngineSetup) -> None:
    setup.torch = "auto"
    setup.examine()
    wait(setup, lambda: setup.state != "examining")
    assert setup.plan is not None and setup.plan.why
    setup.take_torch("auto")
    assert setup.plan is not None, "nothing has changed"
    setup.take_torch("cpu")
    assert setup.plan is None
    setup.start()
    assert setup._child is not None and setup._child.words[-2:] == ["--torch", "cpu"]
    setup.take_torch("auto")
    wait(setup, lambda: setup.state not in ("examining", "running"))
    assert setup.state == "done" and setup.torch == "cpu"
    assert json.loads((setup.place / "dreamfusion-environment.json").read_text())["torch"] == "cpu"


def test_a_chosen_python_that_is_none_is_told(package: Path, tmp_path: Path) -> None:
    setup = EngineSetup(tmp_path / "engine", preferred_python=str(tmp_path / "no python"))
    setup.examine()
    wait(setup, lambda: setup.state != "examining")
    assert setup.state == "failed" and setup.trouble is not None and setup.trouble.code == "setup.python"
    assert "cannot be started" in setup.trouble.why


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands for a broken Python")
def test_a_python_that_does_not_fit_is_passed_over(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "python3"
    broken.write_text("#!/bin/sh\necho 'I am no Python' >&2\nexit 9\n")
    broken.chmod(0o755)
    monkeypatch.setattr(installation, "candidates", lambda _: [[str(broken)], [sys.executable]])
    setup = EngineSetup(tmp_path / "user" / "engine")
    setup.examine()
    wait(setup, lambda: setup.state != "examining")
    assert setup.state == "ready" and setup.plan is not None
    assert setup.plan.version == sys.version.split()[0]


def test_the_python_at_hand_is_among_the_candidates() -> None:
    found = interpreters.candidates()
    assert [sys.executable] in found
    assert interpreters.candidates("/my/python") == [["/my/python"]]


def test_blenders_variables_do_not_reach_the_child() -> None:
    clean = clean_environment({"PYTHONHOME": "/blender", "PYTHONPATH": "/x", "PATH": "/bin"})
    assert clean == {"PATH": "/bin"}
