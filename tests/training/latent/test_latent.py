"""Facts about training the latent model: steps lower the loss, it resumes, its folder is a stock Stable Diffusion.

Of: training/latent.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from dreamfusion_engine.models.load import load_teacher
from dreamfusion_engine.models.pipeline_folder import open_pipeline
from training.latent.autoencoder import AutoencoderPlan, AutoencoderTrainer, colour_error, held_out, measure
from training.latent.autoencoder import export as export_autoencoder
from training.latent.model import LatentModel, LatentSize, encoded, load_autoencoder, make_sampler, take_words
from training.latent.train import WEIGHTS, LatentPlan, LatentTrainer, export
from training.starter.corpus import Corpus

CPU = torch.device("cpu")
PLAN = AutoencoderPlan(pixels=32, channels=(8, 8, 16), groups=4, images=10_000, batch=4)
SIZE = LatentSize(channels=(8, 16, 16), heads=2)


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    return held_out(PLAN, 16, CPU)


@pytest.fixture(scope="module")
def autoencoder(pictures: torch.Tensor, tmp_path_factory: pytest.TempPathFactory) -> tuple[AutoencoderTrainer, Path]:
    """A trainer after two steps, with its checkpoint and its exported model on disk."""
    folder = tmp_path_factory.mktemp("autoencoder")
    trainer = AutoencoderTrainer(PLAN, CPU)
    generator = torch.Generator().manual_seed(0)
    for part in pictures[:8].split(4):
        trainer.train_step(part, generator)
    trainer.save(folder)
    export_autoencoder(trainer, folder, pictures)
    return trainer, folder


@pytest.fixture(scope="module")
def trained(autoencoder: tuple[AutoencoderTrainer, Path], tmp_path_factory: pytest.TempPathFactory) -> LatentTrainer:
    """A denoiser's trainer after two steps, with its checkpoint and its exported folder beside `plan.vae`."""
    plan = LatentPlan(pixels=32, images=100, batch=2, vae=str(autoencoder[1] / "vae"), kinds="mug, snowman")
    trainer = LatentTrainer(plan, CPU, SIZE)
    generator, corpus = torch.Generator().manual_seed(0), few_pictures()
    for _ in range(2):
        trainer.train_step(corpus, generator)
    return trainer


@pytest.fixture(scope="module")
def folder(trained: LatentTrainer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pipeline")
    export(trained, path)
    return path


def few_pictures() -> Corpus:
    return Corpus(pixels=32, capacity=16, fresh=0, seed=0, device=CPU)


@pytest.mark.slow
def test_steps_of_the_autoencoder_bring_pictures_back_better(pictures: torch.Tensor) -> None:
    trainer = AutoencoderTrainer(PLAN, CPU)
    before, _ = measure(trainer.averaged_model(), pictures)
    generator = torch.Generator().manual_seed(0)
    for _ in range(40):
        trainer.train_step(pictures[:8], generator)
    after, _ = measure(trainer.averaged_model(), pictures)
    assert float(after["psnr"]) > float(before["psnr"]) + 1.0  # type: ignore[arg-type]


def test_the_measure_knows_an_error_of_a_tenth_and_its_colour() -> None:
    class Darker(torch.nn.Module):
        """Gives every picture back with a tenth less red."""

        def encode(self, x: torch.Tensor) -> object:
            return type("Encoded", (), {"latent_dist": type("Posterior", (), {"mode": lambda _: x})()})

        def decode(self, x: torch.Tensor) -> object:
            return type("Decoded", (), {"sample": x - 0.2 * torch.tensor([1.0, 0.0, 0.0])[:, None, None]})

    found, _ = measure(Darker(), torch.rand(4, 3, 8, 8) * 0.5 + 0.3)  # type: ignore[arg-type]
    assert found["psnr"] == pytest.approx(20.0 + 4.7712, abs=1e-3)  # a third of the numbers is 0.1 off
    assert found["shift"] == pytest.approx([-0.1, 0.0, 0.0], abs=1e-6)


@pytest.mark.slow
def test_the_autoencoder_trains_on_from_its_checkpoint_bit_for_bit(
    autoencoder: tuple[AutoencoderTrainer, Path], pictures: torch.Tensor
) -> None:
    _, folder = autoencoder
    runs = [AutoencoderTrainer(PLAN, CPU) for _ in range(2)]
    generator = torch.Generator().manual_seed(0)
    for part in pictures[:8].split(4):
        runs[0].train_step(part, generator)
    runs[1].load(folder)
    assert (runs[1].step, runs[1].images) == (2, 8)
    for run in runs:
        run.train_step(pictures[8:12], torch.Generator().manual_seed(1))
    for name, average in runs[0].average.items():
        assert torch.equal(average, runs[1].average[name]), name


def test_the_colour_error_sees_patches_of_a_colour_and_neither_greys_nor_single_pixels() -> None:
    grey = torch.randn(2, 1, 8, 8).expand(2, 3, 8, 8)
    assert float(colour_error(grey)) == pytest.approx(0.0, abs=1e-12)
    green = torch.zeros(2, 3, 8, 8)
    green[:, 1] = 0.3  # a third of it is grey: (-0.1, 0.2, -0.1) is left
    assert float(colour_error(green)) == pytest.approx(0.02)
    signs = torch.tensor([1.0, -1.0]).repeat(4)
    assert float(colour_error(green * signs)) == pytest.approx(0.0, abs=1e-12)


def test_the_autoencoders_rate_warms_up_holds_and_ends_at_a_hundredth(pictures: torch.Tensor) -> None:
    def rate(step: int, images: int) -> float:
        trainer = AutoencoderTrainer(PLAN, CPU)
        trainer.step, trainer.images = step, images
        trainer.train_step(pictures[:2], torch.Generator().manual_seed(0))
        found: float = trainer.optimizer.param_groups[0]["lr"]
        return found / PLAN.learning_rate

    assert rate(0, 0) < 0.01
    assert rate(1000, PLAN.images // 3) == 1.0
    assert rate(9999, PLAN.images) == pytest.approx(0.01)


@pytest.mark.slow
def test_the_exported_autoencoder_gives_latents_a_spread_of_one(
    autoencoder: tuple[AutoencoderTrainer, Path], pictures: torch.Tensor
) -> None:
    vae = load_autoencoder(autoencoder[1] / "vae", CPU)
    assert float(encoded(vae, pictures).std()) == pytest.approx(1.0, rel=0.02)  # fp16 weights, bfloat16 arithmetic


@pytest.mark.slow
def test_the_autoencoder_that_is_kept_gives_held_out_pictures_back_in_their_colours() -> None:
    vae = load_autoencoder(WEIGHTS / "vae", CPU)
    plan = AutoencoderPlan()
    found, _ = measure(vae, held_out(plan, 96, CPU))
    assert float(found["psnr"]) > 26.0  # type: ignore[arg-type]
    assert max(abs(shift) for shift in found["shift"]) < 0.01  # type: ignore[union-attr]
    assert float(found["std"]) * vae.config.scaling_factor == pytest.approx(1.0, abs=0.1)  # type: ignore[arg-type]


@pytest.mark.slow
def test_steps_of_the_denoiser_lower_its_loss(autoencoder: tuple[AutoencoderTrainer, Path]) -> None:
    plan = LatentPlan(pixels=32, images=100_000, batch=8, learning_rate=2e-3, vae=str(autoencoder[1] / "vae"))
    trainer, corpus = LatentTrainer(plan, CPU, SIZE), few_pictures()
    generator = torch.Generator().manual_seed(0)
    losses = [float(trainer.train_step(corpus, generator)) for _ in range(60)]
    assert sum(losses[-10:]) < 0.9 * sum(losses[:10])


@pytest.mark.slow
def test_the_denoiser_trains_on_from_its_checkpoint_bit_for_bit(trained: LatentTrainer, tmp_path: Path) -> None:
    trained.save(tmp_path)
    runs = [LatentTrainer(trained.plan, CPU, SIZE) for _ in range(2)]
    generator, corpus = torch.Generator().manual_seed(0), few_pictures()
    for _ in range(2):
        runs[0].train_step(corpus, generator)
    runs[1].load(tmp_path)
    assert (runs[1].step, runs[1].images) == (2, 4)
    for run in runs:
        run.train_step(few_pictures(), torch.Generator().manual_seed(1))
    for name, average in runs[0].average.items():
        assert torch.equal(average, runs[1].average[name]), name


@pytest.mark.slow
def test_the_autoencoder_is_not_trained_with_the_denoiser(trained: LatentTrainer) -> None:
    assert not any(name.startswith("vae") for name, _ in trained.model.named_parameters())
    assert all(parameter.grad is None for parameter in trained.vae.parameters())


@pytest.mark.slow
def test_the_exported_folder_is_a_stable_diffusion_for_the_engine(
    trained: LatentTrainer, folder: Path, pictures: torch.Tensor
) -> None:
    from diffusers import AutoencoderKL

    opened = open_pipeline(folder)
    assert opened.family == "StableDiffusionPipeline"
    teacher = load_teacher(opened, CPU, precision="float32")
    assert teacher.image_size == 32
    stock = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32)
    with torch.no_grad():
        theirs = stock.encode(2.0 * pictures - 1.0).latent_dist.mode() * stock.config.scaling_factor
        torch.testing.assert_close(teacher.to_model_space(pictures), theirs, rtol=1e-4, atol=1e-4)
    card = json.loads((folder / "dreamfusion.json").read_text())
    assert card["kinds"] == ["mug", "snowman"]
    assert card["training"]["images"] == trained.images
    assert "vae/diffusion_pytorch_model.safetensors" in card["files"]
    assert str(folder.parent) not in (folder / "dreamfusion.json").read_text()


@pytest.mark.slow
def test_the_exported_folder_draws_in_stock_diffusers(trained: LatentTrainer, folder: Path) -> None:
    from diffusers import StableDiffusionPipeline

    stock = StableDiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float32)
    stock.set_progress_bar_config(disable=True)
    averaged = trained.averaged_model()
    for part in ("unet", "text_encoder"):
        theirs = dict(getattr(stock, part).named_parameters())
        for name, weight in getattr(averaged, part).named_parameters():
            torch.testing.assert_close(theirs[name], weight, rtol=2.0**-10, atol=1e-7, msg=name)  # what fp16 keeps
    images = stock("a red mug", num_inference_steps=2, output_type="np").images
    assert images.shape == (1, 32, 32, 3)


def test_the_sampler_is_on_the_schedule_that_is_trained() -> None:
    sampler, trainer_schedule = make_sampler(), torch.linspace(0, 1, 1001, dtype=torch.float64)
    curve = torch.cos((trainer_schedule + 0.008) / 1.008 * torch.pi / 2).square()  # Nichol 2021, eq. 17
    betas = (1.0 - curve[1:] / curve[:-1]).clamp(max=0.999)
    torch.testing.assert_close(sampler.alphas_cumprod.double(), (1.0 - betas).cumprod(0), rtol=1e-3, atol=1e-6)
    assert sampler.config.prediction_type == "v_prediction"
    assert not sampler.config.clip_sample


def test_words_begin_as_the_starters_and_as_far_from_one_another_in_proportion() -> None:
    from safetensors.torch import load_file

    from dreamfusion_engine.models.pipeline_folder import STARTER_FOLDER

    model = LatentModel(SIZE, 8)
    take_words(model)
    words = model.text_encoder.get_input_embeddings().weight.detach()
    learnt = load_file(STARTER_FOLDER / "text_encoder" / "model.safetensors")["shared.weight"].float()
    ratio = words / learnt
    torch.testing.assert_close(ratio, ratio[0, 0].expand_as(ratio), rtol=1e-3, atol=1e-4)
    assert float(words.std()) == pytest.approx(0.1, rel=1e-3)


@pytest.mark.slow
def test_every_file_of_the_full_size_is_under_sixteen_mebibytes(
    autoencoder: tuple[AutoencoderTrainer, Path], tmp_path: Path
) -> None:
    plan = LatentPlan(pixels=64, images=100, batch=2, vae=str(autoencoder[1] / "vae"))
    export(LatentTrainer(plan, CPU), tmp_path)
    assert max(p.stat().st_size for p in tmp_path.rglob("*") if p.is_file()) < 16 << 20
