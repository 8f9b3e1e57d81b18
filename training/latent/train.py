"""Train the latent model's denoiser and text encoder: `python -m training.latent.train --output FOLDER`.

The autoencoder comes first, `python -m training.latent.autoencoder`; frozen, it encodes the corpus while training runs.
Stopping at any moment and starting the same command again goes on from the last checkpoint.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from training.latent.model import LatentModel, LatentSize, encoded, load_autoencoder, save_latent_pipeline, take_words
from training.starter.objects.kinds import STARTER_KINDS, kinds_named
from training.starter.train import Trainer, TrainingPlan, arguments_of, told_of, train

WEIGHTS = Path(__file__).resolve().parent / "weights"


@dataclass(frozen=True, kw_only=True)
class LatentPlan(TrainingPlan):
    """What is trained and for how long, counted in pictures, all of them at full resolution."""

    half_images: int = 0
    kinds: str = STARTER_KINDS
    vae: str = str(WEIGHTS / "vae")  # folder of the autoencoder


class LatentTrainer(Trainer):
    """The starter's trainer over an autoencoder's latents."""

    plan: LatentPlan
    text_rate = 1.0  # CLIP's weights are of the size of the UNet's

    def __init__(self, plan: LatentPlan, device: torch.device, size: LatentSize | None = None) -> None:
        self._size = size or LatentSize()
        self.vae = load_autoencoder(Path(plan.vae), device)
        super().__init__(plan, device)

    def make_model(self) -> LatentModel:
        levels = len(self.vae.config.block_out_channels)
        model = LatentModel(self._size, self.plan.pixels // 2 ** (levels - 1))
        take_words(model)
        return model

    def clean(self, pictures: Tensor) -> Tensor:
        return encoded(self.vae, pictures)


def export(trainer: LatentTrainer, folder: Path) -> None:
    """Write the averaged model and the autoencoder as a pipeline folder."""
    training = told_of(trainer)
    del training["plan"]["vae"]  # where it lies on this machine; its checksum is on the card
    model = trainer.averaged_model()
    save_latent_pipeline(model, trainer.vae, folder, kinds_named(trainer.plan.kinds), training)


def main() -> None:
    arguments = arguments_of(__doc__, LatentPlan())
    plan = LatentPlan(**{name: getattr(arguments, name) for name in asdict(LatentPlan())})
    train(LatentTrainer(plan, torch.device(arguments.device)), arguments, export)


if __name__ == "__main__":
    main()
