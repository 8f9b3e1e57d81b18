"""The unets that judge several views together: what their configs and weights are in the terms of diffusers.

MVDream's published folders keep the config and the names of weights of the model's first program. The network is that
of Stable Diffusion 2 with two changes: attention among the pixels of a picture is among those of four views, and an
embedding of the camera is added to that of the time. ImageDream's is told a picture besides (image_dream.py). A
multi-view pixel model is a unet of diffusers with the same two changes; its config says so by an embedding of a class
that is 16 numbers. Only configs and headers are read here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dreamfusion_engine.config.recipes import IMAGE_DREAM
from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.models.family import FAMILIES
from dreamfusion_engine.models.part_weights import PartWeights, damaged, read_json

FAMILY = "MVDreamPipeline"
PIXEL_FAMILY = "MultiViewPixelPipeline"
MULTI_VIEW_UNET = "MultiViewUNetModel"  # as `_class_name` of its config
STOCK_UNET = "UNet2DConditionModel"
VIEWS = FAMILIES[FAMILY].views_together
BESIDE = 1  # frames beside the views of a group in ImageDream, which hold the picture
CAMERA = 16  # numbers of a camera's matrix
MOST_PICTURE_TOKENS = 1024  # of a picture; the published model has 16
OUR_NAMES = ("views_together", "frames_beside", "picture_tokens")  # in a config here, which diffusers does not know
CAMERA_WEIGHTS = ("camera_embed.0.weight", "camera_embed.2.weight")
STOCK_CAMERA_WEIGHTS = ("class_embedding.linear_1.weight", "class_embedding.linear_2.weight")  # in diffusers' folders
# What a unet of diffusers that is told cameras has in its config: a class is a vector there, the camera.
TOLD_CAMERAS: Mapping[str, Any] = {"class_embed_type": "projection", "projection_class_embeddings_input_dim": CAMERA}
# Settings that would make it another network, with the values that they may have.
_PLAIN: Mapping[str, tuple[Any, ...]] = {
    "dims": (None, 2),
    "num_classes": (None,),
    "adm_in_channels": (None,),
    "n_embed": (None,),
    "use_scale_shift_norm": (None, False),
    "resblock_updown": (None, False),
    "num_attention_blocks": (None,),
    "disable_middle_self_attn": (None, False),
    "num_heads": (None, -1),
    "conv_resample": (None, True),
    "ip_weight": (None, 1, 1.0),
}


def read_denoiser_config(path: Path) -> dict[str, Any]:
    """Return the config of a network in the terms of diffusers: a multi-view unet's translated, any other as it is.

    path: Path of the file.
    Raises SetupError model.damaged, or model.unsupported for a multi-view unet that is not MVDream's.
    """
    config = read_json(path)
    try:
        return stock_config(config)
    except (ValueError, KeyError, TypeError, ArithmeticError, IndexError) as error:
        said = f"it gives no {error}" if isinstance(error, KeyError) else str(error)
        raise _unsupported(f"{path}: {said}") from error


def stock_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `read_denoiser_config` returns, of a config that was read.

    config: as the model's folder has it.
    Raises ValueError, KeyError, TypeError or ArithmeticError.
    """
    if config.get("_class_name") != MULTI_VIEW_UNET:
        return {**config, "views_together": VIEWS} if _is_told_cameras(config) else dict(config)
    for name, plain in _PLAIN.items():
        if config.get(name) not in plain:
            raise ValueError(f"it gives {name} as {str(config[name])[:40]!r}")
    if config["camera_dim"] != CAMERA:
        raise ValueError(f"its cameras have {str(config['camera_dim'])[:40]} numbers, not {CAMERA}")
    levels = [int(factor) for factor in config["channel_mult"]]
    channels = [int(config["model_channels"]) * factor for factor in levels]
    if not channels or min(channels) < 1:
        raise ValueError(f"its levels have {channels} channels")
    told = [2**level in config["attention_resolutions"] for level in range(len(levels))]
    pictured = config.get("ip_dim") or 0
    if type(pictured) is not int or not 0 <= pictured <= MOST_PICTURE_TOKENS:
        raise ValueError(f"its picture has {str(pictured)[:40]} tokens")
    head = int(config["num_head_channels"])
    if head < 1 or any(width % head for width in channels):
        raise ValueError(f"its heads of {head} channels do not divide its {channels} channels")
    return {
        "_class_name": STOCK_UNET,
        "sample_size": config["image_size"],
        "in_channels": config["in_channels"],
        "out_channels": config["out_channels"],
        "block_out_channels": channels,
        "layers_per_block": config["num_res_blocks"],
        "down_block_types": ["CrossAttnDownBlock2D" if told[i] else "DownBlock2D" for i in range(len(levels))],
        "up_block_types": ["CrossAttnUpBlock2D" if now else "UpBlock2D" for now in reversed(told)],
        "attention_head_dim": [width // head for width in channels],  # diffusers' name for the number of heads
        "transformer_layers_per_block": config.get("transformer_depth") or 1,
        "cross_attention_dim": config["context_dim"],
        "use_linear_projection": True,
        **TOLD_CAMERAS,
        **({"frames_beside": BESIDE, "picture_tokens": pictured} if pictured else {}),
        "views_together": VIEWS + (BESIDE if pictured else 0),
    }


def family_named(name: str, folder: Path) -> str:
    """Return the family of a folder: what its index names, or ImageDream, whose index names MVDream's class.

    name: str, a pipeline class.
    folder: Path of the model.
    Raises SetupError model.damaged where the unet's config cannot be read.
    """
    path = folder / "unet" / "config.json"
    if name == FAMILY and path.is_file() and read_json(path).get("ip_dim"):
        return IMAGE_DREAM
    return name


def _is_told_cameras(config: Mapping[str, Any]) -> bool:
    return all(config.get(name) == value for name, value in TOLD_CAMERAS.items())


def check_multi_view(folder: Path, family: str, weights: PartWeights) -> None:
    """Refuse a folder whose unet is not a multi-view one of its family, by its config and its weights' header.

    folder: Path of the model.
    family: str, FAMILY, IMAGE_DREAM or PIXEL_FAMILY.
    weights: PartWeights of its unet.
    Raises SetupError model.unsupported: another network.
    Raises SetupError model.damaged: no weights for the camera, or of another shape.
    """
    path = folder / "unet" / "config.json"
    config = read_json(path)
    if family == PIXEL_FAMILY:
        if not _is_told_cameras(config):
            raise _unsupported(f"{path} has no embedding of cameras: {', '.join(TOLD_CAMERAS)} say so.")
        _check_camera_weights(folder, weights, STOCK_CAMERA_WEIGHTS)
        return
    if config.get("_class_name") != MULTI_VIEW_UNET:
        raise _unsupported(f"{path} names the class {str(config.get('_class_name'))[:60]!r}, not {MULTI_VIEW_UNET}.")
    if family == IMAGE_DREAM and not config.get("ip_dim"):
        raise _unsupported(f"{path} gives no ip_dim, the tokens of a picture: it is a unet that is told none.")
    _check_camera_weights(folder, weights, CAMERA_WEIGHTS)


def _check_camera_weights(folder: Path, weights: PartWeights, names: tuple[str, str]) -> None:
    channels = read_denoiser_config(folder / "unet" / "config.json").get("block_out_channels")
    if not (isinstance(channels, list) and channels and isinstance(channels[0], int)):
        raise damaged(folder, f"unet/config.json gives the blocks {str(channels)[:60]}")
    width = 4 * channels[0]
    tensors = weights.tensors()
    for name, shape in zip(names, ((width, CAMERA), (width, width)), strict=True):
        if name not in tensors:
            raise damaged(folder, f"unet lacks {name}, which reads the camera: it may be a unet for single pictures")
        if tuple(tensors[name].shape) != shape:
            raise damaged(folder, f"unet has {name} of shape {list(tensors[name].shape)}, not {list(shape)}")


def _unsupported(why: str) -> SetupError:
    return SetupError(
        "model.unsupported",
        what="This version cannot use this multi-view model.",
        why=why,
        fix="Give the model as it was published, or leave --model out for the built-in model.",
    )
