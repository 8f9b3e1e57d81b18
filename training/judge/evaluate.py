"""Scores of the judge on pictures of the corpus, and of a starter model's samples by the judge.

`python -m training.judge.evaluate [--judge FOLDER] [--model FOLDER] [--write]` prints them as JSON; with
`--write` they and a sheet of samples become part of the model's card.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dreamfusion_engine.judge.folder import WEIGHTS
from dreamfusion_engine.judge.model import Judge, load_judge
from dreamfusion_engine.judge.scores import top1
from dreamfusion_engine.models.card_file import CARD_NAME, read_card
from dreamfusion_engine.models.pipeline_folder import STARTER_FOLDER
from dreamfusion_engine.models.views import HEADINGS, VIEWS, Heading, View, azimuth_of
from training.judge.choices import colour_captions, part_captions, view_captions
from training.starter.captions import SHADING_WORDS, camera_words, describe, view_words
from training.starter.corpus import Corpus, Label
from training.starter.model_card import SCORES
from training.starter.objects.kinds import KINDS, Appearance, Kind, kind_named

HELD_OUT_SEED = 999_000_000  # of pictures that neither model nor judge was trained on
_SAMPLING_STEPS = 30
_GUIDANCE_SCALE = 4.0
_BATCH = 64
_ELEVATION, _ELEVATION_ABOVE = math.radians(20.0), math.radians(70.0)  # of what is asked for by exact cameras
_HEADINGS: dict[View, tuple[Heading, ...]] = {
    "front": ("front",),
    "side": ("right", "left"),
    "back": ("back",),
    "overhead": HEADINGS,
}


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Shares in [0, 1] of pictures of which the judge's first choice is right; None where none could be asked.

    kind: among all kinds, pictures in colour.
    kind_clay: the same for white clay.
    colour: among the colours that the kind takes, the rest of the caption given; pictures in colour without pattern.
    view: among front, side, back and overhead, the kind given; kinds with a front only.
    part: among the part in every colour, both colours swapped, the part left out and its colour spread over the whole;
        pictures in colour without pattern, whose part has a colour of its own.
    """

    pictures: int
    kind: float | None
    kind_clay: float | None
    colour: float | None
    view: float | None
    part: float | None = None


def judged(judge: Judge, pictures: Tensor, labels: Sequence[Label]) -> Scores:
    """Return the scores of pictures.

    judge: Judge.
    pictures: float32[N, 3, H, H], sRGB in [0, 1].
    labels: N Labels, what the pictures should show.
    """
    vectors = judge.pictures(pictures)
    kinds = judge.captions([describe(kind, Appearance()) for kind in KINDS])
    right_kind = top1(vectors @ kinds.T, [KINDS.index(label.kind) for label in labels])
    clay = torch.tensor([label.shading == "textureless" for label in labels], device=vectors.device)
    colours: dict[tuple[Kind, str | None], Tensor] = {}
    views: dict[Kind, Tensor] = {}
    right_colour, right_view, right_part = [], [], []
    for vector, label in zip(vectors, labels, strict=True):
        kind = label.kind
        if label.appearance.colour and not label.appearance.pattern and label.shading != "textureless":
            asked = (kind, label.appearance.part)
            if asked not in colours:
                colours[asked] = judge.captions(colour_captions(*asked))
            right_colour.append(kind.colours[int((colours[asked] @ vector).argmax())] == label.appearance.colour)
        look = label.appearance
        if look.part and not look.pattern and label.shading != "textureless":
            asked_part = judge.captions(part_captions(kind, look.colour, look.part))
            right_part.append(int((asked_part @ vector).argmax()) == 0)
        if kind.front:
            if kind not in views:
                views[kind] = judge.captions(view_captions(kind))
            right_view.append(VIEWS[int((views[kind] @ vector).argmax())] == label.view)
    return Scores(
        pictures=len(labels),
        kind=_share(right_kind[~clay].tolist()),
        kind_clay=_share(right_kind[clay].tolist()),
        colour=_share(right_colour),
        view=_share(right_view),
        part=_share(right_part),
    )


def _share(right: Sequence[bool]) -> float | None:
    return round(sum(right) / len(right), 4) if right else None


def held_out(judge: Judge, count: int, seed: int = HELD_OUT_SEED, kinds: Sequence[Kind] = KINDS) -> Scores:
    """Return the scores of `count` new pictures of the corpus, of the kinds given.

    judge: Judge.
    count: int, pictures.
    seed: int, that no training has.
    kinds: Kinds that are shown.
    """
    side = judge.model.config.vision_config.image_size
    corpus = Corpus(pixels=side, capacity=count, fresh=0.0, seed=seed, device=judge.device, kinds=kinds)
    corpus.trace(count)
    return judged(judge, *corpus.pictures(count))


def asked_labels(rng: np.random.Generator, kinds: Sequence[Kind], count: int, *, exact: bool) -> list[Label]:
    """What to ask a model for: every kind in turn, a colour if it takes one, every view in turn, lit.

    exact: by the words for exact cameras, as the engine asks, and not by those for views.
    """
    labels = []
    for i in range(count):
        kind = kinds[i % len(kinds)]
        colour = str(rng.choice(kind.colours)) if kind.colours else None
        view: View = VIEWS[i // len(kinds) % len(VIEWS)]
        heading = _HEADINGS[view][int(rng.integers(len(_HEADINGS[view])))]
        elevation = _ELEVATION_ABOVE if view == "overhead" else _ELEVATION
        camera = camera_words(azimuth_of(heading), elevation) if exact else ""
        appearance = Appearance(colour=colour)
        label = Label(kind=kind, appearance=appearance, view=view, heading=heading, shading="lambertian", camera=camera)
        labels.append(label)
    return labels


def samples(folder: Path, labels: Sequence[Label], seed: int, device: torch.device) -> Tensor:
    """Pictures float32[N, 3, H, H] that stock diffusers samples from the model in `folder` for the labels' captions."""
    from diffusers import IFPipeline

    pipeline = IFPipeline.from_pretrained(folder, torch_dtype=torch.float32).to(device)
    pipeline.set_progress_bar_config(disable=True)
    texts = [
        f"{describe(x.kind, x.appearance)}, {x.camera or view_words(x.view, x.heading)}"
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
    """The pictures side by side, each pixel `scale` wide.

    pictures: float32[N, 3, H, W] in [0, 1].
    columns: int, pictures in a row.
    scale: int.
    """
    rows = [torch.cat(list(part), dim=2) for part in pictures.split(columns) if len(part) == columns]
    grid = torch.cat(rows, dim=1).permute(1, 2, 0).clamp(0.0, 1.0)
    array = (grid * 255.0 + 0.5).to(torch.uint8).cpu().numpy()
    return Image.fromarray(array).resize((array.shape[1] * scale, array.shape[0] * scale), Image.Resampling.NEAREST)


def record(folder: Path, asked: Mapping[str, Scores], held: Scores | None, pictures: Image.Image) -> None:
    """Write scores, by what the samples were asked with, and samples into the card of the model in `folder`.

    folder: Path of the pipeline.
    asked: Scores of samples, by what they were asked with.
    held: Scores on new pictures; None leaves them out.
    pictures: Image of the samples.
    """
    pictures.save(folder / "samples.png")
    card = folder / "README.md"
    head = card.read_text(encoding="utf-8").partition(SCORES)[0]
    lines = [
        f"By the judge on {next(iter(asked.values())).pictures} samples of {_SAMPLING_STEPS} steps at guidance scale",
        f"{_GUIDANCE_SCALE:g}, every kind from four views (`python -m training.judge.evaluate`):",
        "",
        "| | kind | colour | view |",
        "|---|---|---|---|",
    ]
    rows = {f"samples, asked with {how}": scores for how, scores in asked.items()}
    if held is not None:
        rows["the corpus itself, by the same judge"] = held
    lines += [f"| {row} | {x.kind:.1%} | {x.colour:.1%} | {x.view:.1%} |" for row, x in rows.items()]
    lines += ["", "![Samples: a column for each kind, from front, side, back and above](samples.png)"]
    card.write_text(head + SCORES + "\n" + "\n".join(lines) + "\n", encoding="utf-8")
    path = folder / CARD_NAME
    content = json.loads(path.read_text(encoding="utf-8")) | {
        "scores": {how: asdict(scores) for how, scores in asked.items()}
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--judge", type=Path, default=WEIGHTS, help="a CLIPModel folder")
    parser.add_argument("--model", type=Path, default=STARTER_FOLDER, help="pipeline folder of the starter model")
    parser.add_argument("--held-out", type=int, default=4000, help="pictures of the corpus")
    parser.add_argument("--all-kinds", action="store_true", help="of every kind, not only of those the model knows")
    parser.add_argument("--samples", type=int, default=480, help="samples of the model")
    parser.add_argument("--write", action="store_true", help="write scores and samples into the model's card")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    judge = load_judge(arguments.judge)
    card = read_card(arguments.model)
    kinds = [kind_named(name) for name in card.kinds]
    result: dict[str, object] = {}
    seen = KINDS if arguments.all_kinds else kinds
    held = held_out(judge, arguments.held_out, kinds=seen) if arguments.held_out else None
    if held is not None:
        result["held_out"] = asdict(held)
    if arguments.samples:
        asked: dict[str, Scores] = {}
        for how in ("view words", "exact cameras") if card.azimuths else ("view words",):
            rng = np.random.default_rng(arguments.seed)
            labels = asked_labels(rng, kinds, arguments.samples, exact=how == "exact cameras")
            pictures = samples(arguments.model, labels, arguments.seed, judge.device)
            asked[how] = judged(judge, pictures, labels)
        result["samples"] = {how: asdict(scores) for how, scores in asked.items()}
        if arguments.write:
            shown = sheet(pictures[: len(VIEWS) * len(kinds)], len(kinds), 2)
            record(arguments.model, asked, held, shown)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
