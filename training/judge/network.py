"""The judge's network: how training starts it, and how it is saved."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig

from dreamfusion_engine.judge.model import HASHES, MEAN, STD, load_judge
from dreamfusion_engine.models.card_file import CARD_NAME
from training.starter.captions import SHADING_WORDS, TOKENS, VIEW_WORDS, known_words, make_tokenizer
from training.starter.objects.kinds import KINDS
from training.starter.objects.palette import COLOURS


@dataclass(frozen=True, kw_only=True)
class JudgeSize:
    """Pixels of a picture and of a patch, width and heads of both encoders, layers of each, length of the vectors."""

    pixels: int = 32
    patch: int = 4
    width: int = 128
    layers: int = 4
    text_layers: int = 2
    heads: int = 4
    vector: int = 64


def make_judge(size: JudgeSize) -> CLIPModel:
    """Return an untrained judge over the starter model's words."""
    vocabulary = len(make_tokenizer())
    text = CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=size.width,
        intermediate_size=2 * size.width,
        projection_dim=size.vector,
        num_hidden_layers=size.text_layers,
        num_attention_heads=size.heads,
        max_position_embeddings=TOKENS,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=1,
    )
    vision = CLIPVisionConfig(
        hidden_size=size.width,
        intermediate_size=4 * size.width,
        projection_dim=size.vector,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        image_size=size.pixels,
        patch_size=size.patch,
    )
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=size.vector))


def start_from(model: CLIPModel, folder: Path) -> None:
    """Copy the weights of the judge in `folder` into `model`, whose patches and words may be others.

    Patches are resized so that an enlarged patch gives the same vector (FlexiViT, arXiv 2212.08013), their places are
    interpolated, and words that both know keep their vector. Raises RuntimeError when the widths differ.
    """
    old = load_judge(folder)
    found = {name: value.clone() for name, value in old.model.state_dict().items() if "position_ids" not in name}
    state = model.state_dict()

    words = "text_model.embeddings.token_embedding.weight"
    known, vectors = old.tokenizer.get_vocab(), state[words].clone()
    for word, row in make_tokenizer().get_vocab().items():
        if word in known:
            vectors[row] = found[words][known[word]]
    found[words] = vectors

    places = "text_model.embeddings.position_embedding.weight"
    first = min(len(state[places]), len(found[places]))
    found[places] = torch.cat([found[places][:first], state[places][first:]])

    patch = "vision_model.embeddings.patch_embedding.weight"
    before, after = found[patch].shape[-1], state[patch].shape[-1]
    cells = torch.eye(after * after).reshape(-1, 1, after, after)
    enlarged = torch.nn.functional.interpolate(cells, (before, before), mode="bilinear", align_corners=False)
    resized = found[patch].reshape(-1, before * before) @ enlarged.reshape(after * after, before * before).T
    found[patch] = resized.reshape(*found[patch].shape[:2], after, after)

    grid = "vision_model.embeddings.position_embedding.weight"
    whole, cell = found[grid][:1], found[grid][1:]
    side, wanted = math.isqrt(len(cell)), math.isqrt(len(state[grid]) - 1)
    image = cell.T.reshape(1, -1, side, side)
    image = torch.nn.functional.interpolate(image, (wanted, wanted), mode="bilinear", align_corners=False)
    found[grid] = torch.cat([whole, image.reshape(-1, wanted * wanted).T])
    model.load_state_dict(state | found)


def write_card(folder: Path, files: Mapping[str, str]) -> None:
    """Write `dreamfusion.json`, with which a CLIP of the corpus is one that knows these words only when it teaches.

    folder: Path of the CLIP.
    files: names of its files to their SHA-256.
    """
    card = {
        "format": 1,
        "closed_vocabulary": True,
        "words": known_words(KINDS),
        "kinds": [kind.names[0] for kind in KINDS],
        "colours": list(COLOURS),
        "parts": [f"{kind.names[0]} {kind.part}" for kind in KINDS if kind.part],
        "without_front": [name for kind in KINDS if not kind.front for name in kind.names],
        "examples": ["a red apple", "a blue car", "a castle"],
        "views": VIEW_WORDS,
        "shading": {"albedo": "", "lambertian": "", "textureless": SHADING_WORDS["textureless"]},
        "files": dict(files),
    }
    (folder / CARD_NAME).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


def save_judge(model: CLIPModel, folder: Path) -> None:
    """Write the judge as a CLIPModel folder in fp16, with the checksums of its files.

    model: CLIPModel.
    folder: Path.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: value.detach().clone() for name, value in model.state_dict().items()}
    model.half().save_pretrained(folder, safe_serialization=True)
    model.float().load_state_dict(state)
    make_tokenizer().save_pretrained(folder)
    side = model.config.vision_config.image_size
    processor = {
        "image_processor_type": "CLIPImageProcessor",
        "crop_size": {"height": side, "width": side},
        "size": {"shortest_edge": side},
        "image_mean": list(MEAN),
        "image_std": list(STD),
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor, indent=1) + "\n", encoding="utf-8")
    files = sorted(p for p in folder.iterdir() if p.is_file() and p.name not in (HASHES, CARD_NAME, "README.md"))
    hashes = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
    write_card(folder, hashes)
    (folder / HASHES).write_text(json.dumps(hashes, indent=1) + "\n", encoding="utf-8")
