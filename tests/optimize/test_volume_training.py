"""Facts about one training step: views in parts are views at once, nothing broken moves it, the host reads nothing."""

from __future__ import annotations

import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from reference.gaussian_teacher import GaussianTeacher
from reference.tiny_training import CPU, BrokenTeacher, disc_teacher, tiny_config
from torch import Tensor
from torch.overrides import TorchFunctionMode

from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.machine.processes import ALONE, Processes
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.models.teacher import Conditioning
from dreamfusion_engine.optimize.volume_training import VolumeTraining

ENGINE = Path(__file__).resolve().parents[2] / "dreamfusion_engine"


def distillation(config: GenerateConfig, teacher: Any = None) -> ScoreDistillation:
    return ScoreDistillation(teacher or disc_teacher(), config.prompt, "", PromptCard(), config.guidance)


def gradient_after(config: GenerateConfig, steps: int = 1, processes: Processes | None = None) -> Tensor:
    """The gradient of the last of some steps, all parameters in a row."""
    training = VolumeTraining(config, seed=3, device=CPU, processes=processes or ALONE)
    for _ in range(steps):
        training.train_step(distillation(config))
    return torch.cat([p.grad.flatten() for p in training.field.parameters() if p.grad is not None])


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_views_in_parts_have_the_gradient_of_all_at_once(at_once: int) -> None:
    lit: dict[str, Any] = {"albedo_until": 0.0, "textureless": 0.0, "orientation": 1.0, "gradient_clip": 0.0}
    whole = gradient_after(tiny_config(views=4, **lit))
    parts = gradient_after(tiny_config(views=4, views_at_once=at_once, **lit))
    assert float(whole.norm()) > 0.0
    assert float((parts - whole).norm() / whole.norm()) < 1e-6


def test_views_in_parts_draw_what_views_at_once_draw_in_later_steps_too() -> None:
    whole, parts = (gradient_after(tiny_config(views=3, views_at_once=n), steps=3) for n in (0, 1))
    assert float((parts - whole).norm() / whole.norm()) < 1e-3  # Adam divides by tiny numbers in its first steps


def test_processes_see_different_views_that_together_are_one_processs() -> None:
    """Without the exchange: the two halves, each weighed as half of the step, add up to the whole."""

    class Alone(Processes):
        def add_up(self, gradients: Any) -> None:
            return

        def all_or_none(self, work: Callable[[], Any]) -> Any:
            return work()

    off: dict[str, Any] = {"gradient_clip": 0.0}
    whole = gradient_after(tiny_config(views=4, **off))
    halves = [gradient_after(tiny_config(views=2, **off), processes=Alone(index=k, count=2)) for k in range(2)]
    assert float((halves[0] + halves[1] - whole).norm() / whole.norm()) < 1e-5
    assert float((halves[0] - halves[1]).norm() / whole.norm()) > 1e-2


def test_a_gradient_that_is_not_finite_moves_nothing_and_is_told_once() -> None:
    config = tiny_config()
    training = VolumeTraining(config, seed=0, device=CPU)
    training.train_step(distillation(config))
    assert not training.broken()
    before = {name: value.clone() for name, value in training.state().items()}
    training.train_step(distillation(config, BrokenTeacher(disc_teacher().means, 0.3)))
    after = training.state()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved <= {"generator", "host_generator", "step", "field.level_weight"}
    assert training.broken()
    assert not training.broken()


class HostReads(TorchFunctionMode):
    """Counts where the engine's code reads a tensor's values into Python, or waits for a size, by 'file: function'."""

    READS = (
        *(getattr(Tensor, name) for name in ("item", "tolist", "numpy", "cpu", "nonzero")),
        *(getattr(Tensor, f"__{name}__") for name in ("bool", "int", "float", "index")),
        torch.nonzero,
        torch.is_nonzero,
    )

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in self.READS:
            ours = [f for f in traceback.extract_stack() if Path(f.filename).is_relative_to(ENGINE)]
            if ours:
                self.found[f"{Path(ours[-1].filename).stem}: {ours[-1].name}"] += 1
        return func(*args, **(kwargs or {}))


def test_a_step_reads_only_what_is_listed() -> None:
    """Here the host is the device, so that what it draws and reads itself shows up too. See also test_step_waits."""
    config = tiny_config(albedo_until=0.0)
    training = VolumeTraining(config, seed=0, device=CPU)
    scores = distillation(config)
    with HostReads() as reads:
        for _ in range(9):  # an update of the occupancy among them
            training.train_step(scores)
    # The number of samples, and of rays with a surface: a card has room for more, and asks everywhere.
    cpu_only = {"march: march", "renderer: normals_of_some"}
    host_draws = {"schedules: choose_shading", "distillation: step", "view_weights: nearest_view_weights"}
    assert set(reads.found) <= cpu_only | host_draws
    assert reads.found["march: march"] == 9


class CardTeacher(GaussianTeacher):
    """The disc teacher on a card."""

    def __init__(self, card: torch.device) -> None:
        super().__init__(disc_teacher().means.to(card), 0.3)
        self.device = card
        self.schedule = self.schedule.to(card)

    def encode_prompts(self, prompts: list[str]) -> Conditioning:
        return super().encode_prompts(prompts).to(self.device)


@pytest.mark.cuda
def test_a_step_on_a_card_waits_for_nothing() -> None:
    card = torch.device("cuda", 0)
    config = tiny_config(albedo_until=0.0)
    training = VolumeTraining(config, seed=0, device=card)
    scores = distillation(config, CardTeacher(card))
    training.train_step(scores)  # compiles, allocates, counts samples
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for _ in range(9):
                training.train_step(scores)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    waits = {Path(w.filename).name for w in caught if "synchronizing" in str(w.message)}
    assert waits == set()
    assert not training.broken()
