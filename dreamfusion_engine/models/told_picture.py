"""Folders of models that are told a picture: what their parts must be, and which poses were taught. Nothing is loaded.

Zero123 (arXiv 2303.11328) is Stable Diffusion 1 that is told a picture of the object and how far the camera has moved
since. Its unet reads the picture's latents beside the noisy ones. In place of a prompt it gets one token: a linear map
of CLIP's vector of the picture and of four numbers of the pose. What the fourth number is differs between models whose
folders look alike. What ImageDream's folders hold is in image_dream.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dreamfusion_engine.config.stages.reference import KNOWN_POSES, KnownPose
from dreamfusion_engine.errors import InputError, SetupError
from dreamfusion_engine.models.catalogue import known_model
from dreamfusion_engine.models.family import IMAGE_ENCODER, Family
from dreamfusion_engine.models.image_dream import check_image_dream
from dreamfusion_engine.models.part_configs import LARGEST_PICTURE
from dreamfusion_engine.models.part_weights import PartWeights, damaged, read_json

POSE = 4  # numbers
ENCODER_CLASS = "CLIPVisionModelWithProjection"
_PIXELS, _VECTOR = 224, 512  # of a CLIPVisionConfig that does not say


def check_told_picture(folder: Path, family: Family, weights: Mapping[str, PartWeights]) -> None:
    """Refuse a folder whose denoiser, encoder of pictures and projection do not fit each other.

    folder: Path of the model; its configs' numbers are sane.
    family: Family of the model, one that is told a picture.
    weights: PartWeights of its parts.
    Raises SetupError model.unsupported, model.damaged.
    """
    _, vector = encoder_sizes(folder)
    if not family.told_poses:
        check_image_dream(folder, weights[family.denoiser])
        return
    unet, latents = _config(folder, "unet"), _config(folder, "vae").get("latent_channels", 4)
    if unet.get("in_channels") != 2 * latents:
        raise SetupError(
            "model.unsupported",
            what="This version cannot use this model of pictures.",
            why=f"The unet in {folder} reads {str(unet.get('in_channels'))[:20]} channels, and {family.title} twice "
            f"the {str(latents)[:20]} of its autoencoder: noisy latents, and a picture's.",
            fix="Give the model as it was published.",
        )
    width = unet.get("cross_attention_dim")
    projection = family.picture_parts[-1]
    shapes = {name: tuple(entry.shape) for name, entry in weights[projection].tensors().items()}
    wanted = {"weight": (width, vector + POSE), "bias": (width,)}
    found = {name.rpartition(".")[2]: shape for name, shape in shapes.items()}
    if len(shapes) != 2 or found != wanted:
        raise damaged(
            folder, f"{projection} holds {str(shapes)[:120]}, where a linear map of {wanted['weight']} is needed"
        )


def encoder_sizes(folder: Path) -> tuple[int, int]:
    """Return the pixels along a side of an image encoder's pictures, and the length of its vectors.

    folder: Path of the model.
    Raises SetupError model.damaged.
    """
    config = _config(folder, IMAGE_ENCODER)
    pixels, vector = config.get("image_size", _PIXELS), config.get("projection_dim", _VECTOR)
    for name, value, most in (("image_size", pixels, LARGEST_PICTURE), ("projection_dim", vector, 1 << 16)):
        if type(value) is not int or not 1 <= value <= most:
            raise damaged(folder, f"{IMAGE_ENCODER}/config.json gives {name} as {str(value)[:60]}")
    return pixels, vector


def pose_of(name: str) -> KnownPose | None:
    """Return which poses the catalogue says that a model was taught; None where it does not say.

    name: str, the model's name, such as its hub id.
    """
    known = known_model(name)
    return next((pose for pose in KNOWN_POSES if known is not None and known.pose == pose), None)


def picture_needed(family: Family, task: str = "") -> InputError:
    """Build the error for a model that is told a picture, in a run without one.

    family: Family of the model.
    task: str, a kind of run that takes no picture, such as 'texture'; "": the run takes one, and none was given.
    """
    told = "is told it beside the words" if family.reads_words else "reads no words"
    instead = "a model that needs words alone, such as Stable Diffusion."
    return InputError(
        "input.picture_missing",
        what="This model needs a picture of the object.",
        why=f"{family.title} {told}: a picture says what the object is. "
        + (f"A {task} takes none." if task else "None was given."),
        fix=f"Give {instead}" if task else f"Give one picture: --image FILE@front. Or give {instead}",
    )


def _config(folder: Path, part: str) -> dict[str, Any]:
    return read_json(folder / part / "config.json")
