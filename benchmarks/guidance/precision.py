"""Error of the guidance direction e_c - e_u in half precision, by family, on networks of the published size.

    python benchmarks/guidance/precision.py [--json] [--latents 32] [--words 0] [--streamed] [--device cpu] [NAME ...]

Guidance multiplies e_c - e_u by w, and its rounding error with it. Every denoiser is built from its public config
(`benchmarks/memory/networks.py`) with random weights. It is called with the same noise for each of two texts: first in
float32, then with weights and arithmetic in half precision. On a CPU the arithmetic is imitated: the result of every
operation is rounded to the precision, and products are summed in float32, as cards do. On a card it is the card's own.
The figures are rms(error of e_c - e_u) / rms(e_c), and that times w = 100, the guidance of DreamFusion's recipe.
With --streamed a network of any size fits: a layer has weights only while it computes (`streamed.py`), and both texts
go through it in one call. On a CPU only.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from benchmarks.guidance.streamed import SPREAD, streamed  # noqa: E402
from benchmarks.memory.networks import ARCHITECTURES, denoiser_inputs  # noqa: E402

HALVES = {"bfloat16": torch.bfloat16, "float16": torch.float16}
GUIDANCE = 100.0  # w of DreamFusion (arXiv 2209.14988, section 4)
DEFAULT = "Stable Diffusion 1.5"


class Rounded(TorchDispatchMode):
    """A torch mode that rounds every floating-point result to `dtype` and keeps it in float32."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self._dtype = dtype

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is torch.ops.aten.empty.memory_format:  # what a streamed layer fills afterwards
            return result

        def rounded(value: Any) -> Any:
            if isinstance(value, Tensor) and value.dtype == torch.float32 and not func.is_view:
                value.copy_(value.to(self._dtype))
            return value

        return tree_map(rounded, result)


def random_denoiser(name: str, seed: int) -> Any:
    """The denoiser of an architecture, in float32 and frozen. Every path through it has random weights."""
    torch.manual_seed(seed)
    model: Any = ARCHITECTURES[name].denoiser().eval().requires_grad_(False)
    for parameter in model.parameters():
        if parameter.numel() > 1 and not bool(parameter.any()):
            parameter.normal_(std=SPREAD)
    return model


def predictions(model: Any, inputs: dict[str, Any], texts: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """e_u and e_c in float32, by one call each, which needs less memory than one call for both.

    inputs: arguments of the call.
    texts: the conditioning for e_u and for e_c.
    """
    dtype = next(model.parameters()).dtype
    given = changed(inputs, lambda value: value.to(dtype) if value.is_floating_point() else value)
    with torch.no_grad():
        seen = [
            model(**{**given, "encoder_hidden_states": text.to(dtype)}, return_dict=False)[0].float() for text in texts
        ]
    return seen[0], seen[1]


def predictions_together(model: Any, inputs: dict[str, Any], texts: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """e_u and e_c in float32 by one call for both, so that a streamed network makes its weights once.

    inputs: arguments of a call for one picture.
    texts: the conditioning for e_u and for e_c.
    """
    twice = changed(inputs, lambda value: torch.cat((value, value)) if value.shape[0] == 1 else value)
    with torch.no_grad():
        seen = model(**twice, encoder_hidden_states=torch.cat(texts), return_dict=False)[0]
    return seen[:1], seen[1:]


def changed(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A value after a change to the tensor that it is, or to each that it has as a dictionary."""
    if isinstance(value, dict):
        return {key: changed(each, change) for key, each in value.items()}
    return change(value) if isinstance(value, Tensor) else value


def rms(value: Tensor) -> float:
    """Root mean square."""
    return float(value.double().square().mean().sqrt())


def measure(
    name: str, latents: int, device: torch.device, seed: int = 0, *, words: int = 0, stream: bool = False
) -> dict[str, float]:
    """The errors of one architecture.

    name: str, of the architecture.
    latents: int, along a side of the one picture.
    seed: int, of weights and noise.
    words: int, tokens of each text. 0: as many as the family has.
    stream: bool, whether layers have weights only while they compute.
    """

    def made() -> Any:
        return streamed(ARCHITECTURES[name].denoiser, seed) if stream else random_denoiser(name, seed).to(device)

    predict = predictions_together if stream else predictions
    model = made()
    inputs = changed(denoiser_inputs(model, 1, latents, words), lambda value: value.to(device))
    if "timestep" in inputs:
        inputs["timestep"] = inputs["timestep"] * (0.5 if "Flux" in type(model).__name__ else 500)
    text = inputs.pop("encoder_hidden_states")
    texts = text, torch.randn_like(text)
    uncond, cond = predict(model, inputs, texts)
    size = rms(cond)
    result = {"parameters": float(sum(p.numel() for p in model.parameters())), "latents": float(latents)}
    result["words"] = float(text.shape[1])
    result["difference"] = rms(cond - uncond) / size
    del model  # two of the largest would not fit beside each other
    for half, dtype in HALVES.items():
        reduced = made()  # the same weights
        if device.type == "cpu":
            for tensor in (*reduced.parameters(), *reduced.buffers()):
                if tensor.is_floating_point() and not tensor.is_meta:
                    tensor.copy_(tensor.to(dtype))  # one after the other: two copies of the largest would not fit
            with Rounded(dtype):  # it rounds the weights that a streamed layer makes, too
                there = predict(reduced, inputs, texts)
        else:
            there = predict(reduced.to(dtype), inputs, texts)
        result[half] = rms((there[1] - there[0]) - (cond - uncond)) / size
        del reduced
    return result


def main() -> None:
    """Measure the chosen architectures and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(ARCHITECTURES)}")
    parser.add_argument("--latents", type=int, default=32, help="a side of the picture that is asked about")
    parser.add_argument("--words", type=int, default=0, help="tokens of each text; 0: as many as the family has")
    parser.add_argument("--streamed", action="store_true", help="for networks larger than the memory")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    device = torch.device(options.device)
    if options.streamed and device.type != "cpu":
        parser.error("--streamed computes on the CPU only. Leave --device out.")
    results = {
        name: measure(name, options.latents, device, words=options.words, stream=options.streamed)
        for name in options.names or [DEFAULT]
    }
    if options.json:
        print(json.dumps(results, indent=1))
        return
    print("| denoiser | rms(e_c - e_u) / rms(e_c) | error in bfloat16, times w | in float16, times w |")
    print("|---|---|---|---|")
    for name in ARCHITECTURES:
        if name not in results:
            print(f"| {name} | not measured | not measured | not measured |")
            continue
        row = results[name]
        errors = " | ".join(f"{100 * row[half]:.2g} %, {GUIDANCE * row[half]:.2g}" for half in HALVES)
        print(f"| {name}, {options.latents} x {options.latents} | {100 * row['difference']:.2g} % | {errors} |")


if __name__ == "__main__":
    main()
