"""The architecture of a single-file model, told by the names and shapes of its tensors alone.

Such files keep the names that the models' first programs gave their weights. The architectures are told apart by the
same names as in diffusers (loaders/single_file_utils.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dreamfusion_engine.config.recipes import ZERO123
from dreamfusion_engine.models.file_kinds import addition, learned_words, lone_part
from dreamfusion_engine.models.multi_view import CAMERA_WEIGHTS
from dreamfusion_engine.models.part_weights import FLOATS
from dreamfusion_engine.models.safetensors_header import TensorEntry

Architecture = Literal["sd1", "sd2", "mvdream", "zero123", "sdxl", "sd3", "flux"]
Prediction = Literal["epsilon", "v_prediction"]
UNET = "model.diffusion_model."
SMALL_FLOATS = ("F8_E4M3", "F8_E5M2")  # plain casts, which the conversion casts back
_ATTENTION = f"{UNET}input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight"  # [C, D] in Stable Diffusion 1 and 2
_ATTENTION_XL = f"{UNET}input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight"  # ... in Stable Diffusion XL
_CAMERA = f"{UNET}{CAMERA_WEIGHTS[0]}"  # Stable Diffusion 2 that is told cameras
_PROJECTION = "cc_projection."  # of CLIP's vector and a pose, in Zero123
_LATENT_ENCODER = ("first_stage_model.encoder.", "vae.encoder.")
_CLIP_L, _CLIP_G = ("text_encoders.clip_l.transformer.",), ("text_encoders.clip_g.transformer.",)
_T5 = ("text_encoders.t5xxl.transformer.",)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One architecture.

    title: str, name for people.
    family: str, pipeline class of the folder that is made.
    parts: part of that folder to the prefixes that its tensors may have in a file.
    """

    title: str
    family: str
    parts: Mapping[str, tuple[str, ...]]


LAYOUTS: dict[Architecture, Layout] = {
    "sd1": Layout(
        title="Stable Diffusion 1",
        family="StableDiffusionPipeline",
        parts={"unet": (UNET,), "vae": _LATENT_ENCODER, "text_encoder": ("cond_stage_model.transformer.",)},
    ),
    "sd2": Layout(
        title="Stable Diffusion 2",
        family="StableDiffusionPipeline",
        parts={"unet": (UNET,), "vae": _LATENT_ENCODER, "text_encoder": ("cond_stage_model.model.",)},
    ),
    "mvdream": Layout(
        title="MVDream",
        family="MVDreamPipeline",
        parts={"unet": (UNET,), "vae": _LATENT_ENCODER, "text_encoder": ("cond_stage_model.model.",)},
    ),
    "zero123": Layout(
        title="Zero123",
        family=ZERO123,
        parts={
            "unet": (UNET,),
            "vae": _LATENT_ENCODER,
            "image_encoder": ("cond_stage_model.model.visual.",),
            "cc_projection": (_PROJECTION,),
        },
    ),
    "sdxl": Layout(
        title="Stable Diffusion XL",
        family="StableDiffusionXLPipeline",
        parts={
            "unet": (UNET,),
            "vae": _LATENT_ENCODER,
            "text_encoder": ("conditioner.embedders.0.transformer.",),
            "text_encoder_2": ("conditioner.embedders.1.model.",),
        },
    ),
    "sd3": Layout(
        title="Stable Diffusion 3",
        family="StableDiffusion3Pipeline",
        parts={
            "transformer": (f"{UNET}joint_blocks.", "joint_blocks."),
            "vae": _LATENT_ENCODER,
            "text_encoder": _CLIP_L,
            "text_encoder_2": _CLIP_G,
            "text_encoder_3": _T5,
        },
    ),
    "flux": Layout(
        title="Flux",
        family="FluxPipeline",
        parts={
            "transformer": (f"{UNET}double_blocks.", "double_blocks."),
            "vae": _LATENT_ENCODER,
            "text_encoder": _CLIP_L,
            "text_encoder_2": _T5,
        },
    ),
}
_OTHERS = (  # a piece of a tensor's name -> what such a file is
    ("control_model.", "a ControlNet"),
    ("controlnet_", "a ControlNet"),
    ("conditioner.embedders.0.model.", "the refiner of Stable Diffusion XL"),
    ("noise_augmentor.", "an unCLIP model, told by a picture and not by a text"),
    (".image_embed.", "ImageDream in one file, which can be used as a folder alone"),
    ("edm_mean", "a Playground model, of another noise schedule"),
    ("edm_vpred.", "a model of another noise schedule"),
    ("distilled_guidance_layer.", "of the architecture of Chroma"),
    ("single_stream_modulation.", "of the architecture of Flux 2"),
    ("early_stream_modulations.", "of the architecture of Flux 3"),
    ("individual_token_refiner.", "of the architecture of HunyuanVideo"),
)
_NO_WEIGHTS = (".position_ids", ".logit_scale")  # what a file may hold of a part that it lacks
_QUANTISED = (".scale_weight", ".weight_scale", "scaled_fp8", ".absmax", ".quant_state", ".comfy_quant")


class NotUsable(ValueError):
    """The file is no usable model; the message says what it is and ends the sentence 'it is ...'."""


def recognise(tensors: Mapping[str, TensorEntry]) -> Architecture:
    """Return the architecture of the denoiser in a file.

    Raises NotUsable.
    """
    _refuse_others(tensors)
    added = addition(tensors)
    if added:
        raise NotUsable(added)
    if any(name.startswith("conditioner.embedders.1.") for name in tensors):
        return "sdxl"
    if _CAMERA in tensors:
        return "mvdream"
    if f"{_PROJECTION}weight" in tensors:
        return "zero123"
    width = tensors[_ATTENTION].shape[-1] if _ATTENTION in tensors else 0
    if width in (768, 1024):
        return "sd1" if width == 768 else "sd2"
    if _ATTENTION_XL in tensors and tensors[_ATTENTION_XL].shape[-1] == 2048:
        return "sdxl"
    if _has(tensors, LAYOUTS["sd3"].parts["transformer"]):
        return "sd3"
    if _has(tensors, LAYOUTS["flux"].parts["transformer"]):
        return "flux"
    raise NotUsable(_other(tensors))


def parts_of(architecture: Architecture, tensors: Mapping[str, TensorEntry]) -> tuple[str, ...]:
    """Return the parts of a pipeline whose weights a file holds, in the order of its layout.

    architecture: Architecture of the file.
    tensors: TensorEntry of each tensor, by name.
    """
    weights = {name: entry for name, entry in tensors.items() if not name.endswith(_NO_WEIGHTS) and entry.parameters}
    return tuple(name for name, begins in LAYOUTS[architecture].parts.items() if _has(weights, begins))


def stored_type(tensors: Mapping[str, TensorEntry]) -> str:
    """Return the type of most of a file's numbers, such as 'F16'.

    Raises NotUsable unless the weights are plain floats.
    """
    held: Counter[str] = Counter()
    for entry in tensors.values():
        held[entry.dtype] += entry.parameters
    most = held.most_common(1)[0][0] if held else ""
    marks = [mark for mark in _QUANTISED if any(mark in name for name in tensors)]
    if most not in (*FLOATS, *SMALL_FLOATS) or marks:
        raise NotUsable(f"quantised: most of it is {most or 'empty'}" + (f", with {marks[0]}" if marks else ""))
    return most


def marked_prediction(tensors: Mapping[str, TensorEntry], metadata: Mapping[str, str]) -> Prediction | None:
    """Return what the denoiser predicts, where the file says so; else None.

    The file says it by the empty tensor `v_pred` that fine-tunes carry, or by the metadata of ModelSpec
    (github.com/Stability-AI/ModelSpec: modelspec.prediction_type, modelspec.architecture).

    tensors: the file's header.
    metadata: the file's metadata.
    """
    if "v_pred" in tensors:
        return "v_prediction"
    said = metadata.get("modelspec.prediction_type") or metadata.get("modelspec.predict_key") or ""
    if said.lower() in ("v", "v_prediction", "epsilon"):
        return "epsilon" if said.lower() == "epsilon" else "v_prediction"
    known: dict[str, Prediction] = {"stable-diffusion-v2-512": "epsilon", "stable-diffusion-v2-768-v": "v_prediction"}
    return known.get(metadata.get("modelspec.architecture", "").lower())


def _refuse_others(tensors: Mapping[str, TensorEntry]) -> None:
    first = tensors.get(f"{UNET}input_blocks.0.0.weight")
    channels = (8,) if f"{_PROJECTION}weight" in tensors else (4,)
    if first is not None and first.shape[1:2] != channels:
        raise NotUsable(f"an inpainting or editing model: its denoiser reads {first.shape[1]} channels")
    for prefix in ("", UNET):
        reads, makes = tensors.get(f"{prefix}img_in.weight"), tensors.get(f"{prefix}final_layer.linear.weight")
        if reads is not None and makes is not None and reads.shape[-1] != makes.shape[0]:
            raise NotUsable(f"an inpainting or editing model: its denoiser reads {reads.shape[-1] // 4} channels")
    for piece, what in _OTHERS:
        if any(piece in name for name in tensors):
            raise NotUsable(what)


def _other(tensors: Mapping[str, TensorEntry]) -> str:
    """What a file is that holds no denoiser of these architectures."""
    alone = lone_part(tensors)
    if alone:
        return f"{alone}, one part of a model; the folder or file with all of them is the model"
    if learned_words(tensors):
        return "a textual inversion by its shape, which is for --embedding"
    return "of no architecture that is known here"


def _has(tensors: Mapping[str, TensorEntry], begins: tuple[str, ...]) -> bool:
    return any(name.startswith(begins) for name in tensors)
