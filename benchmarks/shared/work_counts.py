"""The least work of each part of a step: floating-point operations, and bytes that must move once.

The counts come from sizes alone, so they are the same for every way of computing. S samples, R rays, N surface rays,
L levels, F features, K hidden units, T table entries, P parameters. Interpolation is counted, exp and log as one
operation each, index arithmetic not at all. What stays in a cache does not count as moved. So the floors are low, as
floors should be.
"""

from __future__ import annotations

from dataclasses import dataclass

from dreamfusion_engine.config.stages import FieldConfig
from dreamfusion_engine.field.radiance import RadianceField

FLOAT = 4  # bytes
NORMAL_QUERIES = 6  # densities a surface ray
OUTPUTS = 4  # of the MLP: density and colour


@dataclass(frozen=True, kw_only=True)
class Work:
    """An amount of work.

    operations: float, floating-point operations.
    moved: float, bytes read and written.
    """

    operations: float
    moved: float

    def __add__(self, other: Work) -> Work:
        return Work(operations=self.operations + other.operations, moved=self.moved + other.moved)

    def times(self, factor: float) -> Work:
        """The work `factor` times over."""
        return Work(operations=factor * self.operations, moved=factor * self.moved)


def field_work(points: int, config: FieldConfig, entries: int, outputs: int = OUTPUTS) -> Work:
    """Work of hash grid and MLP: 8 corners interpolated a level, then two layers.

    points: int, points in and outputs out.
    entries: int, of the hash table.
    outputs: int, numbers a point.
    """
    inputs = config.levels * config.features
    encode = config.levels * 8 * (2.0 * config.features + 3.0)
    layers = 2.0 * config.hidden * (inputs + outputs)
    moved = FLOAT * (points * (3 + outputs) + min(entries * config.features, points * 8 * inputs))
    return Work(operations=points * (encode + layers + 3.0 * outputs), moved=moved)


def step_work(samples: int, rays: int, surface_rays: int, field: RadianceField) -> dict[str, Work]:
    """Work of march, field, composite, shade, backward and optimizer in one lit step.

    samples, rays, surface_rays: int, their numbers.

    backward is twice the forward pass: a gradient to the inputs of each product and one to its weights, and every table
    entry written.
    """
    entries = field.grid.table.shape[0]
    asked = field_work(samples, field.config, entries)
    normals = field_work(NORMAL_QUERIES * surface_rays, field.config, entries, outputs=1)
    composite = Work(operations=14.0 * samples, moved=FLOAT * (samples * 5 + rays * 5))
    shade = normals + Work(operations=40.0 * rays, moved=FLOAT * rays * 16)
    parameters = sum(p.numel() for p in field.parameters())
    return {
        "march": Work(operations=6.0 * samples, moved=FLOAT * (samples * 5 + rays * 7)),
        "field": asked,
        "composite": composite,
        "shade": shade,
        "backward": (asked + composite + shade).times(2.0),
        "optimizer": Work(operations=12.0 * parameters, moved=FLOAT * 7 * parameters),
    }
