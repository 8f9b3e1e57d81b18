"""Train the multi-view model: `python -m training.multiview.train --output FOLDER`.

Training begins with the starter's weights, or those of the pipeline that `--start` names. Most steps show groups of
four views of one object; in the others every picture is by itself, told by words alone, so that it keeps what the
starter knows. Stopping at any moment and starting the same command again goes on from the last checkpoint.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dreamfusion_engine.models.card_file import PICTURE_NAME
from dreamfusion_engine.models.multi_view import PIXEL_FAMILY, VIEWS
from dreamfusion_engine.models.pipeline_folder import STARTER_FOLDER
from training.multiview.model import ATTENTION, CAMERA_EMBEDDING, MultiViewModel, cameras_told
from training.starter.contact_sheet import contact_sheet
from training.starter.corpus import Corpus
from training.starter.model import ModelSize, save_pipeline
from training.starter.objects.kinds import STARTER_KINDS, kinds_named
from training.starter.train import FRONTS, Examples, Trainer, TrainingPlan, arguments_of, told_of, train

_PICTURE_PIXELS = 72  # side of one view in the picture of what the model knows


@dataclass(frozen=True, kw_only=True)
class MultiViewPlan(TrainingPlan):
    """What is trained and for how long, counted in pictures, all of them at full resolution."""

    pixels: int = 32
    half_images: int = 0
    batch: int = 24  # pictures, whole groups of four
    learning_rate: float = 5e-4  # of the attention among views and the camera's embedding
    rest: float = 0.06  # learning rate of all else, which the starter has learnt, as a share of that
    fresh: float = 0.3
    kinds: str = STARTER_KINDS
    start: str = str(STARTER_FOLDER)
    # Share of the groups' steps whose views have a time each (Chen 2024, arXiv 2407.01392): a view with more noise
    # learns to look at one with less. With one time for all there is little to be had from looking.
    apart: float = 0.5
    alone: float = 0.3  # share of the steps whose pictures are by themselves (MVDream: 30 %)


@dataclass(frozen=True, kw_only=True)
class ViewExamples(Examples):
    """Examples of which so many views in a row see each other.

    camera: float32[B, 16], what is told of their cameras.
    views: int.
    """

    camera: Tensor
    views: int


class MultiViewTrainer(Trainer):
    """The starter's trainer over groups of views.

    plan: MultiViewPlan.
    device: torch.device to train on.
    size: ModelSize; None for the starter's.
    """

    plan: MultiViewPlan
    model: MultiViewModel
    added = (CAMERA_EMBEDDING,)

    def __init__(self, plan: MultiViewPlan, device: torch.device, size: ModelSize | None = None) -> None:
        self._size = size or ModelSize()
        super().__init__(plan, device)

    def make_model(self) -> MultiViewModel:
        return MultiViewModel(self._size, self.plan.pixels)

    def parameter_groups(self) -> list[dict[str, Any]]:
        named = dict(self.model.named_parameters())
        new = [p for name, p in named.items() if CAMERA_EMBEDDING in name or ATTENTION in name]
        text = list(self.model.text_encoder.parameters())
        apart = {id(p) for p in (*new, *text)}
        rest = [p for p in named.values() if id(p) not in apart]
        return [
            {"params": new, "rate": 1.0},
            {"params": rest, "rate": self.plan.rest},
            {"params": text, "rate": self.plan.rest * self.text_rate},
        ]

    def corpus(self) -> Corpus:
        return Corpus(
            pixels=self.plan.pixels,
            capacity=self.plan.capacity,
            fresh=self.plan.fresh,
            fronts=FRONTS,
            seed=self.plan.seed + self.step,
            device=self.device,
            kinds=kinds_named(self.plan.kinds),
            group=VIEWS,
        )

    def examples(self, corpus: Corpus, generator: torch.Generator) -> ViewExamples:
        """Return what the next step is made of: groups of one caption each, or single pictures."""
        pictures, labels = corpus.pictures(self.plan.batch)
        alone = float(torch.rand(1, generator=generator, device=self.device)) < self.plan.alone
        views = 1 if alone else VIEWS
        captions = self.some_left_out(corpus.captions(labels), generator, views)
        apart = views > 1 and float(torch.rand(1, generator=generator, device=self.device)) < self.plan.apart
        shared = 1 if apart else views  # rows of one time
        t = self.timesteps(len(labels) // shared, generator).repeat_interleave(shared)
        t = t[torch.randperm(len(t), generator=generator, device=self.device)] if apart else t  # they come rising
        azimuth, elevation = [x.azimuth for x in labels], [x.elevation for x in labels]
        camera = cameras_told(azimuth, elevation, views=views).to(self.device)
        return ViewExamples(pictures=pictures, captions=captions, t=t, camera=camera, views=views)

    def predict(self, noised: Tensor, examples: Examples) -> Tensor:
        assert isinstance(examples, ViewExamples)
        tokens = self.model.tokens(examples.captions).to(self.device)
        return self.model.of_views(noised, examples.t, tokens, examples.camera, examples.views)


def export(trainer: MultiViewTrainer, folder: Path) -> None:
    """Write the averaged model as a pipeline folder.

    trainer: MultiViewTrainer.
    folder: Path.
    """
    kinds = kinds_named(trainer.plan.kinds)
    save_pipeline(trainer.averaged_model(), folder, kinds, told_of(trainer), PIXEL_FAMILY)
    if not (folder / PICTURE_NAME).exists():
        contact_sheet(kinds, _PICTURE_PIXELS, torch.device("cpu")).save(folder / PICTURE_NAME)


def main() -> None:
    """Train the multi-view model as the command line says."""
    arguments = arguments_of(__doc__, MultiViewPlan())
    plan = MultiViewPlan(**{name: getattr(arguments, name) for name in asdict(MultiViewPlan())})
    train(MultiViewTrainer(plan, torch.device(arguments.device)), arguments, export)


if __name__ == "__main__":
    main()
