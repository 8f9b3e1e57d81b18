"""The judge's networks: a small CLIP of stock transformers classes, and any CLIP folder in its place.

Pictures and captions become unit vectors; their product says how well they fit (Radford 2021, arXiv 2103.00020).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoTokenizer, CLIPModel, PreTrainedTokenizerFast
from transformers.utils import logging

from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.judge.folder import WEIGHTS

MEAN, STD = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
HASHES = "hashes.json"


def picture_vectors(model: CLIPModel, pixels: Tensor) -> Tensor:
    """Return unit vectors float32[B, D] of pictures.

    model: CLIPModel.
    pixels: float32[B, 3, H, W], already resized and normalised.
    """
    pooled = model.vision_model(pixel_values=pixels).pooler_output
    return torch.nn.functional.normalize(model.visual_projection(pooled).float(), dim=-1)


def caption_vectors(model: CLIPModel, tokens: Tensor, mask: Tensor) -> Tensor:
    """Return unit vectors float32[C, D] of captions.

    model: CLIPModel.
    tokens: int64[C, L], token ids.
    mask: int64[C, L], attention mask.
    """
    pooled = model.text_model(input_ids=tokens, attention_mask=mask).pooler_output
    return torch.nn.functional.normalize(model.text_projection(pooled).float(), dim=-1)


class Judge:
    """A loaded judge.

    model: CLIPModel.
    tokenizer: of its captions.
    mean, std: three floats each, of its pictures, sRGB in [0, 1].
    """

    def __init__(
        self,
        model: CLIPModel,
        tokenizer: PreTrainedTokenizerFast,
        mean: Sequence[float] = MEAN,
        std: Sequence[float] = STD,
    ) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.device = next(model.parameters()).device
        self._mean = torch.tensor(list(mean), device=self.device)[:, None, None]
        self._std = torch.tensor(list(std), device=self.device)[:, None, None]

    def normalised(self, pictures: Tensor) -> Tensor:
        """Return pictures at the judge's resolution and scale.

        pictures: float32[B, 3, H, W], sRGB in [0, 1].
        """
        side = self.model.config.vision_config.image_size
        pictures = pictures.to(self.device)
        if pictures.shape[-2:] != (side, side):
            pictures = torch.nn.functional.interpolate(
                pictures, (side, side), mode="bilinear", align_corners=False, antialias=True
            )
        return (pictures - self._mean) / self._std

    @torch.no_grad()
    def pictures(self, pictures: Tensor) -> Tensor:
        """Return unit vectors float32[B, D] of square pictures float32[B, 3, H, H], sRGB in [0, 1]."""
        return torch.cat([picture_vectors(self.model, self.normalised(part)) for part in pictures.split(256)])

    @torch.no_grad()
    def captions(self, captions: Sequence[str]) -> Tensor:
        """Return unit vectors float32[C, D] of C captions."""
        encoded = self.tokenizer(list(captions), padding=True, truncation=True, return_tensors="pt").to(self.device)
        return caption_vectors(self.model, encoded.input_ids, encoded.attention_mask)


def load_judge(folder: Path = WEIGHTS, device: str | torch.device = "cpu") -> Judge:
    """Load the judge in `folder`: ours, or any CLIPModel folder.

    folder: Path.
    device: where it computes.
    Raises SetupError judge.missing or judge.damaged, naming the file and the hash that it should have.
    """
    if not (folder / "config.json").is_file():
        raise SetupError(
            "judge.missing",
            what="There is no judge to load.",
            why=f"{folder} holds no config.json of a CLIPModel.",
            fix="Give a CLIP model's folder, or train one: python -m training.judge.train --output FOLDER",
        )
    listed = folder / HASHES
    hashes = json.loads(listed.read_text(encoding="utf-8")) if listed.is_file() else {}
    for name, expected in hashes.items():
        found = hashlib.sha256((folder / name).read_bytes()).hexdigest() if (folder / name).is_file() else "no file"
        if found != expected:
            raise SetupError(
                "judge.damaged",
                what=f"The judge's file {name} is damaged.",
                why=f"Its SHA-256 is {found}, expected {expected}.",
                fix=f"Copy the folder {folder} again, complete.",
            )
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # it would write across the command line's own
    try:
        model = CLIPModel.from_pretrained(folder, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        processor = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError) as error:
        raise SetupError(
            "judge.damaged",
            what="The judge cannot be loaded.",
            why=f"{folder}: {type(error).__name__}: {str(error)[:300]}",
            fix="Give a whole CLIPModel folder: config.json, model.safetensors, tokenizer, preprocessor_config.json.",
        ) from error
    finally:
        if shown:
            logging.enable_progress_bar()
    return Judge(model.to(device), tokenizer, processor["image_mean"], processor["image_std"])
