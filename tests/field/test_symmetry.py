"""A mirrored field: both sides are one, to the bit, and both teach it; without symmetry nothing is new.

Of: dreamfusion_engine/field/radiance.py, dreamfusion_engine/config/stages/field.py.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dreamfusion_engine.config.stages import FieldConfig
from dreamfusion_engine.field.radiance import RadianceField

IMAGE = torch.tensor([-1.0, 1.0, 1.0])


def field(symmetry: str) -> RadianceField:
    """With random entries, so that it has something to say."""
    made = RadianceField(FieldConfig(levels=4, log2_table=10, symmetry=symmetry), seed=3)  # type: ignore[arg-type]
    with torch.no_grad():
        made.grid.table.normal_(generator=torch.Generator().manual_seed(1))
    return made


def points(count: int = 200) -> Tensor:
    return 2.0 * torch.rand(count, 3, generator=torch.Generator().manual_seed(2)) - 1.0


@pytest.mark.parametrize("wants_gradient", [False, True])
def test_left_and_right_are_the_same_bits(wants_gradient: bool) -> None:
    made, there = field("x"), points().requires_grad_(wants_gradient)
    for one, other in zip(made(there), made(there * IMAGE), strict=True):
        assert torch.equal(one, other)
    assert torch.equal(made.density(there), made.density(there * IMAGE))
    assert not torch.equal(field("none").density(there), field("none").density(there * IMAGE))


def test_the_right_half_is_that_of_the_field_without_symmetry() -> None:
    right = points() * torch.tensor([1.0, 1.0, 1.0])
    right[:, 0].abs_()
    for one, other in zip(field("x")(right), field("none")(right), strict=True):
        assert torch.equal(one, other)


@pytest.mark.slow
def test_a_point_on_the_left_teaches_what_its_image_teaches() -> None:
    gradients = []
    for side in (torch.ones(3), IMAGE):
        made = field("x")
        density, albedo = made(points().abs() * side)
        (density.sum() + albedo.square().sum()).backward()
        gradients.append([parameter.grad for parameter in made.parameters()])
    for one, other in zip(*gradients, strict=True):
        assert one is not None and other is not None and torch.equal(one, other) and bool(one.any())


def test_slopes_point_to_opposite_sides() -> None:
    made, there = field("x"), points()
    slopes = []
    for side in (torch.ones(3), IMAGE):
        asked = (there * side).requires_grad_()
        slopes.append(torch.autograd.grad(made.density(asked).sum(), asked)[0])
    assert torch.allclose(slopes[0], slopes[1] * IMAGE)
