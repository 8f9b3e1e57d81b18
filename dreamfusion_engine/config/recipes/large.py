"""What the recipes of all large text-to-image models have in common."""

from __future__ import annotations

from collections.abc import Mapping

from dreamfusion_engine.config.recipes.recipe import Settings
from dreamfusion_engine.config.scores import SCORES

NOT_MEASURED = "ours, not measured with published weights"

# Regularisers are weights beside a score of size 1 (guidance/score_size.py). Stable Diffusion's at w = 100 is about 17
# at first and 5 at the end.
LARGE: Settings = {
    "guidance.scale_kept": (1.0, "SDF, TS, MVD: no fading"),
    "guidance.rescale": (0.0, "SDF, TS: none"),
    "guidance.weighting": ("sigma_squared", "SDF, TS"),
    "guidance.t_max": ((0.98, 0.5), "MVD"),
    "guidance.t_min": ((0.5, 0.02), "ours: MVD's .98 to .02, narrower at first, so that coarse shapes come first"),
    "guidance.anneal_until": (0.8, "MVD: the first 8,000 of 10,000 steps"),
    "guidance.annealing": ("linear", "MVD"),
    "guidance.view_prompts": ("interpolated", "SDF; TS's gradio recipe beside Perp-Neg"),
    "guidance.perp_neg": ("auto", "TS's gradio recipe (arXiv 2304.04968): on, where any word may be said"),
    "camera.elevation_deg": ((-10.0, 45.0), "TS"),
    "camera.distance": ((3.0, 3.5), "SDF"),
    "camera.fov_deg": ((36.0, 42.0), "ours: frames the box; TS 40 to 70 from nearer, SDF 10 to 30"),
    "camera.light_spread": (0.8, "arXiv 2209.14988, App. A.2: N(0, 1) at a distance of 1 to 1.5; TS 0.6"),
    "field.levels": (16, "SDF, TS, MVD"),
    "field.features": (2, "SDF, TS, MVD"),
    "field.log2_table": (19, "SDF, TS, MVD"),
    "field.base_resolution": (16, "SDF, TS, MVD"),
    "field.finest_resolution": (2048, "SDF; TS and MVD 4096"),
    "field.hidden": (64, "SDF, TS, MVD"),
    "field.blob_density": (10.0, "TS, MVD"),
    "field.blob_radius": (0.5, "TS, MVD"),
    "field.density_gain": (1.0, "TS, MVD: none; a gain amplifies the noise of a strong score"),
    "field.activation": ("softplus", "TS, MVD; SDF has exp"),
    "field.background": ("random", "SDF, half of its renders; TS a neural environment map"),
    "render.steps": (128, "ours: 128 along the box; TS, MVD 512 along a longer ray"),
    "render.max_samples_per_ray": (256, "ours: the box's longest ray at 128 steps has 223"),
    "render.occupancy_resolution": (64, "ours: a cell of two steps"),
    "optimize.views": (2, "ours: half of the public steps, two views each"),
    "optimize.resolution": ((64, 128), "SDF, TS 64; MVD larger from half of the steps on"),
    "optimize.learning_rate": (0.01, "TS, MVD"),
    "optimize.albedo_until": (0.2, "SDF: the first fifth without light"),
    "optimize.textureless": (0.2, "SDF"),
    "optimize.levels_until": (0.0, "SDF, TS, MVD: every level from the start"),
    "optimize.gradient_clip": (0.0, "TS, MVD: none"),
    "optimize.opacity": (5e-5, "TS: its 1.0 is 2.2e-5 in the unit of docs/maths.md 6.1; twice that"),
    "optimize.entropy": (0.005, "TS, MVD: none; ours a trace, so that haze clears"),
    "optimize.orientation": (9e-4, "between SDF and TS: their 1e-2 and 1000 are 2e-7 and 2e-2 in that unit"),
    "optimize.smoothness": (0.0, "SDF, TS, MVD: none"),
    "reference.resolution": (128, "TS, stable-zero123: 64, then 128, then 256; ours one size"),
    "refine.flatness": (0.0, "ours: photographs have small steps of colour; " + NOT_MEASURED),
    "pace.lit": (0.75, "TS: diffuse .75"),
    "pace.opacity_start": (1.0, "TS: the same weight throughout"),
}
LARGE_PRESETS: Mapping[str, Settings] = {
    "draft": {
        "optimize.steps": (2500, "ours: half of the standard views"),
        "guidance.perp_neg": ("off", "SDF, TS: off, a third faster"),
        "guidance.view_prompts": ("nearest", "TS"),
    },
    "standard": {"optimize.steps": (5000, "SDF, TS: 10,000 views in all")},
    "high": {
        "optimize.steps": (10_000, "TS, MVD: 10,000 steps"),
        "optimize.resolution": ((128, 256), "MVD: 256 from half of the steps on"),
        "render.steps": (192, "ours: a step is a pixel of 192 along the box"),
        "render.max_samples_per_ray": (384, "ours: the box's longest ray at 192 steps has 334"),
        "render.occupancy_resolution": (96, "ours: a cell of two steps"),
    },
}
LARGE_SCORES: Mapping[str, Settings] = {name: record.own for name, record in SCORES.items() if record.own}
