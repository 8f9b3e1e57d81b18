"""A training whose teacher is on another device: the same field bit for bit, little carried, no end by a lost device.

Of: dreamfusion_engine/optimize/session.py, dreamfusion_engine/guidance/crossing.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from reference.gaussian_teacher import GaussianTeacher
from reference.pretend_backend import FAR, pretended_mps
from reference.tiny_families import Case
from reference.tiny_training import CPU, SIZE, disc_teacher, tiny_config
from torch import Tensor

from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import RunError
from dreamfusion_engine.events import Event, Note
from dreamfusion_engine.guidance.crossing import CrossingGuidance
from dreamfusion_engine.guidance.denoiser.choice import Choice
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.machine.backends import BACKENDS
from dreamfusion_engine.machine.places import Places
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.models.families import adapter, space
from dreamfusion_engine.models.load import load_teacher
from dreamfusion_engine.models.pipeline_folder import open_pipeline
from dreamfusion_engine.optimize.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from dreamfusion_engine.optimize.session import Session
from dreamfusion_engine.optimize.volume_training import VolumeTraining

MAC = Places(teacher=FAR, field=CPU, apart=True)
GONE = torch.AcceleratorError("CUDA error: unspecified launch failure\nCUDA kernel errors might be asynchronous.")


def session(folder: Path, config: GenerateConfig, guidance: Any, places: Places | None = None, **more: Any) -> Session:
    events: list[Event] = []
    made = Session(
        config=config,
        distillation=guidance,
        device=CPU,
        folder=folder,
        report=events.append,
        control=lambda: "continue",
        seconds_after=0.0,
        snapshot=lambda training: None,
        places=places,
        **more,
    )
    made.events = events  # type: ignore[attr-defined]
    return made


def distilled(config: GenerateConfig, teacher: Any = None, encode: Any = None) -> ScoreDistillation:
    return ScoreDistillation(teacher or disc_teacher(), config.prompt, "", PromptCard(), config.guidance, encode=encode)


def same(one: Session, other: Session) -> bool:
    first, second = one.training.state(), other.training.state()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


class Vanishing(GaussianTeacher):
    """The disc teacher on a device that is gone from a step on."""

    def __init__(self, step: int) -> None:
        plain = disc_teacher()
        super().__init__(plain.means, plain.spread)
        self.left = step

    def predict_noise(self, x_t: Tensor, t: Tensor, conditioning: Any) -> Tensor:
        self.left -= 1
        if self.left < 0:
            raise GONE
        return super().predict_noise(x_t, t, conditioning)


@pytest.mark.parametrize("overlap", [False, True])
def test_a_run_through_the_code_that_crosses_gives_the_plain_runs_field(overlap: bool, tmp_path: Path) -> None:
    config = tiny_config(12, views=2)
    choice = Choice(runtime="torch", precision="float32", threads=1, overlap=overlap)
    plain = session(tmp_path / "plain", config, distilled(config), denoiser=choice)
    apart = CrossingGuidance(distilled(config), CPU, CPU)
    crossing = session(tmp_path / "apart", config, apart, Places(teacher=CPU, field=CPU, apart=True), denoiser=choice)
    for run in (plain, crossing):
        run.run()
    assert same(plain, crossing)
    pictures = 2 * 4 * 3 * SIZE * SIZE
    assert 12 * pictures <= apart.traffic.there <= 12 * (pictures + 8)
    assert 12 * pictures <= apart.traffic.back <= 12 * (pictures + 24)
    kinds = {load_checkpoint(tmp_path / name, config).device for name in ("plain", "apart")}
    assert kinds == {"cpu"}, "the same numbers, so the same kind"


@pytest.mark.slow
def test_a_run_with_its_teacher_on_a_mac_trains_the_processors_field_and_carries_little(
    cases: Callable[[str], Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, steps = cases("if"), 2
    config = tiny_config(steps, views=2)
    with monkeypatch.context() as order:  # of convolutions, as MPS wants it
        for module in (adapter, space):
            order.setattr(module, "backend_of", lambda device: BACKENDS["mps"])
        teacher = load_teacher(open_pipeline(case.folder), CPU)
    plain = session(tmp_path / "plain", config, distilled(config, teacher, case.encode))
    plain.run()
    with pretended_mps(monkeypatch) as carried:
        teacher = load_teacher(open_pipeline(case.folder), FAR)
        within = distilled(config, teacher, lambda texts: case.encode(texts).to(FAR))
        guidance = CrossingGuidance(within, FAR, CPU)
        apart = session(tmp_path / "apart", config, guidance, MAC)
        assert teacher.denoiser is not None and guidance.model_shape(SIZE)
        before = carried.there, carried.back
        apart.run()
        there, back = ((now - then) / steps for now, then in zip((carried.there, carried.back), before, strict=True))
    assert same(plain, apart)
    pictures = 2 * 4 * 3 * SIZE * SIZE
    noise = 2 * 4 * int(torch.tensor(guidance.model_shape(SIZE)).prod())
    assert there <= pictures + noise + 2000 and back <= pictures + 200, "bytes a step"
    assert load_checkpoint(tmp_path / "apart", config).device == "mps+cpu"


@pytest.mark.slow
def test_a_teachers_device_that_vanishes_ends_the_run_with_all_of_its_training_kept(tmp_path: Path) -> None:
    config = tiny_config(30)
    unbroken = session(tmp_path / "whole", config, distilled(config))
    unbroken.run()
    run = session(tmp_path / "broken", config, CrossingGuidance(distilled(config, Vanishing(7)), CPU, CPU), MAC)
    with pytest.raises(RunError) as lost:
        run.run()
    error = lost.value
    assert error.code == "run.device_lost" and "step 7" in error.what and "step 7" in error.fix
    assert error.why == "CUDA error: unspecified launch failure" and "--resume" in error.fix
    assert "--device cpu" in error.fix
    resumed = session(tmp_path / "broken", config, distilled(config))
    resumed.resume()
    assert resumed.training.step == 7
    (told,) = [event.text for event in resumed.events if isinstance(event, Note)]  # type: ignore[attr-defined]
    assert "began on an Apple card and, for the field, the processor" in told and "continues on the processor" in told
    resumed.run()
    assert same(unbroken, resumed), "the field's random numbers are drawn where it is, whatever the teacher is on"


def test_what_the_teacher_has_learned_is_lost_with_it_and_the_last_checkpoint_stands(tmp_path: Path) -> None:
    config = tiny_config(30)
    guidance = CrossingGuidance(distilled(config, Vanishing(14)), CPU, CPU)
    run = session(tmp_path, config, guidance, MAC)
    state = guidance.within.state

    def lost() -> dict[str, Tensor]:
        if guidance.within.teacher.left < 0:  # type: ignore[attr-defined]
            raise GONE
        return state()

    guidance.within.state = lost  # type: ignore[method-assign]
    with pytest.raises(RunError, match="step 14") as caught:
        run.run()
    assert caught.value.code == "run.device_lost" and "saved before" in caught.value.fix
    assert load_checkpoint(tmp_path, config).step == 10


def test_a_device_that_vanishes_at_the_first_step_leaves_an_earlier_run_alone(tmp_path: Path) -> None:
    config = tiny_config(30)
    earlier = Checkpoint(step=3, config={"optimize": {"steps": 9}}, device="cpu", tensors={"a": torch.ones(2)})
    save_checkpoint(tmp_path / "run", earlier)
    before = (tmp_path / "run" / "checkpoint.json").read_bytes()
    run = session(tmp_path / "run", config, CrossingGuidance(distilled(config, Vanishing(0)), CPU, CPU), MAC)
    with pytest.raises(RunError) as caught:
        run.run()
    assert caught.value.code == "run.device_lost"
    assert (tmp_path / "run" / "checkpoint.json").read_bytes() == before


def test_a_field_that_comes_from_a_card_draws_new_numbers_and_always_the_same(tmp_path: Path) -> None:
    config = tiny_config(6)
    training = VolumeTraining(config, seed=3, device=CPU)
    guidance = distilled(config)
    for _ in range(2):
        training.train_step(guidance)
    of_card = {**training.state(), "generator": torch.arange(16, dtype=torch.uint8)}  # CUDA's: a seed and an offset
    ends = []
    for _ in range(2):
        resumed = VolumeTraining(config, seed=3, device=CPU)
        resumed.load_state(of_card)
        assert torch.equal(resumed.host_generator.get_state(), of_card["host_generator"])
        resumed.train_step(guidance)
        ends.append(resumed.state())
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    assert int(ends[0]["step"]) == 3


def test_a_checkpoint_of_other_places_is_told_of_and_its_words_are_not_believed(tmp_path: Path) -> None:
    config = tiny_config(6)
    run = session(tmp_path, config, distilled(config))
    run.run(until=2)
    saved = load_checkpoint(tmp_path, config)
    save_checkpoint(tmp_path, dataclasses.replace(saved, device="quantum" * 1000 + "+cpu"))
    resumed = session(tmp_path, config, distilled(config))
    resumed.resume()
    (told,) = [event.text for event in resumed.events if isinstance(event, Note)]  # type: ignore[attr-defined]
    assert "The mesh may differ" in told and len(told) < 400
