"""The trained denoiser and text encoder as one small file, and the pipeline folder from it.

    python -m training.latent.packed pack PIPELINE     # weights/denoiser.safetensors from a trained pipeline folder
    python -m training.latent.packed unpack FOLDER     # the pipeline folder that `--model` takes, from weights/

A repository keeps what it was given for ever, so the UNet's matrices are kept in 8 bits: half of the folder's size.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from dreamfusion_engine.models.card_file import CARD_NAME
from training.eight_bits import from_bytes, in_bytes
from training.latent.model import LatentModel, LatentSize, load_autoencoder, save_latent_pipeline
from training.latent.train import WEIGHTS
from training.starter.model import start_from
from training.starter.objects.kinds import kinds_named

FILE = WEIGHTS / "denoiser.safetensors"


def pack(pipeline: Path, file: Path = FILE, size: LatentSize | None = None) -> None:
    """Write the denoiser and the text encoder of a pipeline folder, and its card's words about the training, to `file`.

    pipeline: Path of the folder.
    file: Path to write.
    size: LatentSize of the model in the folder.
    Raises ValueError where the folder holds another.
    """
    size = size or LatentSize()
    card = json.loads((pipeline / CARD_NAME).read_text(encoding="utf-8"))
    latents = json.loads((pipeline / "unet" / "config.json").read_text(encoding="utf-8"))["sample_size"]
    model = LatentModel(size, latents)
    start_from(model, pipeline)
    unet = {f"unet.{name}": p.detach() for name, p in model.unet.named_parameters()}
    text = {f"text_encoder.{name}": p.detach().half() for name, p in model.text_encoder.named_parameters()}
    told = {"size": asdict(size), "latents": latents, "kinds": card["kinds"], "training": card["training"]}
    save_file({**in_bytes(unet), **text}, file, metadata={"model": json.dumps(told)})


def unpack(folder: Path, file: Path = FILE, vae: Path = WEIGHTS / "vae") -> Path:
    """Write the pipeline folder of `pack`'s file with the autoencoder in `vae`; returns `folder`."""
    with safe_open(file, framework="pt") as content:
        told = json.loads(content.metadata()["model"])
        tensors = from_bytes({name: content.get_tensor(name) for name in content.keys()})  # noqa: SIM118
    size = told["size"] | {"channels": tuple(told["size"]["channels"])}
    model = LatentModel(LatentSize(**size), told["latents"])
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(tensors[name])
    autoencoder = load_autoencoder(vae, torch.device("cpu"))
    save_latent_pipeline(model, autoencoder, folder, kinds_named(", ".join(told["kinds"])), told["training"])
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("what", choices=("pack", "unpack"))
    parser.add_argument("folder", type=Path, help="the pipeline folder that is read, or written")
    given = parser.parse_args()
    if given.what == "pack":
        pack(given.folder)
    else:
        unpack(given.folder)


if __name__ == "__main__":
    main()
