"""Facts about training as a whole: it goes on bit for bit, stops when asked, and mends or names what goes wrong."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from reference.gaussian_teacher import GaussianTeacher
from reference.tiny_pipeline import tiny_pipeline
from reference.tiny_training import CPU, SIZE, BrokenTeacher, disc_teacher, tiny_config

from dreamfusion_engine.config.stages import GenerateConfig, GuidanceConfig
from dreamfusion_engine.errors import Cancelled, InputError, RunError
from dreamfusion_engine.events import Event, Note, Progress
from dreamfusion_engine.guidance.denoiser.choice import Choice
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.models.load import load_teacher
from dreamfusion_engine.models.pipeline_folder import open_pipeline
from dreamfusion_engine.optimize.session import Session
from dreamfusion_engine.optimize.view_contrast import view_contrast
from dreamfusion_engine.optimize.volume_training import VolumeTraining


def session(
    folder: Path, config: GenerateConfig, *, teacher: GaussianTeacher | None = None, control: Any = None
) -> Session:
    events: list[Event] = []
    made = Session(
        config=config,
        distillation=ScoreDistillation(teacher or disc_teacher(), config.prompt, "", PromptCard(), config.guidance),
        device=CPU,
        folder=folder,
        report=events.append,
        control=control or (lambda: "continue"),
        seconds_after=0.0,
        snapshot=lambda training: None,
    )
    made.events = events  # type: ignore[attr-defined]
    return made


def stop_at(step: int, word: str) -> Any:
    """A control that says `word` when it has been asked `step` times."""
    asked = iter(range(10**6))
    return lambda: word if next(asked) >= step else "continue"


def same_state(a: Session, b: Session) -> bool:
    first, second = a.training.state(), b.training.state()
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


@pytest.mark.slow
def test_the_same_seed_trains_the_same_field_bit_for_bit(tmp_path: Path) -> None:
    runs = [session(tmp_path / name, tiny_config()) for name in "ab"]
    for run in runs:
        run.run()
    assert same_state(*runs)


@pytest.mark.slow
def test_a_cancelled_run_resumes_and_ends_bit_for_bit_like_an_unbroken_one(tmp_path: Path) -> None:
    unbroken = session(tmp_path / "whole", tiny_config())
    unbroken.run()
    with pytest.raises(Cancelled) as stopped:
        session(tmp_path / "broken", tiny_config(), control=stop_at(17, "cancel")).run()
    assert "17 of 30" in stopped.value.what
    resumed = session(tmp_path / "broken", tiny_config())
    resumed.resume()
    assert resumed.training.step == 17
    resumed.run()
    assert same_state(unbroken, resumed)
    assert resumed.health.to_json() == unbroken.health.to_json()


@pytest.mark.slow
def test_a_run_whose_score_learns_the_renders_resumes_bit_for_bit(tmp_path: Path) -> None:
    tiny_pipeline("v_prediction").save_pretrained(tmp_path / "model")
    teacher = load_teacher(open_pipeline(tmp_path / "model"), CPU)
    config = dataclasses.replace(tiny_config(6), guidance=GuidanceConfig(score="vsd", scale=2.0))

    def run(name: str, control: Any = None) -> Session:
        made = session(tmp_path / name, config, teacher=teacher, control=control)  # type: ignore[arg-type]
        if (tmp_path / name).exists():
            made.resume()
        return made

    unbroken = run("whole")
    unbroken.run()
    with pytest.raises(Cancelled):
        run("broken", stop_at(3, "cancel")).run()
    resumed = run("broken")
    resumed.run()
    assert same_state(unbroken, resumed)
    learned = [made.distillation.state() for made in (unbroken, resumed)]
    assert learned[0] and all(torch.equal(tensor, learned[1][name]) for name, tensor in learned[0].items())


def test_a_checkpoint_is_never_more_than_checkpoint_every_steps_old(tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def control() -> str:
        if running.training.step == 29:
            raise Killed
        return "continue"

    running = session(tmp_path, tiny_config(), control=control)
    with pytest.raises(Killed):
        running.run()
    after = session(tmp_path, tiny_config())
    after.resume()
    assert after.training.step == 20


def test_finish_ends_training_early_and_keeps_the_field(tmp_path: Path) -> None:
    run = session(tmp_path, tiny_config(), control=stop_at(12, "finish"))
    assert run.run().step == 12
    assert any(isinstance(e, Note) and e.code == "run.finished_early" for e in run.events)  # type: ignore[attr-defined]


def test_progress_counts_up_to_the_last_step_with_an_eta(tmp_path: Path) -> None:
    run = session(tmp_path, tiny_config())
    run.run()
    progress = [e for e in run.events if isinstance(e, Progress)]  # type: ignore[attr-defined]
    assert progress[-1].step == progress[-1].total == 30
    assert all(e.eta_s is not None and e.eta_s >= 0.0 and e.memory_mib > 0 for e in progress)


def test_a_model_that_predicts_nan_is_restarted_with_a_stated_change_and_then_named(tmp_path: Path) -> None:
    broken = BrokenTeacher(disc_teacher().means, 0.1)
    run = session(tmp_path, tiny_config(), teacher=broken)
    with pytest.raises(RunError) as failed:
        run.run()
    assert failed.value.code == "run.non_finite"
    notes = [e.text for e in run.events if isinstance(e, Note)]  # type: ignore[attr-defined]
    assert notes and all("Starting again" in text for text in notes)


def test_resuming_with_other_settings_is_refused_and_the_setting_named(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        session(tmp_path, tiny_config(), control=stop_at(5, "cancel")).run()
    with pytest.raises(InputError, match="optimize.steps"):
        session(tmp_path, tiny_config(steps=40)).resume()


@pytest.mark.slow
def test_score_distillation_builds_the_red_ball_that_the_model_expects(tmp_path: Path) -> None:
    config = tiny_config(steps=200, opacity=0.0, albedo_until=1.0)
    run = session(tmp_path, config)
    training = run.run()
    probe = training.probe()
    # A ball that fills the disc's share of the picture, 0.35 pi / 4 = 27 %, and is red where it is seen.
    assert 0.15 < probe.opacity < 0.45
    with torch.no_grad():
        density, _ = training.field(torch.zeros(1, 3))
    assert float(density) > 1.0
    seen = training.view(_one_camera(config), SIZE)
    middle = seen.colour[0, SIZE // 2, SIZE // 2]
    assert float(middle[0]) > 0.6 > 0.4 > float(middle[1:].max())


def _one_camera(config: GenerateConfig):  # type: ignore[no-untyped-def]
    from dreamfusion_engine.scene.cameras import turntable_cameras

    return turntable_cameras(1, elevation=0.2, config=config.camera, device=CPU)


def test_a_warning_does_not_stop_the_checkpoints(tmp_path: Path) -> None:
    saved_at: list[int] = []

    def control() -> str:
        if (tmp_path / "checkpoint.json").is_file():
            saved_at.append(running.training.step)
        return "continue"

    running = session(tmp_path, tiny_config(), control=control)
    running.health.verdict = lambda: "many_faced"  # type: ignore[method-assign]
    running._step = lambda: (running.training.train_step(running.distillation), "many_faced")[1]  # type: ignore
    running.run()
    assert saved_at[0] == 10  # checkpoint_every
    notes = [e.code for e in running.events if isinstance(e, Note)]  # type: ignore[attr-defined]
    assert notes == ["health.many_faced"]  # said once
    assert running.restarts == 0


def test_an_object_without_a_front_is_never_called_many_faced(tmp_path: Path) -> None:
    """The card knows: a lamp looks alike from all around, and no difference of its views is asked for."""
    running = session(tmp_path, tiny_config())
    running.distillation.view_contrast = lambda *given: 1.0  # type: ignore[method-assign]
    found = []
    for has_front in (True, False):
        running.distillation.has_front = has_front
        found.append(view_contrast(running.training, running.distillation, running.config))
    assert found == [1.0, 0.0]
    assert not running.health.views_differ, "as it is from the start, and many_faced needs it"


def test_a_run_stopped_before_its_first_step_leaves_an_earlier_checkpoint_alone(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        session(tmp_path, tiny_config(), control=stop_at(17, "cancel")).run()
    with pytest.raises(Cancelled):
        session(tmp_path, tiny_config(), control=stop_at(0, "cancel")).run()
    resumed = session(tmp_path, tiny_config())
    resumed.resume()
    assert resumed.training.step == resumed.steps_taken == 17


def test_inputs_are_replaced_after_an_earlier_run_is_set_aside_and_before_the_new_checkpoint(tmp_path: Path) -> None:
    """Whatever ends the new run before that, a refusal or a kill, leaves an earlier run with its own inputs."""
    folder, seen = tmp_path / "checkpoint", []
    with pytest.raises(Cancelled):
        session(folder, tiny_config(), control=stop_at(9, "cancel")).run()

    def keep() -> None:
        seen.append(sorted(path.name for path in tmp_path.iterdir()))

    refused = session(folder, tiny_config(), control=stop_at(0, "cancel"))
    refused.keep_inputs = keep
    with pytest.raises(Cancelled):
        refused.run()
    assert seen == [] and (folder / "checkpoint.json").is_file()
    begun = session(folder, tiny_config(), control=stop_at(3, "cancel"))
    begun.keep_inputs = keep
    with pytest.raises(Cancelled):
        begun.run()
    assert seen == [["checkpoint-step-9"]]
    resumed = session(folder, tiny_config(), control=stop_at(5, "cancel"))
    resumed.keep_inputs = keep
    resumed.resume()
    with pytest.raises(Cancelled):
        resumed.run()
    assert len(seen) == 1, "who resumes has them already"


def test_a_run_that_was_stopped_in_a_later_training_is_set_aside_whole(tmp_path: Path) -> None:
    """A refinement goes on from the mesh of the training before it, which is complete and cannot be made again."""
    first, later = tmp_path / "checkpoint", tmp_path / "checkpoint-refine"
    session(first, tiny_config(steps=2)).run()
    with pytest.raises(Cancelled):
        session(later, tiny_config(), control=stop_at(1, "cancel")).run()
    second = session(first, tiny_config(steps=2))
    second.later = (later,)
    second.run()
    told = [event for event in second.events if isinstance(event, Note)]  # type: ignore[attr-defined]
    (text,) = [note.text for note in told if note.code == "run.set_aside"]
    assert "checkpoint-step-2 and checkpoint-refine-step-1" in text
    assert {path.name for path in tmp_path.iterdir()} == {
        "checkpoint",
        "checkpoint-step-2",
        "checkpoint-refine-step-1",
    }
    (tmp_path / "result.json").write_text("{}")
    third = session(first, tiny_config(steps=2))
    third.later = (later,)
    third.run()
    assert len(list(tmp_path.iterdir())) == 4, "nothing is unfinished now"


def test_a_run_that_was_stopped_between_its_training_and_its_mesh_is_set_aside(tmp_path: Path) -> None:
    first = tmp_path / "checkpoint"
    session(first, tiny_config(steps=2)).run()
    session(first, tiny_config(steps=2)).run()
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint", "checkpoint-step-2"}


def test_a_run_that_misses_its_mesh_is_told_so_and_not_which_settings_follow_from_that(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    broken = session(folder, tiny_config(), control=stop_at(2, "cancel"))
    broken.subject = "of a mesh"
    with pytest.raises(Cancelled):
        broken.run()
    without = session(folder, tiny_config(levels_until=0.5))
    with pytest.raises(InputError) as caught:
        without.resume()
    assert caught.value.code == "checkpoint.missing" and "no source.glb" in caught.value.why
    assert "--from" in caught.value.fix
    (tmp_path / "source.glb").mkdir()
    with pytest.raises(InputError, match="mesh or the pictures") as caught:
        without.resume()
    assert "source.glb" in caught.value.why and "cannot be read" in caught.value.why


def test_a_checkpoint_holds_what_ran_the_denoiser(tmp_path: Path) -> None:
    before, after = (session(tmp_path, tiny_config()) for _ in range(2))
    before.denoiser = Choice(runtime="openvino", precision="bfloat16", threads=2, why="the fastest")
    before.run()
    after.resume()
    assert after.denoiser is not None and after.denoiser.to_json() == before.denoiser.to_json()
    before.denoiser = None  # as an earlier version
    before.save()
    after.resume()
    assert after.denoiser is None


def test_a_checkpoint_of_other_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        session(tmp_path, tiny_config(), control=stop_at(5, "cancel")).run()
    later = session(tmp_path, tiny_config())
    later.model = "other"
    with pytest.raises(InputError, match="weights"):
        later.resume()


def test_what_comes_before_the_first_step_is_done_once_and_not_again_by_who_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    monkeypatch.setattr(VolumeTraining, "begin", lambda training: begun.append(training.step))
    with pytest.raises(Cancelled):
        session(tmp_path, tiny_config(), control=stop_at(3, "cancel")).run()
    assert begun == [0]
    resumed = session(tmp_path, tiny_config(), control=stop_at(1, "finish"))
    resumed.resume()
    resumed.run()
    assert begun == [0]


def test_an_attempt_from_the_start_begins_as_the_first_one_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []
    monkeypatch.setattr(VolumeTraining, "begin", lambda training: begun.append(training.step))
    made = session(tmp_path, tiny_config(), teacher=BrokenTeacher(disc_teacher().means, 0.1))
    with pytest.raises(RunError):
        made.run()
    assert len(begun) == 1 + made.restarts > 1
