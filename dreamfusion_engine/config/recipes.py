"""Recipes: the settings that each family of teachers needs to make objects, as one table.

A recipe lies between the preset and the person's own settings. The presets are tuned to the built-in starter model,
which has the empty recipe. The small models that `training/latent` and `training/multiview` make of the same corpus
have nearly that.
Every other value here has its source:
SDF stable-dreamfusion (its option -O), TS threestudio (dreamfusion-sd and -if), MVD MVDream-threestudio, IMD ImageDream
(imagedream-sd21-shading), a paper by its arXiv number, or "ours". No published weights were at hand: values that are
ours and not measured say so.
A preset is a row of the table, not a scale: `standard` is the public recipe in half of its steps, with two views each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dreamfusion_engine.config.scores import SCORES
from dreamfusion_engine.errors import InputError

Value = tuple[Any, str]  # a setting's value and where it comes from
Settings = Mapping[str, Value]  # by dotted name
STARTER_RECIPE = "starter"
LATENT_RECIPE = "latent"
SMALL_CLIP_RECIPE = "small-clip"
CLIP_RECIPE = "CLIPModel"
CLIP_MESH_RECIPE = "clip-mesh"
SMALL_CLIP_MESH_RECIPE = "small-clip-mesh"
MULTI_VIEW_RECIPE = "MultiViewPixelPipeline"
ZERO123 = "Zero1to3StableDiffusionPipeline"
STABLE_ZERO123_RECIPE = "stable-zero123"
IMAGE_DREAM = "ImageDreamPipeline"
# Families whose folders alone differ from those of another, whose recipes they have.
_LIKE = {"Zero123Pipeline": ZERO123}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Settings of one family of teachers.

    title: str, name for people.
    family: str, its pipeline class.
    experimental: bool, whether no public recipe makes objects with it reliably.
    settings: of every preset.
    presets: of one preset.
    scores: of one `guidance.score`, over both.
    words: bool, whether the prompt must say what the object is; else a picture does, and the prompt may be empty.
    """

    title: str
    family: str
    experimental: bool = False
    settings: Settings = field(default_factory=dict)
    presets: Mapping[str, Settings] = field(default_factory=dict)
    scores: Mapping[str, Settings] = field(default_factory=dict)
    words: bool = True

    def values(self, preset: str, score: str) -> dict[str, Value]:
        """Return every setting that the recipe gives with a preset and a score.

        preset: str, such as 'draft'.
        score: str, such as 'sds'.
        """
        return {**self.settings, **self.presets.get(preset, {}), **self.scores.get(score, {})}


_NOT_MEASURED = "ours, not measured with published weights"

# Regularisers are weights beside a score of size 1 (guidance/score_size.py). Stable Diffusion's at w = 100 is about 17
# at first and 5 at the end.
_LARGE: Settings = {
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
    "refine.flatness": (0.0, "ours: photographs have small steps of colour; " + _NOT_MEASURED),
    "pace.lit": (0.75, "TS: diffuse .75"),
    "pace.opacity_start": (1.0, "TS: the same weight throughout"),
}
_LARGE_PRESETS: Mapping[str, Settings] = {
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
_UNWANTED = (
    "ugly, blurry, pixelated, unnatural colors, dull, cropped, low quality, duplicate, deformed, bad proportions"
)
_SCORES: Mapping[str, Settings] = {name: record.own for name, record in SCORES.items() if record.own}


def _experimental(scale: Value, **more: Value) -> Settings:
    """The common recipe with a guidance of its own; `more` by stage__name."""
    return {**_LARGE, "guidance.scale": scale, **{name.replace("__", "."): value for name, value in more.items()}}


_FLOW = _experimental(
    (50.0, "MVD, for Stable Diffusion 2; " + _NOT_MEASURED),
    guidance__weighting=("uniform", "RFDS distils the velocity (arXiv 2406.03293); " + _NOT_MEASURED),
)

_DREAM_FIELDS = "arXiv 2112.01455 (Dream Fields)"
# A CLIP's loss is a mean over crops and is not scaled; its only regulariser is the reward for empty pictures.
_CLIP: Settings = {
    "guidance.view_prompts": ("off", f"{_DREAM_FIELDS}: the prompt alone"),
    "guidance.perp_neg": ("off", f"{_DREAM_FIELDS}: none"),
    "camera.distance": ((4.0, 4.0), _DREAM_FIELDS),
    "camera.elevation_deg": ((30.0, 30.0), _DREAM_FIELDS),
    "camera.fov_deg": ((33.4, 33.4), _DREAM_FIELDS),
    "camera.target_jitter": (0.0, f"{_DREAM_FIELDS}: looks at the density's middle; ours at the box's"),
    "optimize.views": (2, "ours: 2 views of 4 crops; Dream Fields 8 crops a step"),
    "optimize.albedo_until": (1.0, f"{_DREAM_FIELDS}: colours without light"),
    "optimize.opacity": (0.0, f"{_DREAM_FIELDS}: transmittance in its place"),
    "optimize.entropy": (0.0, f"{_DREAM_FIELDS}: none"),
    "optimize.orientation": (0.0, f"{_DREAM_FIELDS}: none"),
    "optimize.smoothness": (0.0, f"{_DREAM_FIELDS}: none"),
    "clip.transmittance": (0.5, _DREAM_FIELDS),
}

_MESH = "arXiv 2203.13333 (CLIP-Mesh)"
# A schedule of 5,000 steps there; here it spans the run, however many it has.
_CLIP_MESH: Settings = {
    "method": ("clip-mesh", _MESH),
    "guidance.view_prompts": ("off", f"{_MESH}: the prompt alone"),
    "guidance.perp_neg": ("off", f"{_MESH}: none"),
    "camera.target_jitter": (0.0, f"{_MESH}: sphere.offset in its place"),
    "clip.crops": (1, f"{_MESH}: the whole view"),
    "clip.crop": (1.0, f"{_MESH}: the whole view"),
    "clip.blur": (5 / 512, f"{_MESH}: 2 or 5 of 512 pixels; ours any up to that"),
    "clip.third": ("plain", _MESH),
    "optimize.learning_rate": (0.01, _MESH),
    "optimize.gradient_clip": (0.0, f"{_MESH}: none"),
    "refine.steps": (0, f"{_MESH}: the surface itself was trained"),
}

# Weights of TS's losses are divided by that of its score, by the 1,024 pixels of a latent and by the size of the score,
# about 0.47 (guidance/score_size.py): 1 beside 0.1 of the score is 0.021 here. Its colours are a mean over channels.
_STABLE_ZERO123 = "TS, stable-zero123"
_TOLD_PICTURE: Settings = {
    **_LARGE,
    "guidance.scale": (3.0, _STABLE_ZERO123),
    "guidance.view_prompts": ("off", "TS: the model reads no words"),
    "guidance.perp_neg": ("off", "TS: the model reads no words"),
    "camera.distance": ((4.6, 4.6), "ours: one picture's object then has three quarters of the view; TS 3.8"),
    "camera.fov_deg": ((20.0, 20.0), _STABLE_ZERO123),
    "camera.target_jitter": (0.0, _STABLE_ZERO123),
    "field.background": ("white", "arXiv 2303.11328: the model's pictures are over white"),
    "optimize.albedo_until": (1.0, f"{_STABLE_ZERO123}: colours without light"),
    "optimize.textureless": (0.0, f"{_STABLE_ZERO123}: .05; without light it does nothing"),
    "optimize.opacity": (0.01, f"{_STABLE_ZERO123}: 0.5 beside 0.1 of the score"),
    "optimize.orientation": (0.02, f"{_STABLE_ZERO123}: 1 beside 0.1 of the score"),
    "optimize.learning_rate": (0.01, _STABLE_ZERO123),
    "reference.begin": (0.0, f"{_STABLE_ZERO123}: the picture counts from the first step"),
}

RECIPES: dict[str, Recipe] = {
    STARTER_RECIPE: Recipe(title="Starter", family="IFPipeline"),
    LATENT_RECIPE: Recipe(
        title="Small latent model",
        family="StableDiffusionPipeline",
        settings={"optimize.resolution": ((64, 64), "ours: its autoencoder works on 64 pixels")},
    ),
    "StableDiffusionPipeline": Recipe(
        title="Stable Diffusion 1 and 2",
        family="StableDiffusionPipeline",
        settings={**_LARGE, "guidance.scale": (100.0, "SDF, TS; DreamFusion, App. A.2")},
        presets=_LARGE_PRESETS,
        scores=_SCORES,
    ),
    "IFPipeline": Recipe(
        title="DeepFloyd IF, first stage",
        family="IFPipeline",
        settings={
            **_LARGE,
            "guidance.scale": (20.0, "TS, dreamfusion-if"),
            "camera.elevation_deg": ((-10.0, 90.0), "TS, dreamfusion-if"),
            "optimize.resolution": ((64, 64), "TS, dreamfusion-if: the model works on 64 pixels"),
        },
        presets={
            name: {k: v for k, v in row.items() if k != "optimize.resolution"} for name, row in _LARGE_PRESETS.items()
        },
        scores=_SCORES,
    ),
    "MVDreamPipeline": Recipe(
        title="MVDream",
        family="MVDreamPipeline",
        settings={
            **_LARGE,
            "negative": (_UNWANTED, "ours, after MVD's longer list"),
            "guidance.scale": (50.0, "MVD"),
            "guidance.rescale": (0.5, "MVD, over the four views of a group"),
            "guidance.weighting": ("reconstruction", "MVD: half the squared distance to the model's picture"),
            "guidance.t_min": ((0.97, 0.02), "MVD: .98 to .02; a range cannot be empty"),
            "guidance.view_prompts": ("off", "MVD: the model is told the cameras"),
            "guidance.perp_neg": ("off", "MVD"),
            "camera.group": (4, "MVD: azimuths a quarter turn apart"),
            "camera.elevation_deg": ((0.0, 30.0), "MVD"),
            "camera.target_jitter": (0.0, "MVD: cameras look at the middle"),
            "optimize.views": (4, "MVD: 8 in the first half of its steps, then 4"),
        },
        presets={
            "draft": {"optimize.steps": (2500, "ours: half of the standard views")},
            "standard": {"optimize.steps": (5000, "ours: half of MVD's")},
            "high": {
                **_LARGE_PRESETS["high"],
                "optimize.steps": (10_000, "MVD"),
                "optimize.resolution": ((64, 256), "MVD"),
            },
        },
        scores=_SCORES,
    ),
    IMAGE_DREAM: Recipe(
        title="ImageDream",
        family=IMAGE_DREAM,
        words=False,
        settings={
            **_LARGE,
            "negative": (_UNWANTED, "ours, after IMD's longer list"),
            "guidance.scale": (5.0, "IMD; arXiv 2312.02201, section 3.4"),
            "guidance.rescale": (0.2, "IMD, over the four views of a group"),
            "guidance.weighting": ("reconstruction", "IMD: half the squared distance to the model's picture"),
            "guidance.t_min": ((0.97, 0.02), "IMD: .98 to .02; a range cannot be empty"),
            "guidance.anneal_until": (0.64, "IMD: the first 8,000 of 12,500 steps"),
            "guidance.view_prompts": ("off", "IMD: the model is told the cameras"),
            "guidance.perp_neg": ("off", "IMD"),
            "camera.group": (4, "IMD: azimuths a quarter turn apart"),
            "camera.elevation_deg": ((0.0, 5.0), "IMD: as most pictures are taken; arXiv 2312.02201, section 3.4"),
            "camera.fov_deg": ((45.0, 50.0), "IMD"),
            "camera.distance": ((2.4, 2.8), "ours: frames the box with that lens; IMD nearer"),
            "camera.target_jitter": (0.0, "IMD: cameras look at the middle"),
            "field.background": ("white", "ours: that of the picture; IMD draws one for both, arXiv 2312.02201, 3.4"),
            "optimize.views": (4, "IMD: 8 in the first 5,000 of its steps, then 4"),
            "optimize.albedo_until": (0.4, "IMD: the first 5,000 of 12,500 steps without light"),
            "optimize.opacity": (3e-4, "IMD: 1 beside the score, at the mean of its weights"),
            "reference.begin": (0.0, "ours: the model is told the picture from the first step; IMD compares with none"),
        },
        presets={
            "draft": {"optimize.steps": (3000, "ours: half of the standard views")},
            "standard": {"optimize.steps": (6000, "ours: half of IMD's")},
            "high": {
                **_LARGE_PRESETS["high"],
                "optimize.steps": (12_500, "IMD"),
                "optimize.resolution": ((64, 256), "IMD: 64, 192, then 256"),
            },
        },
        scores=_SCORES,
    ),
    ZERO123: Recipe(
        title="Zero123",
        family=ZERO123,
        words=False,
        settings={
            **_TOLD_PICTURE,
            "guidance.t_max": ((0.98, 0.98), "TS, zero123: .98 throughout"),
            "guidance.t_min": ((0.02, 0.02), "TS, zero123: .02 throughout"),
            "camera.elevation_deg": ((-10.0, 60.0), "TS, zero123"),
            "reference.pose": ("zero123", "arXiv 2303.11328"),
            "reference.colour": (64.0, "TS, zero123: 200 beside 0.003 of the score"),
            "reference.mask": (48.0, "TS, zero123: 50 beside 0.003 of the score"),
        },
        presets={
            **_LARGE_PRESETS,
            "draft": {"optimize.steps": (2500, "ours: half of the standard views")},
            "standard": {"optimize.steps": (5000, "ours: half of TS, zero123, of two views each")},
        },
        scores=_SCORES,
    ),
    STABLE_ZERO123_RECIPE: Recipe(
        title="Stable Zero123",
        family=ZERO123,
        words=False,
        settings={
            **_TOLD_PICTURE,
            "guidance.t_max": ((0.98, 0.8), _STABLE_ZERO123),
            "guidance.t_min": ((0.7, 0.3), _STABLE_ZERO123),
            "guidance.anneal_until": (0.33, f"{_STABLE_ZERO123}: by step 200 of 600"),
            "camera.elevation_deg": ((-10.0, 80.0), _STABLE_ZERO123),
            "optimize.views": (4, f"{_STABLE_ZERO123}: 12, then 8, then 4"),
            "reference.pose": ("stable-zero123", "TS, stable-zero123-guidance"),
            "reference.colour": (7.0, f"{_STABLE_ZERO123}: 1,000 at the end, beside 0.1 of the score"),
            "reference.mask": (1.0, f"{_STABLE_ZERO123}: 50 beside 0.1 of the score"),
        },
        presets={
            "draft": {"optimize.steps": (550, "ours: half of the standard views")},
            "standard": {"optimize.steps": (1100, f"{_STABLE_ZERO123}: as many views as its 600 steps")},
            "high": {**_LARGE_PRESETS["high"], "optimize.steps": (2200, "ours: twice the standard steps")},
        },
        scores=_SCORES,
    ),
    MULTI_VIEW_RECIPE: Recipe(
        title="Small multi-view model",
        family="MultiViewPixelPipeline",
        settings={
            "guidance.weighting": ("reconstruction", "MVD: half the squared distance to the model's picture"),
            "camera.group": (4, "MVD: azimuths a quarter turn apart"),
            "optimize.views": (4, "ours: one group"),
        },
        presets={
            "draft": {"optimize.steps": (250, "ours: as many views as the starter's preset")},
            "standard": {"optimize.steps": (600, "ours: as many views as the starter's preset")},
        },
    ),
    "StableDiffusionXLPipeline": Recipe(
        title="Stable Diffusion XL",
        family="StableDiffusionXLPipeline",
        experimental=True,
        settings=_experimental(
            (100.0, "SDF, TS, for Stable Diffusion 1; " + _NOT_MEASURED),
            score__clamp=((0.5, 2.0), "TS's gradio recipe, against the divergence that its users report for XL"),
            score__pixel_clip=(2.0, "ours, after arXiv 2310.12474, which clips at the render's pixels; not measured"),
        ),
        presets=_LARGE_PRESETS,
        scores=_SCORES,
    ),
    "StableDiffusion3Pipeline": Recipe(
        title="Stable Diffusion 3",
        family="StableDiffusion3Pipeline",
        experimental=True,
        settings=_FLOW,
        presets=_LARGE_PRESETS,
        scores=_SCORES,
    ),
    "FluxPipeline": Recipe(
        title="Flux",
        family="FluxPipeline",
        experimental=True,
        settings=_FLOW,
        presets=_LARGE_PRESETS,
        scores=_SCORES,
    ),
    "PixArtSigmaPipeline": Recipe(
        title="PixArt-Sigma",
        family="PixArtSigmaPipeline",
        experimental=True,
        settings=_experimental((50.0, "MVD, for Stable Diffusion 2; " + _NOT_MEASURED)),
        presets=_LARGE_PRESETS,
        scores=_SCORES,
    ),
    CLIP_RECIPE: Recipe(
        title="CLIP",
        family="CLIPModel",
        settings={
            **_CLIP,
            **{name: _LARGE[name] for name in _LARGE if name.startswith("field.") and name != "field.background"},
            "render.steps": (192, _DREAM_FIELDS),
            "render.max_samples_per_ray": (384, "ours: the box's longest ray at 192 steps has 334"),
            "render.occupancy_resolution": (96, "ours: a cell of two steps"),
            "optimize.resolution": ((168, 168), _DREAM_FIELDS),
            "optimize.levels_until": (0.0, f"{_DREAM_FIELDS}: all frequencies from the start"),
            "optimize.learning_rate": (0.01, "TS, for a grid; Dream Fields 1e-4 for its network; ours, not measured"),
            "optimize.gradient_clip": (0.0, f"{_DREAM_FIELDS}: none"),
        },
        presets={
            "draft": {"optimize.steps": (2000, "ours: a fifth")},
            "standard": {"optimize.steps": (5000, "ours: half")},
            "high": {"optimize.steps": (10_000, _DREAM_FIELDS)},
        },
    ),
    SMALL_CLIP_RECIPE: Recipe(
        title="Small CLIP",
        family="CLIPModel",
        settings={
            **_CLIP,
            "optimize.resolution": ((48, 48), "ours: 1.5 times its 32 pixels, as a crop is averaged down to them"),
        },
    ),
    CLIP_MESH_RECIPE: Recipe(
        title="CLIP, CLIP-Mesh",
        family="CLIPModel",
        settings={
            **_CLIP_MESH,
            "camera.distance": ((5.0, 12.0), _MESH),
            "camera.fov_deg": ((30.0, 90.0), _MESH),
            "camera.elevation_deg": ((0.0, 90.0), _MESH),
            "camera.light_spread": (0.8, "arXiv 2209.14988, App. A.2; CLIP-Mesh has a cosine around the camera"),
            "optimize.views": (25, _MESH),
            "optimize.resolution": ((512, 512), f"{_MESH}, for a CLIP of 224 pixels"),
            "optimize.steps": (5000, _MESH),
        },
        presets={"draft": {"optimize.steps": (1000, "ours: a fifth")}},
    ),
    SMALL_CLIP_MESH_RECIPE: Recipe(
        title="Small CLIP, CLIP-Mesh",
        family="CLIPModel",
        settings={
            **_CLIP_MESH,
            "camera.distance": ((3.0, 3.5), "ours: of 32 pixels a far object has too few"),
            "camera.elevation_deg": ((0.0, 60.0), "ours: its pictures of objects are seldom from above"),
            "optimize.views": (8, "ours: as many as its other recipe's crops"),
            "optimize.resolution": ((64, 64), "ours: twice its 32 pixels, as CLIP-Mesh 512 for 224"),
            "sphere.maps": (128, "ours: eight times fewer pixels than CLIP-Mesh along a side"),
            "sphere.offset": (0.2, "ours: the object stays in view"),
            "sphere.low_views": (2.0, "ours: less tilted, as elevations end lower"),
        },
    ),
}


# Settings of a teacher that denoises; one that compares, as CLIP, is refused them ...
NEEDS_DENOISER = (
    "negative",
    "guidance.score",
    "guidance.scale",
    "guidance.scale_kept",
    "guidance.rescale",
    "guidance.t_max",
    "guidance.t_min",
    "guidance.anneal_until",
    "guidance.annealing",
    "guidance.weighting",
    "memory.denoiser_runtime",
    "memory.overlap",
    "memory.offload",
)
# ... and these stages. Those of the stage 'clip' are refused to all others.
DENOISER_STAGES, COMPARING_STAGES = ("score", "adapters"), ("clip",)
# Settings of a teacher that reads words; one that reads none is refused them, and all of these stages.
NEEDS_WORDS = ("negative",)
WORDS_STAGES = ("prompts", "adapters")
# Settings that only a teacher that is told how far a view is from its picture can have.
NEEDS_TOLD_POSES = ("reference.pose",)
# Settings that only a teacher with an autoencoder can have; a pixel model is refused them.
NEEDS_AUTOENCODER = (
    "memory.recompute",
    "memory.tiling",
    "memory.tiny_vae",
    "memory.vae_precision",
    "score.latents",
)


def recipe_named(name: str) -> Recipe:
    """Return the recipe of that name.

    Raises InputError input.recipe for an unknown name.
    """
    if name in RECIPES:
        return RECIPES[name]
    raise InputError(
        "input.recipe",
        what=f"There is no recipe '{name[:80]}'.",
        why=f"The recipes are {', '.join(RECIPES)}.",
        fix="Leave the recipe out: the model's own is taken.",
    )


_SMALL = {RECIPES[name].family: name for name in (STARTER_RECIPE, LATENT_RECIPE, SMALL_CLIP_RECIPE)}


# Recipe of a model -> that of the same model with the method 'clip-mesh'. Other models have none.
CLIP_MESH_RECIPES = {CLIP_RECIPE: CLIP_MESH_RECIPE, SMALL_CLIP_RECIPE: SMALL_CLIP_MESH_RECIPE}
# With that method these stages do nothing, and neither do single settings of others ...
FIELD_STAGES = ("field", "render", "pace", "refine", "start", "reference", "texture")
NEEDS_FIELD = (
    "camera.target_jitter",
    "clip.transmittance",
    "clip.target",
    "clip.target_until",
    "optimize.albedo_until",
    "optimize.textureless",
    "optimize.orientation",
    "optimize.smoothness",
    "optimize.opacity",
    "optimize.entropy",
    "optimize.levels_until",
    "mesh.texture",
    "mesh.smoothing",
    "mesh.resolution",
    "mesh.iso",
    "mesh.min_part",
    "mesh.normal_map",
    "mesh.unwrap_seconds",
)
SPHERE_STAGES = ("sphere",)  # ... and without it these


def needs_words(recipe: str) -> bool:
    """Return whether models of a recipe need a prompt; of an unknown recipe too.

    recipe: str, its name.
    """
    return recipe not in RECIPES or RECIPES[recipe].words


def compares(recipe: str) -> bool:
    """Return whether models of a recipe compare pictures with words and denoise nothing; False for an unknown one.

    recipe: str, its name.
    """
    return recipe in RECIPES and RECIPES[recipe].family == RECIPES[CLIP_RECIPE].family


def recipe_family(family: str) -> str:
    """Return the family whose recipes a model of a family has: itself, or one from which only its folders differ."""
    return _LIKE.get(family, family)


def recipe_for(family: str, *, closed_vocabulary: bool, pose: str | None = None) -> str:
    """Return the name of the recipe for a model of a family.

    family: str, its pipeline class.
    closed_vocabulary: bool, as its card says. Such a model is a small one of this project, in the layout of DeepFloyd
        IF, of Stable Diffusion or of CLIP, and is not of their families.
    pose: str, the poses that it was taught, of `reference.pose`; None: it is told none, or nobody knows.
    """
    family = recipe_family(family)
    if family == ZERO123 and pose == STABLE_ZERO123_RECIPE:
        return STABLE_ZERO123_RECIPE
    return _SMALL.get(family, family) if closed_vocabulary else family
