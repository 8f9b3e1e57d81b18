"""How fast the starter model trains, beside the floor that its arithmetic sets.

    python benchmarks/speed/training.py [--json] [--device cpu] [--threads 1] [--pixels 32] [--batch 24] [--repeats 7]

Rows: tracing new pictures, composing a batch from traced ones, and the whole optimizer step. The floor of a step is its
floating-point operations (counted by torch in forward and backward) over the rate of a plain matrix product. That rate
is measured in the same run, in the same precision (bfloat16). `ratio_to_floor` is the step's time over the floor.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from training.starter.corpus import Corpus  # noqa: E402
from training.starter.train import Trainer, TrainingPlan  # noqa: E402

_TRACED = 512  # pictures of the tracing row
_MATRIX = 1024


def seconds(work: Callable[[], Any], device: torch.device, repeats: int) -> list[float]:
    """Seconds of each repeat, synchronised, after one run that does not count.

    work: what is timed.
    device: the device to wait for.
    repeats: int, timed runs.
    """
    found = []
    for _ in range(repeats + 1):
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        found.append(time.perf_counter() - start)
    return found[1:]


def matrix_rate(device: torch.device, repeats: int) -> float:
    """Operations a second of a square bfloat16 matrix product."""
    a = torch.randn(_MATRIX, _MATRIX, device=device, dtype=torch.bfloat16)
    return 2.0 * _MATRIX**3 / statistics.median(seconds(lambda: a @ a, device, 4 * repeats))


def measure(device: torch.device, pixels: int, batch: int, repeats: int) -> dict[str, Any]:
    """Measure the three rows and the floor.

    pixels: int, along a side of a picture.
    batch: int, pictures in a step.
    repeats: int, timed runs of each row.
    """
    plan = TrainingPlan(pixels=2 * pixels, half_images=1 << 40, batch=batch // 2, fresh=0.0, capacity=_TRACED)
    trainer = Trainer(plan, device)
    corpus = Corpus(pixels=pixels, capacity=_TRACED, fresh=0.0, seed=0, device=device)
    generator = torch.Generator(device=device).manual_seed(0)
    tracing = seconds(lambda: corpus.trace(_TRACED), device, max(1, repeats // 3))
    composing = seconds(lambda: corpus.batch(batch), device, repeats)
    stepping = seconds(lambda: trainer.train_step(corpus, generator), device, repeats)
    with FlopCounterMode(display=False) as counter:
        trainer.train_step(corpus, generator)
    operations, rate = counter.get_total_flops(), matrix_rate(device, repeats)
    step, floor = statistics.median(stepping), operations / rate
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "pixels": pixels,
        "batch": batch,
        "traced_per_second": round(_TRACED / statistics.median(tracing), 1),
        "composed_per_second": round(batch / statistics.median(composing), 1),
        "step_milliseconds": round(1e3 * step, 1),
        "step_spread_milliseconds": [round(1e3 * min(stepping), 1), round(1e3 * max(stepping), 1)],
        "trained_per_second": round(batch / step, 1),
        "operations_per_step": operations,
        "matrix_operations_per_second": round(rate),
        "floor_milliseconds": round(1e3 * floor, 1),
        "ratio_to_floor": round(step / floor, 2),
    }


def main() -> None:
    """Measure the rows and print them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pixels", type=int, default=32)
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    row = measure(torch.device(given.device), given.pixels, given.batch, given.repeats)
    if given.json:
        print(json.dumps(row))
        return
    print(f"{row['device']}, {row['threads']} threads, torch {row['torch']}, {row['pixels']} x {row['pixels']} pixels")
    low, high = row["step_spread_milliseconds"]
    print(f"traced    {row['traced_per_second']:>10,.0f} pictures/s")
    print(f"composed  {row['composed_per_second']:>10,.0f} pictures/s")
    print(f"trained   {row['trained_per_second']:>10,.0f} pictures/s")
    print(f"a step of {row['batch']} pictures takes {row['step_milliseconds']} ms ({low} to {high});")
    print(f"its arithmetic alone {row['floor_milliseconds']} ms, so {row['ratio_to_floor']} times the floor")


if __name__ == "__main__":
    main()
