"""Peak memory of whole runs, beside the estimate: random weights, real classes, tiny and mid-sized.

    python benchmarks/memory/runs.py [--json] [--steps 4] [NAME ...]

Each run, from prompt to GLB, is a process of its own, as on the command line. Its peak is the largest resident set of
that process, at the end of training and of the whole run; beside it is the estimate for the same settings.
The mid-sized teachers have the blocks of the published models at reduced width and a smaller picture. Their weights are
stored in half precision, as those are, and computed with in float32, as a CPU does.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import torch  # noqa: E402
from reference.tiny_families import stable_diffusion, unet  # noqa: E402
from reference.tiny_pipeline import tiny_tokenizer  # noqa: E402

MIB = 1 << 20
TOKENS = 77


def text_encoder(width: int, layers: int, vocabulary: int = 49_408) -> Any:
    """A CLIP text encoder.

    width: int, of its layers.
    layers: int, their number.
    vocabulary: int, words.
    """
    import transformers

    config = transformers.CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=1,
    )
    return transformers.CLIPTextModel(config)


def autoencoder(channels: tuple[int, ...]) -> Any:
    """The AutoencoderKL of Stable Diffusion at another width."""
    import diffusers

    return diffusers.AutoencoderKL(
        block_out_channels=channels,
        layers_per_block=2,
        down_block_types=("DownEncoderBlock2D",) * len(channels),
        up_block_types=("UpDecoderBlock2D",) * len(channels),
        latent_channels=4,
    )


def half_width(latent: int) -> Any:
    """Stable Diffusion 1 with half its channels: 215 M parameters in the unet.

    latent: int, latents along a side; the picture has eight times as many pixels.
    """
    import diffusers

    unet = diffusers.UNet2DConditionModel(
        sample_size=latent, block_out_channels=(160, 320, 640, 640), cross_attention_dim=512, attention_head_dim=8
    )
    return diffusers.StableDiffusionPipeline(
        vae=autoencoder((64, 128, 256, 256)),
        text_encoder=text_encoder(512, 12),
        tokenizer=tiny_tokenizer(TOKENS),
        unet=unet,
        scheduler=diffusers.DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def wide_text() -> Any:
    """A tiny teacher with a text encoder of 354 M parameters, which is large beside it, as T5 is beside PixArt."""
    pipeline = stable_diffusion()
    pipeline.text_encoder = text_encoder(1024, 24)
    pipeline.unet = unet(cross_attention_dim=1024)
    return pipeline


@dataclasses.dataclass(frozen=True)
class Case:
    """One run to measure.

    teacher: makes its pipeline; None for the built-in one.
    settings: over the preset.
    """

    teacher: Callable[[], Any] | None
    settings: tuple[str, ...] = ()
    preset: str = "standard"


CASES: dict[str, Case] = {
    "starter": Case(None),
    "starter, high": Case(None, preset="high"),
    "tiny": Case(stable_diffusion),
    "large text encoder": Case(wide_text),
    "half-width SD 1, 256 pixels": Case(lambda: half_width(32)),
    "one view at a time": Case(lambda: half_width(32), ("memory.views_at_once=1",)),
    "VAE recomputed": Case(lambda: half_width(32), ("memory.recompute=true",)),
    "vsd": Case(lambda: half_width(32), ("guidance.score=vsd",)),
    "vsd, one view at a time": Case(lambda: half_width(32), ("guidance.score=vsd", "memory.views_at_once=1")),
    "half-width SD 1, 512 pixels": Case(lambda: half_width(64)),
}


def measure(case: Case, steps: int, folder: Path) -> dict[str, Any]:
    """The peak of one whole run and its estimate, in MiB.

    steps: int, of training.
    folder: Path for the teacher and the run.
    """
    model = "starter"
    if case.teacher is not None:
        model = str(folder / "model")
        case.teacher().to(torch.float16).save_pretrained(model)
    output = folder / "out"
    command = [sys.executable, "-m", "dreamfusion_engine", "generate", "a red mug", "--model", model]
    command += ["--preset", case.preset]
    command += [
        "--device",
        "cpu",
        "--steps",
        str(steps),
        "--output",
        str(output),
        "--json",
        "--set",
        "memory.fit=false",
    ]
    command += [word for setting in case.settings for word in ("--set", setting)]
    cache = {**os.environ, "DREAMFUSION_CACHE": str(folder / "cache")}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=cache)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    said = [json.loads(line) for line in done.stdout.splitlines()]
    trained = max(word["memory_mib"] for word in said if word["type"] == "progress" and word["stage"] == "train")
    report = said[-1]["report"]
    peak, told = report["peak_memory_mib"], report["memory"]["estimate_mib"]
    return {"trained_mib": round(trained), "peak_mib": peak, "estimate_mib": told, "ratio": round(told / peak, 2)}


def main() -> None:
    """Measure the chosen cases and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {'; '.join(CASES)}")
    parser.add_argument("--steps", type=int, default=4, help="of training; the peak comes in the first")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = {}
    for name in options.names or CASES:
        with tempfile.TemporaryDirectory() as folder:
            results[name] = measure(CASES[name], options.steps, Path(folder))
        if not options.json:
            row = results[name]
            shown = (
                f"trained {row['trained_mib']:>6}, whole {row['peak_mib']:>6}, estimate {row['estimate_mib']:>6} MiB"
            )
            print(f"{name:<32}{shown}, {row['ratio']:.2f}", flush=True)
    if options.json:
        print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
