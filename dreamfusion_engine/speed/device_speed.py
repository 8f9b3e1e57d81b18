"""The speed of a device at what a diffusion model is made of: measured once, in about a second, and kept.

The measurement is in the engine's cache, for one device, version of torch and number of threads. Reading it loads no
torch, so that the list of models does not wait. A file that is damaged or of another machine is ignored.
"""

from __future__ import annotations

import json
import math
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamfusion_engine.machine.atomic_file import write_atomically
from dreamfusion_engine.machine.backends import (
    BACKENDS,
    computes_bfloat16,
    count_of,
    has_bfloat16,
    kinds_of,
    title_of,
    wait_for,
)
from dreamfusion_engine.machine.cache_folder import cache_folder
from dreamfusion_engine.machine.device import compute_threads
from dreamfusion_engine.machine.places import Places
from dreamfusion_engine.wire.bounded_json import read_json_file

if TYPE_CHECKING:
    import torch

SLOWEST, FASTEST = 1e8, 1e17  # operations a second that can be true: a tenth of a core of 2005, ten large cards of 2025
RATIOS = (0.1, 10.0)  # measured over estimated seconds that are believed; beyond, something else was measured
_EACH = 0.2  # seconds for each of four measurements
_MODELS = 64  # whose ratios are kept


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Measured rates of convolutions and matrix products, operations a second (a multiply-add counts as two).

    half: float, in the half precision that runs use there.
    single: float, in float32.
    card: bool, whether the device is one.
    field_single: float, the float32 rate where the field is, if that is another device; 0: the same.
    kind: str, of the places that it is kept for (`machine.places.Places.kind`); '': 'cuda' for a card, else 'cpu'.
    ratios: model to measured over estimated seconds of a step, from runs that were made here.
    rest: float, the same of everything in a run but steps, which is the engine's own work; above 1 on a busy machine.
    """

    half: float
    single: float
    card: bool = False
    field_single: float = 0.0
    kind: str = ""
    ratios: dict[str, float] = field(default_factory=dict)
    rest: float = 1.0

    def ratio(self, model: str) -> float:
        """Return measured over estimated seconds of a step with this model; 1 before the first run."""
        return self.ratios.get(model, 1.0)


def stored_speed(device_type: str) -> Speed | None:
    """Return what was measured of this machine's device; None where nothing usable is kept.

    device_type: kind of the places, such as 'cpu', 'cuda' or 'mps+cpu'.
    """
    key = _key(device_type)
    if key is None:
        return None
    try:
        values = read_json_file(_file(device_type))
        if values["key"] != key:
            return None
        half, single = float(values["half"]), float(values["single"])
        ratios = {str(model): _believed(ratio) for model, ratio in values["ratios"].items()}
        rest = _believed(values.get("rest", 1.0))  # earlier versions did not keep it
        field_single = float(values.get("field_single", 0.0))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    teacher, field = kinds_of(device_type)
    rates = (half, single) if teacher == field else (half, single, field_single)
    if not all(SLOWEST <= rate <= FASTEST for rate in rates):
        return None
    return Speed(
        half=half,
        single=single,
        card=teacher != "cpu",
        field_single=0.0 if teacher == field else field_single,
        kind=device_type,
        ratios=ratios,
        rest=rest,
    )


def measured_speed(device: torch.device, field: torch.device | None = None) -> Speed:
    """Return a device's speed: what is kept, or else a measurement now, in about a second, which is then kept.

    device: torch.device of the teacher.
    field: torch.device of the field; None: the same.
    """
    places = Places(teacher=device, field=device if field is None else field)
    speed = stored_speed(places.kind)
    if speed is None:
        speed = _measure(device)
        if places.teacher != places.field:
            speed = replace(speed, field_single=_measure(places.field).single)
        speed = replace(speed, kind=places.kind)
        _store(speed)
    return speed


def learn_ratio(device_type: str, model: str, measured: float, estimated: float) -> None:
    """Keep the ratio of measured to estimated seconds of a run's steps; nothing where either is 0.

    device_type: kind of the places.
    model: str, the model's name.
    measured: float, seconds a step.
    estimated: float, seconds a step without any ratio.
    """
    speed = stored_speed(device_type)
    if speed is None or not (measured > 0.0 and estimated > 0.0 and math.isfinite(measured / estimated)):
        return
    others = {name: ratio for name, ratio in speed.ratios.items() if name != model}
    newest = dict(list(others.items())[-(_MODELS - 1) :])
    _store(replace(speed, ratios={**newest, model: _believed(measured / estimated)}))


def learn_rest(device_type: str, measured: float, estimated: float) -> None:
    """Keep the ratio of measured to estimated seconds of a run's work after training; nothing where either is 0.

    device_type: kind of the places.
    measured: float, seconds.
    estimated: float, seconds without any ratio.
    """
    speed = stored_speed(device_type)
    if speed is not None and measured > 0.0 and estimated > 0.0 and math.isfinite(measured / estimated):
        _store(replace(speed, rest=_believed(measured / estimated)))


def _believed(ratio: Any) -> float:
    value = float(ratio)
    if not math.isfinite(value):
        raise ValueError("not a finite ratio")
    return min(max(value, RATIOS[0]), RATIOS[1])


def _file(device_type: str) -> Path:
    return cache_folder() / f"speed-{device_type}.json"


def _key(device_type: str) -> str | None:
    """Device, version of torch and threads; None where that device is not there, as far as is known without torch."""
    titles = []
    for name in dict.fromkeys(kinds_of(device_type)):
        if name == "cpu":
            titles.append(platform.processor() or platform.machine())
            continue
        torch = sys.modules.get("torch")  # who knows of a card has loaded it
        if torch is None or name not in BACKENDS or not count_of(BACKENDS[name].device_type):
            return None
        titles.append(title_of(torch.device(BACKENDS[name].device_type)))
    title = " and ".join(titles)
    try:
        version = metadata.version("torch")
    except metadata.PackageNotFoundError:
        return None
    return f"{title}, torch {version}, {compute_threads()} threads"


def _store(speed: Speed) -> None:
    """Keep it; a cache that cannot be written costs the next measurement, nothing else."""
    device_type = speed.kind or ("cuda" if speed.card else "cpu")
    values = {
        "key": _key(device_type),
        "half": speed.half,
        "single": speed.single,
        "field_single": speed.field_single,
        "ratios": speed.ratios,
        "rest": speed.rest,
    }
    try:
        _file(device_type).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(_file(device_type), (json.dumps(values, indent=1) + "\n").encode())
    except OSError:
        return


def _measure(device: torch.device) -> Speed:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(compute_threads())  # as a run has it
    try:
        half, single = _rate(device, True), _rate(device, False)
    finally:
        torch.set_num_threads(threads)
    return Speed(half=half, single=single, card=device.type != "cpu")


def _rate(device: torch.device, half: bool) -> float:
    """Operations a second of a convolution and a matrix product as large as those in the middle of Stable Diffusion.

    half: under autocast to bfloat16 with float32 weights, as runs on a CPU have it; float16 on cards without bfloat16.
    """
    import torch

    pictures = 2 if device.type == "cpu" else 32
    side = 8 if half and not has_bfloat16(device.type) else 32  # emulation takes half a minute for 32
    wide = computes_bfloat16(device.type) and (device.type != "cuda" or torch.cuda.is_bf16_supported())
    dtype = torch.bfloat16 if wide else torch.float16
    weight = torch.full((320, 320, 3, 3), 0.01, device=device)
    picture = torch.full((pictures, 320, side, side), 0.01, device=device)
    rows = torch.full((pictures * side * side // 2, 640), 0.01, device=device)
    wide = torch.full((2560, 640), 0.01, device=device)
    operations = 2.0 * 9 * 320 * 320 * side * side * pictures, 2.0 * rows.numel() * 2560
    with torch.no_grad(), torch.autocast(device.type, dtype, enabled=half, cache_enabled=False):
        seconds = (
            _median_seconds(device, lambda: torch.nn.functional.conv2d(picture, weight, padding=1)),
            _median_seconds(device, lambda: torch.nn.functional.linear(rows, wide)),
        )
    return min(max(sum(operations) / sum(seconds), SLOWEST), FASTEST)


def _median_seconds(device: torch.device, work: Callable[[], object]) -> float:
    """Of one call, after one that warms up; for as long as the time box lasts, at least once."""
    taken: list[float] = []
    for call in range(1000):
        begun = time.perf_counter()
        work()
        wait_for(device)
        if call:
            taken.append(max(time.perf_counter() - begun, 1e-9))
        if sum(taken) >= _EACH:
            break
    return sorted(taken)[len(taken) // 2]
