"""The judge's networks: a small CLIP of stock transformers classes, and any CLIP folder in its place.

Pictures and captions become unit vectors; their product says how well they fit (Radford 2021, arXiv 2103.00020).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoTokenizer, CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig, PreTrainedTokenizerFast

from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.starter.captions import TOKENS, make_tokenizer

WEIGHTS = Path(__file__).parent / "weights"
_MEAN, _STD = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
_HASHES = "hashes.json"


@dataclass(frozen=True, kw_only=True)
class JudgeSize:
    """Pixels of a picture and of a patch, width and layers of both encoders, length of the vectors."""

    pixels: int = 32
    patch: int = 4
    width: int = 128
    layers: int = 4
    heads: int = 4
    vector: int = 64


def make_judge(size: JudgeSize) -> CLIPModel:
    """An untrained judge over the starter model's words."""
    vocabulary = len(make_tokenizer())
    text = CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=size.width,
        intermediate_size=2 * size.width,
        projection_dim=size.vector,
        num_hidden_layers=2,
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


def picture_vectors(model: CLIPModel, pixels: Tensor) -> Tensor:
    """Unit vectors float32[B, D] of pictures that are already resized and normalised, float32[B, 3, H, W]."""
    pooled = model.vision_model(pixel_values=pixels).pooler_output
    return torch.nn.functional.normalize(model.visual_projection(pooled).float(), dim=-1)


def caption_vectors(model: CLIPModel, tokens: Tensor, mask: Tensor) -> Tensor:
    """Unit vectors float32[C, D] of token ids int64[C, L] with attention mask int64[C, L]."""
    pooled = model.text_model(input_ids=tokens, attention_mask=mask).pooler_output
    return torch.nn.functional.normalize(model.text_projection(pooled).float(), dim=-1)


class Judge:
    """A loaded judge.

    model: the networks. tokenizer: of its captions. mean, std: of its pictures, sRGB in [0, 1].
    """

    def __init__(
        self,
        model: CLIPModel,
        tokenizer: PreTrainedTokenizerFast,
        mean: Sequence[float] = _MEAN,
        std: Sequence[float] = _STD,
    ) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.device = next(model.parameters()).device
        self._mean = torch.tensor(list(mean), device=self.device)[:, None, None]
        self._std = torch.tensor(list(std), device=self.device)[:, None, None]

    def normalised(self, pictures: Tensor) -> Tensor:
        """Pictures float32[B, 3, H, W], sRGB in [0, 1], at the judge's resolution and scale."""
        side = self.model.config.vision_config.image_size
        pictures = pictures.to(self.device)
        if pictures.shape[-2:] != (side, side):
            pictures = torch.nn.functional.interpolate(
                pictures, (side, side), mode="bilinear", align_corners=False, antialias=True
            )
        return (pictures - self._mean) / self._std

    @torch.no_grad()
    def pictures(self, pictures: Tensor) -> Tensor:
        """Unit vectors float32[B, D] of square pictures float32[B, 3, H, H], sRGB in [0, 1]."""
        return torch.cat([picture_vectors(self.model, self.normalised(part)) for part in pictures.split(256)])

    @torch.no_grad()
    def captions(self, captions: Sequence[str]) -> Tensor:
        """Unit vectors float32[C, D] of captions."""
        encoded = self.tokenizer(list(captions), padding=True, truncation=True, return_tensors="pt").to(self.device)
        return caption_vectors(self.model, encoded.input_ids, encoded.attention_mask)


def save_judge(model: CLIPModel, folder: Path) -> None:
    """Write the judge as a CLIPModel folder in fp16, with the checksums of its files."""
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
        "image_mean": list(_MEAN),
        "image_std": list(_STD),
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor, indent=1) + "\n", encoding="utf-8")
    files = sorted(p for p in folder.iterdir() if p.is_file() and p.name not in (_HASHES, "README.md"))
    hashes = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
    (folder / _HASHES).write_text(json.dumps(hashes, indent=1) + "\n", encoding="utf-8")


def load_judge(folder: Path = WEIGHTS, device: str | torch.device = "cpu") -> Judge:
    """The judge in `folder`: ours, or any CLIPModel folder.

    Raises SetupError judge.missing or judge.damaged, naming the file and the hash that it should have.
    """
    if not (folder / "config.json").is_file():
        raise SetupError(
            "judge.missing",
            what="There is no judge to load.",
            why=f"{folder} holds no config.json of a CLIPModel.",
            fix="Give a CLIP model's folder, or train one: python -m dreamfusion_engine.judge.train --output FOLDER",
        )
    listed = folder / _HASHES
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
    return Judge(model.to(device), tokenizer, processor["image_mean"], processor["image_std"])
