"""The response to a verdict: start again with a stated change, continue with a warning, or end with an error."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from dreamfusion_engine.config.scores import SCORES
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import RunError
from dreamfusion_engine.optimize.health import Verdict

MOST_ATTEMPTS = 2  # restarts; a third would cost more than what it has been seen to bring
# Of the guidance, above which the model's pull on an early render can lose to the opacity loss, ten times itself then:
# up to here objects stayed, at 0.9 and the standard preset one vanished (docs/experiments.md).
STRONG_RESCALE = 0.6
# Guidance that an object which vanished is given at most: twice DreamFusion's 100 (arXiv 2209.14988, section 4).
MOST_GUIDANCE = 200.0
SOME_OPACITY = 0.03  # weight of the opacity loss in the place of none, once an object has filled its box
SEED_STEP = 7919  # a prime, so that the seeds of restarts stay clear of those that people count through

_WHAT = {
    "non_finite": "The field became not-a-number.",
    "empty": "The object vanished.",
    "full_box": "The object grew until it filled the whole box.",
    "flat": "The object is flat, like a picture on a board.",
    "many_faced": "The object shows the same side at the front and at the back.",
}

WARNINGS: dict[Verdict, str] = {
    "flat": "The object is rather flat. If it should not be, try another seed.",
    "many_faced": "The back looks like the front: the object may have two faces. Try another seed.",
}


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """How to start again.

    config: GenerateConfig with the change.
    setting: str, dotted name of the setting that changed.
    text: str, for people.
    """

    config: GenerateConfig
    setting: str
    text: str


def describe(verdict: Verdict) -> str:
    """Return one sentence about a verdict for the artist."""
    return _WHAT[verdict]


def recover(verdict: Verdict, attempts: int, config: GenerateConfig) -> Recovery | None:
    """Return the restart for a verdict, or None to continue with a warning.

    verdict: the verdict.
    attempts: int, earlier restarts.
    config: GenerateConfig of the attempt that failed, so that changes add up.
    Raises RunError run.<verdict> where all restarts are used.
    """
    if verdict == "many_faced" or (verdict == "flat" and attempts >= 1):
        return None
    if attempts >= MOST_ATTEMPTS:
        raise RunError(
            f"run.{verdict}",
            what=_WHAT[verdict],
            why=f"It did so again after {attempts} restarts with other settings.",
            fix=_last_advice(verdict),
        )
    field, guidance, optimize = config.field, config.guidance, config.optimize
    if verdict == "non_finite":
        rate = 0.5 * optimize.learning_rate
        clip = 0.5 * (optimize.gradient_clip or 2.0)
        optimize = dataclasses.replace(optimize, learning_rate=rate, gradient_clip=clip)
        setting, change = "optimize.learning_rate", f"half the learning rate ({rate:g}), gradients clipped at {clip:g}"
    elif verdict == "empty" and guidance.rescale > STRONG_RESCALE and SCORES[guidance.score].rescales:
        # More guidance too, and before a larger scale, most of which such a rescale would take back.
        was, guidance = guidance.rescale, dataclasses.replace(guidance, rescale=STRONG_RESCALE)
        setting, change = "guidance.rescale", f"the guidance less weakened (rescale {STRONG_RESCALE:g}, not {was:g})"
    elif verdict == "empty" and attempts == 0 and 0.0 < guidance.scale < MOST_GUIDANCE:
        scale = min(2.0 * guidance.scale, MOST_GUIDANCE)
        # A regulariser's weight grows with the guidance (guidance/score_size.py); this one must not.
        optimize = dataclasses.replace(optimize, opacity=optimize.opacity * guidance.scale / scale)
        guidance = dataclasses.replace(guidance, scale=scale)
        setting, change = "guidance.scale", f"stronger guidance ({guidance.scale:g})"
    elif verdict == "empty" and optimize.opacity > 0.0:
        optimize = dataclasses.replace(optimize, opacity=0.0)
        field = dataclasses.replace(field, blob_density=1.5 * field.blob_density)
        setting, change = "optimize.opacity", "no pressure towards emptiness and a denser start"
    elif verdict == "empty":
        guidance = dataclasses.replace(guidance, scale=min(2.0 * guidance.scale, 1000.0))
        setting, change = "guidance.scale", f"stronger guidance ({guidance.scale:g})"
    elif verdict == "full_box" and attempts == 0:
        optimize = dataclasses.replace(optimize, opacity=10.0 * optimize.opacity or SOME_OPACITY)
        setting, change = "optimize.opacity", f"more pressure towards emptiness ({optimize.opacity:g})"
    elif verdict == "full_box":
        field = dataclasses.replace(field, blob_radius=0.6 * field.blob_radius, blob_density=0.6 * field.blob_density)
        setting, change = "field.blob_radius", f"a smaller start (radius {field.blob_radius:g})"
    else:
        guidance = dataclasses.replace(guidance, anneal_until=1.0)
        setting, change = "guidance.anneal_until", "the coarse shape free to change until the end"
    seed = (config.seed + SEED_STEP * (attempts + 1)) % 2**31
    changed = dataclasses.replace(config, seed=seed, field=field, guidance=guidance, optimize=optimize)
    text = f"{_WHAT[verdict]} Starting again with seed {seed}: {change}."
    return Recovery(config=changed, setting=setting, text=text)


def _last_advice(verdict: Verdict) -> str:
    if verdict == "non_finite":
        return "Try --device cpu, which computes in full precision, or another --model; and report it."
    if verdict == "empty":
        return "Name one solid object, try another --seed, or more --steps."
    return "Try another --seed, or name one compact object, not a scene or a place."
