"""Facts about what a step waits for on a card: nothing.

Of: dreamfusion_engine/optimize/volume_training.py, dreamfusion_engine/guidance/distillation.py.
"""

from __future__ import annotations

import dataclasses
import traceback
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
import warp as wp
from reference.gaussian_teacher import GaussianTeacher
from reference.pretend_card import CARD, HostWork, SentValues, without_kernels
from reference.tiny_training import CPU, SIZE, disc_teacher, tiny_config
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from dreamfusion_engine.config.stages import Shading
from dreamfusion_engine.field.occupancy import OccupancyGrid
from dreamfusion_engine.field.radiance import RadianceField
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.guidance.step_inputs import ViewRange
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.models.teacher import Conditioning
from dreamfusion_engine.optimize.sample_capacity import sample_capacity
from dreamfusion_engine.optimize.step_part import PartInputs, PartPlan, add_gradients, part_weights
from dreamfusion_engine.optimize.step_views import sample_step_views
from dreamfusion_engine.optimize.volume_training import VolumeTraining
from dreamfusion_engine.render import renderer

ENGINE = Path(__file__).resolve().parents[2] / "dreamfusion_engine"


class Pretended(GaussianTeacher):
    """The disc teacher on the pretended card."""

    def __init__(self) -> None:
        super().__init__(disc_teacher().means.to(CARD), 0.3)
        self.usable = self.schedule.usable
        self.schedule = self.schedule.to(CARD)
        self.device = CARD

    def encode_prompts(self, prompts: list[str]) -> Conditioning:
        return super().encode_prompts(prompts).to(CARD)


@pytest.mark.parametrize("background", ["random", "learned"])
@pytest.mark.parametrize("shading", ["albedo", "lambertian", "textureless"])
def test_from_rays_to_gradients_nothing_is_read_from_the_card_and_nothing_is_sent_to_it(
    shading: Shading, background: Literal["random", "learned"], monkeypatch: pytest.MonkeyPatch
) -> None:
    launched = without_kernels(monkeypatch)
    config = tiny_config(views=2)
    config = dataclasses.replace(config, field=dataclasses.replace(config.field, background=background))
    field, occupancy = RadianceField(config.field, seed=0, device=CARD), OccupancyGrid(config.render, CARD)
    teacher: Any = Pretended()
    monkeypatch.setattr(type(teacher.schedule), "usable", teacher.usable)
    scores = ScoreDistillation(teacher, config.prompt, "", PromptCard(), config.guidance)
    host = torch.Generator().manual_seed(0)
    views = sample_step_views(config, 2, SIZE, host, host)
    angles = views.cameras.azimuth, views.cameras.elevation
    shape = (2, *scores.model_shape(SIZE))
    inputs = PartInputs(
        views=views.on(CARD),
        step=scores.step_inputs(shape, *angles, shading, 0.5, host, ViewRange(first=0, total=2)),
        weights=part_weights(0.5, 1.0, config).on(CARD),
    )
    room = sample_capacity(config, CARD)
    for _ in range(2):  # the first makes the gradients, the second adds to them
        with HostWork() as work, SentValues() as sent:
            plan = PartPlan(size=SIZE, shading=shading, views=2, rows=4000)
            seen = add_gradients(field, occupancy, config, scores, inputs, plan)
            assert seen.wanted is not None
            room.note(seen.wanted, 2 * SIZE * SIZE, 4000)
        assert not work.found and not sent.found
    assert all(parameter.grad is not None and parameter.grad.device == CARD for parameter in field.parameters())
    lit = shading != "albedo"
    assert launched["encode"] == (4 if lit else 2), "samples, and where rays meet something"
    assert launched["table_gradient_atomic"] == launched["encode"]
    assert launched["count_samples"] == launched["composite_rays"] == launched["composite_rays_gradient"] == 2


class Reads(TorchDispatchMode):
    """Notes where the engine's code makes an operation that a card's host would have to wait for."""

    NAMES = ("_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "unique", "equal", "repeat_interleave")

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        places = args[1] if name.startswith("index") and len(args) > 1 and isinstance(args[1], list | tuple) else ()
        by_mask = any(isinstance(place, Tensor) and place.dtype in (torch.bool, torch.uint8) for place in places)
        if by_mask or any(name == one or name.startswith(one + "_") for one in self.NAMES):
            ours = [f for f in traceback.extract_stack() if Path(f.filename).is_relative_to(ENGINE)]
            self.found.add(f"{Path(ours[-1].filename).stem}: {ours[-1].name}" if ours else f"{name}, from nowhere")
        return func(*args, **(kwargs or {}))


def test_whole_steps_read_only_what_the_host_itself_drew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the host is the device, so what it draws for itself shows up too: the shading, and where cameras are."""

    def waits(*arguments: Any, **options: Any) -> None:
        raise AssertionError("a step waits for the card")

    for name in ("synchronize", "synchronize_device", "synchronize_stream", "synchronize_event"):
        monkeypatch.setattr(wp, name, waits)
    monkeypatch.setattr(wp.array, "numpy", waits)
    monkeypatch.setattr(renderer, "normals_of_some", renderer.normals_of_all)  # as on a card
    config = tiny_config(views=2, albedo_until=0.0)
    training = VolumeTraining(config, seed=0, device=CPU)
    training.room = sample_capacity(config, CPU)
    scores = ScoreDistillation(disc_teacher(), config.prompt, "", PromptCard(), config.guidance)
    training.train_step(scores)  # counts its samples
    with Reads() as reads:
        for _ in range(9):  # an update of the occupancy among them
            training.train_step(scores)
    assert reads.found <= {"schedules: choose_shading", "view_weights: nearest_view_weights"}
    with Reads() as reads:
        training.room = None
        training.train_step(scores)
    assert "march: march" in reads.found, "what would be read without room for samples"


def test_the_grid_of_occupied_cells_is_looked_at_without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    without_kernels(monkeypatch)
    config = tiny_config()
    field, occupancy = RadianceField(config.field, seed=0, device=CARD), OccupancyGrid(config.render, CARD)
    real = torch.rand
    monkeypatch.setattr(torch, "rand", lambda *size, generator, device: real(*size, device=device))
    place = occupancy.occupied
    for _ in range(6):
        with HostWork() as work, SentValues() as sent:
            field.open_levels(0.3)
            occupancy.update(field.density, torch.Generator())
        assert not work.found and not sent.found
        assert occupancy.occupied is place, "recorded steps look where they always looked"


def test_the_pretended_card_tells_what_a_card_would_wait_for() -> None:
    x = torch.rand(4, device=CARD)
    for reads in (lambda: x.sum().item(), lambda: x[x > 0.5], lambda: bool(x.any()), lambda: x.nonzero(), x.tolist):
        with pytest.raises((NotImplementedError, RuntimeError)):
            reads()
    with HostWork() as work, SentValues() as sent:
        x * 2.0 + 1.0
        assert not work.found and not sent.found
        torch.rand(4).to(CARD)
        torch.tensor([1.0, 2.0], device=CARD)
    assert work.found and sent.found == {"tensor": 1}
