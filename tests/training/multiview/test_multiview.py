"""Facts about the multi-view model: it begins as the starter, views see each other, it resumes, the engine loads it.

Of: training/multiview.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from dreamfusion_engine.models.families.multi_view_pixel import MultiViewPixel
from dreamfusion_engine.models.load import load_teacher
from dreamfusion_engine.models.multi_view import CAMERA, VIEWS
from dreamfusion_engine.models.noise import noise_from_velocity
from dreamfusion_engine.models.pipeline_folder import open_pipeline
from dreamfusion_engine.models.sizes import read_sizes
from training.multiview.measure import LEVELS, errors, held_out
from training.multiview.model import CAMERA_EMBEDDING, MultiViewModel, cameras_told
from training.multiview.packed import pack, unpack
from training.multiview.train import MultiViewPlan, MultiViewTrainer, export
from training.starter.captions import AZIMUTH_WORDS
from training.starter.model import ModelSize, StarterModel, save_pipeline, start_from
from training.starter.objects.kinds import kinds_named

CPU = torch.device("cpu")
SIZE = ModelSize(channels=(8, 8, 16, 16), heads=2)
PLAN = MultiViewPlan(pixels=16, images=1000, batch=8, capacity=16, fresh=0.5, kinds="mug, rubber duck", start="")
NOISED = torch.randn(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))
TIMES = torch.tensor([700] * 4 + [300] * 4)
CAMERAS = cameras_told([0.3 + i * 0.5 * math.pi for i in range(8)], [0.4] * 8, views=VIEWS)


def spread_out(model: MultiViewModel) -> MultiViewModel:
    """The model with random numbers in every parameter that begins as zero."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            if not bool(parameter.any()):
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model


def tokens(model: StarterModel) -> Tensor:
    return model.tokens(["a red mug, front view"] * 4 + ["a rubber duck"] * 4)


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> tuple[StarterModel, Path]:
    """A single-view model with random weights, and its folder."""
    torch.manual_seed(1)
    model = StarterModel(SIZE, 16)
    folder = tmp_path_factory.mktemp("starter")
    save_pipeline(model, folder, kinds_named(PLAN.kinds), {})
    start_from(model, folder)  # as the files have it, in half precision
    return model, folder


@pytest.fixture(scope="module")
def trained(starter: tuple[StarterModel, Path], tmp_path_factory: pytest.TempPathFactory) -> MultiViewTrainer:
    """A trainer after three steps from the single-view model, with its checkpoint and its pipeline on disk."""
    trainer = MultiViewTrainer(replace(PLAN, start=str(starter[1])), CPU, SIZE)
    corpus, generator = trainer.corpus(), torch.Generator().manual_seed(0)
    for _ in range(3):
        assert 0.0 < float(trainer.train_step(corpus, generator)) < 10.0
    spread_out(trainer.model)
    return trainer


@pytest.fixture(scope="module")
def folder(trained: MultiViewTrainer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("multiview")
    trained.save(path)
    export(trained, path / "pipeline")
    return path


@torch.no_grad()
def test_it_begins_as_exactly_the_starter(starter: tuple[StarterModel, Path]) -> None:
    model = MultiViewModel(SIZE, 16)
    start_from(model, starter[1], (CAMERA_EMBEDDING,))
    told = tokens(model)
    expected = starter[0](NOISED, TIMES, told)
    assert float(expected.std()) > 1e-2
    alone = model.of_views(NOISED, TIMES, told, CAMERAS, 1)
    assert torch.equal(alone, expected), "whatever the camera"
    same = NOISED[:1].expand(4, -1, -1, -1)  # to attend to four equal views is to attend to one of them
    together = model.of_views(same, TIMES[:4], told[:4], CAMERAS[:4], VIEWS)
    torch.testing.assert_close(together, starter[0](same, TIMES[:4], told[:4]), atol=1e-5, rtol=1e-5)
    assert float((model.of_views(NOISED, TIMES, told, CAMERAS, VIEWS) - expected).abs().max()) > 1e-4


def test_only_the_cameras_embedding_may_be_missing_from_what_it_begins_with(starter: tuple[StarterModel, Path]) -> None:
    with pytest.raises(ValueError, match="class_embedding"):
        start_from(MultiViewModel(SIZE, 16), starter[1])
    with pytest.raises(ValueError, match="shape"):
        start_from(MultiViewModel(replace(SIZE, channels=(8, 8, 16, 24)), 16), starter[1], (CAMERA_EMBEDDING,))


@torch.no_grad()
def test_the_order_of_views_means_nothing_and_groups_do_not_see_each_other() -> None:
    torch.manual_seed(2)
    model = spread_out(MultiViewModel(SIZE, 16))
    told = tokens(model)
    seen = model.of_views(NOISED, TIMES, told, CAMERAS, VIEWS)
    order = [2, 0, 3, 1, 5, 4, 7, 6]
    moved = model.of_views(NOISED[order], TIMES[order], told[order], CAMERAS[order], VIEWS)
    torch.testing.assert_close(moved, seen[order], atol=1e-5, rtol=1e-5)
    changed = NOISED.clone()
    changed[6] += 1.0
    difference = (model.of_views(changed, TIMES, told, CAMERAS, VIEWS) - seen).abs().amax(dim=(1, 2, 3))
    assert float(difference[:4].max()) == 0.0 and float(difference[4:].min()) > 1e-5
    elsewhere = model.of_views(NOISED, TIMES, told, CAMERAS[order], VIEWS)
    assert float((elsewhere - seen).abs().max()) > 1e-4


def test_a_group_shows_one_object_from_four_sides_in_the_same_words() -> None:
    corpus = MultiViewTrainer(replace(PLAN, capacity=64), CPU, SIZE).corpus()
    pictures, labels = corpus.pictures(64)
    captions = corpus.captions(labels)
    for first in range(0, 64, VIEWS):
        group = labels[first : first + VIEWS]
        assert len({(x.kind.names[0], x.appearance, x.shading, x.elevation) for x in group}) == 1
        turns = [(x.azimuth - group[0].azimuth) % (2.0 * math.pi) for x in group]
        assert turns == pytest.approx([0.0, 0.5 * math.pi, math.pi, 1.5 * math.pi], abs=1e-5)
        assert len({caption.split(",")[0] for caption in captions[first : first + VIEWS]}) == 1
        assert len({x.camera for x in group}) == VIEWS
    assert len({x.kind.names[0] for x in labels}) == 2 and pictures.shape == (64, 3, 16, 16)
    assert any(word in caption for caption in captions for word in AZIMUTH_WORDS)


@pytest.mark.parametrize(("alone", "views"), [(0.0, 4), (1.0, 1)])
def test_a_step_is_of_groups_with_one_time_each_or_of_pictures_that_are_told_no_camera(
    trained: MultiViewTrainer, alone: float, views: int
) -> None:
    trainer = MultiViewTrainer(replace(PLAN, alone=alone, apart=0.0, no_caption=0.5, batch=16), CPU, SIZE)
    generator = torch.Generator().manual_seed(0)
    examples = trainer.examples(trainer.corpus(), generator)
    assert examples.views == views and len(examples.captions) == len(examples.t) == 16
    assert len(set(examples.t.tolist())) == 16 // views
    assert examples.t.view(-1, views).unique(dim=1).shape[1] == 1
    left_out = [[not each for each in examples.captions[i : i + views]] for i in range(0, 16, views)]
    assert {len(set(group)) for group in left_out} == {1} and len({group[0] for group in left_out}) == 2
    assert examples.camera.shape == (16, CAMERA)
    assert bool(examples.camera.any()) == (views > 1)


def test_views_of_a_group_may_have_a_time_each_while_they_see_each_other() -> None:
    trainer = MultiViewTrainer(replace(PLAN, alone=0.0, apart=1.0, batch=16), CPU, SIZE)
    examples = trainer.examples(trainer.corpus(), torch.Generator().manual_seed(0))
    assert examples.views == VIEWS and bool(examples.camera.any())
    spans = examples.t.view(-1, VIEWS)
    assert len(set(examples.t.tolist())) == 16 and float((spans.amax(1) - spans.amin(1)).min()) > 250


@pytest.mark.slow
def test_the_engine_loads_its_folder_and_hears_what_training_computes(folder: Path) -> None:
    pipeline = open_pipeline(folder / "pipeline")
    assert pipeline.family == "MultiViewPixelPipeline" and pipeline.card.closed_vocabulary and pipeline.card.azimuths
    teacher = load_teacher(pipeline, CPU, precision="float32")
    assert isinstance(teacher, MultiViewPixel) and teacher.image_size == 16
    model = MultiViewModel(SIZE, 16)
    start_from(model, folder / "pipeline")  # half precision, as the folder has it
    texts = ["a red mug, front view"] * 4 + ["a rubber duck"] * 4
    with torch.no_grad():
        found = teacher.predict_noise(NOISED, TIMES, teacher.encode_prompts(texts).seen_from(CAMERAS))
        v = model.of_views(NOISED, TIMES, tokens(model), CAMERAS, VIEWS)
        apart = model.of_views(NOISED, TIMES, tokens(model), CAMERAS, 1)
    alpha, sigma = teacher.schedule.at(TIMES)
    expected = noise_from_velocity(v, NOISED, alpha, sigma)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert float((noise_from_velocity(apart, NOISED, alpha, sigma) - expected).abs().max()) > 1e-4
    sizes = read_sizes(folder / "pipeline")
    assert sizes.denoiser == sum(p.numel() for p in model.unet.parameters()) and sizes.denoiser_operations > 0


def test_a_loaded_checkpoint_trains_on_bit_for_bit(trained: MultiViewTrainer, folder: Path) -> None:
    runs = []
    for _ in range(2):
        other = MultiViewTrainer(trained.plan, CPU, SIZE)
        other.load(folder)
        assert (other.step, other.images) == (3, 24)
        other.train_step(other.corpus(), torch.Generator().manual_seed(1))
        runs.append(dict(other.model.named_parameters()))
    for name, parameter in runs[0].items():
        assert torch.equal(parameter, runs[1][name]), name


def test_training_moves_the_cameras_embedding(starter: tuple[StarterModel, Path]) -> None:
    trainer = MultiViewTrainer(replace(PLAN, alone=0.0), CPU, SIZE)
    last = trainer.model.unet.class_embedding.linear_2.weight
    assert not bool(last.any())
    trainer.train_step(trainer.corpus(), torch.Generator().manual_seed(0))
    assert bool(last.any())


def test_its_card_says_what_it_began_with_and_how_it_was_trained(trained: MultiViewTrainer, folder: Path) -> None:
    told = json.loads((folder / "pipeline" / "dreamfusion.json").read_text(encoding="utf-8"))["training"]
    assert told["images"] == 24 and told["plan"]["start"] == Path(trained.plan.start).name
    assert told["plan"]["alone"] == PLAN.alone


@pytest.mark.slow
def test_errors_are_measured_on_pictures_that_no_training_sees(folder: Path) -> None:
    teacher = load_teacher(open_pipeline(folder / "pipeline"), CPU, precision="float32")
    pictures, labels = held_out(8, 16)
    rows = [errors(teacher, pictures, labels), errors(teacher, pictures, labels, words=False)]
    assert all(len(row) == len(LEVELS) and min(row) > 0.0 for row in rows) and rows[0] != rows[1]


def test_eight_bits_give_nearly_the_same_model_back(trained: MultiViewTrainer, folder: Path, tmp_path: Path) -> None:
    pack(folder / "pipeline", tmp_path / "model.safetensors", SIZE)
    again = open_pipeline(unpack(tmp_path / "again", tmp_path / "model.safetensors"))
    assert again.family == "MultiViewPixelPipeline" and again.card.kinds == ("mug", "rubber duck")
    back = MultiViewModel(SIZE, 16)
    start_from(back, again.path)
    found = back.state_dict()
    for name, tensor in trained.averaged_model().state_dict().items():
        assert torch.allclose(found[name], tensor, atol=max(float(tensor.abs().max()) / 200, 1e-6)), name
