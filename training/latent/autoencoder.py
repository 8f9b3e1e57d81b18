"""Train the autoencoder of the latent model: `python -m training.latent.autoencoder --output FOLDER`.

The corpus is rendered while training runs. Stopping at any moment and starting the same command again goes on from the
last checkpoint. FOLDER/vae is the averaged model, FOLDER/reconstructions.png what it makes of held-out pictures.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from PIL import Image
from torch import Tensor

from dreamfusion_engine.machine.device import training_cast
from training.starter.averaged import Averaged, average_in, learning_rate
from training.starter.checkpoint import FILE
from training.starter.corpus import Corpus
from training.starter.objects.kinds import STARTER_KINDS, kinds_named

HELD_OUT_SEED = 900_001  # of the pictures that it is measured with
_TAIL, _LAST_RATE = 0.6, 0.01  # of the learning rate, see `AutoencoderPlan`
_FIRST_LOG_VARIANCE = -6.0  # a posterior as wide as its mean would drown the first pictures in noise


@dataclass(frozen=True, kw_only=True)
class AutoencoderPlan:
    """What is trained and for how long, counted in pictures."""

    pixels: int = 64
    channels: tuple[int, ...] = (16, 48, 96)  # few at full resolution, where a step is dearest
    groups: int = 4  # of the norms: each forgets a mean, and with many of them colours suffer
    images: int = 50_000
    batch: int = 8
    learning_rate: float = 1.5e-3  # AdamW, betas 0.9 0.99; cosine to a hundredth over the last 60 %
    colour: float = 5.0  # weight of the squared error of hue and saturation over patches, see `colour_error`
    kl: float = 1e-5  # weight of the mean divergence of a latent number, in nats
    fresh: float = 0.15  # new pictures traced for each one used
    capacity: int = 16_384  # traced pictures kept
    seed: int = 0
    kinds: str = STARTER_KINDS


def make_autoencoder(channels: Sequence[int], groups: int, pixels: int) -> AutoencoderKL:
    """A small AutoencoderKL of 4 latent channels, a quarter of the pixels' side with three levels."""
    levels = len(channels)
    return AutoencoderKL(
        block_out_channels=tuple(channels),
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=groups,
        sample_size=pixels,
        mid_block_add_attention=False,
        force_upcast=False,
    )


def colour_error(error: Tensor) -> Tensor:
    """Mean square of what is left of an error float32[B, 3, H, W] without its grey part, averaged over 4 x 4 pixels.

    Most of the corpus is grey, so that the other errors alone leave a whole axis of colour, green to magenta, out of
    the latents for many thousand pictures.
    """
    return torch.nn.functional.avg_pool2d(error - error.mean(dim=1, keepdim=True), 4).square().mean()


class AutoencoderTrainer(Averaged):
    """The autoencoder, its moving average and its optimizer, with everything a checkpoint holds."""

    model: AutoencoderKL

    def __init__(self, plan: AutoencoderPlan, device: torch.device) -> None:
        torch.manual_seed(plan.seed)
        self.plan = plan
        self.device = device
        self.model = make_autoencoder(plan.channels, plan.groups, plan.pixels)
        with torch.no_grad():
            self.model.quant_conv.bias[4:] = _FIRST_LOG_VARIANCE
        self.model.to(device, memory_format=torch.channels_last)
        self.average = {name: p.detach().clone() for name, p in self.model.named_parameters()}
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=plan.learning_rate, betas=(0.9, 0.99), weight_decay=1e-4, fused=True
        )
        self.step = 0
        self.images = 0
        self.seconds = 0.0

    def train_step(self, pictures: Tensor, generator: torch.Generator) -> Tensor:
        """Make one optimizer step; return [absolute, squared, colour error, divergence], on the device.

        Errors are means over the numbers of pictures in [-1, 1], the divergence over those of latents.

        pictures: float32[B, 3, H, W] in [0, 1].
        generator: source of the random numbers.
        """
        x = (2.0 * pictures - 1.0).contiguous(memory_format=torch.channels_last)
        with training_cast(self.device):
            posterior = self.model.encode(x).latent_dist
        mean, log_variance = posterior.mean.float(), posterior.logvar.float()
        noise = torch.randn(mean.shape, generator=generator, device=self.device)
        z = mean + (0.5 * log_variance).exp() * noise
        with training_cast(self.device):
            y = self.model.decode(z).sample
        error = y.float() - x
        parts = torch.stack(
            [
                error.abs().mean(),
                error.square().mean(),
                colour_error(error),
                0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).mean(),
            ]
        )
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.plan, self.step, self.images, tail=_TAIL, last=_LAST_RATE)
        (parts[0] + parts[1] + self.plan.colour * parts[2] + self.plan.kl * parts[3]).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        average_in(self.average, self.model, self.step)
        self.step += 1
        self.images += len(pictures)
        return parts.detach()

    def averaged_model(self) -> AutoencoderKL:
        """A copy of the model with the averaged weights."""
        model = make_autoencoder(self.plan.channels, self.plan.groups, self.plan.pixels).to(self.device)
        self.fill_with_average(model)
        return model.eval()


def held_out(plan: AutoencoderPlan, count: int, device: torch.device) -> Tensor:
    """`count` pictures float32[count, 3, H, W] in [0, 1] of objects that no training sees."""
    corpus = Corpus(
        pixels=plan.pixels,
        capacity=count,
        fresh=0.0,
        seed=HELD_OUT_SEED,
        device=device,
        kinds=kinds_named(plan.kinds),
    )
    return corpus.pictures(count)[0]


@torch.no_grad()
def measure(model: AutoencoderKL, pictures: Tensor) -> tuple[dict[str, float | list[float]], Tensor]:
    """Return how well `model` reconstructs pictures, and the reconstructions.

    psnr is the mean over pictures, in dB, from the mean of the posterior as the engine takes it. shift is the mean
    error of red, green and blue. std is the spread of the latents.

    model: AutoencoderKL.
    pictures: float32[B, 3, H, W] in [0, 1].
    """
    mean = torch.cat([model.encode(2.0 * part - 1.0).latent_dist.mode() for part in pictures.split(32)])
    back = torch.cat([model.decode(part).sample for part in mean.split(32)])
    back = (0.5 * back + 0.5).clamp(0.0, 1.0)
    squared = (back - pictures).square().mean(dim=(1, 2, 3))
    found: dict[str, float | list[float]] = {
        "psnr": float((-10.0 * squared.log10()).mean()),
        "shift": (back - pictures).mean(dim=(0, 2, 3)).tolist(),
        "std": float(mean.std()),
    }
    return found, back


def save_reconstructions(pictures: Tensor, back: Tensor, file: Path) -> None:
    """Rows of eight pictures, float32[B, 3, H, W], each over its reconstruction."""
    rows = []
    for first, second in zip(pictures.split(8), back.split(8), strict=True):
        rows += [torch.cat(list(first), dim=2), torch.cat(list(second), dim=2)]
    array = (torch.cat(rows, dim=1).permute(1, 2, 0).clamp(0.0, 1.0) * 255.0 + 0.5).to(torch.uint8).cpu().numpy()
    Image.fromarray(array).save(file)


def export(trainer: AutoencoderTrainer, folder: Path, pictures: Tensor) -> dict[str, float | list[float]]:
    """Write the averaged model to `folder`/vae, in fp16, with the scaling factor that gives its latents spread 1.

    trainer: AutoencoderTrainer.
    folder: Path.
    pictures: float32[B, 3, H, W] in [0, 1], from which the factor is measured.
    """
    model = trainer.averaged_model()
    found, back = measure(model, pictures)
    model.register_to_config(scaling_factor=1.0 / float(found["std"]))  # type: ignore[arg-type]
    model.half().save_pretrained(folder / "vae", safe_serialization=True)
    save_reconstructions(pictures[:32], back[:32], folder / "reconstructions.png")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder of the checkpoint and of the autoencoder")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop (with a checkpoint) after so long")
    parser.add_argument("--save-minutes", type=float, default=3.0, help="between checkpoints")
    parser.add_argument("--threads", type=int, default=0, help="of the processor; 0 for torch's choice")
    defaults = asdict(AutoencoderPlan())
    for name, default in defaults.items():
        if name != "channels":
            parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    parser.add_argument("--channels", type=int, nargs="+", default=list(defaults["channels"]))
    arguments = parser.parse_args()
    values = {name: getattr(arguments, name) for name in defaults}
    plan = AutoencoderPlan(**values | {"channels": tuple(arguments.channels)})
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    arguments.output.mkdir(parents=True, exist_ok=True)
    trainer = AutoencoderTrainer(plan, device)
    if (arguments.output / FILE).exists():
        trainer.load(arguments.output)
    # A seed that no earlier pictures had.
    corpus = Corpus(
        pixels=plan.pixels,
        capacity=plan.capacity,
        fresh=plan.fresh,
        seed=plan.seed + trainer.step,
        device=device,
        kinds=kinds_named(plan.kinds),
    )
    generator = torch.Generator(device=device).manual_seed(plan.seed + trainer.step + 1_000_003)
    pictures = held_out(plan, 64, device)
    begun = saved = shown = time.monotonic()
    before = trainer.seconds
    losses: list[Tensor] = []
    while trainer.images < plan.images:
        losses.append(trainer.train_step(corpus.pictures(plan.batch)[0], generator))
        now = time.monotonic()
        trainer.seconds = before + now - begun
        over = now - begun > 60.0 * arguments.minutes
        row: dict[str, object] = {}
        if len(losses) >= 100:
            parts = [round(value, 5) for value in torch.stack(losses).mean(dim=0).tolist()]
            row = {"images": trainer.images} | dict(zip(("absolute", "squared", "colour", "kl"), parts, strict=True))
            row["images_per_second"] = round(len(losses) * plan.batch / (now - shown), 1)
            losses, shown = [], now
        if over or now - saved > 60.0 * arguments.save_minutes or trainer.images >= plan.images:
            trainer.save(arguments.output)
            row = {"images": trainer.images} | row | export(trainer, arguments.output, pictures)
            saved = time.monotonic()
        if row:
            with (arguments.output / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(row) + "\n")
        if over:
            break


if __name__ == "__main__":
    main()
