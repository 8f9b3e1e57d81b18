"""How well an autoencoder gives held-out pictures back: `python -m training.latent.measure [--vae FOLDER]`.

Prints JSON: psnr in dB, the mean error of red, green and blue in [0, 1], the spread of its latents before and after
the scaling factor, and the number of pictures. None of them is of a seed that training uses.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from training.latent.autoencoder import AutoencoderPlan, held_out, measure, save_reconstructions
from training.latent.model import load_autoencoder
from training.latent.train import WEIGHTS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vae", type=Path, default=WEIGHTS / "vae", help="folder of the autoencoder")
    parser.add_argument("--pictures", type=int, default=1024)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--picture", type=Path, help="PNG to write: rows of pictures over what came back")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    vae = load_autoencoder(arguments.vae, device)
    pictures = held_out(AutoencoderPlan(pixels=vae.config.sample_size), arguments.pictures, device)
    found, back = measure(vae, pictures)
    found["scaled_std"] = float(found["std"]) * vae.config.scaling_factor  # type: ignore[arg-type]
    if arguments.picture:
        save_reconstructions(pictures[:32], back[:32], arguments.picture)
    print(json.dumps(found | {"pictures": len(pictures)}, indent=1))


if __name__ == "__main__":
    main()
