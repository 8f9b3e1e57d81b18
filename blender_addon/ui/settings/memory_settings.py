"""The engine's memory settings as Blender properties. The engine, or a script, chooses those that are not here."""

from __future__ import annotations

from bpy.props import BoolProperty, EnumProperty
from bpy.types import PropertyGroup


class DREAMFUSION_PG_memory(PropertyGroup):
    """What the diffusion model may take of the memory (`memory` of the engine)."""

    fit: BoolProperty(
        name="Fit This Card",
        description="When a run needs more memory than is free, change settings so that it fits, and say which",
        default=True,
    )
    precision: EnumProperty(
        name="Precision",
        description="Of the diffusion model. Half takes half the memory",
        items=(
            ("auto", "Automatic", "Half for large models on a graphics card"),
            ("float32", "Full", "32 bits a number. Twice the memory"),
            ("bfloat16", "Half, BF16", "16 bits a number, for newer cards"),
            ("float16", "Half, FP16", "16 bits a number, for all cards"),
        ),
        default="auto",
    )


CLASSES = (DREAMFUSION_PG_memory,)
