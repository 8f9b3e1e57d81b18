"""Find a model on disk and check, before anything heavy is imported, that it can be used.

A model is a diffusers pipeline folder: `model_index.json` names a pipeline class and its parts, each in a subfolder
with a `config.json` and weights in safetensors. Or it is a CLIP's folder, which is one network. Each kind of fault has
its own error here.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

from dreamfusion_engine.config.recipes import recipe_for
from dreamfusion_engine.config.stages.reference import KnownPose
from dreamfusion_engine.errors import InputError, SetupError
from dreamfusion_engine.hub.address import is_hub_id
from dreamfusion_engine.hub.selection import INDEX
from dreamfusion_engine.inputs.given_path import UnusablePath, absence, given_path, shortened
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.models.card_file import read_card
from dreamfusion_engine.models.clip_folder import check_clip, is_clip
from dreamfusion_engine.models.family import CLIP, FAMILIES, WHOLE
from dreamfusion_engine.models.few_step_models import refuse_distilled
from dreamfusion_engine.models.hub_models import downloaded_folder
from dreamfusion_engine.models.multi_view import check_multi_view, family_named
from dreamfusion_engine.models.part_configs import check_configs
from dreamfusion_engine.models.part_weights import PartWeights, incomplete, read_part_weights
from dreamfusion_engine.models.part_weights import damaged as damaged
from dreamfusion_engine.models.part_weights import read_json as read_json
from dreamfusion_engine.models.single_file.layouts import LAYOUTS
from dreamfusion_engine.models.single_file.read import SingleFile, read_single_file
from dreamfusion_engine.models.told_picture import check_told_picture, pose_of

STARTER = "starter"
STARTER_FOLDER = Path(__file__).resolve().parent.parent / "starter" / "weights"


@dataclass(frozen=True, kw_only=True)
class PipelineFolder:
    """A checked pipeline folder.

    path: Path of the folder.
    family: str, its pipeline class, a key of FAMILIES.
    components: part to class, without optional parts that are not there.
    weights: part to the files that are loaded.
    card: PromptCard, how to word prompts for it.
    """

    path: Path
    family: str
    components: dict[str, str]
    weights: dict[str, PartWeights]
    card: PromptCard

    def variant(self, part: str) -> str | None:
        """Return 'fp16' where the part's weights exist under that name, which halves the reading; else None."""
        return self.weights[part].variant


def locate_model(name: str, base: str = "") -> Path:
    """Return the folder of a model. Nothing is downloaded here.

    name: 'starter', a folder, a single file that was used before, or the id of a downloaded model.
    base: folder or hub id that completes a single file; '' for the catalogue's.
    Raises SetupError model.missing, model.not_downloaded, model.incomplete, model.not_converted, and what `single_file`
        raises.
    """
    if name == STARTER:
        path = STARTER_FOLDER
        if not (path / INDEX).is_file():
            raise SetupError(
                "model.missing",
                what="The built-in starter model is not complete.",
                why=f"{path / INDEX} {absence(path / INDEX)}.",
                fix="Get DreamFusion again, complete with its starter/weights folder, or give another --model FOLDER.",
            )
        return path
    path = _path(name)
    if name.strip() and path.is_dir():  # an empty name would be the current folder
        return path
    file = single_file(name, base)
    if file is not None:
        if file.converted:
            return file.folder
        raise SetupError(
            "model.not_converted",
            what="This single file has not been used before.",
            why=f"The pipeline folder that is made of {path.name} is not there.",
            fix="Use it once with `dreamfusion-engine generate`, which makes it.",
        )
    if name.strip() and is_hub_id(name):
        return downloaded_folder(name)
    if name.strip() and path.is_symlink():
        raise _missing(name, f"It {absence(path)}.")
    raise _missing(name, "It is neither 'starter' nor a folder nor the id of a model, owner/name.")


def _path(name: str) -> Path:
    """The path that a model's name may be. Raises SetupError model.missing where it can be none."""
    try:
        return given_path(name)
    except UnusablePath as error:
        raise _missing(name, f"It can be neither a folder nor a file here: {error}.") from error


def _missing(name: str, why: str) -> SetupError:
    return SetupError(
        "model.missing",
        what=f"There is no model '{shortened(name, 200)}'.",
        why=why,
        fix="Check the path, or leave --model out for the built-in model. `dreamfusion-engine models` lists some.",
    )


def single_file(name: str, base: str = "") -> SingleFile | None:
    """Return what the single file of that name is; None where there is no such file.

    name: str, the model's name.
    base: folder or hub id that completes the file; '' for the catalogue's.
    Raises InputError input.base where a base is given for another kind of model, and what `read_single_file` raises.
    """
    path = _path(name)
    if name.strip() and path.is_file():
        return read_single_file(path, base)
    if base:
        raise InputError(
            "input.base",
            what="A base was given for a model that needs none.",
            why=f"Only a single .safetensors file is completed by a base, and '{shortened(name, 200)}' is no file.",
            fix="Leave --base out, or give --model the path of a file that is there.",
        )
    return None


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """What is known of a model before it is loaded.

    family: str, its pipeline class.
    card: PromptCard, how to word prompts for it.
    pose: KnownPose, the poses that it was taught, where it is told a picture and the catalogue knows it; else None.
    """

    family: str
    card: PromptCard
    pose: KnownPose | None = None

    @property
    def recipe(self) -> str:
        """The name of its recipe, a key of `recipes.RECIPES`."""
        return recipe_for(self.family, closed_vocabulary=self.card.closed_vocabulary, pose=self.pose)


def model_facts(name: str, base: str = "") -> ModelFacts:
    """Return a model's family and card, after every check that needs no loading.

    name, base: as for `locate_model`.
    """
    file = single_file(name, base)
    if file is not None and not file.converted:
        return ModelFacts(family=LAYOUTS[file.architecture].family, card=PromptCard(), pose=pose_of(base))
    pipeline = open_pipeline(locate_model(name, base))
    return ModelFacts(family=pipeline.family, card=pipeline.card, pose=pose_of(name if file is None else base))


def open_pipeline(path: Path, *, checked_bytes: float = math.inf) -> PipelineFolder:
    """Check a folder's index, parts, weights and, where its card lists them, its files' checksums.

    Weights are read by their headers only: a missing shard and a file that is cut off are found in milliseconds.

    path: Path of the folder.
    checked_bytes: float, bytes of files to compare with their checksums, the listed ones first. A list of models does
        not read them all.
    Raises SetupError model.not_pipeline, model.unsupported, model.incomplete, model.pickled, model.card or
        model.damaged, each naming the file.
    """
    index_path = path / INDEX
    if not index_path.is_file():
        if is_clip(path):
            return _open_clip(path, checked_bytes)
        raise SetupError(
            "model.not_pipeline",
            what="The model folder is not a diffusers pipeline.",
            why=f"In {path}, {INDEX} {absence(index_path)}.",
            fix=f"Give the folder that holds {INDEX}, beside folders such as unet and text_encoder.",
        )
    index = read_json(index_path)
    name = index.get("_class_name")
    name = family_named(name, path) if isinstance(name, str) else name
    family = FAMILIES.get(name) if isinstance(name, str) else None
    if family is None:
        raise SetupError(
            "model.unsupported",
            what=f"This version cannot use a model of the family {str(name)[:60]!r}.",
            why=f"{index_path} names it; supported: {', '.join(FAMILIES)}.",
            fix="Give a model of one of these families, or leave --model out for the built-in one.",
        )
    components: dict[str, str] = {}
    for part in family.parts:
        entry = index.get(part)
        if part in family.optional and entry in (None, [None, None]):
            continue
        if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[1], str)):
            raise incomplete(path, f"{INDEX} names no {part}")
        if not (path / part).is_dir():
            raise incomplete(path, f"the folder {part} {absence(path / part)}")
        components[part] = entry[1]
    weights: dict[str, PartWeights] = {}
    for part in (part for part in family.weights if part in components):
        if not (path / part / "config.json").is_file():
            raise incomplete(path, f"{part}/config.json {absence(path / part / 'config.json')}")
        weights[part] = read_part_weights(path, part)
    if family.views_together > 1:
        check_multi_view(path, str(name), weights[family.denoiser])
    check_configs(path, family, frozenset(components))
    if family.told_picture:
        check_told_picture(path, family, weights)
    refuse_distilled(path, family.denoiser)
    card = read_card(path)
    check_files(path, card, checked_bytes)
    return PipelineFolder(path=path, family=str(name), components=components, weights=weights, card=card)


def _open_clip(path: Path, checked_bytes: float) -> PipelineFolder:
    """Check a CLIP's folder, as `open_pipeline` does."""
    check_clip(path)
    weights = {WHOLE: read_part_weights(path, WHOLE)}
    card = read_card(path)
    check_files(path, card, checked_bytes)
    return PipelineFolder(path=path, family=CLIP, components={WHOLE: CLIP}, weights=weights, card=card)


def check_files(path: Path, card: PromptCard, most: float = math.inf) -> None:
    """Compare the files that the card lists with their SHA-256.

    path: Path of the folder.
    card: PromptCard with the list.
    most: float, bytes; only files that fit into it are read.
    Raises SetupError model.incomplete or model.damaged.
    """
    for relative, digest in card.files.items():
        file = path / relative
        if not file.is_file():
            raise incomplete(path, f"{relative} {absence(file)}")
        try:
            most -= file.stat().st_size
            if most < 0:
                continue
            actual = sha256_of(file)
        except OSError as error:
            raise damaged(path, f"{relative}: {error}") from error
        if actual != digest.lower():
            raise damaged(path, f"{relative} has the SHA-256 {actual[:12]}..., its card says {digest[:12]}...")


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file's content, in hex."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
