"""Names of recipes that other code speaks of. A recipe without one here has the name of its family."""

from __future__ import annotations

STARTER_RECIPE = "starter"
LATENT_RECIPE = "latent"
MULTI_VIEW_RECIPE = "MultiViewPixelPipeline"
CLIP_RECIPE = "CLIPModel"
SMALL_CLIP_RECIPE = "small-clip"
CLIP_MESH_RECIPE = "clip-mesh"
SMALL_CLIP_MESH_RECIPE = "small-clip-mesh"
ZERO123 = "Zero1to3StableDiffusionPipeline"
STABLE_ZERO123_RECIPE = "stable-zero123"
IMAGE_DREAM = "ImageDreamPipeline"
