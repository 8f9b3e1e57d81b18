"""What a denoiser runs in: a choice that is measured once for a model on a machine, then kept and repeated.

Another runtime or precision gives another mesh, if only in its last bits. Therefore no choice is made that cannot be
kept, a checkpoint holds the choice that its run began with, and result.json names it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, get_args

from dreamfusion_engine.config.scores import SCORES
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.machine.atomic_file import write_atomically

Runtime = Literal["torch", "openvino"]
# What another runtime hosts is in memory three times more; and large networks are large matrix products, at which
# torch is good already.
LARGEST_HOSTED = 32_000_000  # parameters
FEWEST_HOSTED_STEPS = 200  # of a run: tracing and trial take some ten seconds, once, which a shorter one does not earn
Computed = Literal["float32", "bfloat16", "float16"]

LEAST_COSINE = 0.9999  # of every row's prediction to torch's in float32; torch's own bfloat16 has 0.99999 (starter)
WORTH = 0.9  # share of the reference's time that another way must stay under: a tie goes to torch
GRAPHS_KEPT = 3  # of models, 128 MB each at most
WORTH_OVERLAP = 0.95  # share of a plain step's time that an overlapped one must stay under; a tie goes to plain
_MOST_THREADS = 1024


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One way to run a denoiser.

    runtime: 'torch' or 'openvino'.
    precision: 'float32', 'bfloat16' or 'float16', of its inner products.
    threads: int in [1, 1024], threads that it computes with.
    overlap: bool, whether it judges half of a step's views while the other half is rendered; None: not measured yet,
        so it does not.
    why: str, the reason, for people.
    milliseconds: time of each way that was tried, by `name`, and of whole steps, by `step_name`; empty without a trial.
    cosines: least cosine to torch's float32 of each way that was tried, by `name`; empty without a trial.
    """

    runtime: Runtime
    precision: Computed
    threads: int
    overlap: bool | None = None
    why: str = field(default="", compare=False)
    milliseconds: dict[str, float] = field(default_factory=dict, compare=False)
    cosines: dict[str, float] = field(default_factory=dict, compare=False)

    @property
    def name(self) -> str:
        """Name of the way, such as 'openvino bfloat16 x 2'."""
        return f"{self.runtime} {self.precision} x {self.threads}"

    @property
    def step_name(self) -> str:
        """Name of a step made this way, such as 'step, openvino bfloat16 x 1, overlapped'."""
        return f"step, {self.name}" + (", overlapped" if self.overlap else "")

    def to_json(self) -> dict[str, Any]:
        """Return the choice as JSON for a checkpoint, result.json and the cache."""
        return dataclasses.asdict(self)

    @staticmethod
    def from_json(values: Any) -> Choice:
        """Read what `to_json` returned.

        Raises ValueError where the values are not a choice.
        """
        try:
            choice = Choice(
                runtime=values["runtime"],
                precision=values["precision"],
                threads=values["threads"],
                overlap=values.get("overlap"),  # an earlier version has none
                why=str(values["why"]),
                milliseconds=_measures(values["milliseconds"]),
                cosines=_measures(values["cosines"]),
            )
            known = choice.runtime in get_args(Runtime) and choice.precision in get_args(Computed)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("not a choice of a runtime") from error
        known = known and (choice.overlap is None or type(choice.overlap) is bool)
        if not known or type(choice.threads) is not int or not 1 <= choice.threads <= _MOST_THREADS:
            raise ValueError("not a choice of a runtime")
        return choice


def installed() -> bool:
    """Return whether OpenVINO is installed. Loads nothing."""
    try:
        return bool(metadata.version("openvino")) and importlib.util.find_spec("openvino") is not None
    except metadata.PackageNotFoundError:
        return False


def why_torch(
    parameters: int,
    config: GenerateConfig,
    *,
    device: str,
    alone: bool = True,
    changed: bool = False,
    there: bool | None = None,
) -> str:
    """Return why torch must run a denoiser, for people; '' where another runtime may be tried.

    parameters: int, number of the denoiser's weights.
    config: GenerateConfig, after it was made to fit the memory.
    device: str, kind of device, such as 'cpu'.
    alone: bool, whether no other process trains along.
    changed: bool, whether settings were changed to fit the memory.
    there: bool, whether OpenVINO is installed; None: look.
    """
    wish = config.memory.denoiser_runtime
    if wish == "torch":
        return "the settings ask for it"
    if device != "cpu":
        return "it runs on a card"
    if SCORES[config.guidance.score].learns:
        return f"the score '{config.guidance.score}' needs gradients"
    if config.memory.precision == "float16":
        return "float16 is asked for"
    if not alone:
        return "several processes must predict the same"
    if parameters > LARGEST_HOSTED:
        return f"with {parameters:,} parameters another runtime's copies would take too much memory"
    if changed:
        return "memory is short"
    if not (installed() if there is None else there):
        return "OpenVINO is not installed"
    if wish == "auto" and config.optimize.steps < FEWEST_HOSTED_STEPS:
        return f"a run of {config.optimize.steps} steps is too short for a trial"
    return ""


def fastest(reference: Choice, milliseconds: Mapping[Choice, float], cosines: Mapping[Choice, float]) -> Choice:
    """Return the fastest way that is exact enough and clearly faster than the reference, or else the reference.

    reference: Choice, torch as it runs today; a key of both mappings.
    milliseconds: median time of a call by way; nan where it failed.
    cosines: cosine of the least exact row by way; nan where it is not finite.
    """
    bound = WORTH * milliseconds[reference]
    good = {way for way, cosine in cosines.items() if cosine >= LEAST_COSINE and milliseconds[way] <= bound}
    best = min(good, key=lambda way: milliseconds[way], default=reference)
    why = "no other way was clearly faster and exact enough" if best == reference else "the fastest of those measured"
    return dataclasses.replace(
        best,
        why=why,
        milliseconds={way.name: round(value, 3) for way, value in milliseconds.items() if math.isfinite(value)},
        cosines={way.name: round(value, 9) for way, value in cosines.items() if math.isfinite(value)},
    )


def overlapped(choice: Choice, milliseconds: Mapping[Choice, float]) -> Choice:
    """Return the choice with `overlap` decided: the fastest overlapped way that is clearly faster than plain, or plain.

    choice: Choice to complete.
    milliseconds: median time of a step by way, nan where it failed; holds the choice with overlap False, and ways with
        overlap True.
    """
    plain = dataclasses.replace(choice, overlap=False)
    bound = WORTH_OVERLAP * milliseconds[plain]
    good = [way for way, value in milliseconds.items() if value <= bound]
    best = min(good, key=lambda way: milliseconds[way], default=plain)
    steps = {way.step_name: round(value, 3) for way, value in milliseconds.items() if math.isfinite(value)}
    return dataclasses.replace(
        choice, threads=best.threads, overlap=best.overlap, milliseconds={**choice.milliseconds, **steps}
    )


class ChoiceFile:
    """The file that keeps a machine's choice for a model.

    folder: Path, folder of the model's graph.
    what: everything that the choice depends on, as JSON.
    """

    def __init__(self, folder: Path, what: object) -> None:
        self._path = folder / f"choice-{key_of(what)[:16]}.json"

    def read(self) -> Choice | None:
        """Return the choice in the file; None where the file is missing or damaged."""
        try:
            values = json.loads(self._path.read_text(encoding="utf-8"))
            if not isinstance(values, dict) or values.get("checksum") != key_of(values.get("choice")):
                return None
            return Choice.from_json(values["choice"])
        except (OSError, ValueError, RecursionError):
            return None

    def write(self, choice: Choice) -> None:
        """Write the choice to the file.

        Raises OSError.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        values = choice.to_json()
        text = json.dumps({"choice": values, "checksum": key_of(values)}, indent=1) + "\n"
        write_atomically(self._path, text.encode())


def key_of(what: object) -> str:
    """Return the SHA-256 of something that JSON can hold, in hex."""
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def make_room(folder: Path, kept: Path) -> None:
    """Remove the graphs of all models but the newest GRAPHS_KEPT; choices stay.

    folder: Path, folder of all models' graphs.
    kept: Path, folder of one of the models to keep.
    """
    others = [path for path in folder.glob("*/graph.bin") if path.parent != kept]
    for path in sorted(others, key=_changed, reverse=True)[GRAPHS_KEPT - 1 :]:
        with suppress(OSError):  # Windows keeps what a run is using
            path.unlink(missing_ok=True)


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # another run made room meanwhile
        return 0.0


def _measures(values: Any) -> dict[str, float]:
    measures = {str(name): float(value) for name, value in values.items()}
    if not all(map(math.isfinite, measures.values())):
        raise ValueError("not a finite measure of a choice")
    return measures
