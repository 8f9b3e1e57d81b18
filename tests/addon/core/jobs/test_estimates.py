"""What a preset costs, and what could be typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from blender_addon.core.job import Job, JobState, Recipe, share_done
from blender_addon.core.jobs.estimates import Estimate, Estimates, device_title, duration_text
from blender_addon.core.suggestions import knowledge, suggestions

DEVICES = {
    "default": "cpu",
    "cores": 2,
    "devices": [{"name": "cpu", "title": "paper"}, {"name": "cuda:0", "title": "A Card"}],
}


def made(
    folder: Path,
    recipe: Recipe,
    *,
    rate: float,
    rest: float,
    device: str = "cpu",
    memory: float = 0.0,
    watched: float = 1.0,
) -> Job:
    """A job that is done, with the report of its engine.

    watched: the training stage over its steps; below 1 after a resume.
    """
    folder.mkdir(exist_ok=True)
    steps = recipe.settings.get("optimize", {}).get("steps", 1200)
    seconds = {"load": rest / 2, "train": watched * steps / rate}
    seconds |= {"render": rest / 2, "train_all_sessions": steps / rate}
    report = {"device": device, "steps": steps, "steps_per_second": rate, "seconds": seconds}
    (folder / "result.json").write_text(json.dumps(report))
    return Job("0" * 32, recipe, folder, state=JobState.DONE, memory_mib=memory)


PAINTER = {
    "name": "owner/painter",
    "recipe": {"settings": {"draft": {"optimize.steps": 1000, "optimize.resolution": [64, 64]}}},
    "estimates": {
        "draft": {"seconds": 3600.0, "memory_mib": 3072},
        "standard": {"seconds": 7200.0, "memory_mib": 4096},
        "high": {"seconds": 144_000.0, "memory_mib": 0},
    },
}


def painted(preset: str = "draft", **optimize: object) -> Recipe:
    """A recipe of the model above."""
    settings = {"optimize": dict(optimize)} if optimize else {}
    return Recipe("a mug", preset=preset, model="owner/painter", settings=settings)


def test_before_the_first_run_the_engine_is_believed(tmp_path: Path) -> None:
    estimates = Estimates(tmp_path / "estimates.json")
    assert estimates.of(painted(), DEVICES, PAINTER).text == "roughly 60 min, 3.0 GiB, not measured here yet"
    assert estimates.of(painted("high"), DEVICES, PAINTER).text.startswith("roughly 40 hours on this machine, not")
    assert estimates.of(painted("high"), DEVICES, PAINTER).short == "40 h"
    half, small = painted(steps=500), painted(resolution=[32, 32])
    assert estimates.of(half, DEVICES, PAINTER).seconds == pytest.approx(1800.0)
    assert estimates.of(small, DEVICES, PAINTER).seconds == pytest.approx(900.0)


def test_what_the_engine_does_not_know_is_said_to_be_unknown(tmp_path: Path) -> None:
    estimates = Estimates(tmp_path / "estimates.json")
    card = {**PAINTER, "estimates": {"draft": {"seconds": 0, "memory_mib": 2048}}}
    unknown = estimates.of(painted(), DEVICES, card)
    assert (unknown.text, unknown.short) == ("time not known before the first run, 2.0 GiB", "?")
    elsewhere = Recipe("a mug", preset="draft", model="owner/painter", settings={"device": "cuda:0"})
    assert (
        estimates.of(elsewhere, DEVICES, PAINTER).short == "?"
    )  # what it expects is for its own choice, the processor
    own = {"name": "starter", "estimates": card["estimates"]}
    assert estimates.of(Recipe("a mug", preset="draft"), DEVICES, own).seconds > 0.0  # nominal, as with an older engine
    assert estimates.of(painted(), DEVICES, {"name": "owner/painter"}).seconds > 0.0


def test_a_measurement_replaces_what_the_engine_expects_for_that_model_alone(tmp_path: Path) -> None:
    estimates = Estimates(tmp_path / "estimates.json")
    run = painted(steps=100)
    pending = estimates.learn(made(tmp_path, run, rate=0.5, rest=100.0, memory=2560.0), DEVICES, PAINTER)
    measured = estimates.of(painted(), DEVICES, PAINTER)
    assert measured.measured and measured.seconds == pytest.approx(1000 / 0.5 + 100.0)
    assert measured.text == "about 35 min, 2.5 GiB"
    standard = estimates.of(painted("standard"), DEVICES, PAINTER)  # as much faster as draft was: 2100 s of 3600
    assert not standard.measured and standard.seconds == pytest.approx(7200.0 * 2100 / 3600)
    assert not estimates.of(Recipe("a mug", preset="draft"), DEVICES).measured
    assert pending is not None
    while not pending.done:
        pass
    assert Estimates(tmp_path / "estimates.json").of(painted(), DEVICES, PAINTER) == measured


def test_the_file_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    costs = {"cpu: paper, 2 cores": {"standard": [[1e-5, 20.0], [1e-5, 20.0]]}}
    (tmp_path / "estimates.json").write_text(json.dumps(costs))
    kept = Estimates(tmp_path / "estimates.json").of(Recipe("a mug"), DEVICES)
    assert kept.measured and kept.memory_mib == 0.0 and kept.seconds > 20.0


def test_a_run_teaches_the_next_one_its_time(tmp_path: Path) -> None:
    estimates = Estimates(tmp_path / "estimates.json")
    recipe = Recipe("a mug")
    before = estimates.of(recipe, DEVICES)
    assert not before.measured and "not measured" in before.text
    pending = estimates.learn(made(tmp_path, recipe, rate=6.0, rest=30.0), DEVICES)
    after = estimates.of(recipe, DEVICES)
    assert after.measured and after.seconds == pytest.approx(1200 / 6.0 + 30.0)
    assert after.text == "about 4 min"
    half = Recipe("a mug", settings={"optimize": {"steps": 600}})
    assert estimates.of(half, DEVICES).seconds == pytest.approx(600 / 6.0 + 30.0)
    twice = Recipe("a mug", settings={"optimize": {"views": 4}})
    assert estimates.of(twice, DEVICES).seconds == pytest.approx(2400 / 6.0 + 30.0)
    assert pending is not None
    while not pending.done:
        pass
    assert Estimates(tmp_path / "estimates.json").of(recipe, DEVICES) == after


def test_previews_of_a_run_count_in_the_next_one(tmp_path: Path) -> None:
    estimates = Estimates(tmp_path / "estimates.json")
    estimates.learn(made(tmp_path, Recipe("a mug"), rate=2.455, rest=73.0, watched=1.352), DEVICES)
    half = Recipe("a mug", settings={"optimize": {"steps": 600}})
    assert estimates.of(Recipe("a mug"), DEVICES).seconds == pytest.approx(1.352 * 1200 / 2.455 + 73.0)
    assert estimates.of(half, DEVICES).seconds == pytest.approx(1.352 * 600 / 2.455 + 73.0)


def test_a_resumed_run_teaches_its_steps(tmp_path: Path) -> None:
    estimates = Estimates(tmp_path / "estimates.json")
    estimates.learn(made(tmp_path, Recipe("a mug"), rate=6.0, rest=30.0, watched=0.1), DEVICES)
    assert estimates.of(Recipe("a mug"), DEVICES).seconds == pytest.approx(1200 / 6.0 + 30.0)


def test_one_measured_preset_scales_the_others_and_is_not_called_a_measurement(tmp_path: Path) -> None:
    estimates = Estimates(tmp_path / "estimates.json")
    nominal = estimates.of(Recipe("a mug", preset="high"), DEVICES).seconds
    estimates.learn(made(tmp_path, Recipe("a mug"), rate=1.2, rest=18.0), DEVICES)  # ten times as slow as nominal
    slow = estimates.of(Recipe("a mug", preset="high"), DEVICES)
    assert not slow.measured and slow.seconds > 5 * nominal


def test_devices_are_measured_apart(tmp_path: Path) -> None:
    estimates = Estimates(tmp_path / "estimates.json")
    estimates.learn(made(tmp_path, Recipe("a mug"), rate=100.0, rest=5.0, device="cuda:0"), DEVICES)
    on_card = Recipe("a mug", settings={"device": "cuda:0"})
    assert estimates.of(on_card, DEVICES).measured and not estimates.of(Recipe("a mug"), DEVICES).measured
    assert device_title("cuda", DEVICES) == "cuda: A Card" and device_title("auto", DEVICES) == "cpu: paper, 2 cores"
    assert device_title("auto", None) == "cpu"


def test_the_median_of_the_last_runs_counts(tmp_path: Path) -> None:
    estimates = Estimates(tmp_path / "estimates.json")
    for rate in (10.0, 10.0, 0.1, 10.0, 10.0):
        estimates.learn(made(tmp_path, Recipe("a mug"), rate=rate, rest=0.0), DEVICES)
    assert estimates.of(Recipe("a mug"), DEVICES).seconds == pytest.approx(120.0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"cpu": 5}',
        '{"cpu": {"draft": [["x"]]}}',
        "\0",
        '{"cpu: paper, 2 cores": {"standard": [[NaN, 1.0]]}}',
    ],
)
def test_a_damaged_file_counts_as_empty(tmp_path: Path, text: str) -> None:
    (tmp_path / "estimates.json").write_text(text)
    assert not Estimates(tmp_path / "estimates.json").of(Recipe("a mug"), DEVICES).measured


@pytest.mark.parametrize(
    "report", ["", "{}", '{"steps": 5}', '{"steps": 0, "steps_per_second": 0, "seconds": {}}', "[]"]
)
def test_a_report_without_times_teaches_nothing(tmp_path: Path, report: str) -> None:
    (tmp_path / "result.json").write_text(report)
    job = Job("0" * 32, Recipe("a mug"), tmp_path, state=JobState.DONE)
    assert Estimates(tmp_path / "estimates.json").learn(job, DEVICES) is None


def test_settings_of_the_wrong_kind_do_not_break_the_panel(tmp_path: Path) -> None:
    estimates = Estimates(tmp_path / "estimates.json")
    wrong: list[Any] = [{"steps": "many"}, {"views": "two"}, {"resolution": "big"}, {"resolution": []}, 5]
    for optimize in wrong:
        assert estimates.of(Recipe("a mug", settings={"optimize": optimize}), DEVICES).seconds > 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (12, "12 s"), (43, "45 s"), (100, "2 min"), (240, "4 min"), (5000, "83 min"), (10_200, "2 h 50 min"),
     (7200, "2 h"), (144_000, "40 h")],
)  # fmt: skip
def test_durations_read_like_speech(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_the_bar_only_goes_forward_through_the_stages() -> None:
    stages = ["load", "train", "extract", "unwrap", "bake", "render"]
    shares = [share_done(stage, step, 10) for stage in stages for step in range(11)]
    assert shares == sorted(shares) and shares[0] == 0.0 and shares[-1] == 1.0
    assert share_done("a stage of the future", 1, 2) == 0.0 and share_done("load", 1, 0) == 0.0


CARD = {
    "name": "starter",
    "closed_vocabulary": True,
    "kinds": ["hamburger", "mug", "ice cream"],
    "colours": ["red", "orange"],
    "examples": ["a pink donut"],
}


def test_an_empty_prompt_suggests_the_models_examples_first() -> None:
    assert suggestions("", [CARD], "starter")[:2] == ["a pink donut", "a hamburger"]


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("a re", "a red hamburger"),
        ("red m", "a red mug"),
        ("mug", "a mug"),
        ("A MU", "a mug"),
        ("o m", "an orange mug"),
        ("an", "an ice cream"),
        ("cream", "an ice cream"),
    ],
)
def test_what_was_typed_is_completed(typed: str, first: str) -> None:
    assert suggestions(typed, [CARD], "starter")[0] == first


def test_suggestions_are_few_and_not_what_is_there_already() -> None:
    assert len(suggestions("a", [CARD], "starter", limit=3)) == 3
    assert "a mug" not in suggestions("a mug", [CARD], "starter")
    assert suggestions("zebra", [CARD], "starter") == []


def test_without_a_list_there_is_nothing_to_suggest() -> None:
    assert suggestions("a", None, "starter") == [] == suggestions("a", [CARD], "other")
    assert suggestions("", [{"name": "starter", "kinds": 5}], "starter") == []
    assert knowledge(None, "starter") == "" == knowledge([{**CARD, "closed_vocabulary": False}], "starter")
    assert knowledge([CARD], "starter") == "This model knows 3 kinds of things: hamburger, mug, ice cream"


def test_another_score_is_told_with_its_own_time_and_memory(tmp_path: Path) -> None:
    slow = {"seconds": 10_000.0, "memory_mib": 6144, "pace": 3.0}
    card = {**PAINTER, "estimates": {"draft": {"seconds": 3600.0, "memory_mib": 3072, "scores": {"vsd": slow}}}}
    estimates = Estimates(tmp_path / "estimates.json")
    scored = Recipe("a mug", preset="draft", model="owner/painter", settings={"guidance": {"score": "vsd"}})
    told = estimates.of(scored, DEVICES, card)
    assert told.seconds == pytest.approx(10_000.0) and told.memory_mib == 6144
    half = Recipe("a mug", preset="draft", model="owner/painter")
    half.settings.update({"guidance": {"score": "vsd"}, "optimize": {"steps": 500}})
    assert estimates.of(half, DEVICES, card).seconds == pytest.approx(5000.0)
    run = painted(steps=1000)
    estimates.learn(made(tmp_path, run, rate=0.5, rest=100.0), DEVICES, card)
    assert estimates.of(run, DEVICES, card).seconds == pytest.approx(2100.0)
    assert estimates.of(scored, DEVICES, card).seconds == pytest.approx(6100.0)  # three times the training
    for nonsense in ({"score": 3}, {"score": "another"}, 7):
        odd = Recipe("a mug", preset="draft", model="owner/painter", settings={"guidance": nonsense})
        assert estimates.of(odd, DEVICES, card).seconds == pytest.approx(2100.0)


def test_the_time_below_a_quality_fits_into_a_third_of_the_sidebar() -> None:
    seconds = (0.0, 55.0, 4020.0, 6600.0, 35_940.0, 144_000.0)
    texts = [Estimate(each, measured=False).short for each in seconds]
    assert texts == ["?", "55 s", "67 min", "1.8 h", "10 h", "40 h"]


def test_a_texture_model_adds_its_stage_to_the_time_and_takes_the_larger_memory(tmp_path: Path) -> None:
    estimates = Estimates(tmp_path / "times.json")
    second = {"estimates": {"draft": {"seconds": 9.0, "texture": {"seconds": 1800.0, "memory_mib": 5000}}}}
    one = painted()
    both = Recipe("a mug", preset="draft", model="owner/painter", settings={"texture": {"model": "b"}})
    alone = estimates.of(one, DEVICES, PAINTER)
    told = estimates.of(both, DEVICES, PAINTER, second)
    assert (told.seconds, told.memory_mib) == (alone.seconds + 1800.0, 5000.0) and alone.memory_mib == 3072.0
    twice = Recipe("a mug", preset="draft", model="owner/painter", settings={"texture": {"model": "b", "steps": 960}})
    longer = estimates.of(twice, DEVICES, PAINTER, {**second, "recipe": PAINTER["recipe"]})
    assert longer.seconds == pytest.approx(alone.seconds + 1800.0 * 960 / 400)
    for nothing in (None, {}, {"estimates": {"draft": {"texture": {"seconds": "soon"}}}}, {"estimates": {"draft": 3}}):
        unknown = estimates.of(both, DEVICES, PAINTER, nothing)
        assert (unknown.seconds, unknown.memory_mib) == (0.0, 0.0), "a sum of which one part is not known"


def test_a_run_of_two_models_is_no_measure_of_the_first(tmp_path: Path) -> None:
    both = Recipe("a mug", preset="draft", model="owner/painter", settings={"texture": {"model": "b"}})
    assert Estimates(tmp_path / "times.json").learn(made(tmp_path / "job", both, rate=1.0, rest=9.0), DEVICES) is None
