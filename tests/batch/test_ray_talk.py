"""What the batch does with the process that speaks with Ray, played here by a script: it dies, is silent, gives up.

Of: dreamfusion_engine/batch/ray_place.py.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dreamfusion_engine.batch import ray_place
from dreamfusion_engine.batch.local import Work
from dreamfusion_engine.batch.needs import Needs
from dreamfusion_engine.batch.news import News
from dreamfusion_engine.batch.ray_place import RayPlace
from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.errors import InputError, RunError, SetupError

JOBS = [{"name": "a", "prompt": "a mug", "seed": 0}, {"name": "b", "prompt": "a car", "seed": 0}]
SCRIPT = """
import json, sys
spec = json.loads(sys.stdin.readline())
names = [job["name"] for job in spec["jobs"]]
def say(**said): print(json.dumps(said), flush=True)
def ended(name, fate): say(kind="ended", job=name, outcome={"fate": fate})
"""
NO_ANSWER = 'say(kind="fatal", name="SetupError", error=dict(code="setup.cluster", what="w", why="y", fix="f"))\n'


class Talk:
    """A place whose driver is a script a life."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *lives: str, patience: float = 600.0) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
        monkeypatch.setattr(ray_place, "_started", self._started)
        monkeypatch.setattr(ray_place, "_AGAIN", 0.01)
        self.lives = list(lives)
        self.news: list[News] = []
        self._place = RayPlace("h:1", preset("draft", "a mug"), Needs(main=1, card=1), patience=patience)

    def _started(self, folder: Path) -> subprocess.Popen[bytes]:
        life = self.lives.pop(0) if len(self.lives) > 1 else self.lives[0]
        pipe = subprocess.PIPE
        return subprocess.Popen([sys.executable, "-c", SCRIPT + life], stdin=pipe, stdout=pipe)

    def run(self, folder: Path, stopped: Any = lambda: False) -> list[News]:
        work = Work(jobs=JOBS, folder=folder, options=[], threads=1, program=["x"])
        self._place(work, self.news.append, stopped)
        return self.news


def test_jobs_that_were_not_done_when_it_died_are_given_to_the_next_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = 'say(kind="places", count=1); ended("a", "done"); sys.exit(75)'
    second = 'assert names == ["b"]\nsay(kind="places", count=1)\nended("b", "done")'
    news = Talk(monkeypatch, first, second).run(tmp_path)
    assert [each.job for each in news if each.kind == "ended"] == ["a", "b"]
    assert sum("cluster is gone" in each.text for each in news) == 1


def test_a_cluster_that_does_not_answer_at_first_is_an_error_and_later_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SetupError) as caught:
        Talk(monkeypatch, NO_ANSWER).run(tmp_path)
    assert (caught.value.code, caught.value.fix) == ("setup.cluster", "f")
    there = 'say(kind="places", count=1)\n'
    rest = there + "for name in names: ended(name, 'done')"
    news = Talk(monkeypatch, there + "sys.exit(75)", NO_ANSWER, NO_ANSWER, rest).run(tmp_path)
    assert len([each for each in news if each.kind == "ended"]) == 2


def test_patience_has_an_end_that_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = 'say(kind="places", count=1); sys.exit(75)'
    with pytest.raises(RunError) as caught:
        Talk(monkeypatch, there, NO_ANSWER, patience=0.0).run(tmp_path)
    assert caught.value.code == "batch.cluster_gone" and "same command" in caught.value.fix


def test_another_error_in_the_middle_is_not_waited_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = NO_ANSWER.replace("setup.cluster", "input.disk_full").replace("SetupError", "InputError")
    with pytest.raises(InputError):
        Talk(monkeypatch, 'say(kind="places", count=1)\n' + full).run(tmp_path)


def test_a_driver_that_never_comes_up_is_told_with_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RunError) as caught:
        Talk(monkeypatch, "sys.exit(3)").run(tmp_path)
    assert (
        caught.value.code == "batch.driver" and "exit code is 3" in caught.value.why and "ray.txt" in caught.value.fix
    )


def test_a_stop_is_passed_on_and_ends_the_talk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    life = 'say(kind="places", count=1)\nassert sys.stdin.readline() == "stop\\n"\nended("a", "stopped")'
    talk = Talk(monkeypatch, life)
    news = talk.run(tmp_path, stopped=lambda: bool(talk.news))
    assert [each.outcome.fate for each in news if each.outcome is not None] == ["stopped"]


def test_a_card_by_its_number_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    with pytest.raises(InputError, match="chooses the card"):
        RayPlace("ray", preset("draft", "a mug", {"device": "cuda:1"}), Needs(main=1, card=1))
