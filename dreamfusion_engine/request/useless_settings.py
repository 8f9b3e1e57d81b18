"""Refuse settings that do nothing with a model, so that nobody waits for their effect."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from dreamfusion_engine.config.needs import (
    COMPARING_STAGES,
    DENOISER_STAGES,
    FIELD_STAGES,
    NEEDS_AUTOENCODER,
    NEEDS_DENOISER,
    NEEDS_FIELD,
    NEEDS_TOLD_POSES,
    NEEDS_WORDS,
    SPHERE_STAGES,
    WORDS_STAGES,
)
from dreamfusion_engine.config.scores import SCORES
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.models.family import Family

# Settings with which a family that compares works in one way only: what they must be, and why.
_COMPARING_ONLY: Mapping[str, tuple[tuple[str, ...], str]] = {
    "guidance.perp_neg": (("off",), "There is no prediction without the prompt to push other views away from."),
    "memory.precision": (
        ("auto", "float32", "bfloat16"),
        "The gradients that come back through it would vanish in float16.",
    ),
    "field.background": (("random",), "Patterns lie behind every crop that it is shown (docs/maths.md, section 5.14)."),
}
# The same for a family that is told a picture in place of words.
_WORDLESS_ONLY: Mapping[str, tuple[tuple[str, ...], str]] = {
    "guidance.perp_neg": (("off",), "It reads no words to push other views away by."),
    "guidance.view_prompts": (("off",), "It reads no words for the view: it is told the camera."),
    "guidance.score": (
        tuple(name for name, record in SCORES.items() if not record.names_bad),
        "That score needs words for bad pictures, and it reads none.",
    ),
}
# What says the same with the method 'clip-mesh'.
_INSTEAD: Mapping[str, str] = {
    "mesh.texture": "The maps that are trained are those of the result: sphere.maps is their size.",
    "mesh.normal_map": "With this method there always is a normal map.",
    "texture.model": "For another texture use the command texture on the result.",
    "camera.target_jitter": "sphere.offset says how far the object is off the middle.",
}


def refuse_useless(
    family: Family,
    values: Mapping[str, Any],
    plain: Mapping[str, Any],
    model: str | None = None,
    later: Collection[str] = (),
) -> None:
    """Raise InputError input.setting for a setting that does nothing with a model of a family, or cannot be.

    family: Family of the model.
    values: settings of the run by dotted name.
    plain: those of its preset.
    model: str, what the artist calls the model; None for the name of its family.
    later: dotted names of settings that count in a later stage, with another model.
    """
    title = model or (f"a {family.title}" if family.compares else family.title)
    about: list[tuple[Sequence[str], str, str]] = []
    if not family.vae:
        why = f"It is about an autoencoder, and {title} works on pixels without one."
        about.append((NEEDS_AUTOENCODER, why, "give a --model that has an autoencoder, such as Stable Diffusion"))
    if family.compares:
        why = f"It is about a model that denoises, and {title} compares pictures with words."
        about.append(
            (
                (*NEEDS_DENOISER, *_of_stages(values, DENOISER_STAGES)),
                why,
                "give a text-to-image model, such as Stable Diffusion",
            )
        )
    else:
        why = f"It is about a teacher that compares pictures with words, and {title} denoises them."
        about.append((_of_stages(values, COMPARING_STAGES), why, "give the folder of a CLIP as the --model"))
    if not family.told_poses:
        told = "is told a picture alone" if family.told_picture else "reads words"
        why = f"It is about a model that is told how far a view is from a picture, and {title} {told}."
        about.append((NEEDS_TOLD_POSES, why, "give such a model, as Zero123 is"))
    if not family.reads_words:
        why = f"It is about words, and {title} is told a picture in their place."
        words = (*NEEDS_WORDS, *_of_stages(values, WORDS_STAGES))
        about.append((words, why, "give a text-to-image model, such as Stable Diffusion"))
    only = _COMPARING_ONLY if family.compares else {} if family.reads_words else _WORDLESS_ONLY
    for names, why, other in about:
        for name in names:
            if values[name] != plain[name] and name not in later:
                raise InputError(
                    "input.setting",
                    what=f"The setting '{name}' does nothing with this model.",
                    why=why,
                    fix=f"Leave {name} out, or {other}.",
                )
    for name, (possible, why) in only.items():
        if values[name] not in possible:
            raise InputError(
                "input.setting",
                what=f"The setting '{name}' cannot be {values[name]!r} with {title}.",
                why=why,
                fix=f"Leave {name} out, or give {' or '.join(possible)}.",
            )


def refuse_useless_of_method(values: Mapping[str, Any], usual: Mapping[str, Any]) -> None:
    """Raise InputError input.setting for a setting that does nothing with the method of a run.

    values: settings of the run by dotted name.
    usual: those of its preset and recipe, without the artist's own.
    """
    if values["method"] == "field":
        names: Sequence[str] = _of_stages(values, SPHERE_STAGES)
        why, other = "It is about a sphere that is bent to an object.", "give --method clip-mesh, with a CLIP"
    else:
        names = (*NEEDS_FIELD, *_of_stages(values, FIELD_STAGES))
        why, other = "It is about a field and the mesh that is cut of it.", "leave out --method clip-mesh"
    for name in names:
        if values[name] != usual[name]:
            raise InputError(
                "input.setting",
                what=f"The setting '{name}' does nothing with the method '{values['method']}'.",
                why=f"{why} {_INSTEAD.get(name, '')}".strip(),
                fix=f"Leave {name} out, or {other}.",
            )


def _of_stages(values: Mapping[str, Any], stages: Sequence[str]) -> list[str]:
    return [name for name in values if name.partition(".")[0] in stages]
