"""The teacher made of a pixel-space diffusers pipeline of the IF family.

Importing this module loads torch only: diffusers and transformers, which take some
seconds, are imported when a model is loaded, and only its parts, never a whole pipeline.

Axis letters: B views, P prompts, K tokens, D embedding width, T timesteps.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Literal

import torch
from torch import Tensor, nn

from dreamfusion_engine.errors import InputError, SetupError
from dreamfusion_engine.guidance.noise import NoiseSchedule, PredictionType, noise_from_prediction
from dreamfusion_engine.guidance.pipeline_folder import PipelineFolder, damaged, read_json
from dreamfusion_engine.guidance.teacher import Conditioning, Teacher, resize_square

Precision = Literal["auto", "float32", "bfloat16", "float16"]
IF_TOKENS = 77  # what the IF pipeline gives its text encoder at most
HALF_ABOVE_BYTES = 400 << 20  # stored weights beyond which 'auto' computes in half precision on a GPU


class PixelDiffusion:
    """A pixel-space diffusion model (UNet2DConditionModel with 3 input channels) as a `Teacher`.

    unet: predicts 3 channels, or 6 of which the last 3, a variance, are ignored.
    tokenizer: a transformers tokenizer. text_encoder: makes the encoder when it is asked; it is freed after encoding,
    because it is often larger than the rest. prediction: what the unet predicts. schedule: of its noise.
    autocast: reduced precision for the arithmetic of a unet with float32 weights; norms and softmax stay float32.
    Inputs and outputs are float32 always.
    """

    def __init__(
        self,
        unet: nn.Module,
        tokenizer: Callable[..., Any],
        text_encoder: Callable[[], nn.Module],
        *,
        prediction: PredictionType,
        schedule: NoiseSchedule,
        image_size: int,
        device: torch.device,
        autocast: torch.dtype | None = None,
    ) -> None:
        self.device = device
        self.image_size = image_size
        self.schedule = schedule.to(device)
        self.prediction = prediction
        self._autocast = autocast
        self._tokenizer = tokenizer
        self._make_text_encoder = text_encoder
        unet = unet.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.denoiser: nn.Module = unet.eval().requires_grad_(False)
        self._weights = next(unet.parameters()).dtype

    @torch.no_grad()
    def encode_prompts(self, prompts: list[str]) -> Conditioning:
        """The last hidden state of the text encoder, padding masked as IF does.

        Raises InputError input.prompt_tokens when a prompt has more tokens than the model reads (its view words, at
        the end, would be lost silently), SetupError model.damaged when an embedding is not finite.
        """
        texts = [prompt.strip().lower() for prompt in prompts]  # as IF prepares its captions
        length = min(int(getattr(self._tokenizer, "model_max_length", IF_TOKENS)), IF_TOKENS)
        for text in texts:
            count = len(self._tokenizer(text)["input_ids"])
            if count > length:
                raise InputError(
                    "input.prompt_tokens",
                    what="The prompt is too long for this model.",
                    why=f"With its view words it is {count} tokens; the model reads {length}: {text!r}",
                    fix=f"Say it in fewer words, about {count - length} less.",
                )
        tokens = self._tokenizer(
            texts,
            padding="max_length",
            max_length=length,
            truncation=True,
            return_tensors="pt",
            return_attention_mask=True,
        )
        encoder = self._make_text_encoder().to(self.device).eval()
        ids, mask = tokens["input_ids"].to(self.device), tokens["attention_mask"].to(self.device)
        embeddings: Tensor = encoder(ids, attention_mask=mask)[0]
        if not bool(torch.isfinite(embeddings).all()):
            raise SetupError(
                "model.damaged",
                what="The model's text encoder does not work.",
                why="It turns the prompt into values that are not finite numbers.",
                fix="Copy or download the model again; on a GPU, try --device cpu.",
            )
        return Conditioning(tokens=embeddings.float())

    def to_model_space(self, image: Tensor) -> Tensor:
        """x float32[B, 3, h, w] in [-1, 1] at image_size, from images float32[B, 3, H, W] in [0, 1]; differentiable."""
        return 2.0 * resize_square(image, self.image_size) - 1.0

    def to_image(self, x: Tensor) -> Tensor:
        """Images float32[B, 3, h, w], clipped to [0, 1], from x in [-1, 1]."""
        return (0.5 * x + 0.5).clamp(0.0, 1.0)

    def predict_noise(self, x_t: Tensor, t: Tensor, conditioning: Conditioning) -> Tensor:
        """eps float32[B, 3, h, w] in x_t, whichever way the model names its prediction.

        x_t: float32[B, 3, h, w]; t: int64[B] in [0, T); conditioning: B rows.
        """
        x_in = x_t.to(self._weights).contiguous(memory_format=torch.channels_last)
        text = conditioning.tokens.to(self._weights)
        with torch.autocast(self.device.type, self._autocast, enabled=self._autocast is not None):
            output = self.denoiser(x_in, t, encoder_hidden_states=text, return_dict=False)[0]
        prediction: Tensor = output[:, : x_t.shape[1]].float().contiguous()
        alpha, sigma = self.schedule.at(t)
        return noise_from_prediction(prediction, self.prediction, x_t, alpha, sigma)


def load_teacher(folder: PipelineFolder, device: torch.device, precision: Precision = "auto") -> Teacher:
    """Load the teacher of a checked pipeline folder: unet, tokenizer, noise schedule, and later its text encoder.

    precision: 'auto' is float32, except for large models on a GPU, which get float16.
    Raises SetupError model.damaged, model.unsupported; RunError is left to the caller's out-of-memory mapping.
    """
    config = read_json(folder.path / "unet" / "config.json")
    if config.get("in_channels") != 3 or config.get("out_channels") not in (3, 6) or not config.get("sample_size"):
        raise SetupError(
            "model.unsupported",
            what="This version cannot use this model's denoiser.",
            why=f"It has {config.get('in_channels')} input and {config.get('out_channels')} output channels at size "
            f"{config.get('sample_size')}; a first-stage pixel-space model has 3 and 3 or 6, and a size.",
            fix="Give the first stage of a pixel-space pipeline, or leave --model out for the built-in model.",
        )
    dtype = _dtype_of(precision, folder, device)
    # A CPU keeps float32 weights and casts per operation; a GPU holds them in half precision, to save its memory.
    reduced = dtype if device.type == "cpu" and dtype != torch.float32 else None
    with _foreign_errors(folder):
        import diffusers

        unet_class: Any = diffusers.UNet2DConditionModel
        with _no_progress_bar(diffusers):
            unet, info = unet_class.from_pretrained(
                folder.path / "unet",
                torch_dtype=torch.float32 if reduced else dtype,
                variant=folder.variant("unet"),
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
            )
        _refuse_missing(folder, "unet", info)
        scheduler_class: Any = diffusers.DDPMScheduler
        scheduler = scheduler_class.from_pretrained(folder.path / "scheduler", local_files_only=True)
        tokenizer = _load_tokenizer(folder)
    return PixelDiffusion(
        unet,
        tokenizer,
        lambda: _load_text_encoder(folder, torch.bfloat16 if dtype == torch.float16 else torch.float32),
        prediction=scheduler.config.prediction_type,
        schedule=NoiseSchedule.variance_preserving(scheduler.alphas_cumprod.float()),
        image_size=int(config["sample_size"]),
        device=device,
        autocast=reduced,
    )


def _dtype_of(precision: Precision, folder: PipelineFolder, device: torch.device) -> torch.dtype:
    if precision == "auto":
        stored = sum(file.stat().st_size for file in (folder.path / "unet").glob("*.safetensors"))
        return torch.float16 if device.type == "cuda" and stored > HALF_ABOVE_BYTES else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[precision]


def _load_tokenizer(folder: PipelineFolder) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder.path / "tokenizer", local_files_only=True, trust_remote_code=False)


def _load_text_encoder(folder: PipelineFolder, dtype: torch.dtype) -> nn.Module:
    with _foreign_errors(folder):
        import transformers

        encoder_class: Any = transformers.T5EncoderModel
        with _no_progress_bar(transformers):
            encoder, info = encoder_class.from_pretrained(
                folder.path / "text_encoder",
                dtype=dtype,
                variant=folder.variant("text_encoder"),
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
            )
        _refuse_missing(folder, "text_encoder", info)
        module: nn.Module = encoder
    return module


def _refuse_missing(folder: PipelineFolder, part: str, info: dict[str, Any]) -> None:
    """The libraries fill missing weights with random numbers and a warning; a teacher with those teaches noise."""
    missing = [*info.get("missing_keys", ()), *info.get("mismatched_keys", ())]
    if missing:
        raise damaged(folder.path, f"{part} lacks {len(missing)} of its weights, the first is {missing[0]}")


@contextlib.contextmanager
def _no_progress_bar(library: Any) -> Iterator[None]:
    """Loading without the bar of diffusers or transformers, which would write across the command line's own."""
    logging = library.utils.logging
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


@contextlib.contextmanager
def _foreign_errors(folder: PipelineFolder) -> Iterator[None]:
    """What diffusers, transformers and safetensors raise for unreadable parts, as SetupError model.damaged."""
    from safetensors import SafetensorError

    try:
        yield
    except ImportError as error:
        raise SetupError(
            "setup.package",
            what="This model needs a Python package that is not installed.",
            why=str(error).strip()[:300],
            fix="Install that package into DreamFusion's environment, or leave --model out for the built-in model.",
        ) from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError, SafetensorError) as error:
        raise damaged(folder.path, f"{type(error).__name__}: {str(error).strip()[:300]}") from error
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise damaged(folder.path, str(error).strip()[:300]) from error
