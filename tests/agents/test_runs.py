"""What is remembered of runs: the newest of each, in bounded room, and an end for every one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from dreamfusion_engine.agents.engine import Engine, Hear
from dreamfusion_engine.agents.runs import MOST_KEPT, MOST_WAITING, NOTES, PICTURE_LIMIT, Run, Runs
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.wire.printed import PRINTED
from dreamfusion_engine.wire.protocol import check_message

PROGRESS = {"stage": "train", "total": 9, "eta_s": None, "rate": None, "memory_mib": 1.0}


class PretendEngine:
    """Hears what it is told, and says what a test wants."""

    def __init__(self, hear: Hear) -> None:
        self.hear, self.gone, self.said, self.ended = hear, False, list[Mapping[str, Any]](), False

    def send(self, message: Mapping[str, Any], data: bytes = b"") -> None:
        self.said.append(message)

    def end(self, seconds: float) -> None:
        self.ended = True

    def die(self) -> None:
        self.gone = True
        self.hear({"type": "gone", "code": -9}, b"")


@pytest.fixture
def engines() -> list[PretendEngine]:
    return []


@pytest.fixture
def runs(engines: list[PretendEngine], tmp_path: Path) -> Runs:
    def begin(_folder: Path, hear: Hear) -> Engine:
        engines.append(PretendEngine(hear))
        return cast(Engine, engines[-1])

    return Runs(tmp_path, begin)


def asked(runs: Runs, name: str = "a") -> Run:
    run = Run(name=name, task="generate", folder=Path(name), job="")
    runs.ask(run, {"type": "generate", "prompt": "a mug"})
    return run


def test_a_run_goes_from_the_queue_to_its_end(runs: Runs, engines: list[PretendEngine]) -> None:
    run = asked(runs)
    (engine,) = engines
    assert run.state == "asked" and engine.said == [{"type": "generate", "prompt": "a mug", "id": run.job}]
    engine.hear({"type": "queued", "id": run.job, "ahead": 2, "output": "o"}, b"")
    assert (run.state, run.ahead, run.taken) == ("queued", 2, True)
    engine.hear({"type": "started", "id": run.job}, b"")
    engine.hear({"type": "preview", "id": run.job, "name": "latest", "step": 1, "bytes": 3}, b"PNG")
    assert str(run.state) == "running" and run.picture == b"PNG"
    engine.hear({"type": "result", "id": run.job, "folder": "o", "files": {}, "report": {}, "bytes": 4}, b"glTF")
    assert str(run.state) == "done" and run.over and run.picture == b""
    assert runs.get("a") is run and runs.get("b") is None


def test_only_the_newest_is_kept_and_it_is_as_commands_print_it(runs: Runs, engines: list[PretendEngine]) -> None:
    run = asked(runs)
    for step in range(3):
        engines[0].hear({"type": "progress", "id": run.job, "step": step, **PROGRESS}, b"")
    for number in range(NOTES + 5):
        engines[0].hear({"type": "note", "id": run.job, "code": "a", "text": str(number)}, b"")
    engines[0].hear({"type": "preview", "id": run.job, "name": "latest", "step": 1}, bytes(PICTURE_LIMIT + 1))
    said = run.messages()
    assert len(said) == NOTES + 1 and said[0]["text"] == "5" and said[-1]["step"] == 2 and run.picture == b""
    for message in said:
        check_message(message, PRINTED)
        assert "id" not in message


def test_an_engine_that_dies_ends_its_runs_and_the_next_one_starts_anew(
    runs: Runs, engines: list[PretendEngine]
) -> None:
    run, other = asked(runs), asked(runs, "b")
    engines[0].hear({"type": "cancelled", "id": other.job, "what": "w", "why": "y", "fix": "f"}, b"")
    engines[0].die()
    assert run.end is not None and run.end["code"] == "run.engine_gone" and "signal 9" in run.end["why"]
    assert other.state == "cancelled", "what had ended stays as it ended"
    again = asked(runs)
    assert len(engines) == 2 and again.state == "asked" and runs.complaint is None
    engines[1].hear({"type": "started", "id": again.job}, b"")
    assert (run.state, again.state) == ("failed", "running")


def test_a_run_at_work_is_not_begun_twice_and_too_many_wait_elsewhere(runs: Runs, engines: list[PretendEngine]) -> None:
    for number in range(MOST_WAITING):
        asked(runs, str(number))
    with pytest.raises(InputError) as caught:
        asked(runs, "0")
    assert caught.value.code == "input.at_work"
    with pytest.raises(InputError) as caught:
        asked(runs, "one more")
    assert caught.value.code == "protocol.full" and runs.get("one more") is None
    assert len(engines[0].said) == MOST_WAITING


def test_old_runs_are_forgotten_here(runs: Runs, engines: list[PretendEngine]) -> None:
    for number in range(MOST_KEPT + 10):
        run = asked(runs, str(number))
        engines[0].hear({"type": "cancelled", "id": run.job, "what": "w", "why": "y", "fix": "f"}, b"")
    assert runs.get("0") is None and runs.get(str(MOST_KEPT + 9)) is not None


def test_what_the_engine_says_of_nobody_is_kept_until_it_greets(runs: Runs, engines: list[PretendEngine]) -> None:
    failed = {"type": "failed", "id": None, "code": "protocol.version", "what": "w", "why": "y", "fix": "f"}
    asked(runs)
    engines[0].hear({"type": "heartbeat", "id": "nobody", "queued": 0}, b"")
    engines[0].hear(failed, b"")
    assert runs.complaint is not None and runs.complaint["code"] == "protocol.version"
    runs.complaint = None
    engines[0].hear({"type": "ready", "models": []}, b"")
    engines[0].hear(failed, b"")
    assert runs.complaint is None and runs.models == {"type": "ready", "models": []}


def test_the_end_stops_the_engine_and_takes_nothing_more(runs: Runs, engines: list[PretendEngine]) -> None:
    asked(runs)
    runs.close(1.0)
    assert engines[0].ended
    with pytest.raises(InputError) as caught:
        asked(runs, "b")
    assert caught.value.code == "input.closed"
