"""Two servers on one folder: each sees what the other has at work, and leaves it alone.

Of: dreamfusion_engine/agents/folder.py, dreamfusion_engine/agents/tools.py, dreamfusion_engine/agents/runs.py.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from reference.agent_client import AgentClient

from dreamfusion_engine.agents.folder import HOLD, AllowedFolder
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.machine.run_folder import held


@pytest.mark.slow
def test_a_run_of_another_server_is_seen_at_work_and_left_alone(folder: Path, tmp_path: Path) -> None:
    with AgentClient(folder, tmp_path / "1.txt") as first, AgentClient(folder, tmp_path / "2.txt") as second:
        run, queued = first.made("a tan mug", steps=100_000), first.made("a lime mug", steps=100_000)
        first.wait_until_training(run)
        listed = {each["run"]: each["state"] for each in second.call("list_runs")["runs"]}
        assert listed[run] == listed[queued] == "elsewhere"
        assert second.call("watch", run=run, seconds=0)["words"] == "at work in another server"
        for tool in ("resume", "cancel"):
            refused = second.call(tool, run=run)
            assert refused["code"] == "input.at_work" and f"process {first.process.pid} " in refused["why"]
        assert "another server" in second.call("result", run=run)["why"]
        waiting = second.begin_call("watch", {"run": run, "seconds": 60})
        assert first.call("cancel", run=queued)["state"] == first.call("cancel", run=run)["state"] == "cancelled"
        assert second.answer(waiting)["result"]["structuredContent"]["state"] == "stopped"
        assert second.call("watch", run=queued, seconds=0)["state"] == "left"
        assert second.call("resume", run=run)["state"] in ("queued", "running")
        assert first.call("watch", run=run, seconds=0)["state"] == "elsewhere", "though it was begun here"
        assert first.call("resume", run=run)["code"] == "input.at_work"
        assert second.call("cancel", run=run)["state"] == "cancelled"
        assert not list(folder.glob(f"*/{HOLD}"))


def test_a_run_that_a_command_makes_is_at_work(tmp_path: Path) -> None:
    allowed = AllowedFolder(tmp_path)
    run = allowed.new_run("a mug", 0)
    assert allowed.state_of(run.name) == "left"
    with held(run):
        assert allowed.state_of(run.name) == "elsewhere" and f"process {os.getpid()} " in allowed.holder(run.name)
    assert allowed.state_of(run.name) == "left"


def test_a_server_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    allowed = AllowedFolder(tmp_path)
    run = allowed.new_run("a mug", 0)
    (run / HOLD).write_bytes(b"\0 of a process that is gone")
    assert allowed.state_of(run.name) == "left"
    release = allowed.hold(run)
    assert allowed.state_of(run.name) == "elsewhere"
    with pytest.raises(InputError, match="another server") as caught:
        allowed.hold(run)
    assert caught.value.code == "input.at_work"
    release()
    release()
    assert allowed.state_of(run.name) == "left" and not (run / HOLD).exists()
