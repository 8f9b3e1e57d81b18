"""The engine's own settings as Blender properties: one group a stage, one property a setting, under the same names.

`scene.dreamfusion.guidance.scale` is the engine's `guidance.scale`. All about a property is declared in the engine
(`core/engine_settings.json`). Two differ in kind: a number that may be a word is a switch and a number here, and
`mesh.texture` is a menu of the sizes that make sense.
"""

from __future__ import annotations

from bpy.types import PropertyGroup

from . import artist_settings, engine_properties


class DREAMFUSION_PG_guidance(PropertyGroup):
    """Score distillation from the diffusion model (`guidance` of the engine)."""

    __annotations__ = engine_properties.of_stage("guidance", score=artist_settings.settle_score)


class DREAMFUSION_PG_camera(PropertyGroup):
    """Where training looks from (`camera` of the engine). The object's box reaches from -1 to 1."""

    __annotations__ = engine_properties.of_stage("camera")


class DREAMFUSION_PG_optimize(PropertyGroup):
    """The training loop (`optimize` of the engine)."""

    __annotations__ = engine_properties.of_stage("optimize")


class DREAMFUSION_PG_field(PropertyGroup):
    """The radiance field (`field` of the engine)."""

    __annotations__ = engine_properties.of_stage("field")


class DREAMFUSION_PG_mesh(PropertyGroup):
    """From density to a textured mesh (`mesh` of the engine)."""

    __annotations__ = engine_properties.of_stage("mesh")


class DREAMFUSION_PG_memory(PropertyGroup):
    """What the diffusion model may take of the memory (`memory` of the engine)."""

    __annotations__ = engine_properties.of_stage("memory")


class DREAMFUSION_PG_start(PropertyGroup):
    """How a mesh leads an object that begins from it (`start` of the engine)."""

    __annotations__ = engine_properties.of_stage("start")


CLASSES = (
    DREAMFUSION_PG_guidance,
    DREAMFUSION_PG_camera,
    DREAMFUSION_PG_optimize,
    DREAMFUSION_PG_field,
    DREAMFUSION_PG_mesh,
    DREAMFUSION_PG_memory,
    DREAMFUSION_PG_start,
)
