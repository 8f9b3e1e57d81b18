"""A whole model in one .safetensors file, as people share fine-tuned ones: what it is, told by its header alone.

Such a file holds a denoiser, an autoencoder and text encoders under the names of the models' first programs, and
neither their configs nor the vocabularies. Those come from the catalogue's model of the same architecture, of which
the small files suffice. The names and shapes that tell the architectures apart are those by which diffusers does
(loaders/single_file_utils.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.guidance.catalogue import KnownModel, catalogue
from dreamfusion_engine.guidance.part_weights import PICKLES, damaged, incomplete
from dreamfusion_engine.guidance.safetensors_header import DamagedHeader, TensorEntry, read_header
from dreamfusion_engine.hub.address import cache_folder
from dreamfusion_engine.hub.download import CONFIGS
from dreamfusion_engine.hub.repository_cache import RepositoryCache

Architecture = Literal["sd1", "sdxl"]
CONVERTED = "dreamfusion-files"  # beside the downloads: the pipeline folders made of single files
HALF_BYTES = 2
_UNET = "model.diffusion_model."
_ATTENTION = f"{_UNET}input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight"  # [C, D] in Stable Diffusion 1 and 2
_PARTS: dict[Architecture, dict[str, str]] = {  # what a whole file holds: part -> how the names of its tensors begin
    "sd1": {
        "denoiser": _UNET,
        "autoencoder": "first_stage_model.encoder.",
        "text encoder": "cond_stage_model.transformer.",
    },
    "sdxl": {
        "denoiser": _UNET,
        "autoencoder": "first_stage_model.encoder.",
        "first text encoder": "conditioner.embedders.0.transformer.",
        "second text encoder": "conditioner.embedders.1.model.",
    },
}
_OTHERS = (  # a piece of a tensor's name -> what such a file is, and its key in the catalogue where that has one
    ("lora_", "a LoRA, an addition to a model and not a model", ""),
    ("lora.up.", "a LoRA, an addition to a model and not a model", ""),
    ("control_model.", "a ControlNet", ""),
    ("joint_blocks.", "of the architecture of Stable Diffusion 3", "sd3"),
    ("double_blocks.", "of the architecture of Flux", "flux"),
    ("conditioner.embedders.0.model.", "the refiner of Stable Diffusion XL", ""),
    ("cond_stage_model.model.", "of the architecture of Stable Diffusion 2", "sd2"),
    ("down_blocks.", "one part of a diffusers pipeline", ""),
    ("edm_mean", "a Playground model, of another noise schedule", ""),
)


@dataclass(frozen=True, kw_only=True)
class SingleFile:
    """A file that can be used.

    prediction: what its denoiser predicts. parameters: of all parts. configs: folder with the configs and vocabularies
    of its architecture. folder: the pipeline folder made of it, which is there after its first use.
    """

    path: Path
    architecture: Architecture
    prediction: Literal["epsilon", "v_prediction"]
    parameters: int
    configs: Path
    folder: Path

    @property
    def converted(self) -> bool:
        """Whether its pipeline folder has been made."""
        return (self.folder / "model_index.json").is_file()


def read_single_file(path: Path) -> SingleFile:
    """What a file is, by its header. Raises SetupError model.pickled, model.not_folder, model.damaged,
    model.unsupported, model.incomplete, or model.configs where the configs of its architecture are not here."""
    if path.suffix.lower() in PICKLES:
        raise SetupError(
            "model.pickled",
            what="The model's weights are stored in a format that can run code when it is opened.",
            why=f"{path} is a Python pickle.",
            fix='Get the model as .safetensors, or convert it: docs/models.md, "Pickles", says how.',
        )
    if path.suffix.lower() != ".safetensors":
        raise SetupError(
            "model.not_folder",
            what="The model is a file of a kind that is not known.",
            why=f"{path} is neither a folder nor a .safetensors file.",
            fix="Give the folder of a diffusers pipeline or a .safetensors file, or leave --model out.",
        )
    try:
        tensors = read_header(path)
    except DamagedHeader as error:
        raise damaged(path.parent, f"{path.name}: {error}") from error
    except OSError as error:
        raise damaged(path.parent, f"{path.name}: {error.strerror or error}") from error
    architecture = recognise(path, tensors)
    return SingleFile(
        path=path,
        architecture=architecture,
        prediction="v_prediction" if "v_pred" in tensors else "epsilon",
        parameters=sum(entry.parameters for entry in tensors.values()),
        configs=_configs(path, architecture),
        folder=cache_folder() / CONVERTED / f"{path.stem[:60]}-{_digest(path)}",
    )


def recognise(path: Path, tensors: Mapping[str, TensorEntry]) -> Architecture:
    """The architecture of a whole model. Raises SetupError model.unsupported or model.incomplete, saying what it is."""
    first = tensors.get(f"{_UNET}input_blocks.0.0.weight")
    if first is not None and first.shape[1:2] != (4,):
        raise _unsupported(path, f"an inpainting or editing model: its denoiser reads {first.shape[1]} channels", "")
    for piece, what, key in _OTHERS:
        if any(piece in name for name in tensors):
            raise _unsupported(path, what, key)
    found: Architecture | None = None
    if any(name.startswith("conditioner.embedders.1.") for name in tensors):
        found = "sdxl"
    elif _ATTENTION in tensors and tensors[_ATTENTION].shape[-1] == 768:
        found = "sd1"
    if found is None:
        raise _unsupported(path, "of no architecture that is known here", "")
    for part, beginning in _PARTS[found].items():
        if not any(name.startswith(beginning) for name in tensors):
            raise incomplete(path.parent, f"{path.name} holds no {part}, only other parts of a model")
    return found


def _unsupported(path: Path, what: str, key: str) -> SetupError:
    known = next((model for model in catalogue() if key and model.architecture == key), None)
    return SetupError(
        "model.unsupported",
        what="This single file cannot be used as a model.",
        why=f"{path.name} is {what}; whole files of Stable Diffusion 1 and XL can be.",
        fix=f"Give a diffusers folder of it, or a hub id such as {known.id}."
        if known
        else "Give a whole model: a diffusers folder, a hub id, or one file with everything in it.",
    )


def _configs(path: Path, architecture: Architecture) -> Path:
    base = _base(architecture)
    cache = RepositoryCache(cache_folder(), base.id)
    folder = cache.snapshot() or cache.snapshot(CONFIGS)
    if folder is not None:
        return folder
    raise SetupError(
        "model.configs",
        what="The configs for this single file are not on this machine.",
        why=f"{path.name} holds weights only. Its architecture is that of {base.title}, whose configs and "
        "vocabularies, a few MB, are needed once.",
        fix=f"Run: dreamfusion-engine download {base.id} --configs",
    )


def _base(architecture: Architecture) -> KnownModel:
    return next(model for model in catalogue() if model.architecture == architecture)


def _digest(path: Path) -> str:
    """Tells files apart without reading them: by their header, size and time of change."""
    state = path.stat()
    with path.open("rb") as stream:
        head = stream.read(1 << 20)
    return hashlib.sha256(head + f"{state.st_size} {state.st_mtime_ns}".encode()).hexdigest()[:12]
