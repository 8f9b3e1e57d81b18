"""Estimate a run's time: a pure function of the model's arithmetic, the run's settings and the device's speed.

It needs neither torch nor the weights. Training counts steps, previews and health checks. Not counted: reading the
prompt (once a prompt, then kept), weights that visit the card layer by layer (memory.offload), restarts after a failed
health check. `docs/benchmarks.md` compares estimates with runs.
"""

from __future__ import annotations

from dreamfusion_engine.config.refine import refining
from dreamfusion_engine.config.scores import BACKWARD_ALONE, SCORES
from dreamfusion_engine.config.stages import FieldConfig, GenerateConfig, views_at_once
from dreamfusion_engine.guidance.denoiser.choice import why_torch
from dreamfusion_engine.memory.estimate import TILE_PIXELS, field_numbers, pictures_a_view
from dreamfusion_engine.models.operations import BACKWARD, encoder_operations
from dreamfusion_engine.models.sizes import ModelSizes
from dreamfusion_engine.speed.device_speed import Speed

# From docs/benchmarks.md, on the machine whose float32 rate was REFERENCE operations a second.
REFERENCE = 188e9
_CALL_SECONDS = 0.018  # a call of a denoiser beyond its arithmetic: 24.6 ms, of which 6.6 are, with the starter
_NERF_SECONDS = 0.004  # the NeRF part of a step, with no rays ...
_RAY_SECONDS = 6.2e-6  # ... and a ray of it: 5.6 to 29.2 ms for 256 to 4,096 rays of 64 steps ...
_RAY_STEPS, _RAY_FIXED = 64, 0.5  # ... of which about half goes with the steps: 6.2 to 21.1 ms for 16 to 256
_READ_SECONDS = 2.5e-9  # one of the eight entries that a sample reads at a level, and as much for its gradient ...
_SAMPLES_A_RAY = 9.3  # ... of the mean of a young and a solid field: 17,347 and 58,766 samples in 64 x 64 rays
_LEVELS = 8  # of the grid that the seconds above were taken with ...
_ADAM_SECONDS = 1.25e-9  # ... whose 0.32 million numbers the optimizer takes 0.4 ms for
_SPHERE_RAY_SECONDS = (
    1.5e-6  # a ray on a sphere's surface, there and back: 0.07, 0.42, 0.78 s with 16, 262, 524 thousand
)
_SPHERE_SECONDS = (
    0.045  # ... and beside its rays (surface, tangents, maps), in one thread of a busy machine: on the safe side
)
_PICTURE_RAY_SECONDS = 2.0e-6  # a ray of a picture: 1.2e-6 (young) to 2.8e-6 (solid) at 128 x 128
_PREVIEW_RAYS = 5 * 128 * 128  # of previews.py ...
_PREVIEW_ELSE = 0.1  # ... and its coarse mesh, a lattice of 48 cells: by its points 0.03 to 0.07 s of the draft's 0.6
_PROBE_RAYS, _PROBE_EVERY = 4 * 32 * 32, 25  # of the health check, optimize/session.py
_NERF_LEAST = 0.003  # seconds on a card: the target of whole_step.py, for want of a measurement
_LOAD_SECONDS = 4.0  # imports, the model's files
_AFTER_SECONDS = 5.0  # mesh and pictures: 8, 14 and 40 s in the presets, from result.json; so a part that is fixed ...
_POINT_SECONDS = 2.1e-6  # ... and for each point of the lattice
_RECOMPUTED_PASSES = 2.0  # the encoder again, and its blocks once more within (memory/placement.py)
_TILES = 1.5  # pixels in overlapping tiles over the picture's, at 1024
_COMPARING_CALLS = 2  # of a CLIP's tower: there and back
_TINY = {"_class_name": "AutoencoderTiny", "block_out_channels": [64]}


def denoiser_step_operations(sizes: ModelSizes, config: GenerateConfig) -> float:
    """Return the denoiser's operations in one training step of one process; 0 where the model's are unknown.

    Of a CLIP they are those of its tower of pictures, there and back.

    sizes: ModelSizes.
    config: GenerateConfig.
    """
    if sizes.compares:
        return config.optimize.views * config.clip.crops * (1.0 + BACKWARD_ALONE) * sizes.denoiser_operations
    work = SCORES[config.guidance.score]
    rows = pictures_a_view(sizes, config) * work.walk(config.score, *timesteps_of_a_call(config))
    rows += work.learns * (2.0 + BACKWARD_ALONE)  # the copy's prediction, and its lesson
    return config.optimize.views * rows * sizes.denoiser_operations


def encoder_step_operations(sizes: ModelSizes, config: GenerateConfig) -> float:
    """Return the operations of the VAE's encoder in one training step, forwards and backwards; 0 without a VAE.

    sizes: ModelSizes.
    config: GenerateConfig.
    """
    memory = config.memory
    if not sizes.encoder_operations:
        return 0.0
    once = sizes.encoder_operations
    if memory.tiny_vae:
        once = encoder_operations(_TINY, sizes.pixels)
    elif memory.tiling and sizes.pixels > TILE_PIXELS:
        once *= _TILES
    passes = 1.0 + BACKWARD + (_RECOMPUTED_PASSES if memory.recompute else 0.0)
    return config.optimize.views * passes * once


def step_operations(sizes: ModelSizes, config: GenerateConfig) -> float:
    """Return the operations of the diffusion model in one training step of `optimize.views` views.

    A multiply-add counts as two.

    sizes: ModelSizes of the model.
    config: GenerateConfig; score, Perp-Neg, views and memory settings decide how often each part computes.
    """
    return denoiser_step_operations(sizes, config) + encoder_step_operations(sizes, config)


def step_seconds(sizes: ModelSizes, config: GenerateConfig, speed: Speed) -> float:
    """Return the seconds of one training step by arithmetic alone, without the ratios of earlier runs; 0: unknown.

    sizes: ModelSizes of the model.
    config: GenerateConfig of the run.
    speed: Speed of the device.
    """
    if not sizes.denoiser_operations:
        return 0.0
    single = config.memory.precision == "float32" or (sizes.compares and not speed.card)
    of_denoiser = speed.single if single else speed.half
    device = "cuda" if speed.card else "cpu"
    hosted = config.memory.precision == "auto" and not sizes.compares
    if hosted and not why_torch(sizes.denoiser, config, device=device, there=True):
        of_denoiser = max(speed.half, speed.single)  # a trial takes the faster: half precision is slow on older CPUs
    of_encoder = speed.single if sizes.vae_float32 else of_denoiser
    parts = -(-config.optimize.views // views_at_once(config))
    calls: float = parts * _COMPARING_CALLS
    if not sizes.compares:
        calls = parts * SCORES[config.guidance.score].calls(config.score, *timesteps_of_a_call(config))
    seconds = denoiser_step_operations(sizes, config) / of_denoiser
    seconds += encoder_step_operations(sizes, config) / of_encoder
    slower = REFERENCE / (speed.field_single or speed.single)
    rays = config.optimize.views * sum(size * size for size in config.optimize.resolution) / 2.0
    if config.method == "field":
        steps = _RAY_FIXED + (1.0 - _RAY_FIXED) * config.render.steps / _RAY_STEPS
        nerf = parts * _NERF_SECONDS + rays * (_RAY_SECONDS * steps + _more_levels(config, 2.0)) + _more_adam(config)
    else:
        nerf = parts * _SPHERE_SECONDS + rays * _SPHERE_RAY_SECONDS
    fixed = nerf * slower + calls * _CALL_SECONDS * slower
    return seconds + (max(fixed, _NERF_LEAST) if speed.card and not speed.field_single else fixed)


def _more_levels(config: GenerateConfig, passes: float) -> float:
    """Seconds that the grid's levels add to a ray beside the _LEVELS of the measurement, below 0 for fewer."""
    samples = _SAMPLES_A_RAY * config.render.steps / _RAY_STEPS
    return passes * 8 * (config.field.levels - _LEVELS) * _READ_SECONDS * samples


def _more_adam(config: GenerateConfig) -> float:
    """Seconds that the grid's size adds to a step of the optimizer, which moves every number of it."""
    return _ADAM_SECONDS * (field_numbers(config.field) - field_numbers(FieldConfig()))


def watching_seconds(config: GenerateConfig, speed: Speed, steps: float) -> float:
    """Return the seconds of previews and health checks.

    A preview of c seconds comes every min(max(2, 20 c), max(5, 4 c)) seconds (optimize/snapshots.py), its own among
    them. On a busy machine c is larger, and so is its share.

    config: GenerateConfig of the run.
    speed: Speed of the device.
    steps: float, seconds of the training steps.
    """
    slower = REFERENCE / (speed.field_single or speed.single) * speed.rest
    steps_a_ray = _RAY_FIXED + (1.0 - _RAY_FIXED) * config.render.steps / _RAY_STEPS
    ray = _PICTURE_RAY_SECONDS * steps_a_ray + _more_levels(config, 1.0)
    ray = ray if config.method == "field" else _SPHERE_RAY_SECONDS
    preview = (_PREVIEW_RAYS * ray + _PREVIEW_ELSE) * slower
    checks = config.optimize.steps / _PROBE_EVERY * _PROBE_RAYS * ray * slower
    share = preview / min(max(2.0, 20.0 * preview), max(5.0, 4.0 * preview))
    return checks + (steps + checks) * share / (1.0 - share)


def timed_as(config: GenerateConfig) -> str:
    """Return the name under which the time of a run's steps is remembered: its model's, with a method of its own."""
    return config.model if config.method == "field" else f"{config.model} {config.method}"


def training_seconds(sizes: ModelSizes, config: GenerateConfig, speed: Speed) -> float:
    """Return the seconds of all steps, with the ratios of earlier runs of this model on this device; 0: unknown.

    sizes: ModelSizes of the model.
    config: GenerateConfig of the run.
    speed: Speed of the device.
    """
    return config.optimize.steps * step_seconds(sizes, config, speed) * speed.ratio(timed_as(config))


def refining_seconds(sizes: ModelSizes, config: GenerateConfig, speed: Speed) -> float:
    """Return the seconds of the refinement at the end of `generate`: 0 without one, or where a step's are unknown.

    Its renders are counted as the field's, which take longer.

    sizes: ModelSizes of the model.
    config: GenerateConfig of the run.
    speed: Speed of the device.
    """
    if not config.refine.steps:
        return 0.0
    return training_seconds(sizes, refining(config, {}), speed)


def texturing_seconds(sizes: ModelSizes, config: GenerateConfig, speed: Speed | None) -> float:
    """Return the seconds of the second stage of `generate`, from loading its model to the baked texture; 0: unknown.

    Its renders are counted as the field's, which take longer.

    sizes: ModelSizes of the texture model.
    config: GenerateConfig of the stage (`config.texture_stage`).
    speed: Speed of the device; None where it was not measured yet.
    """
    training = training_seconds(sizes, config, speed) if speed is not None else 0.0
    if speed is None or not training:
        return 0.0
    training += watching_seconds(config, speed, training)
    return training + (_LOAD_SECONDS + _AFTER_SECONDS) * speed.rest


def after_seconds(config: GenerateConfig, speed: Speed) -> float:
    """Return the seconds of mesh and pictures after training.

    config: GenerateConfig of the run.
    speed: Speed of the device.
    """
    points = (config.mesh.resolution + 1) ** 3 if config.method == "field" else 0
    return (_AFTER_SECONDS + _POINT_SECONDS * points) * speed.rest


def estimated_seconds(sizes: ModelSizes, config: GenerateConfig, speed: Speed | None) -> float:
    """Return the seconds from the start of a run to its files; 0: unknown.

    sizes: ModelSizes of the model.
    config: GenerateConfig of the run.
    speed: Speed of the device; None where it was not measured yet.
    """
    training = training_seconds(sizes, config, speed) if speed is not None else 0.0
    if speed is None or not training:
        return 0.0
    training += watching_seconds(config, speed, training) + refining_seconds(sizes, config, speed)
    return training + _LOAD_SECONDS * speed.rest + after_seconds(config, speed)


def spoken(seconds: float) -> str:
    """Return a time in words: '40 seconds', '12 minutes', '40 hours'."""
    for size, name in ((3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 1.5 * size:
            return f"{round(seconds / size)} {name}"
    return f"{round(seconds)} seconds"


def estimate_text(config: GenerateConfig, seconds: float) -> str:
    """Return one sentence for the artist: how long the run will take, and of what that follows.

    config: GenerateConfig of the run.
    seconds: float, the estimate.
    """
    views = config.optimize.views
    what = f"{config.optimize.steps:,} steps of {views} {'views' if views > 1 else 'view'} with this model"
    if config.texture.model:
        what += ", then the texture model's"
    return f"About {spoken(seconds)} on this machine ({what}; an estimate from its measured speed)."


def timesteps_of_a_call(config: GenerateConfig) -> tuple[float, float]:
    """Return two means over training, shares of T: the largest t in a call of the denoiser, and the range's upper end.

    A call has `views_at_once` views. Each of B views, or of B groups, has its B-th of the range
    (`timesteps.sample_timesteps`). The
    largest of n neighbours lies, in the mean over a step's calls, (B + n - 1) / 2B into the range.
    """
    low, high = _mean_timesteps(config)
    groups, at_once = (count // config.camera.group for count in (config.optimize.views, views_at_once(config)))
    place = (groups + at_once - 1) / (2 * groups)
    return low + (high - low) * place, high


def _mean_timesteps(config: GenerateConfig) -> tuple[float, float]:
    """Mean over training of the lower and the upper end of the timestep range (`timesteps.timestep_range`), of T.

    The share of the way to the end values that is gone in the mean: 1 - a/2 at an even pace, 1 - a/3 by a square root,
    1 - a in one step, with a = anneal_until.
    """
    guidance = config.guidance
    part = {"linear": 1 / 2, "sqrt": 1 / 3, "step": 1.0}[guidance.annealing]
    share = 1.0 - part * guidance.anneal_until
    low, high = ((1.0 - share) * start + share * end for start, end in (guidance.t_min, guidance.t_max))
    return low, high
