"""The recipe on an object: text in custom properties, which stay with the object when it is copied or saved."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from bpy.types import Object

from ...core.bounded_json import UnsafeJson, parse_json
from ...core.job import WORDS_LIMIT, Recipe, RecipeError
from ...core.phrase import again, kept

RECIPE = "dreamfusion_recipe"  # custom property: JSON text
JOB = "dreamfusion_job"  # custom property: id of the job
VERDICT = "dreamfusion_verdict"  # custom property: JSON list of sentences
PHRASES = "dreamfusion_verdict_phrases"  # custom property: JSON of `kept`, by which they are translated
_LINES = 10  # of a verdict; the add-on writes three at most


def write(obj: Object, recipe: Recipe, job_id: str = "", verdict: Sequence[str] = ()) -> None:
    """Store a recipe, the id of its job, and what is said of the result on the object.

    recipe: Recipe that made the object.
    job_id: str, '' if unknown.
    verdict: sentences, as `Job.verdict`.
    """
    obj[RECIPE] = json.dumps(recipe.to_json(), ensure_ascii=False, sort_keys=True)
    obj[JOB] = job_id
    write_verdict(obj, verdict)


def write_verdict(obj: Object, verdict: Sequence[str]) -> None:
    """Store what is said of the result that the object is now.

    verdict: sentences, as `Job.verdict`; empty for none.
    """
    for name in (VERDICT, PHRASES):
        if name in obj:
            del obj[name]  # it was of another result
    if verdict:
        obj[VERDICT] = json.dumps(list(verdict), ensure_ascii=False)
    if phrases := kept(verdict):
        obj[PHRASES] = json.dumps(phrases, ensure_ascii=False)


def read(obj: Object) -> Recipe | None:
    """The recipe of an object; None if it has none, or a damaged one."""
    text = obj.get(RECIPE)
    if not isinstance(text, str):
        return None
    try:
        return Recipe.from_json(parse_json(text.encode("utf-8", "surrogatepass")))
    except (UnsafeJson, RecipeError):
        return None


def verdict(obj: Object) -> list[str]:
    """What was said of the result that the object is; empty where nothing was, or it is damaged."""
    lines, phrases = _json(obj, VERDICT), _json(obj, PHRASES)
    return [again(str(line)[:WORDS_LIMIT], phrases) for line in lines[:_LINES]] if isinstance(lines, list) else []


def _json(obj: Object, name: str) -> Any:
    """A custom property's JSON; None for none, or a damaged one."""
    text = obj.get(name)
    try:
        return parse_json(text.encode("utf-8", "surrogatepass")) if isinstance(text, str) else None
    except UnsafeJson:
        return None


def is_result(obj: Object | None) -> bool:
    """Whether the object is a result of the add-on. Cheap, for poll()."""
    return obj is not None and RECIPE in obj


def job_id(obj: Object) -> str:
    """The id of the job that made the object; "" if unknown."""
    value = obj.get(JOB, "")
    return value if isinstance(value, str) else ""


def copy(source: Object, target: Object) -> None:
    """Copy the recipe of the source to the target."""
    for name in (RECIPE, JOB, VERDICT, PHRASES):
        if name in source:
            target[name] = source[name]


def as_text(recipe: Recipe) -> str:
    """The recipe as JSON that people can read: prompt and seed first, empty parts left out."""
    values = {name: value for name, value in recipe.to_json().items() if value not in ("", {}, [])}
    return json.dumps(values, indent=2, ensure_ascii=False)
