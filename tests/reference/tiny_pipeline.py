"""A real IFPipeline with random weights, small enough to make in a test: real classes at tiny size."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

TEXT = "a red blue hamburger mug with handle front side back overhead view flat colours white clay"
WORDS = TEXT.split()


def tiny_tokenizer(length: int = 16) -> Any:
    """A word-level tokenizer that reads `length` tokens."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: i for i, word in enumerate(["<pad>", "</s>", "<unk>", *WORDS])}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    inner.normalizer = normalizers.Lowercase()
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=length
    )


def tiny_pipeline(prediction: str = "epsilon", length: int = 16, seed: int = 0) -> Any:
    """An IFPipeline for 16 x 16 pixels with random weights, reading `length` tokens."""
    import torch
    from diffusers import DDPMScheduler, IFPipeline, UNet2DConditionModel
    from transformers import T5Config, T5EncoderModel

    torch.manual_seed(seed)
    encoder = T5EncoderModel(
        T5Config(
            vocab_size=len(WORDS) + 3,
            d_model=32,
            d_kv=8,
            d_ff=64,
            num_layers=2,
            num_heads=4,
            pad_token_id=0,
            eos_token_id=1,
        )
    ).eval()
    unet = UNet2DConditionModel(
        sample_size=16,
        in_channels=3,
        out_channels=6,
        layers_per_block=1,
        block_out_channels=(16, 32),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=8,
        norm_num_groups=8,
    ).eval()
    scheduler = DDPMScheduler(
        prediction_type=prediction,
        beta_schedule="squaredcos_cap_v2",
        variance_type="fixed_small",
        clip_sample=False,
    )
    return IFPipeline(
        tokenizer=tiny_tokenizer(length),
        text_encoder=encoder,
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        watermarker=None,
        requires_safety_checker=False,
    )


def card_values(folder: Path | None = None) -> dict[str, Any]:
    """The content of dreamfusion.json for the tiny model; with a folder, the checksums of its files too."""
    files: dict[str, str] = {}
    for path in sorted(folder.rglob("*")) if folder else []:
        if folder and path.is_file() and path.name != "dreamfusion.json":
            files[path.relative_to(folder).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
    return {
        "format": 1,
        "closed_vocabulary": True,
        "words": WORDS,
        "kinds": ["hamburger", "mug"],
        "colours": ["red", "blue"],
        "examples": ["a hamburger", "a red mug"],
        "views": {"front": "front view", "side": "side view", "back": "back view", "overhead": "overhead view"},
        "shading": {"albedo": "flat colours", "lambertian": "", "textureless": "white clay"},
        "files": files,
    }


def write_card(folder: Path) -> None:
    """Put the card, with checksums, beside a saved pipeline."""
    (folder / "dreamfusion.json").write_text(json.dumps(card_values(folder)))
