"""Memory that runs out in the middle of a run costs quality, not the run: it steps down, says so and goes on."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from reference.gaussian_teacher import GaussianTeacher

from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import Cancelled, RunError
from dreamfusion_engine.events import Event, Note
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.memory.step_down import StepDown
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.models.teacher import resize_square
from dreamfusion_engine.optimize.session import Session
from dreamfusion_engine.optimize.volume_training import VolumeTraining

CPU = torch.device("cpu")


class SmallCard(GaussianTeacher):
    """Expects a grey disc; runs out of memory on more than `limit` pixels a step, wherever `at` says."""

    def __init__(self, limit: float, at: str = "encoder", error: BaseException | None = None) -> None:
        y, x = torch.meshgrid(torch.linspace(-1, 1, 8), torch.linspace(-1, 1, 8), indexing="ij")
        super().__init__((x.square() + y.square() < 0.4).float().expand(1, 3, 8, 8), 0.3)
        self.limit, self.at = limit, at
        self.error = error or torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nMore lines.")
        self.sizes: list[tuple[int, int]] = []
        self._pixels = 0

    def to_model_space(self, image: torch.Tensor, posterior: torch.Tensor | None = None) -> torch.Tensor:
        if image.requires_grad:  # a render, not a question about sizes
            self.sizes.append((image.shape[0], image.shape[-1]))
            self._pixels = image.shape[0] * image.shape[-1] ** 2
            self._fail("encoder")
        return super().to_model_space(resize_square(image, 8))

    def predict_noise(self, x_t: torch.Tensor, t: torch.Tensor, conditioning: Any) -> torch.Tensor:
        self._fail("denoiser")
        return super().predict_noise(x_t, t, conditioning)

    def _fail(self, place: str) -> None:
        if place == self.at and self._pixels > self.limit:
            raise self.error


def config(steps: int = 16, **optimize: Any) -> GenerateConfig:
    """Two views of 24 pixels, and of 32 in the second half."""
    return preset(
        "draft",
        "a ball",
        {
            "field": {"levels": 4, "log2_table": 10, "finest_resolution": 32, "hidden": 16},
            "render": {"steps": 32, "occupancy_resolution": 16},
            "guidance": {"scale": 1.0, "rescale": 0.0, "view_prompts": "off"},
            "optimize": {"steps": steps, "views": 2, "resolution": [24, 32], **optimize},
            "checkpoint_every": 5,
        },
    )


def session(folder: Path, teacher: GaussianTeacher, settings: GenerateConfig | None = None, **more: Any) -> Session:
    settings = settings or config()
    events: list[Event] = []
    made = Session(
        config=settings,
        distillation=ScoreDistillation(teacher, settings.prompt, "", PromptCard(), settings.guidance),
        device=CPU,
        folder=folder,
        report=events.append,
        control=more.pop("control", lambda: "continue"),
        seconds_after=0.0,
        snapshot=more.pop("snapshot", lambda training: None),
        **more,
    )
    made.events = events  # type: ignore[attr-defined]
    return made


def notes(run: Session, code: str) -> list[str]:
    return [e.text for e in run.events if isinstance(e, Note) and e.code == code]  # type: ignore[attr-defined]


def stop_at(step: int) -> Any:
    asked = iter(range(10**6))
    return lambda: "cancel" if next(asked) >= step else "continue"


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


LIMIT = 2 * 24 * 24  # two views of the second half of training do not fit


@pytest.mark.slow
@pytest.mark.parametrize(
    "error", [None, MemoryError(), RuntimeError("Failed to allocate 4096 bytes on device 'cuda:0'")], ids=repr
)
@pytest.mark.parametrize("at", ["encoder", "denoiser"])
def test_a_run_steps_down_says_so_and_ends(at: str, error: BaseException | None, tmp_path: Path) -> None:
    card = SmallCard(LIMIT, at, error)
    run = session(tmp_path, card)
    assert run.run().step == 16
    (text,) = notes(run, "memory.step_down")
    assert "step 8" in text and "one view at a time" in text
    assert [(entry["step"], entry["setting"]) for entry in run.memory.taken] == [(8, "memory.views_at_once")]
    assert "\n" not in run.memory.taken[0]["reason"]
    assert run.config.memory.views_at_once == 0, "what was asked for stays on record"
    assert run.training.config.memory.views_at_once == 1


@pytest.mark.slow
def test_views_come_one_at_a_time_before_renders_shrink_and_the_step_is_made_again(tmp_path: Path) -> None:
    card = SmallCard(24 * 24)
    run = session(tmp_path, card, config(resolution=[32, 32]))
    run.run()
    assert card.sizes[:4] == [(2, 32), (1, 32), (1, 24), (1, 24)]
    assert len(card.sizes) == 2 + 2 * 16, "every step was made of two views, and the first was tried three times"


@pytest.mark.slow
@pytest.mark.parametrize("stop", [3, 8, 12])
def test_a_run_that_stepped_down_resumes_bit_for_bit(stop: int, tmp_path: Path) -> None:
    unbroken = session(tmp_path / "whole", SmallCard(LIMIT))
    unbroken.run()
    with pytest.raises(Cancelled):
        session(tmp_path / "broken", SmallCard(LIMIT), control=stop_at(stop)).run()
    resumed = session(tmp_path / "broken", SmallCard(LIMIT))
    resumed.resume()
    resumed.run()
    assert same(unbroken.training.state(), resumed.training.state())
    assert resumed.memory.taken == unbroken.memory.taken


def test_a_step_without_memory_leaves_no_trace() -> None:
    card = SmallCard(LIMIT, at="denoiser")
    settings = config()
    distillation = ScoreDistillation(card, settings.prompt, "", PromptCard(), settings.guidance)
    training = VolumeTraining(settings, seed=0, device=CPU)
    for step in range(10):  # the first step makes Adam's moments, the ninth looks at the whole grid
        before = {name: tensor.clone() for name, tensor in training.state().items()}
        card.limit = 0.0
        with pytest.raises(torch.OutOfMemoryError):
            training.train_step(distillation)
        assert same(before, training.state()), f"step {step}"
        card.limit = 1e9
        training.train_step(distillation)
        assert not training.broken()


def test_an_optimizer_that_breaks_off_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    card = SmallCard(1e9)
    settings = config()
    distillation = ScoreDistillation(card, settings.prompt, "", PromptCard(), settings.guidance)
    training, twin = (VolumeTraining(settings, seed=0, device=CPU) for _ in range(2))
    for _ in range(2):
        before = {name: tensor.clone() for name, tensor in training.state().items()}
        real = torch.optim.Adam._init_group

        def breaks_off(self: Any, *arguments: Any, real: Any = real) -> Any:
            out = real(self, *arguments)
            for values in self.state.values():
                values["step"] += 1
            raise torch.OutOfMemoryError("CUDA out of memory.")
            return out

        with monkeypatch.context() as patch:
            patch.setattr(torch.optim.Adam, "_init_group", breaks_off)
            with pytest.raises(torch.OutOfMemoryError):
                training.train_step(distillation)
        assert same(before, training.state())
        for each in (training, twin):
            each.train_step(distillation)
            assert not each.broken()
        assert same(training.state(), twin.state())


@pytest.mark.slow
def test_at_the_end_of_the_ladder_the_run_fails_with_its_checkpoint_and_can_be_resumed(tmp_path: Path) -> None:
    card = SmallCard(1e9)

    def control() -> Literal["continue"]:
        card.limit = 1e9 if run.training.step < 7 else 0.0
        return "continue"

    run: Session = session(tmp_path, card, control=control)
    with pytest.raises(RunError) as failed:
        run.run()
    assert failed.value.code == "run.out_of_memory"
    assert "step 7" in failed.value.what and "--resume" in failed.value.fix
    assert failed.value.why == "CUDA out of memory. Tried to allocate 2.00 GiB."
    after = session(tmp_path, SmallCard(1e9))
    after.resume()
    assert after.training.step == 7
    assert after.training.config.optimize.resolution == (24, 24), "it goes on as low as it had come"
    assert after.run().step == 16


@pytest.mark.slow
def test_a_run_may_be_resumed_with_other_memory_settings_and_keeps_its_other_steps_down(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        session(tmp_path, SmallCard(LIMIT), control=stop_at(12)).run()
    changed = config(views=1)
    changed = dataclasses.replace(changed, memory=dataclasses.replace(changed.memory, recompute=True))
    resumed = session(tmp_path, SmallCard(LIMIT), changed)
    resumed.resume()
    attempt = resumed.training.config
    assert (attempt.optimize.views, attempt.memory.views_at_once, attempt.memory.recompute) == (1, 1, True)
    assert resumed.run().step == 16


def test_any_other_error_is_not_taken_for_one(tmp_path: Path) -> None:
    run = session(tmp_path, SmallCard(0, error=RuntimeError("CUDA error: the launch failed")))
    with pytest.raises(RuntimeError, match="launch failed"):
        run.run()
    assert run.memory.taken == []


@pytest.mark.slow
def test_the_loaded_model_is_told_what_was_saved(tmp_path: Path) -> None:
    told: list[Any] = []
    card = SmallCard(24 * 24)
    step_down = StepDown(device=CPU, report=lambda event: None, economise=told.append)
    session(tmp_path, card, step_down=step_down).run()
    assert len(told) == len(step_down.taken) == 2


@pytest.mark.slow
def test_previews_without_memory_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(training: VolumeTraining) -> None:
        asked.append(training.step)
        raise torch.OutOfMemoryError("CUDA out of memory.")

    asked: list[int] = []
    monkeypatch.setattr("dreamfusion_engine.optimize.snapshots._EVERY", 0.0)
    run = session(tmp_path, SmallCard(1e9), snapshot=no_memory)
    assert run.run().step == 16
    assert len(asked) == len(notes(run, "memory.previews")) == 1


@pytest.mark.slow
def test_an_unfinished_run_is_set_aside_by_the_next_and_can_be_gone_on_with(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    with pytest.raises(Cancelled):
        session(folder, SmallCard(1e9), control=stop_at(7)).run()
    second = session(folder, SmallCard(1e9), config(steps=12))
    second.run()
    (text,) = notes(second, "run.set_aside")
    assert "checkpoint-step-7" in text
    first = session(tmp_path / "checkpoint-step-7", SmallCard(1e9))
    first.resume()
    assert first.run().step == 16
    (tmp_path / "result.json").write_text("{}")
    third = session(folder, SmallCard(1e9), config(steps=12))
    third.run()
    assert notes(third, "run.set_aside") == [], "a finished run's training is in its mesh"


def test_resuming_sets_nothing_aside(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    with pytest.raises(Cancelled):
        session(folder, SmallCard(1e9), control=stop_at(7)).run()
    again = session(folder, SmallCard(1e9))
    again.resume()
    again.run()
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]
