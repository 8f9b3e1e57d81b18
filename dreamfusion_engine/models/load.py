"""Load a teacher from a checked model folder, by family.

Importing this module loads torch only. diffusers and transformers take some seconds, so they are imported with the
first part of a model. Only parts are loaded, never a whole pipeline.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from dreamfusion_engine.config.recipes import IMAGE_DREAM, ZERO123
from dreamfusion_engine.models.adapters.files import NO_ADAPTERS, AdapterFiles
from dreamfusion_engine.models.adapters.lora_merge import check_finite
from dreamfusion_engine.models.adapters.textual_inversion import read_vectors
from dreamfusion_engine.models.families.adapter import Adapter
from dreamfusion_engine.models.families.clip import ClipTeacher
from dreamfusion_engine.models.families.flux import Flux
from dreamfusion_engine.models.families.image_dream import ImageDream
from dreamfusion_engine.models.families.multi_view_pixel import MultiViewPixel
from dreamfusion_engine.models.families.mvdream import MVDream
from dreamfusion_engine.models.families.parts import Parts, Place
from dreamfusion_engine.models.families.parts import Precision as Precision
from dreamfusion_engine.models.families.pixart import PixArtSigma
from dreamfusion_engine.models.families.pixel import PixelDiffusion
from dreamfusion_engine.models.families.stable_diffusion import StableDiffusion
from dreamfusion_engine.models.families.stable_diffusion_3 import StableDiffusion3
from dreamfusion_engine.models.families.stable_diffusion_xl import StableDiffusionXL
from dreamfusion_engine.models.families.zero123 import Zero123
from dreamfusion_engine.models.pipeline_folder import PipelineFolder

ADAPTERS: dict[str, Callable[[Parts], Adapter]] = {
    "IFPipeline": PixelDiffusion,
    "StableDiffusionPipeline": StableDiffusion,
    "MVDreamPipeline": MVDream,
    IMAGE_DREAM: ImageDream,
    ZERO123: Zero123,
    "Zero123Pipeline": Zero123,
    "MultiViewPixelPipeline": MultiViewPixel,
    "StableDiffusionXLPipeline": StableDiffusionXL,
    "PixArtSigmaPipeline": PixArtSigma,
    "StableDiffusion3Pipeline": StableDiffusion3,
    "FluxPipeline": Flux,
}


def load_teacher(
    folder: PipelineFolder,
    device: torch.device,
    precision: Precision = "auto",
    place: Place | None = None,
    adapters: AdapterFiles = NO_ADAPTERS,
    vae_precision: Precision = "auto",
) -> Adapter:
    """Return the teacher of a checked pipeline folder. Its configurations are read now, its networks on first use.

    folder: PipelineFolder of the model.
    device: torch.device, where it computes.
    precision: of the denoiser; 'auto' is float32, except for large models on a GPU, which get half precision.
    place: called with each network once it is loaded; by default it moves the network to the device. See `Parts`.
    adapters: AdapterFiles that were checked for this folder; their numbers are read here and must be finite.
    vae_precision: of the VAE alone.
    Raises SetupError model.damaged, model.unsupported; InputError input.lora, input.embedding. Out of memory is left to
        the caller.
    """
    for lora in adapters.loras:
        check_finite(lora)
    for word in adapters.words:
        for part in word.tensors:
            read_vectors(word, part)
    return ADAPTERS[folder.family](Parts(folder, device, precision, place, adapters, vae_precision))


def load_clip(
    folder: PipelineFolder, device: torch.device, precision: Precision = "auto", place: Place | None = None
) -> ClipTeacher:
    """Return the teacher of a checked CLIP folder, which compares pictures with words and denoises nothing.

    folder, device, precision, place: as for `load_teacher`.
    Raises SetupError as `load_teacher`.
    """
    return ClipTeacher(Parts(folder, device, precision, place))
