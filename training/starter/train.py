"""Train the starter model from nothing: `python -m training.starter.train --output FOLDER`.

The corpus is rendered while training runs. The first share of the pictures has half the resolution, where a step costs
a quarter; the same convolutional network then goes on at full resolution. Stopping at any moment and starting the same
command again goes on from the last checkpoint.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from dreamfusion_engine.machine.device import training_cast
from dreamfusion_engine.models.card_file import PICTURE_NAME
from training.starter.averaged import Averaged, average_in, learning_rate
from training.starter.checkpoint import FILE
from training.starter.contact_sheet import contact_sheet
from training.starter.corpus import Corpus
from training.starter.model import ModelSize, StarterModel, TextToImage, make_scheduler, save_pipeline, start_from
from training.starter.model_card import model_card
from training.starter.objects.kinds import kinds_named

FRONTS = 2.0  # pictures of a kind with a front, to one of another kind
_PICTURE_PIXELS = 72  # side of one view in the picture of what the model knows


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """What is trained and for how long, counted in pictures."""

    pixels: int = 64
    images: int = 200_000
    half_images: int = 100_000  # of these, at half resolution
    batch: int = 32
    learning_rate: float = 5e-4  # AdamW, betas 0.9 0.99; cosine to a tenth over the last 40 %
    no_caption: float = 0.1  # share trained without caption, for classifier-free guidance
    fresh: float = 0.4  # new pictures traced for each one used
    capacity: int = 16_384  # traced pictures kept
    seed: int = 0
    kinds: str = ""  # names with commas between; '' for all
    start: str = ""  # pipeline folder whose weights training begins with; '' for random ones


@dataclass(frozen=True, kw_only=True)
class Examples:
    """What a step is made of: B pictures and what is told of them.

    pictures: float32[B, 3, H, W] in [0, 1].
    captions: B texts; "" where guidance without a prompt is trained.
    t: int64[B], timesteps.
    """

    pictures: Tensor
    captions: list[str]
    t: Tensor


class Trainer(Averaged):
    """The model, its moving average and its optimizer, with everything that a checkpoint holds.

    plan: TrainingPlan.
    device: torch.device to train on.
    text_rate: float, learning rate of the text encoder as a multiple; T5's weights are an order larger.
    added: beginnings of the names of what the pipeline that training begins with may lack.
    """

    model: TextToImage
    text_rate = 3.0
    added: tuple[str, ...] = ()

    def __init__(self, plan: TrainingPlan, device: torch.device) -> None:
        torch.manual_seed(plan.seed)
        self.plan = plan
        self.device = device
        self.model = self.make_model()
        if plan.start:
            start_from(self.model, Path(plan.start), self.added)
        self.model.to(device)
        self.model.unet.to(memory_format=torch.channels_last)
        self.average = {name: p.detach().clone() for name, p in self.model.named_parameters()}
        self.optimizer = torch.optim.AdamW(
            self.parameter_groups(), lr=plan.learning_rate, betas=(0.9, 0.99), weight_decay=0.01, fused=True
        )
        self.alphas = make_scheduler().alphas_cumprod.to(device)
        self.step = 0
        self.images = 0
        self.seconds = 0.0

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the parameters for the optimizer, in groups with the "rate" of each, of the learning rate."""
        unet, text = (list(part.parameters()) for part in (self.model.unet, self.model.text_encoder))
        return [{"params": unet, "rate": 1.0}, {"params": text, "rate": self.text_rate}]

    def make_model(self) -> TextToImage:
        """Return the model with which training begins."""
        return StarterModel(ModelSize(), self.plan.pixels)

    def clean(self, pictures: Tensor) -> Tensor:
        """Return what is noised and denoised: here the pictures themselves, in [-1, 1].

        pictures: float32[B, 3, H, W] in [0, 1].
        """
        return 2.0 * pictures - 1.0

    @property
    def half_resolution(self) -> bool:
        """Return whether the next step is one of those at half resolution."""
        return self.images < self.plan.half_images

    def corpus(self) -> Corpus:
        """Return the pictures for the next steps, at their resolution, with a seed that no earlier ones had."""
        return Corpus(
            pixels=self.plan.pixels // 2 if self.half_resolution else self.plan.pixels,
            capacity=self.plan.capacity,
            fresh=self.plan.fresh,
            fronts=FRONTS,
            seed=self.plan.seed + self.step,
            device=self.device,
            kinds=kinds_named(self.plan.kinds),
        )

    def examples(self, corpus: Corpus, generator: torch.Generator) -> Examples:
        """Return what the next step is made of.

        corpus: Corpus of the pictures.
        generator: source of the timesteps, and of which captions are left out.
        """
        size = 2 * self.plan.batch if self.half_resolution else self.plan.batch
        pictures, captions = corpus.batch(size)
        captions = self.some_left_out(captions, generator)
        return Examples(pictures=pictures, captions=captions, t=self.timesteps(size, generator))

    def some_left_out(self, captions: list[str], generator: torch.Generator, group: int = 1) -> list[str]:
        """Return the captions with some of them, by whole groups, empty: for classifier-free guidance."""
        drop = torch.rand(len(captions) // group, generator=generator, device=self.device) < self.plan.no_caption
        return ["" if d else c for d, c in zip(drop.repeat_interleave(group).tolist(), captions, strict=True)]

    def timesteps(self, count: int, generator: torch.Generator) -> Tensor:
        """Return timesteps int64[count], one in each of `count` equal intervals, so that losses vary less."""
        u = (
            torch.arange(count, device=self.device) + torch.rand(count, generator=generator, device=self.device)
        ) / count
        return (u * len(self.alphas)).long().clamp(max=len(self.alphas) - 1)

    def predict(self, noised: Tensor, examples: Examples) -> Tensor:
        """Return v of the noised examples."""
        return self.model(noised, examples.t, self.model.tokens(examples.captions).to(self.device))

    def train_step(self, corpus: Corpus, generator: torch.Generator) -> Tensor:
        """Make one optimizer step and return the loss, a scalar that stays on the device.

        corpus: Corpus of the pictures.
        generator: source of the noise and the timesteps.
        """
        examples = self.examples(corpus, generator)
        clean = self.clean(examples.pictures).contiguous(memory_format=torch.channels_last)
        t = examples.t
        alpha = self.alphas[t].sqrt()[:, None, None, None]
        sigma = (1.0 - self.alphas[t]).sqrt()[:, None, None, None]
        noise = torch.randn(clean.shape, generator=generator, device=self.device)
        # Few keys, few queries: on a CPU the plain attention trains a tenth faster than the blockwise one.
        attention = sdpa_kernel(SDPBackend.MATH) if self.device.type == "cpu" else contextlib.nullcontext()
        with training_cast(self.device), attention:
            v = self.predict(alpha * clean + sigma * noise, examples)
        loss = torch.nn.functional.mse_loss(v.float(), alpha * noise - sigma * clean)
        for group in self.optimizer.param_groups:
            group["lr"] = group["rate"] * learning_rate(self.plan, self.step, self.images)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        average_in(self.average, self.model, self.step)
        self.step += 1
        self.images += len(t)
        return loss.detach()

    def averaged_model(self) -> TextToImage:
        """Return a copy of the model with the averaged weights."""
        model = self.make_model()
        self.fill_with_average(model)
        return model


T = TypeVar("T", bound=Trainer)


def told_of(trainer: Trainer) -> dict[str, Any]:
    """Return what the model's card says of its training.

    trainer: Trainer.
    """
    return {
        "images": trainer.images,
        "steps": trainer.step,
        "seconds": round(trainer.seconds),
        "device": trainer.device.type,
        "plan": asdict(trainer.plan) | {"start": Path(trainer.plan.start).name},
    }


def export(trainer: Trainer, folder: Path) -> None:
    """Write the averaged model as a pipeline folder.

    trainer: Trainer.
    folder: Path.
    """
    model = trainer.averaged_model()
    if trainer.images <= trainer.plan.half_images:  # it has seen no other
        model.unet.register_to_config(sample_size=trainer.plan.pixels // 2)
    training = told_of(trainer)
    kinds = kinds_named(trainer.plan.kinds)
    save_pipeline(model, folder, kinds, training)
    parameters = sum(p.numel() for p in model.parameters())
    card = model_card(kinds, training, parameters, model.unet.config.sample_size)
    (folder / "README.md").write_text(card, encoding="utf-8")
    contact_sheet(kinds, _PICTURE_PIXELS, torch.device("cpu")).save(folder / PICTURE_NAME)


def arguments_of(description: str | None, defaults: TrainingPlan) -> argparse.Namespace:
    """Return the words of the command line: where, how long, and each field of the plan.

    description: str for --help.
    defaults: TrainingPlan.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder of the checkpoint and of the pipeline")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop (with a checkpoint) after so long")
    parser.add_argument("--save-minutes", type=float, default=2.0, help="between checkpoints")
    for name, default in asdict(defaults).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    return parser.parse_args()


def train(trainer: T, arguments: argparse.Namespace, write: Callable[[T, Path], None]) -> None:
    """Train to the plan's end or for the minutes that were given, with checkpoints.

    trainer: Trainer that begins or continues.
    arguments: from `arguments_of`.
    write: makes the pipeline's folder of a trainer.
    """
    plan = trainer.plan
    arguments.output.mkdir(parents=True, exist_ok=True)
    if (arguments.output / FILE).exists():
        trainer.load(arguments.output)
    corpus, half = trainer.corpus(), trainer.half_resolution
    # Not the corpus's seed: noise must not repeat the numbers that pictures are drawn by.
    generator = torch.Generator(device=trainer.device).manual_seed(plan.seed + trainer.step + 1_000_003)
    begun = saved = shown = time.monotonic()
    before = trainer.seconds
    losses: list[Tensor] = []
    while trainer.images < plan.images:
        if half != trainer.half_resolution:
            corpus, half = trainer.corpus(), trainer.half_resolution
        losses.append(trainer.train_step(corpus, generator))
        now = time.monotonic()
        trainer.seconds = before + now - begun
        over = now - begun > 60.0 * arguments.minutes
        if len(losses) >= 50:
            row = {"images": trainer.images, "loss": round(float(torch.stack(losses).mean()), 5)}
            row["images_per_second"] = round(
                len(losses) * (2 if trainer.images <= plan.half_images else 1) * plan.batch / (now - shown), 1
            )
            with (arguments.output / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(row) + "\n")
            losses, shown = [], now
        if over or now - saved > 60.0 * arguments.save_minutes or trainer.images >= plan.images:
            trainer.save(arguments.output)
            write(trainer, arguments.output / "pipeline")
            saved = time.monotonic()
        if over:
            break


def main() -> None:
    """Train the starter model as the command line says."""
    arguments = arguments_of(__doc__, TrainingPlan())
    plan = TrainingPlan(**{name: getattr(arguments, name) for name in asdict(TrainingPlan())})
    train(Trainer(plan, torch.device(arguments.device)), arguments, export)


if __name__ == "__main__":
    main()
