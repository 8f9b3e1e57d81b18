"""What a preset costs on a device: measured in earlier runs, nominal before the first.

Training time grows with steps, views and pixels; loading and the mesh take their own time. Both are remembered by
device and preset, so that a changed number of steps scales the one and not the other.
"""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .job import Job, Recipe
from .job_folder import REPORT
from .writer import Pending, Writer, write_whole

_KEPT = 5  # runs of a device and preset; the median of them counts
_CPU_SECONDS_CORES = 2  # cores of the machine on which the nominal seconds were taken
_GPU_FACTOR = 0.3  # of the CPU's time; a guess until a run on the card replaces it


@dataclass(frozen=True)
class _Cost:
    """Seconds of training for one unit of work (a view of one pixel for one step), and of all the rest."""

    per_work: float
    rest: float


# Steps, views, sizes at the start and end of training: the engine's presets.
_PRESETS: dict[str, tuple[int, int, tuple[int, int]]] = {
    "draft": (500, 2, (32, 48)),
    "standard": (1200, 2, (32, 48)),
    "high": (2500, 4, (32, 48)),
}
# Two CPU cores: draft 41 s of training and 12 s around it, standard 98 s and 18 s, high twice as much a pixel.
_NOMINAL = {"draft": _Cost(2.5e-5, 12.0), "standard": _Cost(2.5e-5, 18.0), "high": _Cost(4.0e-5, 50.0)}


@dataclass(frozen=True)
class Estimate:
    """seconds: of a whole run. measured: whether this device has made a run with this preset before."""

    seconds: float
    measured: bool

    @property
    def text(self) -> str:
        """'about 4 min'; a nominal one says 'roughly 4 min, not measured here yet'."""
        if self.measured:
            return f"about {duration_text(self.seconds)}"
        return f"roughly {duration_text(self.seconds)}, not measured here yet"


class Estimates:
    """Speeds of earlier runs, in one small file."""

    def __init__(self, path: Path) -> None:
        """path: the JSON file; made by `learn`. A damaged one counts as empty."""
        self._path = path
        self._writer = Writer()
        self._runs: dict[str, dict[str, list[_Cost]]] = _read(path)

    def of(self, recipe: Recipe, devices: dict[str, Any] | None) -> Estimate:
        """What the recipe would take. devices: the engine's report, None while it is not known. Cheap."""
        work = _work(recipe.preset, recipe.settings)
        device = device_title(recipe.settings.get("device", "auto"), devices)
        runs = self._runs.get(device, {})
        if recipe.preset in runs:
            cost = _median(runs[recipe.preset])
            return Estimate(cost.rest + work * cost.per_work, True)
        nominal = _NOMINAL.get(recipe.preset, _NOMINAL["standard"])
        factor = _nominal_factor(device, devices)
        if runs:  # another preset was measured: this one is as much faster or slower as that one was
            preset, costs = next(iter(runs.items()))
            factor = _median(costs).per_work / _NOMINAL.get(preset, nominal).per_work
        return Estimate(nominal.rest + work * nominal.per_work * factor, False)

    def learn(self, job: Job, devices: dict[str, Any] | None) -> Pending | None:
        """Remember what a job that is DONE took, from its result.json. None when there is nothing to learn from it.

        A run that was resumed, stopped early or started again counts for what it did. The file is written by a thread.
        """
        try:
            report = json.loads((job.folder / REPORT).read_bytes())
            seconds = report["seconds"]
            steps = int(report["steps"])
            rate = float(report["steps_per_second"])
            rest = sum(float(value) for stage, value in seconds.items() if stage not in ("train", "train_all_sessions"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        if steps <= 0 or rate <= 0.0 or rest < 0.0:
            return None
        work_a_step = _work(job.recipe.preset, job.recipe.settings) / _steps(job.recipe.preset, job.recipe.settings)
        device = device_title(str(report.get("device", "auto")), devices)
        runs = self._runs.setdefault(device, {}).setdefault(job.recipe.preset, [])
        runs.append(_Cost(1.0 / rate / work_a_step, rest))
        del runs[:-_KEPT]
        text = json.dumps(
            {
                device: {preset: [[cost.per_work, cost.rest] for cost in costs] for preset, costs in presets.items()}
                for device, presets in self._runs.items()
            }
        ).encode("ascii")
        path = self._path

        def work() -> None:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, text, durable=False)

        return self._writer.put(work, replaces="estimates")


def device_title(name: object, devices: dict[str, Any] | None) -> str:
    """What stands for a device in the file: its title and, for a CPU, its usable cores; 'cpu' when nothing is known.

    name: 'auto', 'cpu', 'cuda:0' and so on. devices: the engine's report.
    """
    report = devices or {}
    wanted = str(name)
    if wanted == "auto":
        wanted = str(report.get("default", "cpu"))
    listed = report.get("devices")
    for device in listed if isinstance(listed, list) else []:
        if isinstance(device, dict) and device.get("name") == ("cuda:0" if wanted == "cuda" else wanted):
            cores = f", {report.get('cores')} cores" if wanted == "cpu" else ""
            return f"{wanted.partition(':')[0]}: {device.get('title', '')}{cores}"
    return wanted.partition(":")[0]


def duration_text(seconds: float) -> str:
    """'40 s', '4 min', '2 h 50 min'."""
    if seconds < 99.5:
        return f"{max(1, round(seconds / 5) * 5 if seconds > 20 else round(seconds))} s"
    minutes = round(seconds / 60.0)
    if minutes < 100:
        return f"{minutes} min"
    hours, rest = divmod(round(minutes / 10) * 10, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def _steps(preset: str, settings: dict[str, Any]) -> int:
    steps = _stage(settings).get("steps", _PRESETS.get(preset, _PRESETS["standard"])[0])
    return max(1, int(steps)) if isinstance(steps, (int, float)) else 1


def _work(preset: str, settings: dict[str, Any]) -> float:
    """Steps x views x mean pixels of a view."""
    _, views, sizes = _PRESETS.get(preset, _PRESETS["standard"])
    stage = _stage(settings)
    given_views, given_sizes = stage.get("views", views), stage.get("resolution", sizes)
    if not isinstance(given_views, int) or given_views < 1:
        given_views = views
    if not isinstance(given_sizes, (list, tuple)) or not all(isinstance(size, (int, float)) for size in given_sizes):
        given_sizes = sizes
    pixels = statistics.fmean(float(size) ** 2 for size in given_sizes) if given_sizes else 1.0
    return _steps(preset, settings) * given_views * pixels


def _stage(settings: dict[str, Any]) -> dict[str, Any]:
    stage = settings.get("optimize")
    return stage if isinstance(stage, dict) else {}


def _nominal_factor(device: str, devices: dict[str, Any] | None) -> float:
    if device.startswith("cuda"):
        return _GPU_FACTOR
    cores = (devices or {}).get("cores")
    if not isinstance(cores, int) or cores < 1:
        return 1.0
    # The engine leaves one core alone, and twice the threads are not twice as fast.
    return (max(1, _CPU_SECONDS_CORES - 1) / max(1, cores - 1)) ** 0.5


def _median(costs: list[_Cost]) -> _Cost:
    return _Cost(statistics.median(c.per_work for c in costs), statistics.median(c.rest for c in costs))


def _read(path: Path) -> dict[str, dict[str, list[_Cost]]]:
    try:
        stored = json.loads(path.read_bytes())
        return {
            str(device): {
                str(preset): [_Cost(float(cost[0]), float(cost[1])) for cost in costs][-_KEPT:]
                for preset, costs in presets.items()
                if costs
            }
            for device, presets in stored.items()
        }
    except (OSError, ValueError, TypeError, AttributeError, IndexError, KeyError, RecursionError):
        return {}
