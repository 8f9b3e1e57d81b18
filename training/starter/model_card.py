"""The model card: what the starter model is, what it was trained on, for how long, and what it cannot do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dreamfusion_engine.models.card_file import PICTURE_NAME
from training.starter.objects.kinds import Kind
from training.starter.objects.palette import COLOURS

SCORES = "## Scores\n"  # heading of the card's last part, which `judge.evaluate` writes


def model_card(kinds: Sequence[Kind], training: dict[str, Any], parameters: int, pixels: int) -> str:
    """Return the model's README as Markdown.

    kinds: Kinds that it was trained on.
    training: images, steps, seconds, device and plan, as `dreamfusion.json` has them.
    parameters: int, of the model.
    pixels: int, side of its pictures.
    """
    plan = training["plan"]
    hours = training["seconds"] / 3600.0
    at_half = min(training["images"], plan["half_images"])
    half = plan["pixels"] // 2
    names = ", ".join(kind.names[0] for kind in kinds)
    return f"""---
license: gpl-3.0
library_name: diffusers
pipeline_tag: text-to-image
---
# Starter model of DreamFusion for Blender

A pixel-space text-to-image diffusion model of {parameters / 1e6:.1f} million parameters for pictures of
{pixels} x {pixels} pixels, in the layout of DeepFloyd IF's first stage (`IFPipeline`). It exists so that score
distillation runs at once, offline, on any machine.

## What it knows
{len(kinds)} kinds:
{names}.

Colours: {", ".join(COLOURS)}; "a red mug". A second colour on a named part: "a mug with a blue handle".
On some, stripes, dots or checks: "a red mug with white dots". All of them, on the corpus's own objects:

![The kinds from four sides]({PICTURE_NAME})

View words: front, side, back, overhead view, and eight headings from "front right view" to "left side view"
(right is Blender's Right view, from +X). Words for exact cameras, which the engine uses and nobody need write: 24
azimuths, "azimuth000" in front, "azimuth090" at the right, and nine elevations, "elevation00" to "elevation80".
Renderings: lit by default, "flat colours", "white clay".
Nothing else: it has never seen a photograph, and other words mean nothing to it.

## Training
| | |
|---|---|
| data | procedural objects, sphere-traced while training ran (`training/starter/`), no outside data |
| pictures seen | {training["images"]:,}, of these {at_half:,} at {half} x {half} |
| optimizer steps | {training["steps"]:,} |
| device | {training["device"]} |
| time | {hours:.2f} hours |
| objective | v prediction, cosine schedule of 1000 steps, AdamW at {plan["learning_rate"]:g}, average of weights |
| began with | {plan["start"] or "random weights"} |
| captions left out | {plan["no_caption"]:.0%}, for classifier-free guidance |
| seed | {plan["seed"]} |

Made by `python -m training.starter.train`.

{SCORES}
Not measured yet: `python -m training.judge.evaluate --model FOLDER --write`
"""
