"""A batch in this process, whose jobs are processes that count: done, failed, killed, stopped, and gone on with."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from reference.wire_client import PATIENCE, QUICK_ENGINE

from dreamfusion_engine.batch import engine_process
from dreamfusion_engine.batch.local import LOGS
from dreamfusion_engine.batch.needs import Needs
from dreamfusion_engine.batch.news import News
from dreamfusion_engine.batch.plan import PLAN, Plan, planned_jobs
from dreamfusion_engine.batch.prompt_list import Line
from dreamfusion_engine.batch.run import BatchRequest, held_batch, local_place, run_batch
from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.errors import InputError


@pytest.fixture(autouse=True)
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The jobs only count."""
    monkeypatch.setattr(engine_process, "PROGRAM", (sys.executable, str(QUICK_ENGINE)))


def asked(folder: Path, *prompts: str, steps: int = 20) -> BatchRequest:
    lines = [Line(number=number, prompt=prompt) for number, prompt in enumerate(prompts, 1)]
    plan = Plan(options=["--device=cpu", f"--steps={steps}"], threads=1, jobs=planned_jobs(lines, (0,)))
    config = preset("draft", "a mug", {"device": "cpu"})
    return BatchRequest(plan=plan, bad=(), config=config, needs=Needs(main=1 << 20, card=1 << 20), folder=folder)


class Heard:
    """What a batch tells; and when it is told to stop."""

    def __init__(self, folder: Path, stop: Callable[[News], bool] = lambda news: False) -> None:
        self.news: list[News] = []
        self._folder, self._stop, self._stopped = folder, stop, False

    def run(self, batch: BatchRequest, most: int = 2) -> Plan:
        return run_batch(batch, local_place(batch, most), lambda plan: None, self.tell, lambda: self._stopped)

    def tell(self, news: News) -> None:
        self.news.append(news)
        self._stopped |= self._stop(news)

    def fates(self) -> dict[str, str]:
        return {news.job: news.outcome.fate for news in self.news if news.outcome is not None}


def mesh(folder: Path, name: str) -> bytes:
    return (folder / name / "mesh.glb").read_bytes()


def process_of(folder: Path) -> psutil.Process:
    """The process of a job, once it has kept a checkpoint."""
    until = time.monotonic() + PATIENCE
    while not (folder / "checkpoint" / "checkpoint.json").is_file():
        assert time.monotonic() < until
        time.sleep(0.01)
    for process in psutil.process_iter(["cmdline"]):
        if str(folder) in (process.info["cmdline"] or []):
            return process
    raise AssertionError("it is not there")


def test_one_that_fails_ends_no_other_and_is_tried_again_by_the_next_batch(tmp_path: Path) -> None:
    heard = Heard(tmp_path)
    plan = heard.run(asked(tmp_path, "a mug", "a crash", "a car"))
    assert heard.fates() == {"a-mug-0": "done", "a-crash-0": "failed", "a-car-0": "done"}
    assert [job.state for job in plan.jobs] == ["done", "failed", "done"] and plan.jobs[0].score == 0.5
    assert plan.jobs[1].trouble["code"] == "internal.bug" and (tmp_path / LOGS / "a-crash-0.txt").is_file()
    again = Heard(tmp_path)
    again.run(asked(tmp_path, "a mug", "a crash", "a car"))
    assert again.fates() == {"a-crash-0": "failed"}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_job_goes_on_from_its_checkpoint_to_the_same_mesh(tmp_path: Path) -> None:
    killed: list[float] = []

    def kill_once(news: News) -> bool:
        if news.kind == "progress" and news.share > 0.2 and not killed:
            killed.append(news.share)
            process_of(tmp_path / "o" / "a-mug-0").kill()
        return False

    heard = Heard(tmp_path / "o", kill_once)
    heard.run(asked(tmp_path / "o", "a mug", steps=200))
    Heard(tmp_path / "whole").run(asked(tmp_path / "whole", "a mug", steps=200))
    assert killed and heard.fates() == {"a-mug-0": "done"}
    assert mesh(tmp_path / "o", "a-mug-0") == mesh(tmp_path / "whole", "a-mug-0")
    note = next(at for at, news in enumerate(heard.news) if news.kind == "note")
    assert "signal 9" in heard.news[note].text
    assert next(news.share for news in heard.news[note:] if news.kind == "progress") > 0.03, "it began anew"


def test_a_stop_keeps_checkpoints_and_the_next_batch_makes_the_same_meshes(tmp_path: Path) -> None:
    stopped = Heard(tmp_path / "o", lambda news: news.kind == "progress" and news.share > 0.3)
    plan = stopped.run(asked(tmp_path / "o", "a mug", "a car", steps=100), most=1)
    assert plan.count("waiting") == 2 and stopped.fates() == {"a-mug-0": "stopped"}
    assert (tmp_path / "o" / "a-mug-0" / "checkpoint" / "checkpoint.json").is_file()
    Heard(tmp_path / "o").run(asked(tmp_path / "o", "a mug", "a car", steps=100))
    Heard(tmp_path / "whole").run(asked(tmp_path / "whole", "a mug", "a car", steps=100))
    for name in ("a-mug-0", "a-car-0"):
        assert mesh(tmp_path / "o", name) == mesh(tmp_path / "whole", name)


def test_a_second_batch_in_one_folder_is_refused_and_a_folder_that_stays_empty_goes(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    with held_batch(folder):
        with pytest.raises(InputError) as caught, held_batch(folder):
            pass
        assert caught.value.code == "input.batch_busy" and f"process {os.getpid()}" in caught.value.why
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("left", ["result.json", "checkpoint/checkpoint.json", "contest.json"])
def test_the_folder_of_a_single_run_is_refused(tmp_path: Path, left: str) -> None:
    (tmp_path / left).parent.mkdir(exist_ok=True)
    (tmp_path / left).write_text("{}", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        Heard(tmp_path).run(asked(tmp_path, "a mug"))
    assert caught.value.code == "input.output_taken" and "single run" in caught.value.what
    assert not (tmp_path / PLAN).exists() and not (tmp_path / "a-mug-0").exists()


def test_a_result_of_something_else_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "a-mug-0").mkdir()
    (tmp_path / "a-mug-0" / "result.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        Heard(tmp_path).run(asked(tmp_path, "a mug"))
    assert caught.value.code == "input.output_taken" and not (tmp_path / PLAN).exists()
