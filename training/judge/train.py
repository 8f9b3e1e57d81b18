"""Train the judge from nothing: `python -m training.judge.train --output FOLDER`.

Contrastively, on the starter model's corpus with seeds of its own: in a batch, every caption that is true of a picture
draws it nearer and every other one pushes it away, among them captions that differ from a true one in a single word.
Stopping and starting again goes on from the checkpoint.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from dreamfusion_engine.judge.model import Judge, caption_vectors, picture_vectors
from dreamfusion_engine.machine.device import training_cast
from training.judge.choices import choice_loss, choices
from training.judge.network import JudgeSize, make_judge, save_judge, start_from
from training.judge.truth import shown, statement, truth
from training.starter.captions import make_tokenizer
from training.starter.checkpoint import FILE, load_training, save_training
from training.starter.corpus import Corpus

_SEEDS = 500_000_000  # far from the seeds of the starter model's corpus
_WARM_UP = 100  # steps
_LARGEST_SCALE = math.log(100.0)  # of the logits, as in CLIP


@dataclass(frozen=True, kw_only=True)
class JudgePlan:
    """What is trained and for how long."""

    images: int = 400_000
    batch: int = 256
    learning_rate: float = 1e-3  # AdamW, cosine to zero
    fresh: float = 0.1  # new pictures traced for each one used
    capacity: int = 32_768
    seed: int = 0
    parts: float = 0.0  # how often a part has a colour of its own, which is asked then; 0: as in the starter's corpus
    start: str = ""  # a judge's folder whose weights training begins with; '' for random ones


def contrastive_loss(similarity: Tensor, true: Tensor) -> Tensor:
    """Return the cross entropy to all that is true, in both directions (CLIP's, with several right answers); a scalar.

    similarity: float32[N, N], scaled.
    true: bool[N, N], with true[i, i].
    """
    target = true.float()
    rows = -(target / target.sum(1, keepdim=True) * similarity.log_softmax(1)).sum(1).mean()
    columns = -(target / target.sum(0, keepdim=True) * similarity.log_softmax(0)).sum(0).mean()
    return 0.5 * (rows + columns)


def varied(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures a little larger or smaller, shifted, brighter or darker, softer and noisy: float32[B, 3, H, W].

    What the judge sees later are renders of reconstructed meshes and samples, not clean pictures of the corpus.
    """
    count, device = len(pictures), pictures.device

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(count, *shape, generator=generator, device=device)

    zoom, shift = uniform(0.9, 1.3), uniform(-0.12, 0.12, 2)
    affine = torch.zeros(count, 2, 3, device=device)
    affine[:, 0, 0] = affine[:, 1, 1] = zoom
    affine[:, :, 2] = shift
    grid = torch.nn.functional.affine_grid(affine, list(pictures.shape), align_corners=False)
    moved = torch.nn.functional.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    soft = torch.nn.functional.avg_pool2d(torch.nn.functional.pad(moved, (1, 1, 1, 1), mode="replicate"), 3, 1)
    blend = uniform(0.0, 0.6, 1, 1, 1)
    noise = uniform(0.0, 0.05, 1, 1, 1) * torch.randn(moved.shape, generator=generator, device=device)
    return ((moved + blend * (soft - moved)) * uniform(0.9, 1.1, 1, 1, 1) + noise).clamp(0.0, 1.0)


class JudgeTrainer:
    """Networks, optimizer and everything that a checkpoint holds."""

    def __init__(self, plan: JudgePlan, size: JudgeSize, device: torch.device) -> None:
        torch.manual_seed(plan.seed)
        self.plan = plan
        self.device = device
        self.model = make_judge(size)
        if plan.start:
            start_from(self.model, Path(plan.start))
        self.model.to(device)
        self.judge = Judge(self.model, make_tokenizer())
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=plan.learning_rate, betas=(0.9, 0.98), weight_decay=0.05, fused=True
        )
        self.images = 0

    def corpus(self) -> Corpus:
        """Pictures that neither the starter model nor an earlier part of this training has seen."""
        return Corpus(
            pixels=self.model.config.vision_config.image_size,
            capacity=self.plan.capacity,
            fresh=self.plan.fresh,
            seed=_SEEDS + self.plan.seed + self.images,
            device=self.device,
            parts=self.plan.parts,
        )

    def train_step(self, corpus: Corpus, generator: torch.Generator) -> Tensor:
        """Make one step; return the loss, a scalar on the device.

        corpus: Corpus of the pictures.
        generator: source of the random numbers.
        """
        self.model.train()
        pictures, labels = corpus.pictures(self.plan.batch)
        texts, said = zip(*(statement(corpus.rng, label) for label in labels), strict=True)
        true = truth([shown(label) for label in labels], list(said)).to(self.device)
        asked = choices(corpus.rng, labels, parts=self.plan.parts > 0.0)
        encoded = self.judge.tokenizer([*texts, *asked.captions], padding=True, return_tensors="pt").to(self.device)
        with training_cast(self.device):
            seen = picture_vectors(self.model, self.judge.normalised(varied(pictures, generator)))
            read = caption_vectors(self.model, encoded.input_ids, encoded.attention_mask)
        similarity = self.model.logit_scale.exp() * seen.float() @ read.float().T
        own = similarity[:, : len(texts)]
        loss = contrastive_loss(own, true) + choice_loss(similarity[:, len(texts) :], asked)
        step, total = self.images / self.plan.batch, self.plan.images / self.plan.batch
        for group in self.optimizer.param_groups:
            group["lr"] = (
                self.plan.learning_rate
                * min(1.0, (step + 1) / _WARM_UP)
                * (0.5 + 0.5 * math.cos(math.pi * min(1.0, step / total)))
            )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        with torch.no_grad():
            self.model.logit_scale.clamp_(max=_LARGEST_SCALE)
        self.images += self.plan.batch
        return loss.detach()

    def save(self, folder: Path) -> None:
        """Write checkpoint.safetensors atomically."""
        save_training(folder, self.model, self.optimizer, {"images": self.images})

    def load(self, folder: Path) -> None:
        """Restore `folder`'s checkpoint."""
        numbers, _ = load_training(folder, self.model, self.optimizer, self.device)
        self.images = int(numbers["images"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder of the checkpoint and of the judge")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--save-minutes", type=float, default=2.0, help="between checkpoints")
    for name, default in {**asdict(JudgePlan()), **asdict(JudgeSize())}.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    arguments = parser.parse_args()
    plan = JudgePlan(**{name: getattr(arguments, name) for name in asdict(JudgePlan())})
    size = JudgeSize(**{name: getattr(arguments, name) for name in asdict(JudgeSize())})
    trainer = JudgeTrainer(plan, size, torch.device(arguments.device))
    arguments.output.mkdir(parents=True, exist_ok=True)
    if (arguments.output / FILE).exists():
        trainer.load(arguments.output)
    corpus = trainer.corpus()
    generator = torch.Generator(device=trainer.device).manual_seed(plan.seed + trainer.images + 1_000_003)
    saved = shown_at = time.monotonic()
    losses: list[Tensor] = []
    while trainer.images < plan.images:
        losses.append(trainer.train_step(corpus, generator))
        now = time.monotonic()
        if len(losses) == 20:
            rate = round(len(losses) * plan.batch / (now - shown_at), 1)
            loss = round(float(torch.stack(losses).mean()), 4)
            row = {"images": trainer.images, "loss": loss, "images_per_second": rate}
            with (arguments.output / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(row) + "\n")
            losses, shown_at = [], now
        if now - saved > 60.0 * arguments.save_minutes or trainer.images >= plan.images:
            trainer.save(arguments.output)
            save_judge(trainer.model, arguments.output / "judge")
            saved = now


if __name__ == "__main__":
    main()
