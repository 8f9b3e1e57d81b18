"""What a preset costs with a model on a device: by earlier runs, and before the first run by the engine's estimate.

Training time grows with steps, views and pixels; loading and the mesh take their own time. Both are remembered by
device, model and preset, so that another number of steps scales only the training. For an engine without an estimate
there are nominal numbers of the built-in model.
"""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from ..bounded_json import read_json_file
from ..contest import training_share
from ..engine_preset import PRESETS, preset_value
from ..job import GENERATE, Job, Recipe
from ..model_card import FIELD, Card, CardEstimate, estimate, of_method, recipe_settings, texture_estimate
from ..phrase import phrase
from .folder import REPORT, is_between
from .writer import Pending, Writer, write_whole

_KEPT = 5  # runs of a device, model and preset; the median of them counts
_STARTER = "starter"  # the built-in model, for which the nominal seconds are
_IN_HOURS = 10 * 3600.0  # seconds; a longer time is shown without minutes
_CPU_SECONDS_CORES = 2  # cores of the machine on which the nominal seconds were taken
_MOST_STEPS, _MOST_VIEWS, _MOST_PIXELS = 1e9, 1e6, 1e6  # larger settings are not the engine's
_PAINT_SHARE = 0.4  # of the steps: the engine's config.paint.STEPS_SHARE
_GPU_FACTOR = 0.3  # of the CPU's time; a guess until a run on the card replaces it


@dataclass(frozen=True)
class _Cost:
    """Seconds of training for one unit of work (a view of one pixel for one step), and of all the rest; peak MiB."""

    per_work: float
    rest: float
    memory_mib: float = 0.0  # 0: not known


# Two CPU cores: draft 41 s of training and 12 s around it, standard 98 s and 18 s, high twice as much a pixel.
_NOMINAL = {"draft": _Cost(2.5e-5, 12.0), "standard": _Cost(2.5e-5, 18.0), "high": _Cost(4.0e-5, 50.0)}


@dataclass(frozen=True)
class Estimate:
    """What a whole run takes.

    seconds: float, 0 where not known.
    measured: bool, whether this device has made a run with this model and preset.
    memory_mib: float, peak in MiB, 0 where not known.
    """

    seconds: float
    measured: bool
    memory_mib: float = 0.0

    @property
    def short(self) -> str:
        """The time alone, for a third of the sidebar's width: '4 min', '1.8 h', '40 h', '?'."""
        if self.seconds <= 0.0:
            return "?"
        text = duration_text(self.seconds)
        return f"{self.seconds / 3600:.2g} h" if " h " in text else text

    @property
    def text(self) -> str:
        """Time and memory: 'about 4 min, 1.2 GiB', or 'roughly 4 min, 1.2 GiB, not measured here yet'."""
        memory = f", {self.memory_mib / 1024:.1f} GiB" if self.memory_mib > 0.0 else ""
        if self.seconds <= 0.0:
            return phrase("time not known before the first run{memory}", memory=memory)
        time = duration_text(self.seconds)
        if self.seconds >= _IN_HOURS:
            time = phrase("{hours:,} hours on this machine", hours=round(self.seconds / 3600))
        if self.measured:
            return phrase("about {time}{memory}", time=time, memory=memory)
        return phrase("roughly {time}{memory}, not measured here yet", time=time, memory=memory)


class Estimates:
    """Costs of earlier runs, kept in one small file."""

    def __init__(self, path: Path) -> None:
        """path: Path of the JSON file, which `learn` makes. A damaged file counts as empty."""
        self._path = path
        self._writer = Writer()
        self._runs: dict[str, dict[str, list[_Cost]]] = _read(path)

    def of(
        self, recipe: Recipe, devices: dict[str, Any] | None, card: Card = None, texture_card: Card = None
    ) -> Estimate:
        """What the recipe would take, with the stage of its texture model. Cheap.

        recipe: Recipe, the run in question.
        devices: the engine's report, None while it is not known.
        card: the engine's line on the model, None where there is none.
        texture_card: its line on the recipe's texture model.
        """
        first = self._of_model(recipe, devices, of_method(card, recipe.method))
        if not recipe.texture_model or "paint" in recipe.settings:
            return first
        device = device_title(recipe.settings.get("device", "auto"), devices)
        said = texture_estimate(texture_card, recipe.preset)
        if said is None or device != device_title("auto", devices):  # it holds for no other
            said = CardEstimate(0.0, 0)
        known = first.seconds > 0.0 and said.seconds > 0.0
        seconds = first.seconds + said.seconds * _share_painted(recipe, texture_card) if known else 0.0
        memory = max(first.memory_mib, float(said.memory_mib)) if first.memory_mib and said.memory_mib else 0.0
        return Estimate(seconds, False, memory)

    def _of_model(self, recipe: Recipe, devices: dict[str, Any] | None, card: Card) -> Estimate:
        """What the recipe's first model would take."""
        device = device_title(recipe.settings.get("device", "auto"), devices)
        runs = self._runs.get(device, {})
        said = _said(recipe, device, devices, card)
        steps = _steps(recipe.preset, recipe.settings, card)
        work = _work(recipe.preset, recipe.settings, card) * training_share(recipe.seeds, steps)
        memory = float(said.memory_mib) if said is not None else 0.0
        own = runs.get(_key(recipe.preset, recipe))
        if own:
            cost = _median(own)
            return Estimate(cost.rest + work * cost.per_work, True, cost.memory_mib or memory)
        measured = {preset: _median(runs[key]) for preset in PRESETS if (key := _key(preset, recipe)) in runs}
        if said is not None and (said.seconds > 0.0 or recipe.model != _STARTER):
            like = {"guidance": recipe.settings.get("guidance")}  # the engine's estimate includes the score already
            seconds = said.seconds * work / _work(recipe.preset, like, card)
            return Estimate(seconds * _pace(measured, card), False, memory)
        nominal = _NOMINAL.get(recipe.preset, _NOMINAL["standard"])
        factor = _nominal_factor(device, devices)
        if measured:  # another preset was measured: scale this one by the same factor
            preset, cost = next(iter(measured.items()))
            factor = cost.per_work / _NOMINAL[preset].per_work
        return Estimate(nominal.rest + work * nominal.per_work * factor, False, memory)

    def learn(self, job: Job, devices: dict[str, Any] | None, card: Card = None) -> Pending | None:
        """Remember what a finished job took, by its result.json. A thread writes the file.

        job: Job that is DONE. A resumed, shortened or restarted job counts with the work that it did.
        devices: the engine's report, None while it is not known.
        card: the engine's line on the job's model.
        Returns None when there is nothing to learn from the job.
        """
        if job.task != GENERATE or job.recipe.texture_model:  # the times around its training are others
            return None
        try:
            report = read_json_file(job.folder / REPORT)
            seconds = report["seconds"]
            steps = int(report["steps"])
            rate = float(report["steps_per_second"])
            rest = sum(float(value) for stage, value in seconds.items() if stage not in ("train", "train_all_sessions"))
            watched = _watched(seconds)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
            return None
        if steps <= 0 or not 0.0 < rate < math.inf or not 0.0 <= rest < math.inf or not watched < math.inf:
            return None
        made_by = job.recipe
        card = of_method(card, made_by.method)
        work_a_step = _work(made_by.preset, made_by.settings, card) / _steps(made_by.preset, made_by.settings, card)
        device = device_title(str(report.get("device", "auto")), devices)
        runs = self._runs.setdefault(device, {}).setdefault(_key(made_by.preset, made_by), [])
        memory = job.memory_mib if 0.0 < job.memory_mib < math.inf else 0.0
        runs.append(_Cost(watched / rate / work_a_step, rest, memory))
        del runs[:-_KEPT]
        text = json.dumps(
            {
                device: {key: [astuple(cost) for cost in costs] for key, costs in made.items()}
                for device, made in self._runs.items()
            }
        ).encode("ascii")
        path = self._path

        def work() -> None:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, text, durable=False)

        return self._writer.put(work, replaces="estimates")


def device_title(name: object, devices: dict[str, Any] | None) -> str:
    """The name of a device in the file: its title and, for a CPU, its usable cores.

    name: 'auto', 'cpu', 'cuda:0' and so on; of two places the teacher's counts.
    devices: the engine's report; without one the kind of device stands alone, and 'auto' is 'cpu'.
    """
    report = devices or {}
    wanted = str(name)
    if "field=" in wanted:
        wanted = wanted.partition("teacher=")[2].partition(",")[0] or "auto"
    if wanted == "auto":
        wanted = str(report.get("default", "cpu"))
    listed = report.get("devices")
    for device in listed if isinstance(listed, list) else []:
        if isinstance(device, dict) and device.get("name") == ("cuda:0" if wanted == "cuda" else wanted):
            cores = f", {report.get('cores')} cores" if wanted == "cpu" else ""
            return f"{wanted.partition(':')[0]}: {device.get('title', '')}{cores}"
    return wanted.partition(":")[0]


def duration_text(seconds: float) -> str:
    """A duration in words: '40 s', '4 min', '2 h 50 min', '40 h'."""
    if seconds < 99.5:
        return f"{max(1, round(seconds / 5) * 5 if seconds > 20 else round(seconds))} s"
    minutes = round(seconds / 60.0)
    if minutes < 100:
        return f"{minutes} min"
    if seconds >= _IN_HOURS:
        return f"{round(seconds / 3600):,} h"
    hours, rest = divmod(round(minutes / 10) * 10, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def _watched(seconds: dict[str, Any]) -> float:
    """The training stage over its steps, at least 1: the rest went into previews and checkpoints.

    seconds: of result.json. After a resume the stage has the last session's time alone, and nothing is known.
    """
    stage, steps = float(seconds.get("train", 0.0)), float(seconds.get("train_all_sessions", 0.0))
    return max(1.0, stage / steps) if steps > 0.0 else 1.0


def _key(preset: str, recipe: Recipe) -> str:
    """The name of preset, model and method in the file; without the usual ones, as in earlier versions."""
    words = [preset, "" if recipe.model == _STARTER else recipe.model, "" if recipe.method == FIELD else recipe.method]
    return " ".join(filter(None, words))


def _said(recipe: Recipe, device: str, devices: dict[str, Any] | None, card: Card) -> CardEstimate | None:
    """The engine's estimate. It holds only for the device that the engine chooses by itself."""
    said = estimate(card, recipe.preset, _score(recipe.settings))
    return said if said is None or device == device_title("auto", devices) else CardEstimate(0.0, 0)


def _pace(measured: dict[str, _Cost], card: Card) -> float:
    """The measured time over the engine's estimate, in another preset of the model; 1 where no run was made."""
    for preset, cost in measured.items():
        said = estimate(card, preset)
        if said is not None and said.seconds > 0.0:
            return (cost.rest + _work(preset, {}, card) * cost.per_work) / said.seconds
    return 1.0


def _steps(preset: str, settings: dict[str, Any], card: Card) -> int:
    steps = _optimize("steps", _plain("steps", preset), preset, settings, card)
    if not is_between(steps, 0, _MOST_STEPS):
        return 1
    given = settings.get("optimize")
    paints = "paint" in settings and not (isinstance(given, dict) and "steps" in given)
    return max(1, round(_PAINT_SHARE * steps) if paints else int(steps))


def _work(preset: str, settings: dict[str, Any], card: Card) -> float:
    """Steps x views x mean pixels of a view, times the score's time over that of the recipe's score."""
    views, sizes = _plain("views", preset), _plain("resolution", preset)
    given_views = _optimize("views", views, preset, settings, card)
    given_sizes = _optimize("resolution", sizes, preset, settings, card)
    if not is_between(given_views, 1, _MOST_VIEWS):
        given_views = views
    if not isinstance(given_sizes, (list, tuple)) or not all(is_between(size, 0, _MOST_PIXELS) for size in given_sizes):
        given_sizes = sizes
    pixels = statistics.fmean(float(size) ** 2 for size in given_sizes) if given_sizes else 1.0
    said = estimate(card, preset, _score(settings))
    return _steps(preset, settings, card) * given_views * max(1.0, pixels) * (1.0 if said is None else said.pace)


def _share_painted(recipe: Recipe, card: Card) -> float:
    """The steps of the texture stage over those that the engine counted with."""
    steps = recipe.settings["texture"].get("steps")
    usual = _PAINT_SHARE * _steps(recipe.preset, {}, card)
    return float(steps) / usual if is_between(steps, 1, _MOST_STEPS) else 1.0


def _plain(name: str, preset: str) -> Any:
    """A setting of training in the plain preset; in `standard` for one of another engine."""
    return preset_value(preset if preset in PRESETS else "standard", "optimize", name)


def _score(settings: dict[str, Any]) -> object:
    """The artist's `guidance.score`; "" for the recipe's."""
    stage = settings.get("guidance")
    return stage.get("score", "") if isinstance(stage, dict) else ""


def _optimize(name: str, plain: Any, preset: str, settings: dict[str, Any], card: Card) -> Any:
    """A setting of training: the artist's, else the recipe's, else the plain preset's."""
    stage = settings.get("optimize")
    if isinstance(stage, dict) and name in stage:
        return stage[name]
    return recipe_settings(card, preset).get(f"optimize.{name}", plain)


def _nominal_factor(device: str, devices: dict[str, Any] | None) -> float:
    if not device.startswith("cpu"):
        return _GPU_FACTOR
    cores = (devices or {}).get("cores")
    if not isinstance(cores, int) or cores < 1:
        return 1.0
    # The engine leaves one core alone, and twice the threads are not twice as fast.
    return (max(1, _CPU_SECONDS_CORES - 1) / max(1, cores - 1)) ** 0.5


def _median(costs: list[_Cost]) -> _Cost:
    memory = [cost.memory_mib for cost in costs if cost.memory_mib > 0.0]
    return _Cost(
        statistics.median(cost.per_work for cost in costs),
        statistics.median(cost.rest for cost in costs),
        statistics.median(memory) if memory else 0.0,
    )


def _read(path: Path) -> dict[str, dict[str, list[_Cost]]]:
    try:
        stored = read_json_file(path)
        return {
            str(device): {str(key): [_stored(cost) for cost in costs][-_KEPT:] for key, costs in made.items() if costs}
            for device, made in stored.items()
        }
    except (OSError, ValueError, TypeError, AttributeError, IndexError, KeyError, OverflowError):
        return {}


def _stored(values: Any) -> _Cost:
    """A cost from the file; earlier versions kept no memory. Raises ValueError for a value of another form."""
    cost = _Cost(float(values[0]), float(values[1]), float(values[2]) if len(values) > 2 else 0.0)
    if not all(0.0 <= value < math.inf for value in (cost.per_work, cost.rest, cost.memory_mib)):
        raise ValueError("a time or memory is not finite")
    return cost
