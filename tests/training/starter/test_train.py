"""Facts about training the starter model: it resumes, its pipeline is a stock one, and its schedule is what it says."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dreamfusion_engine.models.load import load_teacher
from dreamfusion_engine.models.pipeline_folder import open_pipeline
from training.starter.averaged import learning_rate
from training.starter.corpus import Corpus
from training.starter.model import ModelSize, StarterModel, make_scheduler, start_from
from training.starter.train import Trainer, TrainingPlan, export

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
PLAN = TrainingPlan(pixels=32, images=100, half_images=4, batch=2)


def corpus() -> Corpus:
    return Corpus(pixels=32, capacity=16, fresh=0, seed=0, device=CPU)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trainer, Path]:
    """A trainer after two steps, with its checkpoint on disk."""
    folder = tmp_path_factory.mktemp("training")
    trainer = Trainer(PLAN, CPU)
    generator, pictures = torch.Generator().manual_seed(0), corpus()
    losses = [float(trainer.train_step(pictures, generator)) for _ in range(2)]
    assert all(0.0 < loss < 10.0 for loss in losses)
    trainer.save(folder)
    return trainer, folder


def test_the_first_pictures_are_trained_at_half_resolution_with_twice_the_batch(trained: tuple[Trainer, Path]) -> None:
    trainer, _ = trained
    assert trainer.images == 4 + 2  # one half-resolution step of 2 x 2, then one full of 2


def test_a_loaded_checkpoint_trains_on_bit_for_bit(trained: tuple[Trainer, Path]) -> None:
    trainer, folder = trained
    other = Trainer(PLAN, CPU)
    other.load(folder)
    assert (other.step, other.images) == (trainer.step, trainer.images)
    for run in (trainer, other):
        run.train_step(corpus(), torch.Generator().manual_seed(1))
    for (name, a), b in zip(trainer.model.named_parameters(), other.model.parameters(), strict=True):
        assert torch.equal(a, b), name


def test_the_exported_folder_is_a_whole_pipeline_for_the_engine_and_for_stock_diffusers(
    trained: tuple[Trainer, Path], tmp_path: Path
) -> None:
    from diffusers import DiffusionPipeline

    trainer, _ = trained
    export(trainer, tmp_path)
    teacher = load_teacher(open_pipeline(tmp_path), CPU, precision="float32")
    stock = DiffusionPipeline.from_pretrained(tmp_path)
    assert stock.unet.dtype == stock.text_encoder.dtype == torch.float32
    assert teacher.image_size == stock.unet.config.sample_size == 32
    ours, theirs = trainer.averaged_model().unet.state_dict(), stock.unet.float().state_dict()
    for name, weight in ours.items():
        torch.testing.assert_close(theirs[name], weight, rtol=2.0**-10, atol=1e-7, msg=name)  # what fp16 keeps
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert max(p.stat().st_size for p in files) < 16 << 20
    assert sum(p.stat().st_size for p in files) < 24 << 20
    assert json.loads((tmp_path / "dreamfusion.json").read_text())["training"]["images"] == trainer.images


def test_v_and_the_schedule_agree_with_the_scheduler_of_diffusers() -> None:
    scheduler = make_scheduler()
    clean, noise = torch.randn(4, 3, 8, 8), torch.randn(4, 3, 8, 8)
    t = torch.tensor([1, 200, 600, 990])
    alpha = scheduler.alphas_cumprod[t].sqrt()[:, None, None, None]
    sigma = (1.0 - scheduler.alphas_cumprod[t]).sqrt()[:, None, None, None]
    torch.testing.assert_close(scheduler.add_noise(clean, noise, t), alpha * clean + sigma * noise)
    torch.testing.assert_close(scheduler.get_velocity(clean, noise, t), alpha * noise - sigma * clean)


def test_the_learning_rate_warms_up_holds_and_ends_at_a_tenth() -> None:
    plan = TrainingPlan()
    assert learning_rate(plan, 0, 0) < 0.01 * plan.learning_rate
    assert learning_rate(plan, 1000, plan.images // 2) == plan.learning_rate
    assert learning_rate(plan, 9999, plan.images) == pytest.approx(0.1 * plan.learning_rate)


def test_training_can_start_from_the_weights_of_a_pipeline(trained: tuple[Trainer, Path], tmp_path: Path) -> None:
    trainer, _ = trained
    export(trainer, tmp_path)
    started = Trainer(replace(PLAN, start=str(tmp_path)), CPU)
    averaged = dict(trainer.averaged_model().named_parameters())
    for name, parameter in started.model.named_parameters():
        torch.testing.assert_close(parameter, averaged[name], rtol=2.0**-10, atol=1e-7, msg=name)
    card = tmp_path / "again"
    export(started, card)
    assert json.loads((card / "dreamfusion.json").read_text())["training"]["plan"]["start"] == tmp_path.name


def test_words_for_exact_cameras_begin_as_mixtures_of_what_a_model_knows_of_views(
    trained: tuple[Trainer, Path], tmp_path: Path
) -> None:
    """From a model that knew views and no exact cameras; halfway between front and right is as near to both."""
    trainer, _ = trained
    export(trainer, tmp_path)
    tokenizer = tmp_path / "tokenizer" / "tokenizer.json"
    tokenizer.write_text(re.sub('"(azimuth|elevation)', r'"other\1', tokenizer.read_text()))
    model = StarterModel(ModelSize(), 32)
    start_from(model, tmp_path)
    rows, embedding = model.tokenizer.get_vocab(), model.text_encoder.shared.weight
    front, right, between = (embedding[rows[word]] for word in ("front", "right", "azimuth045"))
    torch.testing.assert_close(between, math.sqrt(0.5) * (front + right))
    torch.testing.assert_close(embedding[rows["elevation00"]], embedding[rows["view"]])


def test_a_model_of_a_few_kinds_says_so(trained: tuple[Trainer, Path], tmp_path: Path) -> None:
    trainer = Trainer(replace(PLAN, kinds="mug, snowman"), CPU)
    export(trainer, tmp_path)
    card = json.loads((tmp_path / "dreamfusion.json").read_text())
    assert card["kinds"] == ["mug", "snowman"]
    assert "handle" in card["words"] and "hamburger" not in card["words"]
    pictures = trainer.corpus()
    assert {label.kind.names[0] for label in pictures.pictures(40)[1]} == {"mug", "snowman"}
