"""Recipes of models that are told the view in words: Stable Diffusion and its kin, DeepFloyd IF, Flux, PixArt."""

from __future__ import annotations

from dreamfusion_engine.config.recipes.large import LARGE, LARGE_PRESETS, LARGE_SCORES, NOT_MEASURED
from dreamfusion_engine.config.recipes.recipe import Recipe, Settings, Value


def _experimental(scale: Value, **more: Value) -> Settings:
    """The common recipe with a guidance of its own; `more` by stage__name."""
    return {**LARGE, "guidance.scale": scale, **{name.replace("__", "."): value for name, value in more.items()}}


STABLE_DIFFUSION = Recipe(
    title="Stable Diffusion 1 and 2",
    family="StableDiffusionPipeline",
    settings={**LARGE, "guidance.scale": (100.0, "SDF, TS; DreamFusion, App. A.2")},
    presets=LARGE_PRESETS,
    scores=LARGE_SCORES,
)
DEEPFLOYD_IF = Recipe(
    title="DeepFloyd IF, first stage",
    family="IFPipeline",
    settings={
        **LARGE,
        "guidance.scale": (20.0, "TS, dreamfusion-if"),
        "camera.elevation_deg": ((-10.0, 90.0), "TS, dreamfusion-if"),
        "optimize.resolution": ((64, 64), "TS, dreamfusion-if: the model works on 64 pixels"),
    },
    presets={name: {k: v for k, v in row.items() if k != "optimize.resolution"} for name, row in LARGE_PRESETS.items()},
    scores=LARGE_SCORES,
)
STABLE_DIFFUSION_XL = Recipe(
    title="Stable Diffusion XL",
    family="StableDiffusionXLPipeline",
    experimental=True,
    settings=_experimental(
        (100.0, "SDF, TS, for Stable Diffusion 1; " + NOT_MEASURED),
        score__clamp=((0.5, 2.0), "TS's gradio recipe, against the divergence that its users report for XL"),
        score__pixel_clip=(2.0, "ours, after arXiv 2310.12474, which clips at the render's pixels; not measured"),
    ),
    presets=LARGE_PRESETS,
    scores=LARGE_SCORES,
)
_FLOW = _experimental(
    (50.0, "MVD, for Stable Diffusion 2; " + NOT_MEASURED),
    guidance__weighting=("uniform", "RFDS distils the velocity (arXiv 2406.03293); " + NOT_MEASURED),
)
STABLE_DIFFUSION_3 = Recipe(
    title="Stable Diffusion 3",
    family="StableDiffusion3Pipeline",
    experimental=True,
    settings=_FLOW,
    presets=LARGE_PRESETS,
    scores=LARGE_SCORES,
)
FLUX = Recipe(
    title="Flux",
    family="FluxPipeline",
    experimental=True,
    settings=_FLOW,
    presets=LARGE_PRESETS,
    scores=LARGE_SCORES,
)
PIXART_SIGMA = Recipe(
    title="PixArt-Sigma",
    family="PixArtSigmaPipeline",
    experimental=True,
    settings=_experimental((50.0, "MVD, for Stable Diffusion 2; " + NOT_MEASURED)),
    presets=LARGE_PRESETS,
    scores=LARGE_SCORES,
)
