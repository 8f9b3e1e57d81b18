"""Arithmetic of the well-known architectures: the engine's formula beside torch's own count for the real classes.

    python benchmarks/speed/operations.py [--json] [NAME ...]

Every network is built at its full size on the `meta` device, where tensors have shapes and no numbers. It runs one call
for one picture under torch's flop counter. A multiply-add counts as two operations. No weights are needed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from benchmarks.memory.networks import ARCHITECTURES, Architecture, denoiser_inputs  # noqa: E402
from dreamfusion_engine.models import operations, sizes  # noqa: E402

TERA = 1e12


def counted(architecture: Architecture) -> dict[str, dict[str, float]]:
    """Operations for one picture, by the engine's formula and by torch's counter."""
    with torch.device("meta"):
        denoiser: Any = architecture.denoiser().eval().requires_grad_(False)
        encoder: Any = architecture.vae().eval().requires_grad_(False) if architecture.vae else None
        config = {**denoiser.config, "_class_name": type(denoiser).__name__}
        vae_config = {**encoder.config, "_class_name": type(encoder).__name__} if encoder else {}
        latent = sizes.latent_size(config)
        pixels = latent * sizes.vae_factor(vae_config)
        inputs = denoiser_inputs(denoiser, 1, latent)
        with FlopCounterMode(display=False) as call, torch.no_grad():
            denoiser(**inputs)
        result = {
            "denoiser": {
                "formula": operations.denoiser_operations(config, latent),
                "counted": float(call.get_total_flops()),
            }
        }
        if encoder:
            image = torch.randn(1, 3, pixels, pixels, requires_grad=True)
            with FlopCounterMode(display=False) as forward:
                seen = encoder.encode(image).latent_dist.mean
            with FlopCounterMode(display=False) as backward:
                seen.sum().backward()
            result["encoder"] = {
                "formula": operations.encoder_operations(vae_config, pixels),
                "counted": float(forward.get_total_flops()),
                "backward": float(backward.get_total_flops()),
            }
    return result


def main() -> None:
    """Count for the chosen architectures and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(ARCHITECTURES)}")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = {name: counted(ARCHITECTURES[name]) for name in options.names or ARCHITECTURES}
    if options.json:
        print(json.dumps(results, indent=1))
        return
    for name, parts in results.items():
        for part, values in parts.items():
            print(f"{name:<27}{part:<9}", *(f"{what} {value / TERA:8.3f}" for what, value in values.items()))


if __name__ == "__main__":
    main()
