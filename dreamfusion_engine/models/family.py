"""The families of models that can teach, and the parts that a folder of each must hold.

A family is a pipeline class of diffusers, as `model_index.json` names it, or CLIP, whose folder is one network. Nothing
heavy is imported here, so a model is known and checked before torch is loaded. The adapters that run the families are
in `models/families/`.
"""

from __future__ import annotations

from dataclasses import dataclass

from dreamfusion_engine.config.recipes import IMAGE_DREAM, ZERO123


@dataclass(frozen=True, kw_only=True)
class Family:
    """The parts of a folder of one family.

    title: str, name for people.
    denoiser: str, the part that predicts.
    text_encoders, tokenizers: parts, in the order in which prompts go through them; one tokenizer for each encoder.
    vae: bool, whether it denoises latents of an autoencoder, part "vae".
    optional: parts that a folder may leave out (null in its index).
    tokens: int, most tokens that it reads of a prompt.
    views_together: int, views of one object that its denoiser judges together, told where each is from; 1: each alone,
        told by words.
    compares: bool, whether it is no denoiser but compares pictures with words, as CLIP.
    picture_parts: parts that read a picture of the object, which it is told; (): it reads words alone.
    told_poses: bool, whether it is told how far each view is from that picture, as `reference.pose` says.
    """

    title: str
    denoiser: str
    text_encoders: tuple[str, ...] = ("text_encoder",)
    tokenizers: tuple[str, ...] = ("tokenizer",)
    vae: bool = True
    optional: tuple[str, ...] = ()
    tokens: int = 77  # of CLIP, and what the pipeline of DeepFloyd IF gives T5
    views_together: int = 1
    compares: bool = False
    picture_parts: tuple[str, ...] = ()
    told_poses: bool = False

    @property
    def weights(self) -> tuple[str, ...]:
        """Return the parts that hold weights."""
        return (self.denoiser, *(["vae"] if self.vae else []), *self.text_encoders, *self.picture_parts)

    @property
    def told_picture(self) -> bool:
        """Return whether it is told a picture of the object, and cannot do without."""
        return bool(self.picture_parts)

    @property
    def reads_words(self) -> bool:
        """Return whether it is told the prompt; else a prompt is only a name."""
        return not self.picture_parts or bool(self.text_encoders)

    @property
    def needs_words(self) -> bool:
        """Return whether only words say what the object is; else a picture does, and the prompt may be empty."""
        return not self.picture_parts

    @property
    def parts(self) -> tuple[str, ...]:
        """Return all parts that are read, the optional ones too."""
        return (*self.weights, *self.tokenizers, "scheduler")


CLIP = "CLIPModel"
WHOLE = "."  # the part of a folder that is one network: itself
IMAGE_ENCODER = "image_encoder"
_TWO_TEXTS = ("text_encoder", "text_encoder_2")
_TWO_TOKENIZERS = ("tokenizer", "tokenizer_2")

FAMILIES: dict[str, Family] = {
    "IFPipeline": Family(title="DeepFloyd IF, first stage", denoiser="unet", vae=False),
    "StableDiffusionPipeline": Family(title="Stable Diffusion 1 and 2", denoiser="unet"),
    "MVDreamPipeline": Family(title="MVDream", denoiser="unet", views_together=4),
    # Its folders' index names MVDreamPipeline too; the unet's config tells them apart (models/image_dream.py).
    IMAGE_DREAM: Family(title="ImageDream", denoiser="unet", views_together=4, picture_parts=(IMAGE_ENCODER,)),
    ZERO123: Family(
        title="Zero123",
        denoiser="unet",
        text_encoders=(),
        tokenizers=(),
        picture_parts=(IMAGE_ENCODER, "cc_projection"),
        told_poses=True,
    ),
    # The same networks in folders of another publisher, with another name for one of them.
    "Zero123Pipeline": Family(
        title="Zero123",
        denoiser="unet",
        text_encoders=(),
        tokenizers=(),
        picture_parts=(IMAGE_ENCODER, "clip_camera_projection"),
        told_poses=True,
    ),
    "MultiViewPixelPipeline": Family(title="Multi-view pixel model", denoiser="unet", vae=False, views_together=4),
    "StableDiffusionXLPipeline": Family(
        title="Stable Diffusion XL", denoiser="unet", text_encoders=_TWO_TEXTS, tokenizers=_TWO_TOKENIZERS
    ),
    "PixArtSigmaPipeline": Family(title="PixArt-Sigma", denoiser="transformer", tokens=300),
    "StableDiffusion3Pipeline": Family(
        title="Stable Diffusion 3",
        denoiser="transformer",
        text_encoders=(*_TWO_TEXTS, "text_encoder_3"),
        tokenizers=(*_TWO_TOKENIZERS, "tokenizer_3"),
        optional=("text_encoder_3", "tokenizer_3"),
        tokens=256,
    ),
    "FluxPipeline": Family(
        title="Flux", denoiser="transformer", text_encoders=_TWO_TEXTS, tokenizers=_TWO_TOKENIZERS, tokens=512
    ),
    CLIP: Family(title="CLIP", denoiser=WHOLE, text_encoders=(), tokenizers=(WHOLE,), vae=False, compares=True),
}
