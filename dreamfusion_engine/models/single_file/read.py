"""A model in one .safetensors file, as people share fine-tuned ones, and the base that completes it.

Such a file holds weights: always a denoiser's, often an autoencoder's and text encoders'. It holds no configs and no
vocabularies. Those, and the parts that it lacks, come from its base: a pipeline folder on this machine. The default
base is the catalogue's model of the same architecture; its small files suffice where the single file is whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.hub.address import cache_folder, is_hub_id
from dreamfusion_engine.hub.download import CONFIGS
from dreamfusion_engine.hub.repository_cache import RepositoryCache
from dreamfusion_engine.hub.selection import INDEX
from dreamfusion_engine.inputs.given_path import UnusablePath, absence, given_path, shortened
from dreamfusion_engine.models.catalogue import KnownModel, catalogue
from dreamfusion_engine.models.family import FAMILIES
from dreamfusion_engine.models.multi_view import family_named
from dreamfusion_engine.models.part_weights import PICKLES, damaged, read_json, read_part_weights
from dreamfusion_engine.models.safetensors_header import (
    DamagedHeader,
    TensorEntry,
    is_pickle,
    read_header,
    read_metadata,
)
from dreamfusion_engine.models.single_file.layouts import (
    LAYOUTS,
    Architecture,
    NotUsable,
    Prediction,
    marked_prediction,
    parts_of,
    recognise,
    stored_type,
)

CONVERTED = "dreamfusion-files"  # beside the downloads: the pipeline folders made of single files
HALF_BYTES = 2
_COMMAND = "dreamfusion-engine download"
_WORDS = {
    "unet": "denoiser",
    "transformer": "denoiser",
    "vae": "autoencoder",
    "image_encoder": "encoder of pictures",
    "cc_projection": "projection of the pose",
    "text_encoder": "first text encoder",
    "text_encoder_2": "second text encoder",
    "text_encoder_3": "third text encoder",
}


@dataclass(frozen=True, kw_only=True)
class SingleFile:
    """A single file that can be used.

    path: Path of the file.
    architecture: of its denoiser.
    prediction: what its denoiser predicts, where that is said or known; None: as the base says.
    tensors: its header.
    dtype: str, the type of most of its numbers.
    base: Path, folder with the configs and vocabularies of its architecture, and the weights of `borrowed`.
    borrowed: the parts that the file lacks.
    folder: Path, the pipeline folder made of it; it exists after the first use.
    """

    path: Path
    architecture: Architecture
    prediction: Prediction | None
    tensors: Mapping[str, TensorEntry]
    dtype: str
    base: Path
    borrowed: tuple[str, ...]
    folder: Path

    @property
    def converted(self) -> bool:
        """Whether its pipeline folder has been made."""
        return (self.folder / INDEX).is_file()

    @property
    def held(self) -> tuple[str, ...]:
        """The parts that the file holds itself."""
        return parts_of(self.architecture, self.tensors)

    @property
    def parameters(self) -> int:
        """The number of parameters of all parts in the file."""
        return sum(entry.parameters for entry in self.tensors.values())


def read_single_file(path: Path, base: str = "") -> SingleFile:
    """Return what a file is, by its header.

    path: Path of the file.
    base: folder or hub id of the pipeline that completes it; '' for the catalogue's.
    Raises SetupError model.pickled, model.not_folder, model.damaged, model.unsupported, model.incomplete,
        model.prediction, model.base, or model.configs where the configs of its architecture are not here.
    """
    _refuse_kind(path)
    try:
        tensors, metadata = read_header(path), read_metadata(path)
    except DamagedHeader as error:
        raise damaged(path.parent, f"{path.name}: {error}") from error
    except OSError as error:
        raise damaged(path.parent, f"{path.name}: {error.strerror or error}") from error
    try:
        architecture, dtype = recognise(tensors), stored_type(tensors)
    except NotUsable as error:
        raise _unsupported(path, str(error)) from error
    prediction = marked_prediction(tensors, metadata)
    folder = cache_folder() / CONVERTED / f"{path.stem[:60]}-{_digest(path, base)}"
    made = (folder / INDEX).is_file()  # then it needs its base no more
    completes, borrowed = (folder, ()) if made else _base(path, base, architecture, prediction, tensors)
    return SingleFile(
        path=path,
        architecture=architecture,
        prediction=prediction,
        tensors=tensors,
        dtype=dtype,
        base=completes,
        borrowed=borrowed,
        folder=folder,
    )


def _base(
    path: Path,
    name: str,
    architecture: Architecture,
    prediction: Prediction | None,
    tensors: Mapping[str, TensorEntry],
) -> tuple[Path, tuple[str, ...]]:
    """The folder that completes a file, and the parts that it gives."""
    if architecture == "sd2" and prediction is None and not name:
        raise _prediction_unknown(path)
    known = known_base(architecture, prediction)
    folder = _named_base(path, name, architecture) if name else _downloaded(known.id)
    borrowed = _borrowed(path, architecture, tensors, folder, name or known.id)
    if folder is None:
        raise SetupError(
            "model.configs",
            what="The configs for this single file are not on this machine.",
            why=f"{path.name} holds weights only. Its architecture is that of {known.title}, whose configs and "
            "vocabularies, a few MB, are needed once.",
            fix=f"Run: {_COMMAND} {known.id} --configs",
        )
    return folder, borrowed


def _refuse_kind(path: Path) -> None:
    """Raise SetupError unless the file's name says that it is in the safetensors format, and it is no pickle."""
    renamed = path.suffix.lower() == ".safetensors" and is_pickle(_first_bytes(path))
    if path.suffix.lower() in PICKLES or renamed:
        raise SetupError(
            "model.pickled",
            what="The model's weights are stored in a format that can run code when it is opened.",
            why=f"{path} is a Python pickle" + (" under the name of another format." if renamed else "."),
            fix='Get the model as .safetensors, or convert it: docs/models.md, "Pickles", says how.',
        )
    if path.suffix.lower() != ".safetensors":
        raise SetupError(
            "model.not_folder",
            what="The model is a file of a kind that is not known.",
            why=f"{path} is neither a folder nor a .safetensors file.",
            fix="Give the folder of a diffusers pipeline or a .safetensors file, or leave --model out.",
        )


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(8)
    except OSError as error:
        raise damaged(path.parent, f"{path.name}: {error.strerror or error}") from error


def _unsupported(path: Path, what: str) -> SetupError:
    return SetupError(
        "model.unsupported",
        what="This single file cannot be used as a model.",
        why=f"{path.name} is {what}. Files of {', '.join(layout.title for layout in LAYOUTS.values())} can be.",
        fix="Give a text-to-image model: a diffusers folder, a hub id, or one file with at least its denoiser in plain "
        "floats.",
    )


def _prediction_unknown(path: Path) -> SetupError:
    noise, v = (known_base("sd2", predicted).id for predicted in ("epsilon", "v_prediction"))
    return SetupError(
        "model.prediction",
        what="It is not known what this single file's denoiser predicts.",
        why=f"{path.name} is of Stable Diffusion 2; some such models predict the noise, others v, and it does not say.",
        fix=f"Say what it was made from: --base {noise} where it predicts noise (pictures of 512 pixels), "
        f"--base {v} where it predicts v (768 pixels).",
    )


def known_base(architecture: Architecture, prediction: Prediction | None) -> KnownModel:
    """Return the catalogue's model of a file's architecture.

    architecture: Architecture of the file.
    prediction: what its denoiser predicts; None where nobody says.
    """
    name = "sd2-v" if architecture == "sd2" and prediction == "v_prediction" else architecture
    return next(model for model in catalogue() if model.architecture == name)


def _downloaded(name: str) -> Path | None:
    """A hub model on this machine, whole or its small files only."""
    cache = RepositoryCache(cache_folder(), name)
    return cache.snapshot() or cache.snapshot(CONFIGS)


def _named_base(path: Path, base: str, architecture: Architecture) -> Path:
    """The folder of the base that the artist named. Raises SetupError model.base, model.damaged."""
    try:
        given = given_path(base)
    except UnusablePath as error:
        raise _base_error(f"'{shortened(base)}' can be no folder here: {error}.", "Check the path.") from error
    folder = given if given.is_dir() else _downloaded(base) if is_hub_id(base) else None
    if folder is None:
        how = f"Run: {_COMMAND} {base} --configs" if is_hub_id(base) else "Check the path."
        raise _base_error(f"'{shortened(base, 200)}' is neither a folder nor a downloaded model.", how)
    if not (folder / INDEX).is_file():
        raise _base_error(
            f"In {folder}, {INDEX} {absence(folder / INDEX)}.", "Give the folder of a diffusers pipeline."
        )
    named, needed = read_json(folder / INDEX).get("_class_name"), LAYOUTS[architecture].family
    family = family_named(named, folder) if isinstance(named, str) else named
    if family != needed:
        why = f"{path.name} is of {LAYOUTS[architecture].title}, a {needed}, and {folder} holds a {family}."
        raise _base_error(why, "Give the model that the file was made from.")
    return folder


def _base_error(why: str, fix: str) -> SetupError:
    return SetupError("model.base", what="This base cannot complete the single file.", why=why, fix=fix)


def _borrowed(
    path: Path, architecture: Architecture, tensors: Mapping[str, TensorEntry], base: Path | None, name: str
) -> tuple[str, ...]:
    """The parts that the base must give. Raises SetupError model.incomplete where it cannot."""
    family, held = FAMILIES[LAYOUTS[architecture].family], parts_of(architecture, tensors)
    has = ", ".join(_WORDS[part] for part in held) or "none of its parts"
    if family.denoiser not in held:
        raise SetupError(
            "model.incomplete",
            what="The single file is no model.",
            why=f"Of {LAYOUTS[architecture].title}, {path.name} holds {has}, and no denoiser.",
            fix="Give the file that holds the denoiser.",
        )
    lacks = [part for part in LAYOUTS[architecture].parts if part not in held]
    there = [part for part in lacks if base is not None and _has_weights(base, part)]
    missing = [part for part in lacks if part not in there and part not in family.optional]
    if not missing:
        return tuple(there)
    known = next((model for model in catalogue() if model.id == name), None)
    size = f" ({known.download_mb / 1000:.1f} GB)" if known else ""
    raise SetupError(
        "model.incomplete",
        what="The single file does not hold a whole model.",
        why=f"Of {LAYOUTS[architecture].title}, {path.name} holds {has}, and no "
        f"{', no '.join(_WORDS[part] for part in missing)}." + (f" {base} has none either." if base else ""),
        fix="Name a whole pipeline that has them with --base, a folder or a downloaded model"
        + (f"; or run: {_COMMAND} {name}{size}" if is_hub_id(name) else "")
        + ". Or give a file with everything in it.",
    )


def _has_weights(base: Path, part: str) -> bool:
    """Whether a base holds a part to borrow. Raises SetupError for weights that are there and broken."""
    if not (base / part).is_dir() or not any((base / part).glob("*.safetensors")):
        return False
    return read_part_weights(base, part).parameters > 0


def _digest(path: Path, base: str) -> str:
    """Tells files apart without reading them: by their header, size and time of change; and by the base named."""
    state = path.stat()
    with path.open("rb") as stream:
        head = stream.read(1 << 20)
    said = f"{state.st_size} {state.st_mtime_ns}{base}".encode(errors="surrogatepass")  # of names that are not UTF-8
    return hashlib.sha256(head + said).hexdigest()[:12]
