"""What a run with a method can be given beside its prompt."""

from __future__ import annotations

from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import InputError

_NO_MESH = "It begins from a sphere, whose triangles and maps it needs."
_NO_PICTURES = "It compares renders with words, and holds them to no picture."


def check_begins_from_nothing(config: GenerateConfig, *, mesh: bool, pictures: bool = False) -> None:
    """Raise InputError for a mesh or pictures with a method that takes none.

    config: GenerateConfig of a run that makes an object.
    mesh: bool, whether there is a mesh to begin from.
    pictures: bool, whether there are pictures of the object.
    """
    if config.method == "field" or not (mesh or pictures):
        return
    given, why = ("mesh to begin from", _NO_MESH) if mesh else ("pictures", _NO_PICTURES)
    raise InputError(
        "input.method",
        what=f"The method '{config.method}' takes no {given}.",
        why=why,
        fix=f"Leave out the {'mesh' if mesh else 'pictures'}, or the method.",
    )
