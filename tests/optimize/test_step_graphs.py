"""Steps whose work is recorded once and replayed take the same steps, bit for bit, as those that run as they are
written. A tape stands in for the CUDA graph: it repeats what was done as literally as a graph does."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from reference.gaussian_teacher import GaussianTeacher
from reference.tape_graph import TapeRecorder
from reference.tiny_pipeline import tiny_pipeline, write_card
from reference.tiny_training import CPU, disc_teacher, tiny_config

from dreamfusion_engine.config.scores import Score
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.events import Event, Note
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.models.load import load_teacher
from dreamfusion_engine.models.pipeline_folder import open_pipeline
from dreamfusion_engine.models.teacher import Teacher, resize_square
from dreamfusion_engine.optimize.sample_capacity import SampleCapacity, sample_capacity
from dreamfusion_engine.optimize.step_graphs import WARM_UP, StepGraphs
from dreamfusion_engine.optimize.step_part import PartWeights
from dreamfusion_engine.optimize.volume_training import VolumeTraining
from dreamfusion_engine.render import renderer

pytestmark = pytest.mark.slow

LOOKS = 16  # steps between looks, which may change the room for samples and so every graph


class AnySize(GaussianTeacher):
    """The disc teacher, of renders of every size."""

    def __init__(self) -> None:
        super().__init__(disc_teacher().means, 0.3)

    def to_model_space(self, image: torch.Tensor, posterior: torch.Tensor | None = None) -> torch.Tensor:
        return super().to_model_space(resize_square(image, self.image_size))


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Teacher:
    """A real unet of 16 x 16 pixels with random weights."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    tiny_pipeline().save_pretrained(folder)
    write_card(folder)
    return load_teacher(open_pipeline(folder), CPU)


@pytest.fixture(autouse=True)
def as_on_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """Normals are asked for at every ray: how many rays have one is nothing that a graph could know."""
    monkeypatch.setattr(renderer, "normals_of_some", renderer.normals_of_all)


def guided(config: GenerateConfig, **guidance: Any) -> GenerateConfig:
    return dataclasses.replace(config, guidance=dataclasses.replace(config.guidance, **guidance))


def scores_of(config: GenerateConfig, teacher: Any = None) -> ScoreDistillation:
    return ScoreDistillation(teacher or AnySize(), config.prompt, "", PromptCard(), config.guidance)


def trained(
    config: GenerateConfig, steps: int, graphs: StepGraphs | None = None, teacher: Any = None, device: Any = CPU
) -> VolumeTraining:
    training = VolumeTraining(config, seed=3, device=device, graphs=graphs)
    training.room = sample_capacity(config, device)  # which only a card needs
    scores = scores_of(config, teacher)
    for _ in range(steps):
        training.train_step(scores)
        if training.step % LOOKS == 0:
            assert not training.broken()
    return training


def differing(a: VolumeTraining, b: VolumeTraining) -> list[str]:
    ours, theirs = a.state(), b.state()
    return [name for name in ours if not torch.equal(ours[name], theirs[name])]


def graphs(patch: pytest.MonkeyPatch) -> tuple[StepGraphs, TapeRecorder, list[Event]]:
    recorder = TapeRecorder(patch)
    events: list[Any] = []
    return StepGraphs(recorder, events.append), recorder, events


LIT: dict[str, Any] = {"albedo_until": 0.1, "textureless": 0.4, "orientation": 1.0}


@pytest.mark.parametrize(
    ("score", "at_once", "least"),
    [("sds", 0, 1.5), ("sds", 2, 1.5), ("csd", 0, 1.5), ("nfsd", 0, 1.5), ("sampled", 2, 0.8)],
)
def test_recorded_steps_are_the_steps_as_written_bit_for_bit(
    score: Score, at_once: int, least: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over every shading, two sizes, opening levels, and weights, scales and noise levels that change all the time.

    least: replays to a part that ran unrecorded. 'sampled' has more kinds of parts, one for each number of its steps.
    """
    config = guided(
        tiny_config(steps=48, views=3, views_at_once=at_once, **{**LIT, "resolution": [12, 16]}),
        score=score,
        scale=7.0,
        rescale=0.6,
        perp_neg="on",
        view_prompts="interpolated",
    )
    plain = trained(config, 48)
    recorded, recorder, events = graphs(monkeypatch)
    replayed = trained(config, 48, recorded)
    assert differing(plain, replayed) == []
    assert len(recorder.recorded) >= 5, "two sizes, and shadings of each"
    replays = sum(tape.replays for tape in recorder.recorded)
    assert replays + recorder.rehearsed + 1 == 48 * (2 if at_once else 1), "the first part counts its samples"
    assert recorded.replays == replays > least * recorder.rehearsed
    assert events == []


def test_a_learned_background_is_recorded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny_config(steps=20, views=2, **LIT)
    config = dataclasses.replace(config, field=dataclasses.replace(config.field, background="learned"))
    recorded, recorder, _ = graphs(monkeypatch)
    assert differing(trained(config, 20), trained(config, 20, recorded)) == []
    assert recorder.recorded


def test_a_real_denoiser_is_recorded(teacher: Teacher, monkeypatch: pytest.MonkeyPatch) -> None:
    config = guided(tiny_config(steps=12, views=2, textureless=0.0, albedo_until=0.0), scale=5.0)
    recorded, recorder, _ = graphs(monkeypatch)
    assert differing(trained(config, 12, teacher=teacher), trained(config, 12, recorded, teacher)) == []
    assert sum(tape.replays for tape in recorder.recorded) > 4


def test_the_tape_notices_work_that_depends_on_more_than_its_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number of Python's in the recorded work would stay what it was: the reason why weights are tensors."""
    config = tiny_config(steps=20, views=1)
    plain = trained(config, 20)
    recorded, _, _ = graphs(monkeypatch)
    monkeypatch.setattr(PartWeights, "opacity", property(lambda weights: weights.values[0].item()))
    replayed = trained(config, 20, recorded)
    assert differing(plain, replayed) != []


def test_what_cannot_be_recorded_runs_as_written_and_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny_config(steps=24, views=2, **LIT)
    recorded, recorder, events = graphs(monkeypatch)

    def fails(work: Any) -> Any:
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nmore lines")

    monkeypatch.setattr(recorder, "record", fails)
    assert differing(trained(config, 24), trained(config, 24, recorded)) == []
    (note,) = events
    assert isinstance(note, Note) and note.code == "memory.graphs"
    assert note.text.endswith("CUDA error: operation not permitted when stream is capturing")
    assert not recorded.working


def test_no_memory_for_graphs_is_no_reason_to_render_less(monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny_config(steps=8, views=1)
    recorded, recorder, events = graphs(monkeypatch)

    def fails(work: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(recorder, "record", fails)
    assert differing(trained(config, 8), trained(config, 8, recorded)) == []
    assert [event.text for event in events if isinstance(event, Note)] == [
        "This run goes on without CUDA graphs, which only make it faster: there is no memory for them"
    ]


@pytest.mark.parametrize("score", ["sdi", "vsd"])
def test_scores_that_the_host_takes_part_in_are_not_recorded(
    score: Score, teacher: Teacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded, recorder, events = graphs(monkeypatch)
    trained(guided(tiny_config(steps=4), score=score), 4, recorded, teacher)
    assert (recorder.rehearsed, recorder.recorded, events) == (0, [], [])


def test_a_step_without_memory_is_made_again_from_the_same_state(monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny_config(steps=20, views=2, albedo_until=1.0)
    recorded, recorder, _ = graphs(monkeypatch)
    training = trained(config, WARM_UP + 4, recorded)
    before = {name: tensor.clone() for name, tensor in training.state().items()}
    replay = recorder.recorded[-1].steps
    working = list(replay)

    def fails() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    replay.insert(len(replay) // 2, fails)
    scores = scores_of(config)
    with pytest.raises(torch.OutOfMemoryError):
        training.train_step(scores)
    after = training.state()
    assert all(torch.equal(before[name], after[name]) for name in before)
    replay[:] = working
    training.train_step(scores)
    assert differing(training, trained(config, WARM_UP + 5)) == []


def test_room_for_samples_grows_before_it_is_full_and_shrinks_when_most_is_empty() -> None:
    room = SampleCapacity(100, CPU)
    assert room.rows(50) is None
    room.counted(1000, 50)  # 20 a ray
    assert (room.rows(50), room.rows(100)) == (1500, 3000)
    for wanted, expected in ((1100, 1500), (1400, 2100), (1400, 2100), (600, 900), (500, 900), (5000, 5000)):
        room.note(torch.tensor([wanted], dtype=torch.int32), 50, room.rows(50) or 0)
        room.note(torch.tensor([10], dtype=torch.int32), 50, room.rows(50) or 0)
        room.adapt()
        assert room.rows(50) == expected, wanted
    assert room.short, "5000 did not fit into 900"


def test_a_step_whose_samples_do_not_fit_moves_nothing_and_the_next_ones_have_room() -> None:
    config = tiny_config(steps=30, views=2)
    training = trained(config, 3)
    assert training.room is not None
    training.room._rows = 1.0  # a sample a ray
    scores = scores_of(config)
    before = {name: tensor.clone() for name, tensor in training.state().items()}
    training.train_step(scores)
    after = training.state()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"generator", "host_generator", "step", "field.level_weight"}
    assert not training.broken(), "nothing is wrong with the field; and here it looks"
    before = {name: tensor.clone() for name, tensor in training.state().items()}
    training.train_step(scores)
    assert not torch.equal(before["field.grid.table"], training.state()["field.grid.table"])


@pytest.mark.cuda
def test_replays_on_a_card_are_steps_as_written_to_rounding() -> None:
    from optimize.test_volume_training import CardTeacher

    from dreamfusion_engine.optimize.step_graphs import CudaRecorder

    card = torch.device("cuda", 0)
    config = tiny_config(steps=40, views=2, **LIT)
    events: list[Event] = []
    recorded = StepGraphs(CudaRecorder(card), events.append)
    plain, replayed = (trained(config, 20, g, CardTeacher(card), card) for g in (None, recorded))
    assert events == [] and recorded._recorded
    for one, other in zip(plain.field.parameters(), replayed.field.parameters(), strict=True):
        # Additions meet in any order on a card, and Adam divides by small numbers in its first steps.
        assert float((one - other).norm() / one.norm()) < 0.05
