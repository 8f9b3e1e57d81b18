"""Estimate a run's peak memory: a pure function of the model's sizes and the run's settings.

It needs neither torch nor the weights, so it runs before anything is downloaded or loaded. It counts the tensors that
are alive together. Kernels' own work space, fragments and the driver come on top as `RESERVE`.
`benchmarks/memory/networks.py` compares it with torch's count of live tensors, `benchmarks/memory/runs.py` with whole
runs.
"""

from __future__ import annotations

from dataclasses import dataclass

from dreamfusion_engine.config.scores import SCORES
from dreamfusion_engine.config.stages import FieldConfig, GenerateConfig, views_at_once
from dreamfusion_engine.guidance.denoiser.choice import why_torch
from dreamfusion_engine.machine.backends import BACKENDS, kinds_of, share_memory
from dreamfusion_engine.models.card import PromptCard, predictions_a_view
from dreamfusion_engine.models.sizes import HALF_ABOVE, ModelSizes

TILE_PIXELS = 512  # with memory.tiling the VAE sees pictures in tiles of this size
# Share on top in training, for work space and fragments. Only cpu and cuda were measured; the others have the larger.
RESERVE = {"cpu": 0.25, "cuda": 0.1, "rocm": 0.25, "xpu": 0.25, "mps": 0.25}
RESERVE_ELSE = 0.1  # before and after it. On a CPU convolutions copy what they read into an order of their own
PROCESS_BYTES = 600 << 20  # Python, torch, Warp and diffusers with nothing loaded, resident on a CPU
MESH_BYTES = 310 << 20  # what making the mesh and its pictures takes besides: libraries, charts, texture, frames ...
REFINE_BYTES = 1500  # for each triangle whose corners move: the factors of the linear system, 1.3 KiB at 32,768
LATTICE_BYTES = 24  # ... and for each point of the lattice, at most
SAMPLE_BYTES = {"cpu": 85, "cuda": 215}  # a ray's step in training: what it and its gradient keep, at most
SEEN_BYTES = {"cpu": 60, "cuda": 140}  # a ray's step in a preview, without gradients
_PREVIEW_RAYS = 16_384  # rendered at a time
SPHERE_RAY_BYTES = 450  # a ray on a sphere's surface, its gradient and what lies behind it: 427 of 0.5 million measured
HOST_BYTES = 60 << 20  # OpenVINO itself: 39 MiB when it is loaded, some 20 with what compiling leaves
_ADAM = 5  # the parameters, their gradient, two moments, and a copy while the step is made
_LARGEST_LAYER = 300 << 20  # bytes of an offloaded network that are on the card at a time, at most: T5's embedding
VSD_KEPT = {"unet": 33, "transformer": 43}  # the copy's backward pass keeps so much more than a call without one, at
# most: of the architectures of benchmarks/memory/networks.py 10 (IF) to 32 (SDXL), and 19 (SD3 medium) to 42 (Flux)


@dataclass(frozen=True, kw_only=True)
class MemoryEstimate:
    """Peak memory of a run.

    parts: name to bytes, what is alive at the peak.
    """

    parts: dict[str, int]

    @property
    def total(self) -> int:
        """The sum of the parts and the reserve, bytes."""
        return sum(self.parts.values())


def estimate(sizes: ModelSizes, config: GenerateConfig, device_type: str, moving: int | None = None) -> MemoryEstimate:
    """Return the peak memory of a run: the largest of reading the prompt, training and making the mesh.

    Where the field has a memory of its own, that is not counted: see `estimate_field`.

    sizes: ModelSizes of the model.
    config: GenerateConfig of the run.
    device_type: kind of the places (`machine.places.Places.kind`): 'cuda', 'rocm' and 'xpu' have a memory of their own,
        with 'cpu' and 'mps' the process's is counted; 'mps+cpu': the teacher's and the field's.
    moving: int, triangles of a given mesh whose corners move in training, 0 where only its colours change; None: the
        run is `generate`, which makes the mesh and refines it as the settings say.
    """
    hosted = hosted_bytes(sizes, config, device_type)
    moments = [
        _reading(sizes, config, device_type),
        {**_training(sizes, config, device_type, moving), "denoiser's copy": hosted},
    ]
    if not _on_card(device_type):  # a card has less to do then than in training
        moments.append({**_meshing(sizes, config, device_type, moving), "denoiser's copy": hosted})
    fullest = max(moments, key=lambda parts: sum(parts.values()))
    return MemoryEstimate(parts={name: size for name, size in fullest.items() if size})


def estimate_field(config: GenerateConfig, device_type: str, moving: int | None = None) -> MemoryEstimate:
    """Return the peak memory of a run where the field is, if that is not the teacher's; else nothing.

    config: GenerateConfig of the run.
    device_type, moving: as for `estimate`.
    """
    if share_memory(device_type):
        return MemoryEstimate(parts={})
    _, field = kinds_of(device_type)
    moments = [_training_field(config, field, moving)]
    if not _on_card(field):
        meshing = {"field": trained_bytes(config), "mesh": _mesh_bytes(config, moving)}
        moments.append(_with_process(meshing, field, RESERVE_ELSE))
    return MemoryEstimate(parts=max(moments, key=lambda parts: sum(parts.values())))


def working_field_bytes(config: GenerateConfig, device_type: str, moving: int | None = None) -> int:
    """Return the peak bytes of training where the field is, if that is not the teacher's memory; else 0.

    config, device_type, moving: as for `estimate_field`.
    """
    return 0 if share_memory(device_type) else sum(_training_field(config, kinds_of(device_type)[1], moving).values())


def working_bytes(sizes: ModelSizes, config: GenerateConfig, device_type: str, moving: int | None = None) -> int:
    """Return the peak bytes until the end of training: what the memory settings can change.

    It does not count another runtime's copy of the denoiser, which is not made where memory is short.

    sizes, config, device_type, moving: as for `estimate`.
    """
    reading, training = _reading(sizes, config, device_type), _training(sizes, config, device_type, moving)
    return max(sum(reading.values()), sum(training.values()))


def _training_field(config: GenerateConfig, field: str, moving: int | None) -> dict[str, int]:
    """In a training step, where the field alone is. field: name of its backend."""
    parts = {"field": trained_bytes(config), "render": _render_bytes(config, field)}
    if not BACKENDS[field].own_memory:
        parts |= _surface_bytes(moving)
    return _with_process(parts, field, RESERVE[field])


def _on_card(device_type: str) -> bool:
    """Whether the teacher has a memory of its own."""
    return BACKENDS[kinds_of(device_type)[0]].own_memory


def _with_process(parts: dict[str, int], device_type: str, reserve: float) -> dict[str, int]:
    """The parts, with what the program itself takes of main memory, and the reserve."""
    whole = parts if _on_card(device_type) else {**parts, "process": PROCESS_BYTES}
    return {**whole, "reserve": round(reserve * sum(whole.values()))}


def hosted_bytes(sizes: ModelSizes, config: GenerateConfig, device_type: str) -> int:
    """Return the bytes that OpenVINO holds besides torch's network, where it may run the denoiser and is installed.

    They are three times the weights (constants, what is compiled from them, and at the first call their packed order),
    the library, and a call's own tensors. For the starter it returns 170 MiB; 147 and 149 were measured in bfloat16 and
    float32 (benchmarks/memory/hosted.py).

    sizes, config, device_type: as for `estimate`.
    """
    if sizes.compares or why_torch(sizes.denoiser, config, device=kinds_of(device_type)[0]):
        return 0
    rows = pictures_a_view(sizes, config)
    return 3 * 4 * sizes.denoiser + HOST_BYTES + 4 * rows * views_at_once(config) * sizes.denoiser_live


def pictures_a_view(sizes: ModelSizes, config: GenerateConfig) -> int:
    """Return how many pictures the model is shown of a view: one for each text, or a CLIP's crops.

    sizes: ModelSizes of the model.
    config: GenerateConfig of the run.
    """
    if sizes.compares:
        return config.clip.crops
    return predictions_a_view(config.guidance, PromptCard(closed_vocabulary=sizes.closed_vocabulary))


def weight_bytes(sizes: ModelSizes, config: GenerateConfig, device_type: str) -> int:
    """Return the bytes of one of the denoiser's parameters.

    sizes, config, device_type: as for `estimate`.
    """
    precision = config.memory.precision
    if kinds_of(device_type)[0] == "cpu":
        return 4  # a CPU keeps float32 weights and casts as it computes
    if precision == "auto":
        return 2 if sizes.denoiser > HALF_ABOVE else 4
    return 4 if precision == "float32" else 2


def _vae_bytes(sizes: ModelSizes, config: GenerateConfig, device_type: str) -> int:
    """Bytes of one of the VAE's numbers, as `families.parts.Parts.vae_dtype` says.

    A card without bfloat16 has float32 there: who knows the card asks for that by name, see `generate`.
    """
    precision = config.memory.vae_precision
    if precision != "auto":
        return 4 if precision == "float32" else 2
    return 4 if sizes.vae_float32 else weight_bytes(sizes, config, device_type)


def _reading(sizes: ModelSizes, config: GenerateConfig, device_type: str) -> dict[str, int]:
    """While the largest text encoder is there; the denoiser is not loaded yet."""
    size = sizes.text_encoders * weight_bytes(sizes, config, device_type)
    offloaded = config.memory.offload != "none" and _on_card(device_type)
    if not _on_card(device_type):
        size = size * 3 // 2  # while it is cast, the half-precision weights of its file are in main memory too
    parts = {"text encoder": min(size, _LARGEST_LAYER) if offloaded else size}
    return _with_process(parts, device_type, RESERVE_ELSE)


def _training(sizes: ModelSizes, config: GenerateConfig, device_type: str, moving: int | None) -> dict[str, int]:
    """In a training step: either the denoiser's call or the VAE's backward pass is its fullest moment."""
    views = views_at_once(config)
    each = weight_bytes(sizes, config, device_type)
    of_vae = _vae_bytes(sizes, config, device_type)
    denoiser = sizes.denoiser * each
    if config.memory.offload == "all" and _on_card(device_type):
        denoiser = min(denoiser, _LARGEST_LAYER)
    rows = pictures_a_view(sizes, config)
    predicting = rows * views * sizes.denoiser_live * each
    if SCORES[config.guidance.score].learns and not sizes.compares:
        learning = VSD_KEPT["transformer" if sizes.transformer else "unet"] * views * sizes.denoiser_live * each
        predicting = max(predicting, learning)
    kept, encoding = _encoder(sizes, config, of_vae)
    if kept + predicting < encoding:
        kept, predicting = encoding, 0
    parts = {
        "denoiser": denoiser,
        "VAE": sizes.vae * of_vae,
        "denoiser at work": predicting,
        "VAE at work": kept,
    }
    teacher, field = kinds_of(device_type)
    if share_memory(device_type):
        parts |= {"field": trained_bytes(config), "render": _render_bytes(config, field)}
        if not _on_card(device_type):
            parts |= _surface_bytes(moving)
    return _with_process(parts, device_type, RESERVE[teacher])


def _meshing(sizes: ModelSizes, config: GenerateConfig, device_type: str, moving: int | None) -> dict[str, int]:
    """After training, in main memory: the model is still there, and the mesh and its pictures are made."""
    parts = {
        "denoiser": sizes.denoiser * weight_bytes(sizes, config, device_type),
        "VAE": sizes.vae * _vae_bytes(sizes, config, device_type),
        "field": trained_bytes(config),
        "mesh": _mesh_bytes(config, moving),
    }
    return _with_process(parts, device_type, RESERVE_ELSE)


def _surface_bytes(moving: int | None) -> dict[str, int]:
    """What moving a mesh's vertices takes besides in training: a linear system, which is always in main memory."""
    return {"surface": REFINE_BYTES * moving} if moving else {}


def _mesh_bytes(config: GenerateConfig, moving: int | None) -> int:
    if config.method != "field":
        return MESH_BYTES
    if moving is not None:  # no lattice; the linear system is still there
        return MESH_BYTES + REFINE_BYTES * moving
    points = (config.mesh.resolution + 1) ** 3
    refining = REFINE_BYTES * config.mesh.triangles if config.refine.steps else 0
    return MESH_BYTES + max(LATTICE_BYTES * points, refining)  # the lattice has gone by then


def _encoder(sizes: ModelSizes, config: GenerateConfig, each: int) -> tuple[int, int]:
    """What the VAE's encoder keeps while the denoiser works, and what it needs in its own backward pass, bytes."""
    memory, views = config.memory, views_at_once(config)
    if memory.recompute:
        pixels = sizes.pixels
        share = min(1.0, (TILE_PIXELS / pixels) ** 2) if memory.tiling and pixels else 1.0
        return 0, round(sizes.encoder_recomputed * share) * each
    kept = views * sizes.encoder_kept * each
    return kept, kept


def trained_bytes(config: GenerateConfig) -> int:
    """Return the bytes of what a run trains, with gradient and Adam's moments: a field, or a sphere with its maps."""
    if config.method == "field":
        return field_bytes(config.field)
    sphere = config.sphere
    return 4 * _ADAM * 3 * (2 * sphere.maps**2 + 10 * 4**sphere.level + 2)


def field_bytes(config: FieldConfig) -> int:
    """Return the bytes of the radiance field with its gradient and Adam's moments."""
    return 4 * _ADAM * field_numbers(config)


def field_numbers(config: FieldConfig) -> int:
    """Return the numbers of the radiance field: the tables of its levels, and its network."""
    growth = (config.finest_resolution / config.base_resolution) ** (1.0 / max(config.levels - 1, 1))
    entries = 0
    for level in range(config.levels):
        resolution = round(config.base_resolution * growth**level)
        entries += min(2**config.log2_table, (resolution + 1) ** 3)
    network = (config.levels * config.features + 5) * config.hidden
    return entries * config.features + network


def _render_bytes(config: GenerateConfig, field: str) -> int:
    """What rendering keeps: of a training step, or of a preview where that is more; bytes."""
    rays = views_at_once(config) * max(config.optimize.resolution) ** 2
    if config.method != "field":
        return rays * SPHERE_RAY_BYTES
    training = rays * config.render.steps * SAMPLE_BYTES[field]
    preview = _PREVIEW_RAYS * config.render.steps * SEEN_BYTES[field]
    return max(training, preview)
