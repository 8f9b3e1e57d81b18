"""Recipes of models that compare pictures with words: CLIP, with a field or with the method 'clip-mesh'."""

from __future__ import annotations

from dreamfusion_engine.config.recipes.large import LARGE
from dreamfusion_engine.config.recipes.recipe import Recipe, Settings

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
CLIP = Recipe(
    title="CLIP",
    family="CLIPModel",
    settings={
        **_CLIP,
        **{name: LARGE[name] for name in LARGE if name.startswith("field.") and name != "field.background"},
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
)
SMALL_CLIP = Recipe(
    title="Small CLIP",
    family="CLIPModel",
    settings={
        **_CLIP,
        "optimize.resolution": ((48, 48), "ours: 1.5 times its 32 pixels, as a crop is averaged down to them"),
    },
)

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
CLIP_MESH = Recipe(
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
)
SMALL_CLIP_MESH = Recipe(
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
)
