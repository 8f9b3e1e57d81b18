"""What an object whose part changes says beside its shape: how much each corner may change, and its present colours."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from bpy.types import Mesh, Object

from ....core.engine.mesh_file import MeshPart
from ....core.phrase import phrase
from . import part
from .paintable import refused
from .present_colour import PresentColour, png_of, present_colour


@dataclass(frozen=True)
class PartColours:
    """The part of an object, and the colours of its slots.

    weights: float32[L], how much each corner may change.
    changing: numbers of the slots of which something changes.
    colours: PresentColour of every slot that is seen.
    layer: str, the UV layer on which the old image lies; '' where no old image names one.
    """

    weights: Any
    changing: frozenset[int]
    colours: dict[int, PresentColour]
    layer: str

    def on(self, made: MeshPart, slot: int, loops: Any) -> MeshPart:
        """A part of the file with what changes of it and its colour.

        slot: int, its material's.
        loops: int[3 T], its corners.
        """
        colour = self.colours[slot]
        picture = b""
        # A slot that stays is only looked at, on the UV layer of what changes. On another one its image means nothing.
        if colour.node is not None and (slot in self.changing or colour.layer in ("", self.layer)):
            picture = png_of(colour.node.image)
        chosen = self.weights[loops].astype("<f4").tobytes()
        return dataclasses.replace(made, chosen=chosen, colour=colour.colour, picture=picture)


def read(obj: Object, mesh: Mesh, corners: Any, slots: Any) -> PartColours:
    """Read what changes of an object, and its colours.

    mesh: evaluated, of an object that is `part.marked`.
    corners: int[T, 3], of the triangles. slots: int[T].
    Raises EngineTrouble where the colours of what changes cannot be kept.
    """
    import numpy as np

    weights = part.corner_weights(obj, mesh)
    touched = (weights[corners] > 0.0).any(axis=1)
    changing = frozenset(np.unique(slots[touched]).tolist())
    materials = [place.material for place in obj.material_slots]
    colours = {
        slot: present_colour(materials[slot] if slot < len(materials) else None) for slot in np.unique(slots).tolist()
    }
    rendered = next((str(layer.name) for layer in obj.data.uv_layers if layer.active_render), "")
    layers = set()
    for slot in sorted(changing):
        colour = colours[slot]
        if colour.problem:
            name = (
                materials[slot].name
                if slot < len(materials) and materials[slot] is not None
                else phrase("its material")
            )
            raise refused(
                "part_colours",
                phrase("The colours of '{name}' cannot be kept as they are.", name=obj.name),
                phrase("Material '{name}': {problem}.", name=name, problem=colour.problem),
                colour.fix,
            )
        if colour.node is not None:
            layers.add(colour.layer or rendered)
    if len(layers) > 1:
        raise refused(
            "part_layers",
            phrase("The images of '{name}' lie on different UV layers.", name=obj.name),
            phrase("They are {layers}.", layers=", ".join(sorted(layers))),
            phrase("Select faces of one material at a time."),
        )
    return PartColours(weights, changing, colours, next(iter(layers), ""))
