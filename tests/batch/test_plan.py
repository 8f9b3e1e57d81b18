"""The plan of a batch: the same command goes on, another one is refused, and folders tell what is done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dreamfusion_engine.batch import plan as plans
from dreamfusion_engine.batch.plan import PLAN, Plan, load_plan, mark_done, planned_jobs
from dreamfusion_engine.batch.prompt_list import Line
from dreamfusion_engine.errors import EngineError, InputError


def a_plan(*prompts: str, seeds: tuple[int, ...] = (0,), threads: int = 1, options: tuple[str, ...] = ()) -> Plan:
    lines = [Line(number=number, prompt=prompt) for number, prompt in enumerate(prompts, 1)]
    return Plan(options=list(options), threads=threads, jobs=planned_jobs(lines, seeds))


def finish(folder: Path, prompt: str, seed: int) -> None:
    folder.mkdir()
    (folder / "mesh.glb").write_bytes(b"glTF")
    (folder / "result.json").write_text(json.dumps({"prompt": prompt, "seed": seed}), encoding="utf-8")


def test_every_prompt_comes_with_the_first_seed_before_any_with_the_next() -> None:
    jobs = a_plan("a mug", "a car", seeds=(3, 1)).jobs
    assert [(job.prompt, job.seed, job.name) for job in jobs] == [
        ("a mug", 3, "a-mug-3"),
        ("a car", 3, "a-car-3"),
        ("a mug", 1, "a-mug-1"),
        ("a car", 1, "a-car-1"),
    ]


def test_prompts_with_one_folder_name_get_different_ones() -> None:
    names = [job.name for job in a_plan("a mug", "a mug!", "A mug?").jobs]
    assert len(set(names)) == 3 and names[0] == "a-mug-0"


def test_a_plan_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    plan = a_plan("a mug", "a car", options=("--preset=draft",))
    plan.jobs[0].state, plan.jobs[0].seconds, plan.jobs[0].score = "done", 3.5, 0.75
    plan.save(tmp_path)
    assert load_plan(tmp_path, a_plan("a mug", "a car", options=("--preset=draft",))) == plan
    assert load_plan(tmp_path, a_plan("a mug", "a car", options=("--preset=draft",), threads=0)).threads == 1


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (a_plan("a mug"), "that this command has not"),
        (a_plan("a mug", "a car", "a house"), "'a house' with seed 0"),
        (a_plan("a mug", "a car", seeds=(1,)), "with seed 1"),
        (a_plan("a mug", "a car", options=("--steps=9",)), "--steps=9"),
        (a_plan("a mug", "a car", threads=2), "--threads 1"),
    ],
)
def test_another_batch_is_refused_and_changes_nothing(tmp_path: Path, other: Plan, why: str) -> None:
    a_plan("a mug", "a car").save(tmp_path)
    before = (tmp_path / PLAN).read_bytes()
    with pytest.raises(InputError) as caught:
        load_plan(tmp_path, other)
    assert caught.value.code == "input.batch_taken" and why in caught.value.why
    assert (tmp_path / PLAN).read_bytes() == before


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"format": 1}', '{"format": 99}', '{"format":1,"options":[],"threads":1,"jobs":[{"name":"x"}]}']
    + ['{"format":1,"options":[],"threads":1,"jobs":[{"name":"x","prompt":"p","seed":0,"state":"odd"}]}', "1" * 400],
)
def test_a_damaged_plan_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / PLAN).write_text(content, encoding="utf-8")
    with pytest.raises(EngineError) as caught:
        load_plan(tmp_path, a_plan("a mug"))
    assert caught.value.code == ("checkpoint.format" if "99" in content else "input.batch_damaged")


def test_what_is_done_is_what_lies_in_the_folders(tmp_path: Path) -> None:
    plan = a_plan("a mug", "a car", "a house")
    plan.jobs[0].state = "done"  # and its folder is gone
    plan.jobs[1].state, plan.jobs[1].trouble = "failed", {"what": "It failed."}
    finish(tmp_path / "a-car-0", "a car", 0)
    finish(tmp_path / "a-house-0", "a house", 5)  # of another seed
    mark_done(plan, tmp_path)
    assert [job.state for job in plan.jobs] == ["waiting", "done", "waiting"] and plan.jobs[1].trouble == {}


def test_too_many_objects_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "MOST_JOBS", 3)
    with pytest.raises(InputError, match="too large"):
        a_plan("a mug", "a car", seeds=(0, 1))
