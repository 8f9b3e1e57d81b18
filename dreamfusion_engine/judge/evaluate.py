"""Scores of the judge on pictures of the corpus, and of a starter model's samples by the judge.

`python -m dreamfusion_engine.judge.evaluate [--judge FOLDER] [--model FOLDER] [--sheet FILE]` prints them as JSON.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dreamfusion_engine.guidance.prompts import VIEWS, View
from dreamfusion_engine.judge.model import WEIGHTS, Judge, load_judge
from dreamfusion_engine.judge.scores import top1
from dreamfusion_engine.starter.captions import SHADING_WORDS, VIEW_WORDS, describe
from dreamfusion_engine.starter.corpus import Corpus, Label
from dreamfusion_engine.starter.objects.kinds import KINDS, Kind, Look

HELD_OUT_SEED = 999_000_000  # of pictures that neither model nor judge was trained on
STARTER = Path(__file__).parents[1] / "starter" / "weights"
_SAMPLING_STEPS = 40
_GUIDANCE_SCALE = 4.0
_BATCH = 64


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Shares in [0, 1] of pictures of which the judge's first choice is right, None where none could be asked.

    kind: among all kinds, pictures in colour. kind_clay: the same for white clay. colour: among the colours that the
    kind takes, the kind given; pictures in colour without pattern. view: among front, side, back and overhead, the
    kind given; kinds with a front only.
    """

    pictures: int
    kind: float | None
    kind_clay: float | None
    colour: float | None
    view: float | None


def judged(judge: Judge, pictures: Tensor, labels: Sequence[Label]) -> Scores:
    """Scores of pictures float32[N, 3, H, H], sRGB in [0, 1], that should show what `labels` say."""
    vectors = judge.pictures(pictures)
    kinds = judge.captions([describe(kind, Look()) for kind in KINDS])
    right_kind = top1(vectors @ kinds.T, [KINDS.index(label.kind) for label in labels])
    clay = torch.tensor([label.shading == "textureless" for label in labels], device=vectors.device)
    colours: dict[Kind, Tensor] = {}
    views: dict[Kind, Tensor] = {}
    right_colour, right_view = [], []
    for vector, label in zip(vectors, labels, strict=True):
        kind = label.kind
        if label.look.colour and not label.look.pattern and label.shading != "textureless":
            if kind not in colours:
                colours[kind] = judge.captions([describe(kind, Look(colour=colour)) for colour in kind.colours])
            right_colour.append(kind.colours[int((colours[kind] @ vector).argmax())] == label.look.colour)
        if kind.front:
            if kind not in views:
                views[kind] = judge.captions([f"{describe(kind, Look())}, {VIEW_WORDS[view]}" for view in VIEWS])
            right_view.append(VIEWS[int((views[kind] @ vector).argmax())] == label.view)
    return Scores(
        pictures=len(labels),
        kind=_share(right_kind[~clay].tolist()),
        kind_clay=_share(right_kind[clay].tolist()),
        colour=_share(right_colour),
        view=_share(right_view),
    )


def _share(right: Sequence[bool]) -> float | None:
    return round(sum(right) / len(right), 4) if right else None


def held_out(judge: Judge, count: int, seed: int = HELD_OUT_SEED) -> Scores:
    """Scores of `count` new pictures of the corpus."""
    side = judge.model.config.vision_config.image_size
    corpus = Corpus(pixels=side, capacity=count, fresh=0.0, seed=seed, device=judge.device)
    corpus.trace(count)
    return judged(judge, *corpus.pictures(count))


def asked_labels(rng: np.random.Generator, count: int) -> list[Label]:
    """What to ask a model for: every kind in turn, a colour if it takes one, every view in turn, lit."""
    labels = []
    for i in range(count):
        kind = KINDS[i % len(KINDS)]
        colour = str(rng.choice(kind.colours)) if kind.colours else None
        view: View = VIEWS[(i + i // len(KINDS)) % len(VIEWS)]
        labels.append(Label(kind=kind, look=Look(colour=colour), view=view, shading="lambertian"))
    return labels


def samples(folder: Path, labels: Sequence[Label], seed: int, device: torch.device) -> Tensor:
    """Pictures float32[N, 3, H, H] that stock diffusers samples from the model in `folder` for the labels' captions."""
    from diffusers import IFPipeline

    pipeline = IFPipeline.from_pretrained(folder, torch_dtype=torch.float32).to(device)
    pipeline.set_progress_bar_config(disable=True)
    texts = [
        f"{describe(x.kind, x.look)}, {VIEW_WORDS[x.view]}"
        + (f", {SHADING_WORDS[x.shading]}" if SHADING_WORDS[x.shading] else "")
        for x in labels
    ]
    generator = torch.Generator(device=device).manual_seed(seed)
    made = []
    for start in range(0, len(texts), _BATCH):
        batch = texts[start : start + _BATCH]
        made.append(
            pipeline(
                prompt_embeds=_embeddings(pipeline, batch),
                negative_prompt_embeds=_embeddings(pipeline, [""] * len(batch)),
                num_inference_steps=_SAMPLING_STEPS,
                guidance_scale=_GUIDANCE_SCALE,
                generator=generator,
                output_type="pt",
            ).images
        )
    return (0.5 + 0.5 * torch.cat(made).float()).clamp(0.0, 1.0)


def _embeddings(pipeline: object, texts: list[str]) -> Tensor:
    """Text states float32[B, L, D]; the pipeline's own encoder pads to 77 tokens, which no small tokenizer allows."""
    tokenizer, encoder = pipeline.tokenizer, pipeline.text_encoder  # type: ignore[attr-defined]
    tokens = tokenizer(
        texts, padding="max_length", max_length=tokenizer.model_max_length, truncation=True, return_tensors="pt"
    ).to(encoder.device)
    with torch.no_grad():
        states: Tensor = encoder(tokens.input_ids, attention_mask=tokens.attention_mask)[0]
    return states


def sheet(pictures: Tensor, columns: int, scale: int) -> Image.Image:
    """The pictures side by side, each pixel `scale` wide."""
    rows = [torch.cat(list(part), dim=2) for part in pictures.split(columns) if len(part) == columns]
    grid = torch.cat(rows, dim=1).permute(1, 2, 0).clamp(0.0, 1.0)
    array = (grid * 255.0 + 0.5).to(torch.uint8).cpu().numpy()
    return Image.fromarray(array).resize((array.shape[1] * scale, array.shape[0] * scale), Image.Resampling.NEAREST)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--judge", type=Path, default=WEIGHTS, help="a CLIPModel folder")
    parser.add_argument("--model", type=Path, default=STARTER, help="pipeline folder of the starter model")
    parser.add_argument("--held-out", type=int, default=4000, help="pictures of the corpus")
    parser.add_argument("--samples", type=int, default=552, help="samples of the model")
    parser.add_argument("--sheet", type=Path, help="picture of samples to write, a row of four views a kind")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    judge = load_judge(arguments.judge)
    result: dict[str, object] = {}
    if arguments.held_out:
        result["held_out"] = asdict(held_out(judge, arguments.held_out))
    if arguments.samples:
        labels = asked_labels(np.random.default_rng(arguments.seed), arguments.samples)
        pictures = samples(arguments.model, labels, arguments.seed, judge.device)
        result["samples"] = asdict(judged(judge, pictures, labels))
        if arguments.sheet:
            arguments.sheet.parent.mkdir(parents=True, exist_ok=True)
            sheet(pictures, len(KINDS) // 2, 2).save(arguments.sheet)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
