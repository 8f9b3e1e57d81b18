"""The trained multi-view model as one small file, and the pipeline folder from it.

    python -m training.multiview.packed pack PIPELINE FILE     # FILE from a trained pipeline folder
    python -m training.multiview.packed unpack FOLDER FILE     # the pipeline folder that `--model` takes, from FILE

A repository keeps what it was given for ever, so the UNet's matrices are kept in 8 bits: half of the folder's size.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from dreamfusion_engine.models.card_file import CARD_NAME
from dreamfusion_engine.models.multi_view import PIXEL_FAMILY
from training.eight_bits import from_bytes, in_bytes
from training.multiview.model import MultiViewModel
from training.starter.model import ModelSize, save_pipeline, start_from
from training.starter.objects.kinds import kinds_named


def pack(pipeline: Path, file: Path, size: ModelSize | None = None) -> None:
    """Write the UNet and the text encoder of a pipeline folder, and its card's words about the training, to `file`.

    pipeline: Path of the folder.
    file: Path to write.
    size: ModelSize of the model in the folder; None for the starter's.
    Raises ValueError where the folder holds another.
    """
    size = size or ModelSize()
    card = json.loads((pipeline / CARD_NAME).read_text(encoding="utf-8"))
    pixels = json.loads((pipeline / "unet" / "config.json").read_text(encoding="utf-8"))["sample_size"]
    model = MultiViewModel(size, pixels)
    start_from(model, pipeline)
    unet = {f"unet.{name}": p.detach() for name, p in model.unet.named_parameters()}
    text = {f"text_encoder.{name}": p.detach().half() for name, p in model.text_encoder.named_parameters()}
    told = {"size": asdict(size), "pixels": pixels, "kinds": card["kinds"], "training": card["training"]}
    save_file({**in_bytes(unet), **text}, file, metadata={"model": json.dumps(told)})


def unpack(folder: Path, file: Path) -> Path:
    """Write the pipeline folder of `pack`'s file; return `folder`.

    folder: Path to write.
    file: Path that `pack` wrote.
    """
    with safe_open(file, framework="pt") as content:
        told = json.loads(content.metadata()["model"])
        tensors = from_bytes({name: content.get_tensor(name) for name in content.keys()})  # noqa: SIM118
    model = MultiViewModel(ModelSize(**{name: _plain(value) for name, value in told["size"].items()}), told["pixels"])
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(tensors[name])
    save_pipeline(model, folder, kinds_named(", ".join(told["kinds"])), told["training"], PIXEL_FAMILY)
    return folder


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def main() -> None:
    """Pack or unpack as the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("what", choices=("pack", "unpack"))
    parser.add_argument("folder", type=Path, help="the pipeline folder that is read, or written")
    parser.add_argument("file", type=Path, help="the packed file that is written, or read")
    given = parser.parse_args()
    if given.what == "pack":
        pack(given.folder, given.file)
    else:
        unpack(given.folder, given.file)


if __name__ == "__main__":
    main()
