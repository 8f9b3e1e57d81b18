"""A job: what an artist asked for, an object or a texture, and its state. Plain values, no files, no bpy."""

from __future__ import annotations

import time
import uuid
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any

from . import given_pictures
from .contest import MOST_SEEDS, Standing
from .phrase import phrase

SEEDS = 1 << 31
TASKS = GENERATE, TEXTURE, REFINE = (
    "generate",
    "texture",
    "refine",
)  # what a job may be: the names of the engine's commands
START = "start"  # the stage of the settings of a run that begins from a mesh; only such a run may have it
# Stages of settings that do nothing in a task, which the engine therefore refuses. A sidebar and older recipes may have
# them, since they are set for every task.
IDLE = {
    TEXTURE: ("render", START, "reference", "refine", "texture"),
    REFINE: ("render", START, "reference", "texture"),
}
WORDS_LIMIT = 2000  # characters of a sentence that is shown
VERSIONS_KEPT = 100


class JobState(str, Enum):
    """Where a job stands. The value is what the journal on disk says."""

    QUEUED = "queued"  # waits for its turn
    RUNNING = "running"  # the engine works on it
    PAUSED = "paused"  # held by the artist, in the engine or before its turn
    FINISHING = "finishing"  # "Stop here and keep it": the mesh is being made from what there is
    DONE = "done"  # `result` is the mesh
    FAILED = "failed"  # `trouble` says why
    CANCELLED = "cancelled"  # stopped by the artist; can be resumed
    INTERRUPTED = "interrupted"  # Blender or the machine went away in the middle; can be resumed

    def __str__(self) -> str:
        return self.value

    @property
    def active(self) -> bool:
        """Whether the engine has the job, or will have it without another click."""
        return self in (JobState.QUEUED, JobState.RUNNING, JobState.PAUSED, JobState.FINISHING)

    @property
    def over(self) -> bool:
        """Whether the job has ended, and stays so until somebody clicks."""
        return not self.active


class RecipeError(ValueError):
    """The values are not a recipe. The text says what is wrong with them."""


@dataclass
class Recipe:
    """Everything that decides a result, so that it can be made again.

    prompt, negative: str, words.
    seed: int, in [0, 2**31).
    model: str, 'starter', a folder or a hub id.
    preset: str, 'draft', 'standard' or 'high'.
    settings: overrides nested by stage, as in the message `generate`: {"device": "cpu", "optimize": {"steps": 800}}.
    versions: versions of the engine and its packages by name; empty until there is a result.
    seeds: int, how many seeds from `seed` on hold a contest, of which the best is finished; 1: it is a plain run.
    pictures: what is said of pictures of the object, see `given_pictures`. Their files are no part of the recipe.
    """

    prompt: str
    negative: str = ""
    seed: int = 0
    model: str = "starter"
    preset: str = "standard"
    settings: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    seeds: int = 1
    pictures: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The recipe as nested plain values; `from_json` reads it back.

        Those of a plain run without pictures are those of earlier versions.
        """
        values = asdict(self)
        if not self.is_contest:
            del values["seeds"]
        if not self.pictures:
            del values["pictures"]
        return values

    @classmethod
    def from_json(cls, values: Any) -> Recipe:
        """A recipe from what json.loads gave. Unknown keys are ignored: a newer version may have more.

        Raises RecipeError when there is no prompt or a value is of the wrong kind.
        """
        if not isinstance(values, dict):
            raise RecipeError("a recipe is a group of values, and this is not")
        types: dict[str, type] = {
            "prompt": str,
            "negative": str,
            "seed": int,
            "model": str,
            "preset": str,
            "settings": dict,
            "versions": dict,
            "seeds": int,
            "pictures": list,
        }
        if "prompt" not in values:
            raise RecipeError("the recipe has no prompt")
        given: dict[str, Any] = {}
        for name, expected in types.items():
            if name in values:
                value = values[name]
                if not isinstance(value, expected) or isinstance(value, bool):
                    raise RecipeError(f"'{name}' of the recipe must be {expected.__name__}, not {type(value).__name__}")
                given[name] = value
        if not 0 <= given.get("seed", 0) < SEEDS:
            raise RecipeError(f"'seed' of the recipe must be a whole number from 0 to {SEEDS - 1}")
        if not 1 <= given.get("seeds", 1) <= min(MOST_SEEDS, SEEDS - given.get("seed", 0)):
            raise RecipeError(f"'seeds' of the recipe must be a whole number from 1 to {MOST_SEEDS}")
        if "versions" in given:
            given["versions"] = versions_of(given["versions"])
        try:
            given_pictures.checked(given.get("pictures", []))
        except ValueError as error:
            raise RecipeError(f"'pictures' of the recipe are damaged: {error}") from None
        return cls(**given)

    @property
    def title(self) -> str:
        """What people call it: the prompt, or that there was a picture in its place."""
        return self.prompt if self.prompt or not self.pictures else phrase("From a picture")

    @property
    def is_contest(self) -> bool:
        """Whether several seeds begin, and the best one is finished."""
        return self.seeds > 1

    @property
    def texture_model(self) -> str:
        """The model that paints the finished shape; "" where the texture is the first one's."""
        stage = self.settings.get("texture")
        model = stage.get("model") if isinstance(stage, dict) else None
        return model if isinstance(model, str) else ""

    @property
    def method(self) -> str:
        """What the model makes an object with: the engine's setting `method`."""
        method = self.settings.get("method")
        return method if isinstance(method, str) else "field"

    @property
    def begins_from_mesh(self) -> bool:
        """Whether the object begins from a mesh of the artist's, which is no part of the recipe."""
        return START in self.settings

    def settings_message(self, task: str = GENERATE) -> dict[str, Any]:
        """The field `settings` of a task's message: the overrides that count in it, with negative, seed and model.

        task: of TASKS.
        """
        idle = set(IDLE.get(task, ()))
        paint = self.settings.get("paint")
        if isinstance(paint, dict) and paint.get("shape"):
            idle.discard("refine")  # it says how the shape of a part moves
        counts = {stage: group for stage, group in self.settings.items() if stage not in idle}
        return {**counts, "negative": self.negative, "seed": self.seed, "model": self.model}


@dataclass(frozen=True)
class Trouble:
    """What went wrong, as the panel shows it.

    code: str, a stable dotted name; the UI chooses buttons by it.
    what, why, fix: str, sentences for the artist: what happened, why, and what to do.
    """

    code: str
    what: str
    why: str
    fix: str

    def __str__(self) -> str:
        return f"{self.what} {self.why} {self.fix}"

    def to_json(self) -> dict[str, str]:
        """The trouble as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Any) -> Trouble:
        """A trouble from plain values; what is missing is left empty, what is too long is cut."""
        found = values if isinstance(values, dict) else {}
        return cls(*(str(found.get(name) or "")[:WORDS_LIMIT] for name in ("code", "what", "why", "fix")))


class EngineTrouble(Exception):
    """Something cannot be done. `trouble` holds the words for the artist."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(str(trouble))
        self.trouble = trouble


@dataclass
class Job:
    """One object, or one texture for objects that are there, from the order to the result.

    id: str, a uuid in hex.
    task: str, one of TASKS.
    folder: Path, the folder with all files of the job.
    created, started, ended: float, seconds since 1970; None before it happened.
    stage, step, total: of the last progress.
    eta_s: float, seconds to the end, None while not known.
    rate: float, steps a second, None while not known.
    memory_mib: float, the engine's peak in MiB, 0 while not known.
    notes: sentences for the artist.
    thumbnail: Path of a PNG.
    placement: JSON that the UI keeps here, such as where to insert.
    inserted: bool, whether the result is in a scene.
    result: Path of mesh.glb, None before it is there.
    wish: str, a request to the running job that is not done yet: 'cancel', 'pause', 'resume', 'finish', or ''.
    owner: str, '' for a job of this Blender, else a name for the other Blender that has it.
    verdict: sentences on the result: a judge's grade, where there is one, and what its model's licence allows.
    standing: Standing of a contest; None before its first word, and for a plain run.
    winner: int, the seed that won a contest; None while nobody has.
    choice: int, the seed that the artist let win in the run at work; None for none. It is not written down.
    """

    id: str
    recipe: Recipe
    folder: Path
    state: JobState = JobState.QUEUED
    created: float = field(default_factory=time.time)
    started: float | None = None
    ended: float | None = None
    stage: str = ""
    step: int = 0
    total: int = 0
    eta_s: float | None = None
    rate: float | None = None
    memory_mib: float = 0.0
    trouble: Trouble | None = None
    notes: list[str] = field(default_factory=list)
    thumbnail: Path | None = None
    placement: dict[str, Any] = field(default_factory=dict)
    inserted: bool = False
    result: Path | None = None
    wish: str = ""
    owner: str = ""
    task: str = GENERATE
    verdict: list[str] = field(default_factory=list)
    standing: Standing | None = None
    winner: int | None = None
    choice: int | None = None

    @property
    def outcome(self) -> Recipe:
        """The recipe of the result: of a contest that of a plain run of the seed that won, which gives the same."""
        return self.recipe if self.winner is None else replace(self.recipe, seed=self.winner, seeds=1)

    def of_seed(self, seed: int) -> Recipe:
        """The recipe of a plain run of one seed.

        seed: int.
        """
        return replace(self.recipe, seed=seed, seeds=1, versions={})

    @property
    def paints(self) -> bool:
        """Whether the job paints meshes that are there, which lie in its folder."""
        return self.task == TEXTURE

    @property
    def refines(self) -> bool:
        """Whether the job refines a mesh that is there, which lies in its folder."""
        return self.task == REFINE

    @property
    def has_source(self) -> bool:
        """Whether the job is about meshes of the artist's, which lie in its folder and are sent to the engine."""
        return self.task != GENERATE or self.recipe.begins_from_mesh

    @property
    def has_pictures(self) -> bool:
        """Whether the job has pictures of its object, whose files lie in its folder and are sent to the engine."""
        return self.task == GENERATE and bool(self.recipe.pictures)

    @property
    def can_resume(self) -> bool:
        """Whether `JobQueue.resume` would do something: the job is held, or it stopped before its end."""
        stopped = (JobState.PAUSED, JobState.INTERRUPTED, JobState.CANCELLED, JobState.FAILED)
        return not self.owner and self.state in stopped

    @property
    def share(self) -> float:
        """The share of the whole job that is done, in [0, 1]. Training is most of it."""
        return share_done(self.stage, self.step, self.total) if self.state is not JobState.DONE else 1.0

    @property
    def seconds(self) -> float | None:
        """Seconds of the last attempt, up to now or to its end; None before it began."""
        if self.started is None:
            return None
        return max(0.0, (self.ended if self.ended is not None else time.time()) - self.started)


# Where each stage lies on the bar. Shares of the standard preset on two cores, from result.json's seconds.
_STAGES = {
    "load": (0.0, 0.05),
    "train": (0.05, 0.85),
    "extract": (0.85, 0.90),
    "unwrap": (0.90, 0.94),
    "bake": (0.94, 0.97),
    "render": (0.97, 1.0),
}


def share_done(stage: str, step: int, total: int) -> float:
    """The share of a whole job that is done, in [0, 1].

    stage: str, the stage at work; an unknown one gives 0.
    step, total: int, how far the stage is.
    """
    begin, end = _STAGES.get(stage, (0.0, 0.0))
    inside = min(1.0, max(0.0, step / total)) if total > 0 else 0.0
    return begin + (end - begin) * inside


def verdict_of(report: dict[str, Any]) -> list[str]:
    """What a result's report says of it, in sentences of a bounded length: the judge's grade, the model's licence.

    report: the content of result.json, which may be anything.
    """
    lines = []
    judge, terms = report.get("judge"), report.get("terms")
    if isinstance(judge, dict):
        shares = [judge.get(name) for name in ("score", "shape")]
        good = [share for share in shares if isinstance(share, (int, float)) and 0.0 <= share <= 1.0]
        if len(good) == len(shares) and not any(isinstance(share, bool) for share in shares):
            by = str(judge.get("by") or phrase("a judge"))
            lines.append(
                phrase(
                    "Recognised by {judge} from {colour:.0%} of the sides, without colour from {shape:.0%}",
                    judge=by,
                    colour=good[0],
                    shape=good[1],
                )
            )
    if isinstance(terms, dict) and isinstance(terms.get("line"), str) and terms["line"]:
        lines.append(terms["line"])
    return [line if len(line) <= WORDS_LIMIT else line[:WORDS_LIMIT] for line in lines]


def winner_of(report: dict[str, Any], recipe: Recipe) -> int | None:
    """The seed that won a contest, by its result's report; None for a plain run, and where the report does not say.

    report: the content of result.json, which may be anything.
    recipe: Recipe of the job.
    """
    seed = report.get("seed")
    if not recipe.is_contest or not isinstance(seed, int) or isinstance(seed, bool):
        return None
    return seed if recipe.seed <= seed < recipe.seed + recipe.seeds else None


def versions_of(values: dict[Any, Any]) -> dict[str, str]:
    """Names and versions of packages as texts, cut to the allowed length and number."""
    return {str(name)[:100]: str(version)[:100] for name, version in list(values.items())[:VERSIONS_KEPT]}


def new_id() -> str:
    """An id for a job: 32 hex digits."""
    return uuid.uuid4().hex
