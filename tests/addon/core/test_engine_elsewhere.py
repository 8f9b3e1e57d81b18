"""An engine behind ssh: a stand-in for ssh runs the words that a real one would send to the other computer's shell.

Of: blender_addon/core/engine/location.py, blender_addon/core/jobs/queue.py.
"""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path

import pytest
from addon.core.driving import SCRIPTED_ENGINE, alive, wait_for

from blender_addon.core.engine.location import EngineLocation
from blender_addon.core.job import JobState, Recipe
from blender_addon.core.jobs.queue import JobQueue
from blender_addon.core.jobs.store import JobStore

TOKEN = "hf_abcdefghijklmnop"
# As ssh does: options first, then the host, then words that are joined with spaces for a shell over there, which sees
# only the variables that SendEnv names.
SSH = """\
    #!{python}
    import os, subprocess, sys
    words = sys.argv[1:]
    sent = {{"PATH": "{path}:/usr/bin:/bin", "HOME": "{home}"}}
    while words[0].startswith("-"):
        word = words.pop(0)
        if word in ("-o", "-p"):
            name, _, value = words.pop(0).partition("=")
            if name == "SendEnv" and value in os.environ:
                sent[value] = os.environ[value]
    host = words.pop(0)
    print("Welcome to " + host, flush=True)
    if host == "closed-box":
        print("closed-box: Permission denied (publickey).", file=sys.stderr)
        sys.exit(255)
    run = subprocess.run(["/bin/sh", "-c", " ".join(words)], env=sent)
    if host == "flaky-box":
        print("Timeout, server flaky-box not responding.", file=sys.stderr)
        sys.exit(255)
    sys.exit(run.returncode)
"""
ENGINE = """\
    #!/bin/sh
    exec {python} {engine} --remote --say-token "$@"
"""


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on PATH with ssh in it, and the other computer's folder with its engine."""
    here, there = tmp_path / "bin", tmp_path / "there"
    for folder, name, text in ((here, "ssh", SSH), (there, "dreamfusion-engine", ENGINE)):
        folder.mkdir()
        words = {"python": sys.executable, "engine": SCRIPTED_ENGINE, "path": there, "home": tmp_path / "home"}
        (folder / name).write_text(textwrap.dedent(text).format(**words))
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{here}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def run(network: Path, host: str, prompt: str = "a red mug") -> JobQueue:
    """A queue whose job with an engine on `host` is over."""
    location = EngineLocation("command", command=f"ssh -p 22 {host}", token=TOKEN)
    queue = JobQueue(JobStore(network / "jobs"), lambda: location.start(network / "engine.log"))
    job = queue.add(Recipe(prompt))

    def over() -> bool:
        queue.tick()
        return job.state.over

    wait_for(over)
    return queue


def test_a_job_is_made_on_another_computer(network: Path) -> None:
    queue = run(network, "gpu-box")
    job, pid = queue.jobs[0], queue._host.pid
    assert job.state is JobState.DONE, job.trouble
    assert job.result is not None and job.result.is_file() and (job.folder / "result.json").is_file()
    queue.close()
    assert pid is not None and not alive(pid)
    log = (network / "engine.log").read_text()
    assert "BatchMode=yes" in log and "the token is (hidden)" in log and TOKEN not in log


def test_a_refused_login_says_what_to_do(network: Path) -> None:
    queue = run(network, "closed-box")
    trouble = queue.jobs[0].trouble
    assert trouble is not None and trouble.code == "engine.ssh_login" and "ssh-copy-id" in trouble.fix
    assert queue.held
    queue.close()


def test_a_lost_connection_says_that_the_checkpoint_is_kept(network: Path) -> None:
    queue = run(network, "flaky-box", "die")
    trouble = queue.jobs[0].trouble
    assert trouble is not None and trouble.code == "engine.ssh_lost" and "checkpoint" in trouble.fix
    assert queue.jobs[0].can_resume
    queue.close()


def test_an_engine_that_is_not_installed_over_there_is_missed_by_name(network: Path) -> None:
    (network / "there" / "dreamfusion-engine").unlink()
    queue = run(network, "gpu-box")
    trouble = queue.jobs[0].trouble
    assert trouble is not None and trouble.code == "engine.not_there" and "dreamfusion-engine" in trouble.why
    queue.close()
