"""What settings need of a model and of a method: without it they do nothing, and a run is refused them."""

from __future__ import annotations

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
# With the method 'clip-mesh' these stages do nothing, and neither do single settings of others ...
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
