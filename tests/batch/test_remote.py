"""A batch whose folder is a URL: what is there comes here, what is made here goes there, one batch at a time."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from dreamfusion_engine.batch.news import News, Outcome
from dreamfusion_engine.batch.plan import PLAN, Plan, planned_jobs
from dreamfusion_engine.batch.prompt_list import Line
from dreamfusion_engine.batch.remote import Remote, is_url, with_saving
from dreamfusion_engine.errors import InputError, SetupError


@pytest.fixture
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two machines' folders for caches; the first one is in use."""
    names = [str(tmp_path / "cache-a"), str(tmp_path / "cache-b")]
    monkeypatch.setenv("DREAMFUSION_CACHE", names[0])
    return names


def a_plan() -> Plan:
    return Plan(options=[], threads=1, jobs=planned_jobs([Line(number=1, prompt="a mug")], (0,)))


def work(remote: Remote, step: int) -> None:
    folder = remote.folder / "a-mug-0" / "checkpoint"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("state-*"):
        old.unlink()
    (folder / f"state-{step}.safetensors").write_bytes(b"x" * step)
    (folder / "checkpoint.json").write_text(json.dumps({"step": step}), encoding="utf-8")


def test_a_url_is_told_from_a_folder() -> None:
    assert is_url("s3://bucket/x") and is_url("file:///x")
    assert not is_url("outputs/x") and not is_url("C:\\x") and not is_url("/s3://x")


def test_what_one_machine_saved_another_goes_on_with(
    tmp_path: Path, caches: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = (tmp_path / "there").as_uri()
    first, plan = Remote(url), a_plan()
    with first.held():
        first.folder.mkdir(parents=True)
        plan.save(first.folder)
        for step in (5, 7):
            work(first, step)
            first.save(plan, ["a-mug-0"])
    saved = sorted(path.relative_to(tmp_path / "there").as_posix() for path in (tmp_path / "there").rglob("*.*"))
    assert saved == ["a-mug-0/checkpoint/checkpoint.json", "a-mug-0/checkpoint/state-7.safetensors", PLAN]
    monkeypatch.setenv("DREAMFUSION_CACHE", caches[1])
    second = Remote(url)
    with second.held():
        assert (second.folder / PLAN).read_bytes() == (first.folder / PLAN).read_bytes()
        assert json.loads((second.folder / "a-mug-0" / "checkpoint" / "checkpoint.json").read_text())["step"] == 7


def test_a_job_that_ends_is_sent_at_once(tmp_path: Path, caches: list[str]) -> None:
    remote, plan, heard = Remote((tmp_path / "there").as_uri()), a_plan(), list[News]()
    with remote.held():
        remote.folder.mkdir(parents=True)
        plan.save(remote.folder)
        tell = with_saving(remote, plan, heard.append)
        tell(News(kind="began", job="a-mug-0"))
        (remote.folder / "a-mug-0").mkdir()
        (remote.folder / "a-mug-0" / "mesh.glb").write_bytes(b"glTF")
        tell(News(kind="ended", job="a-mug-0", outcome=Outcome(fate="done")))
        assert (tmp_path / "there" / "a-mug-0" / "mesh.glb").read_bytes() == b"glTF"
    assert [news.kind for news in heard] == ["began", "ended"]


def test_a_second_batch_is_refused_while_the_first_gives_signs_of_life(tmp_path: Path, caches: list[str]) -> None:
    there = tmp_path / "there"
    there.mkdir()
    url, lock = there.as_uri(), there / "batch.lock"
    lock.write_text(json.dumps({"who": "another/1", "at": time.time() - 30.0}), encoding="utf-8")
    with pytest.raises(InputError) as caught, Remote(url).held():
        pass
    assert caught.value.code == "input.batch_busy" and "another/1" in caught.value.why
    assert lock.is_file(), "the lock of another is not taken away"
    lock.write_text(json.dumps({"who": "another/1", "at": time.time() - 3000.0}), encoding="utf-8")
    with Remote(url).held():
        assert "another" not in lock.read_text(encoding="utf-8")
    assert not lock.exists()


def test_a_url_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(SetupError) as caught:
        Remote("carrierpigeon://loft/7")
    assert caught.value.code == "setup.url" and "carrierpigeon" in caught.value.why
