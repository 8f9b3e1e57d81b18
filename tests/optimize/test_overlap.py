"""Facts about a step whose halves are scored on another thread: the same step, in an order that no thread decides."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from reference.gaussian_teacher import GaussianTeacher
from reference.tiny_training import CPU, disc_teacher, tiny_config
from torch import Tensor

from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.models.teacher import Conditioning
from dreamfusion_engine.optimize import overlap
from dreamfusion_engine.optimize.overlap import halves, may_overlap
from dreamfusion_engine.optimize.volume_training import VolumeTraining

PATIENCE = 60.0  # seconds, so that what hangs ends
LIT: dict[str, Any] = {"albedo_until": 0.0, "textureless": 0.0, "orientation": 1.0, "gradient_clip": 0.0}


class WatchedTeacher(GaussianTeacher):
    """Says who asks; `before` is called with the number of the call, and may wait or raise."""

    def __init__(self, before: Any = lambda call: None) -> None:
        plain = disc_teacher()
        super().__init__(plain.means, 0.3)
        self.before = before
        self.threads: list[Any] = []

    def predict_noise(self, x_t: Tensor, t: Tensor, conditioning: Conditioning) -> Tensor:
        self.threads.append(threading.current_thread())
        self.before(len(self.threads))
        return super().predict_noise(x_t, t, conditioning)


def trained(config: GenerateConfig, teacher: Any = None, steps: int = 1, *, together: bool = True) -> VolumeTraining:
    scores = ScoreDistillation(
        teacher or WatchedTeacher(), config.prompt, "", PromptCard(), config.guidance, score=config.score
    )
    training = VolumeTraining(config, seed=3, device=CPU)
    for _ in range(steps):
        training.train_step(scores, overlap=together)
    return training


def gradient(training: VolumeTraining) -> Tensor:
    return torch.cat([p.grad.flatten() for p in training.field.parameters() if p.grad is not None])


@pytest.mark.parametrize(("views", "at_once"), [(2, 0), (3, 0), (5, 3)])
def test_halves_have_the_gradient_of_the_whole(views: int, at_once: int) -> None:
    config = tiny_config(views=views, views_at_once=at_once, **LIT)
    whole, together = (gradient(trained(config, together=each)) for each in (False, True))
    assert float(whole.norm()) > 0.0
    assert float((together - whole).norm() / whole.norm()) < 2e-6


@pytest.mark.parametrize("score", ["sds", "csd", "nfsd", "sdi", "sampled"])
def test_halves_are_to_the_bit_what_parts_of_that_size_are_one_after_another(score: str) -> None:
    """Later steps too: random numbers come in the same order."""
    parts, whole = (_with_score(tiny_config(views=2, views_at_once=n, **LIT), score) for n in (1, 0))
    one_by_one, together = trained(parts, steps=4, together=False).state(), trained(whole, steps=4).state()
    assert all(torch.equal(together[name], one_by_one[name]) for name in one_by_one)


def test_each_half_is_scored_while_the_other_is_rendered_or_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each score waits for what can only be done beside it; the result is that of a teacher that never waits."""
    config = tiny_config(views=2, **LIT)
    expected = trained(config, steps=2).state()
    second_rendered, first_back = threading.Event(), threading.Event()
    seen: list[str] = []

    def judging(call: int) -> None:
        event = second_rendered if call % 2 else first_back
        assert event.wait(PATIENCE), seen
        event.clear()
        seen.append("A scored" if call % 2 else "B scored")

    def rendered(call: int) -> None:
        if call % 2 == 0:
            seen.append("B rendered")
            second_rendered.set()

    def back(call: int) -> None:
        if call % 2:
            seen.append("A back")
            first_back.set()

    _after(monkeypatch, "render_part", rendered)
    _after(monkeypatch, "add_way_back", back)
    teacher = WatchedTeacher(judging)
    found = trained(config, teacher, steps=2).state()
    assert seen == ["B rendered", "A scored", "A back", "B scored"] * 2
    assert threading.main_thread() not in teacher.threads and len(set(teacher.threads)) == 1
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_teacher_done_before_the_second_render_begins_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = tiny_config(views=2, **LIT)
    expected = trained(config, steps=2).state()
    real = overlap._teacher_thread

    class Prompt:
        def submit(self, *work: Any) -> Any:
            done = real().submit(*work)
            done.exception(PATIENCE)
            return done

    monkeypatch.setattr(overlap, "_teacher_thread", Prompt)
    found = trained(config, steps=2).state()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_an_error_of_the_teacher_is_raised_as_it_is_and_the_step_leaves_no_trace() -> None:
    config = tiny_config(views=2, **LIT)
    error = RuntimeError("out of memory")

    def fail(call: int) -> None:
        if call == 3:
            raise error

    training, teacher = VolumeTraining(config, seed=3, device=CPU), WatchedTeacher(fail)
    scores = ScoreDistillation(teacher, config.prompt, "", PromptCard(), config.guidance)
    training.train_step(scores, overlap=True)
    with pytest.raises(RuntimeError) as caught:
        training.train_step(scores, overlap=True)
    assert caught.value is error
    training.train_step(scores, overlap=True)  # the same step again, as after giving something up
    expected = trained(config, steps=2).state()
    assert all(torch.equal(value, expected[name]) for name, value in training.state().items())


def test_an_error_of_the_second_render_waits_until_the_teacher_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    judging, ended = threading.Event(), []

    def answer(call: int) -> None:
        judging.set()
        ended.append(call)

    real: Any = vars(overlap)["render_part"]
    calls: list[Any] = []

    def render(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == 2:
            assert judging.wait(PATIENCE)
            raise ValueError("the second")
        return real(*given)

    monkeypatch.setattr(overlap, "render_part", render)
    with pytest.raises(ValueError, match="the second"):
        trained(tiny_config(views=2), WatchedTeacher(answer))
    assert ended == [1] and overlap._teacher_thread().submit(int).result(PATIENCE) == 0


def test_one_view_at_a_time_and_what_cannot_be_halved_stay_on_one_thread() -> None:
    teacher = WatchedTeacher()
    trained(tiny_config(views=2, views_at_once=1), teacher)
    trained(tiny_config(views=1), teacher)
    assert set(teacher.threads) == {threading.main_thread()}
    assert may_overlap(tiny_config(views=2))
    assert not may_overlap(_with_score(tiny_config(views=2), "vsd"))


def test_the_halves_of_some_views_are_all_of_them_once() -> None:
    assert halves(0, 2) == [(0, 1), (1, 1)] and halves(3, 5) == [(3, 3), (6, 2)]


def _after(monkeypatch: pytest.MonkeyPatch, name: str, told: Callable[[int], None]) -> None:
    """Call `told` with 1, 2, ... after each call of a function that `overlap` uses."""
    real = getattr(overlap, name)
    calls: list[Any] = []

    def counted(*given: Any) -> Any:
        made = real(*given)
        calls.append(None)
        told(len(calls))
        return made

    monkeypatch.setattr(overlap, name, counted)


def _with_score(config: GenerateConfig, score: str) -> GenerateConfig:
    return dataclasses.replace(config, guidance=dataclasses.replace(config.guidance, score=score))  # type: ignore[arg-type]
