"""Settings of a run: frozen dataclasses, one for each stage; `config.presets` reads and writes them.

Every field has its unit or symbol beside it. Angles are degrees here, because people read this; radians inside. The
object lives in [-1, 1]^3, so one world unit is half the box. `config.presets.preset` gives the three presets, with the
recipe of a model's family over them.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal, get_args

from dreamfusion_engine.config.prompt_text import checked_prompt
from dreamfusion_engine.config.scores import SCORES, Score
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.inputs.given_path import shortened

Annealing = Literal["linear", "sqrt", "step"]
Shading = Literal["albedo", "lambertian", "textureless"]  # of a render, and of what a prompt speaks of
Weighting = Literal["uniform", "sigma_squared", "alpha_sigma"]
ViewPrompts = Literal["nearest", "interpolated", "off"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]
Offload = Literal["none", "text", "all"]  # text encoders' weights, or the denoiser's too
DenoiserRuntime = Literal["auto", "torch", "openvino"]


def require(ok: bool, name: str, value: object, needs: str) -> None:
    """Raise InputError input.setting unless `ok`.

    ok: bool, whether the setting is possible.
    name: str, dotted name of the setting.
    value: its value.
    needs: str, what the setting must be, in words.
    """
    if not ok:
        raise InputError(
            "input.setting",
            what=f"The setting '{name}' cannot be {shortened(repr(value))}.",
            why=f"{name} must be {needs}.",
            fix=f"Give {name} a value that is {needs}, or leave it out for the preset's value.",
        )


def _require_range(name: str, value: tuple[float, float], low: float, high: float) -> None:
    require(
        len(value) == 2 and low <= value[0] <= value[1] <= high, name, value, f"a pair low <= high in [{low}, {high}]"
    )


@dataclass(frozen=True, kw_only=True)
class CameraConfig:
    """Cameras of the training. Sampling as DreamFusion (arXiv 2209.14988, App. A.2), framed for the [-1, 1] box."""

    distance: tuple[float, float] = (3.0, 3.5)  # world units from the origin
    fov_deg: tuple[float, float] = (36.0, 42.0)  # vertical field of view
    elevation_deg: tuple[float, float] = (-10.0, 80.0)
    target_jitter: float = 0.02  # standard deviation of the look-at point, world units

    def __post_init__(self) -> None:
        _require_range("distance", self.distance, 1.8, 100.0)
        _require_range("fov_deg", self.fov_deg, 1.0, 120.0)
        _require_range("elevation_deg", self.elevation_deg, -90.0, 90.0)
        require(0.0 <= self.target_jitter <= 0.5, "target_jitter", self.target_jitter, "in [0, 0.5]")


@dataclass(frozen=True, kw_only=True)
class FieldConfig:
    """The radiance field: a multiresolution hash grid (Mueller 2022, arXiv 2201.05989) and a small MLP."""

    levels: int = 8  # L
    features: int = 2  # F a level
    log2_table: int = 15  # entries a level = 2^log2_table
    base_resolution: int = 8  # cells along the box at the coarsest level
    finest_resolution: int = 128  # ... and at the finest
    hidden: int = 32  # MLP width, one hidden layer
    blob_density: float = 10.0  # height of the initial density blob, before the activation
    blob_radius: float = 0.5  # world units
    density_gain: float = 20.0  # times the MLP's density before its activation: how soon a surface can be solid
    background: Literal["random", "learned"] = "random"

    def __post_init__(self) -> None:
        require(1 <= self.levels <= 24, "levels", self.levels, "in [1, 24]")
        require(1 <= self.features <= 8, "features", self.features, "in [1, 8]")
        require(8 <= self.log2_table <= 24, "log2_table", self.log2_table, "in [8, 24]")
        require(2 <= self.base_resolution <= 512, "base_resolution", self.base_resolution, "in [2, 512]")
        require(
            self.base_resolution <= self.finest_resolution <= 8192,
            "finest_resolution",
            self.finest_resolution,
            "in [base_resolution, 8192]",
        )
        require(4 <= self.hidden <= 256, "hidden", self.hidden, "in [4, 256]")
        require(0.0 < self.blob_radius <= 2.0, "blob_radius", self.blob_radius, "in (0, 2]")
        require(0.0 < self.density_gain <= 1000.0, "density_gain", self.density_gain, "in (0, 1000]")
        require(self.background in ("random", "learned"), "background", self.background, "'random' or 'learned'")


@dataclass(frozen=True, kw_only=True)
class RenderConfig:
    """Ray marching and shading."""

    steps: int = 64  # samples along the diagonal-free box width 2: step length = 2 / steps
    occupancy_resolution: int = 48  # cells along the box
    occupancy_threshold: float = 0.01  # opacity of one step under which a cell is skipped
    occupancy_every: int = 8  # training steps between updates
    max_samples_per_ray: int = 128

    def __post_init__(self) -> None:
        require(8 <= self.steps <= 1024, "steps", self.steps, "in [8, 1024]")
        require(8 <= self.occupancy_resolution <= 256, "occupancy_resolution", self.occupancy_resolution, "in [8, 256]")
        require(0.0 <= self.occupancy_threshold < 0.5, "occupancy_threshold", self.occupancy_threshold, "in [0, 0.5)")
        require(1 <= self.occupancy_every <= 1000, "occupancy_every", self.occupancy_every, "in [1, 1000]")
        diagonal = math.ceil(math.sqrt(3.0) * self.steps) + 1  # steps along the box's longest ray
        require(
            diagonal <= self.max_samples_per_ray <= 4096,
            "max_samples_per_ray",
            self.max_samples_per_ray,
            f"in [{diagonal}, 4096] for {self.steps} steps",
        )


@dataclass(frozen=True, kw_only=True)
class GuidanceConfig:
    """Score distillation from the diffusion model."""

    scale: float = 7.0  # classifier-free guidance w: e_u + w (e_c - e_u)
    scale_kept: float = 0.2  # share of w - 1 left at the end; it falls from anneal_until on
    rescale: float = 0.6  # share of the guided x0 rescaled to the conditional's spread (arXiv 2305.08891, eq. 15-16)
    t_max: tuple[float, float] = (0.98, 0.3)  # upper end of the timestep range, start -> end of training
    t_min: tuple[float, float] = (0.5, 0.02)  # lower end, start -> end
    anneal_until: float = 0.7  # fraction of training at which the end values are reached
    annealing: Annealing = "linear"  # how: at an even pace, by a square root (fast, then slow), or in one step
    weighting: Weighting = "uniform"  # w(t): 1, sigma_t^2 or alpha_t sigma_t
    score: Score = "sds"  # what the denoiser's predictions are made into
    view_prompts: ViewPrompts = "nearest"  # "front view", ...: the nearest, mixed by angle, none
    perp_neg: Literal["auto", "on", "off"] = "auto"  # other views as negative prompts

    def __post_init__(self) -> None:
        require(0.0 <= self.scale <= 1000.0, "scale", self.scale, "in [0, 1000]")
        require(0.0 <= self.scale_kept <= 1.0, "scale_kept", self.scale_kept, "in [0, 1]")
        require(0.0 <= self.rescale <= 1.0, "rescale", self.rescale, "in [0, 1]")
        for low, high in zip(self.t_min, self.t_max, strict=True):
            require(0.0 < low < high < 1.0, "t_min, t_max", (self.t_min, self.t_max), "0 < t_min < t_max < 1")
        require(0.0 < self.anneal_until <= 1.0, "anneal_until", self.anneal_until, "in (0, 1]")
        for name, choices in (
            ("annealing", get_args(Annealing)),
            ("weighting", get_args(Weighting)),
            ("score", get_args(Score)),
            ("view_prompts", get_args(ViewPrompts)),
            ("perp_neg", ("auto", "on", "off")),
        ):
            require(getattr(self, name) in choices, name, getattr(self, name), "one of " + ", ".join(choices))


@dataclass(frozen=True, kw_only=True)
class PromptsConfig:
    """Prompts written by hand for single views, in place of the automatic ones; `{}` stands for the prompt."""

    front: str = ""  # "": the prompt with the model's own words for the view
    side: str = ""
    back: str = ""  # such as "the back of {}" or "a car seen from behind"
    overhead: str = ""

    def __post_init__(self) -> None:
        for name in ("front", "side", "back", "overhead"):
            text = checked_prompt(getattr(self, name), f"prompt of the {name} view", empty_ok=True)
            object.__setattr__(self, name, text)


@dataclass(frozen=True, kw_only=True)
class AdaptersConfig:
    """Small .safetensors files that extend the diffusion model: LoRAs, and words (textual inversion)."""

    lora: tuple[tuple[str, float], ...] = ()  # file and weight of each; 1: as trained, 0: none of it
    embeddings: tuple[str, ...] = ()  # files; a prompt names their words

    def __post_init__(self) -> None:
        for file, weight in self.lora:
            require(file.strip() != "", "adapters.lora", file, "a file")
            require(-10.0 <= weight <= 10.0, "adapters.lora", weight, "a file with a weight in [-10, 10]")
        for file in self.embeddings:
            require(file.strip() != "", "adapters.embeddings", file, "a file")


@dataclass(frozen=True, kw_only=True)
class ScoreConfig:
    """Settings of some scores besides `guidance`: the inversion of 'sdi', the low-rank copy of 'vsd', sampling."""

    inversion_steps: int = 10  # that would lead through every timestep; a render's t takes its share of them
    inversion_scale: float = -7.5  # guidance while inverting (arXiv 2405.15891)
    lora_rank: int = 4  # r of the copy that learns the renders (arXiv 2305.16213)
    lora_rate: float = 1e-3  # its learning rate (AdamW)
    sampling_steps: int = 4  # of 'sampled', that would lead through every timestep, as those of the inversion
    sampling_guidance: float = 0.33  # share of w - 1 that guides them: many predictions need less than one
    pixel_clip: float = 0.0  # largest norm of the score at one pixel of what is denoised (arXiv 2310.12474); 0: off
    clamp: tuple[float, float] = (0.0, 0.0)  # largest value of the residual, start -> end of training; 0, 0: off
    latents: Literal["mean", "sample"] = "mean"  # of the VAE's posterior; models of pixels have none

    def __post_init__(self) -> None:
        require(1 <= self.inversion_steps <= 100, "inversion_steps", self.inversion_steps, "in [1, 100]")
        require(-1000.0 <= self.inversion_scale <= 1000.0, "inversion_scale", self.inversion_scale, "in [-1000, 1000]")
        require(1 <= self.lora_rank <= 128, "lora_rank", self.lora_rank, "in [1, 128]")
        require(0.0 < self.lora_rate <= 1.0, "lora_rate", self.lora_rate, "in (0, 1]")
        require(1 <= self.sampling_steps <= 100, "sampling_steps", self.sampling_steps, "in [1, 100]")
        require(0.0 <= self.sampling_guidance <= 1.0, "sampling_guidance", self.sampling_guidance, "in [0, 1]")
        require(0.0 <= self.pixel_clip <= 1e6, "pixel_clip", self.pixel_clip, "in [0, 1000000]")
        pair = len(self.clamp) == 2 and (all(0.0 < end <= 1e6 for end in self.clamp) or not any(self.clamp))
        require(pair, "clamp", self.clamp, "two values in (0, 1000000], or 0 and 0")
        require(self.latents in ("mean", "sample"), "latents", self.latents, "'mean' or 'sample'")


@dataclass(frozen=True, kw_only=True)
class OptimizeConfig:
    """The training loop."""

    steps: int = 1200
    views: int = 2  # B, views a step
    resolution: tuple[int, int] = (32, 48)  # pixels of a square render, first half -> second half
    learning_rate: float = 0.015  # Adam, hash grid and MLP (betas 0.9, 0.99, eps 1e-15)
    albedo_until: float = 0.2  # fraction of training without lighting
    textureless: float = 0.2  # share of lit steps rendered without albedo
    # Weights of regularisers are given for a score of size 1 and grow with the score (`guidance.score_size`).
    orientation: float = 0.1  # weight of the orientation loss
    smoothness: float = 0.04  # weight of the differences between neighbouring normals at the end
    opacity: float = 0.012  # weight of sqrt((sum w)^2 + 0.01) once the object stands; more at first, see `pace`
    entropy: float = 1.2  # weight of the ray opacity's binary entropy at the end
    levels_until: float = 0.3  # fraction of training by which every hash-grid level is open
    gradient_clip: float = 1.0  # largest norm of the gradient; 0: off

    def __post_init__(self) -> None:
        require(1 <= self.steps <= 1_000_000, "steps", self.steps, "in [1, 1000000]")
        require(1 <= self.views <= 64, "views", self.views, "in [1, 64]")
        require(
            len(self.resolution) == 2 and all(8 <= r <= 1024 for r in self.resolution),
            "resolution",
            self.resolution,
            "two sizes in [8, 1024]",
        )
        require(0.0 < self.learning_rate <= 1.0, "learning_rate", self.learning_rate, "in (0, 1]")
        for name in ("albedo_until", "textureless", "levels_until"):
            require(0.0 <= getattr(self, name) <= 1.0, name, getattr(self, name), "in [0, 1]")
        for name in ("orientation", "smoothness", "opacity", "entropy", "gradient_clip"):
            require(0.0 <= getattr(self, name) <= 1e6, name, getattr(self, name), "at least 0")


@dataclass(frozen=True, kw_only=True)
class PaceConfig:
    """The times at which the parts of training take effect, as fractions of training."""

    lit: float = 0.75  # share of lit steps, once there is light (DreamFusion, App. A.2)
    opacity_start: float = 10.0  # times the opacity weight at first ...
    opacity_until: float = 0.4  # ... falling to once it here; 0: once it from the start
    entropy_from: float = 0.4  # an undecided field must be free to move until its shape stands; full weight at the end
    smoothness_from: float = 0.3  # full weight at the end
    orientation_start: float = 0.01  # share of the orientation weight at first: 1e-4 of 1e-2 (DreamFusion, App. A.2)
    orientation_until: float = 1.0 / 3.0  # all of it from here on: after 5k of 15k steps (there)

    def __post_init__(self) -> None:
        for name in ("lit", "opacity_until", "entropy_from", "smoothness_from"):
            require(0.0 <= getattr(self, name) <= 1.0, name, getattr(self, name), "in [0, 1]")
        require(0.0 <= self.opacity_start <= 1000.0, "opacity_start", self.opacity_start, "in [0, 1000]")
        require(0.0 <= self.orientation_start <= 1.0, "orientation_start", self.orientation_start, "in [0, 1]")
        require(0.0 <= self.orientation_until <= 1.0, "orientation_until", self.orientation_until, "in [0, 1]")


@dataclass(frozen=True, kw_only=True)
class MeshConfig:
    """The way from density to a textured mesh."""

    resolution: int = 160  # lattice cells along the box, [128, 512] in the presets
    iso: float | Literal["auto"] = "auto"  # density level; auto: the one whose silhouettes agree best with the renders
    smoothing: int = 20  # Taubin iterations
    triangles: int = 20_000  # budget after decimation
    min_part: float = 0.01  # parts under this share of the largest part's volume are floaters
    texture: int = 1024  # pixels along the square base-colour texture
    padding: int = 8  # texels of colour beyond the charts' edges
    unwrap_seconds: float = 40.0  # time box of the unwrap; past it a simpler one is used

    def __post_init__(self) -> None:
        require(16 <= self.resolution <= 1024, "mesh.resolution", self.resolution, "in [16, 1024]")
        require(
            self.iso == "auto" or (isinstance(self.iso, int | float) and self.iso > 0),
            "iso",
            self.iso,
            "'auto' or above 0",
        )
        require(0 <= self.smoothing <= 100, "smoothing", self.smoothing, "in [0, 100]")
        require(100 <= self.triangles <= 5_000_000, "triangles", self.triangles, "in [100, 5000000]")
        require(0.0 <= self.min_part < 1.0, "min_part", self.min_part, "in [0, 1)")
        require(64 <= self.texture <= 8192, "texture", self.texture, "in [64, 8192]")
        require(0 <= self.padding <= 64, "padding", self.padding, "in [0, 64]")
        require(0.1 <= self.unwrap_seconds <= 3600.0, "unwrap_seconds", self.unwrap_seconds, "in [0.1, 3600]")


@dataclass(frozen=True, kw_only=True)
class MemoryConfig:
    """The memory settings: what the diffusion model may take, and what is traded for it."""

    fit: bool = True  # where the memory that is free at the start is not enough, change what follows, sizes and views
    precision: Precision = "auto"  # of the diffusion model
    vae_precision: Precision = "auto"  # of its VAE; auto: bfloat16 beside a model in half precision where that is safe
    recompute: bool = False  # VAE: one picture at a time, its layers computed again in the backward pass; same result
    tiling: bool = False  # VAE: pictures above 512 pixels in overlapping tiles; nearly the same result
    tiny_vae: str = ""  # folder or downloaded hub id of an AutoencoderTiny that takes the VAE's place
    views_at_once: int = 0  # rendered and judged at a time, gradients added up; 0: all; same result ('vsd': nearly)
    graphs: bool = True  # on a card, record a step's work once and replay it: faster, and takes memory of its own
    denoiser_runtime: DenoiserRuntime = "auto"  # on a CPU; auto: the fastest by a measurement that is kept
    overlap: Literal["auto", "on", "off"] = "auto"  # on a CPU, judge half of a step's views while the other is rendered
    offload: Offload = "none"  # whose weights stay in main memory while one layer at a time visits the card; slow

    def __post_init__(self) -> None:
        for name, choices in (
            ("precision", get_args(Precision)),
            ("vae_precision", get_args(Precision)),
            ("denoiser_runtime", get_args(DenoiserRuntime)),
            ("overlap", ("auto", "on", "off")),
            ("offload", get_args(Offload)),
        ):
            require(getattr(self, name) in choices, name, getattr(self, name), "one of " + ", ".join(choices))
        require(0 <= self.views_at_once <= 64, "views_at_once", self.views_at_once, "in [0, 64]")


@dataclass(frozen=True, kw_only=True)
class GenerateConfig:
    """Everything that decides the result of a run, apart from where its files go."""

    prompt: str
    negative: str = ""
    seed: int = 0
    model: str = "starter"  # 'starter', a folder, a hub id, or a single .safetensors file
    base: str = ""  # folder or hub id that gives a single file its configs and the parts it lacks; "": the catalogue's
    device: str = "auto"  # 'auto', 'cpu', 'cuda', 'cuda:1', ...
    checkpoint_every: int = 50  # steps; what a killed run can lose at most
    preset: str = "standard"  # the name the values below started from ...
    recipe: str = "starter"  # ... and the recipe of the model's family over it, see `recipes`
    camera: CameraConfig = dataclasses.field(default_factory=CameraConfig)
    field: FieldConfig = dataclasses.field(default_factory=FieldConfig)
    render: RenderConfig = dataclasses.field(default_factory=RenderConfig)
    guidance: GuidanceConfig = dataclasses.field(default_factory=GuidanceConfig)
    prompts: PromptsConfig = dataclasses.field(default_factory=PromptsConfig)
    adapters: AdaptersConfig = dataclasses.field(default_factory=AdaptersConfig)
    score: ScoreConfig = dataclasses.field(default_factory=ScoreConfig)
    optimize: OptimizeConfig = dataclasses.field(default_factory=OptimizeConfig)
    pace: PaceConfig = dataclasses.field(default_factory=PaceConfig)
    mesh: MeshConfig = dataclasses.field(default_factory=MeshConfig)
    memory: MemoryConfig = dataclasses.field(default_factory=MemoryConfig)

    def __post_init__(self) -> None:
        object.__setattr__(self, "prompt", checked_prompt(self.prompt, "prompt", empty_ok=False))
        object.__setattr__(self, "negative", checked_prompt(self.negative, "negative prompt", empty_ok=True))
        require(
            self.memory.offload != "all" or not SCORES[self.guidance.score].learns,
            "memory.offload",
            self.memory.offload,
            f"'none' or 'text' with the score '{self.guidance.score}', whose copy shares the denoiser's weights",
        )
        require(1 <= self.checkpoint_every <= 50, "checkpoint_every", self.checkpoint_every, "in [1, 50]")
        require(0 <= self.seed < 2**31, "seed", self.seed, "a whole number in [0, 2147483647]")


def views_at_once(config: GenerateConfig) -> int:
    """Return the number of views whose tensors are alive together; in an overlapped step these are both halves."""
    return min(config.optimize.views, config.memory.views_at_once or config.optimize.views)
