from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from twins.torch_field import TorchField

from dreamfusion_engine.config.stages import FieldConfig
from dreamfusion_engine.field.radiance import RadianceField, blob_density_bias, level_weights

SMALL = FieldConfig(levels=4, log2_table=10, base_resolution=4, finest_resolution=32, hidden=16)
EXPONENTIAL = dataclasses.replace(SMALL, activation="exp", density_gain=1.0, blob_density=5.0)


def random_points(count: int, reach: float = 1.0, seed: int = 0) -> Tensor:
    return (torch.rand(count, 3, generator=torch.Generator().manual_seed(seed)) * 2.0 - 1.0) * reach


def lived_in(config: FieldConfig = SMALL, seed: int = 0) -> RadianceField:
    """A field whose features are as large as training makes them."""
    field = RadianceField(config, seed=seed)
    with torch.no_grad():
        field.grid.table.mul_(3e3)
        field.hidden.bias.uniform_(-0.2, 0.2, generator=torch.Generator().manual_seed(9))
    return field


def test_a_new_field_is_the_blob() -> None:
    field = RadianceField(SMALL, seed=0)
    points = random_points(500)
    expected = torch.nn.functional.softplus(10.0 * (1.0 - points.norm(dim=-1) / 0.5))
    torch.testing.assert_close(field.density(points), expected, rtol=0.02, atol=1e-4)
    assert (field(points)[1] - 0.5).abs().max() < 0.01  # grey all over


def test_the_blob_falls_linearly_from_its_height_to_zero_at_its_radius() -> None:
    points = torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.25, 0.0], [0.3, 0.0, 0.4], [0.0, 0.0, -1.0]])
    torch.testing.assert_close(blob_density_bias(points, 10.0, 0.5), torch.tensor([10.0, 5.0, 0.0, -10.0]))


def test_nothing_is_outside_the_box() -> None:
    field = RadianceField(FieldConfig(blob_density=10.0, blob_radius=2.0), seed=0)
    outside = torch.tensor([[1.001, 0.0, 0.0], [0.0, -1.2, 0.0], [0.5, 0.5, 3.0]])
    assert (field.density(outside) == 0.0).all()
    assert (field.density(outside.clamp(-1.0, 1.0)) > 0.0).all()


@pytest.mark.slow
@pytest.mark.parametrize("config", [SMALL, EXPONENTIAL, FieldConfig(levels=3, features=4, hidden=8, log2_table=9)])
def test_kernels_agree_with_plain_torch_in_values_and_gradients(config: FieldConfig) -> None:
    field = lived_in(config)
    field.open_levels(0.3)
    points = random_points(1000, reach=1.1)
    generator = torch.Generator().manual_seed(4)
    to_density, to_albedo = torch.randn(1000, generator=generator), torch.randn(1000, 3, generator=generator)
    # Half of the samples ask for nothing, as behind a surface: the kernels leave those out.
    to_density[::2] = 0.0
    to_albedo[::2] = 0.0
    parameters = list(field.parameters())
    outputs = field(points)
    gradients = torch.autograd.grad(outputs, parameters, [to_density, to_albedo])
    expected_outputs = TorchField(field)(points)
    expected = torch.autograd.grad(expected_outputs, parameters, [to_density, to_albedo])
    for ours, theirs in zip((*outputs, *gradients), (*expected_outputs, *expected), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5 * float(theirs.detach().abs().max()))


@pytest.mark.slow
def test_density_alone_is_the_same_density_with_the_same_gradient() -> None:
    field = lived_in()
    points = random_points(300)
    both, alone = field(points)[0], field.density(points)
    assert torch.equal(both, alone)
    for a, b in zip(
        torch.autograd.grad(both.sum(), list(field.parameters())),
        torch.autograd.grad(alone.sum(), list(field.parameters())),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)


def test_the_gradient_to_points_is_the_slope_of_the_density() -> None:
    field = lived_in()
    points = random_points(200, reach=0.9).requires_grad_()
    (gradient,) = torch.autograd.grad(field.density(points).sum(), points)
    twin = points.detach().clone().requires_grad_()
    (expected,) = torch.autograd.grad(TorchField(field).density(twin).sum(), twin)
    torch.testing.assert_close(gradient, expected, rtol=1e-3, atol=1e-3)


def test_a_seed_gives_the_same_field_bit_for_bit_and_another_seed_another() -> None:
    points = random_points(100)
    first, again, other = (lived_in(seed=s)(points) for s in (7, 7, 8))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[1], other[1])


@pytest.mark.slow
def test_training_gives_the_same_bits_on_any_number_of_threads(set_threads: Callable[[int], None]) -> None:
    results = []
    for threads in (1, 2):
        set_threads(threads)
        field = RadianceField(FieldConfig(), seed=0)
        adam = torch.optim.Adam(field.parameters(), lr=1e-2, fused=True)
        for step in range(4):
            density, albedo = field(random_points(4000, seed=step))
            (albedo.square().mean() - density.mean()).backward()
            adam.step()
            adam.zero_grad()
        results.append(torch.cat([p.detach().flatten() for p in field.parameters()]))
    assert torch.equal(*results)


def test_levels_open_smoothly_from_the_coarse_half_to_all() -> None:
    assert level_weights(8, 0.0).tolist() == [1.0] * 4 + [0.0] * 4
    assert level_weights(8, 1.0).tolist() == [1.0] * 8
    assert level_weights(8, 0.625).tolist() == pytest.approx([1.0] * 6 + [0.5, 0.0])
    opening = torch.stack([level_weights(8, k / 50) for k in range(51)])
    assert (opening.diff(dim=0) >= 0.0).all()
    assert float(opening.diff(dim=0).max()) < 0.13


def test_opening_levels_after_the_forward_pass_does_not_change_its_gradient() -> None:
    field = lived_in()
    points = random_points(200)
    field.open_levels(0.3)
    (expected,) = torch.autograd.grad(field.density(points).sum(), field.grid.table)
    density = field.density(points)
    field.open_levels(1.0)
    (gradient,) = torch.autograd.grad(density.sum(), field.grid.table)
    assert torch.equal(gradient, expected)


def test_a_closed_level_has_no_say() -> None:
    field = lived_in()
    field.open_levels(0.0)
    points = random_points(100)
    before = field(points)
    with torch.no_grad():
        field.grid.table[field.grid.offsets[2] :] = 5.0
    assert torch.equal(before[0], field(points)[0])
    field.open_levels(1.0)
    assert not torch.equal(before[0], field(points)[0])


def test_a_saved_field_comes_back_with_its_open_levels() -> None:
    field = lived_in()
    field.open_levels(0.4)
    copy = RadianceField(SMALL, seed=99)
    copy.load_state_dict(field.state_dict())
    points = random_points(100)
    assert torch.equal(copy(points)[0], field(points)[0])
    assert torch.equal(copy(points)[1], field(points)[1])


def test_adam_makes_a_surface_solid_in_a_hundred_steps() -> None:
    """Solid: one of 64 steps through the box stops more than 0.9 of the light. The ball is larger than the blob."""
    field = RadianceField(FieldConfig(), seed=0)
    adam = torch.optim.Adam(field.parameters(), lr=1e-2, betas=(0.9, 0.99), eps=1e-15, fused=True)

    def opacity(points: Tensor) -> Tensor:
        return -torch.expm1(-field.density(points) * (2.0 / 64.0))

    for step in range(100):
        points = random_points(1024, seed=step)
        full = (points.norm(dim=-1) < 0.7).float()
        (opacity(points) - full).square().mean().backward()
        adam.step()
        adam.zero_grad()
    points = random_points(2000, seed=1000)
    radius = points.norm(dim=-1)
    with torch.no_grad():
        assert float(opacity(points[radius < 0.6]).mean()) > 0.9
        assert float(opacity(points[radius > 0.8]).mean()) < 0.05


def test_a_learned_background_is_a_smooth_colour_of_the_direction() -> None:
    field = RadianceField(FieldConfig(background="learned"), seed=0)
    directions = torch.nn.functional.normalize(random_points(64), dim=-1)
    colours = field.background(directions)
    assert colours.shape == (64, 3)
    assert (colours > 0.0).all()
    assert (colours < 1.0).all()
    colours.sum().backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0.0 for n, p in field.named_parameters() if "sky" in n)
    turned = field.background(torch.nn.functional.normalize(directions + 1e-4, dim=-1))
    assert (turned - colours).abs().max() < 1e-3


def test_a_field_without_a_learned_background_says_so() -> None:
    with pytest.raises(ValueError, match="learned"):
        RadianceField(SMALL, seed=0).background(torch.tensor([[0.0, 0.0, 1.0]]))


def test_a_dense_spot_keeps_a_finite_density_and_gradient() -> None:
    field = RadianceField(FieldConfig(blob_density=1e4), seed=0)
    density = field.density(torch.zeros(1, 3))
    assert math.isclose(float(density.detach()), 1e4, rel_tol=1e-3)
    density.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in field.parameters() if p.grad is not None)


@pytest.mark.slow
def test_an_exponential_density_is_bounded_and_can_come_down_from_the_bound() -> None:
    field = RadianceField(dataclasses.replace(EXPONENTIAL, blob_density=200.0), seed=0)
    for points in (torch.zeros(1, 3), torch.zeros(1, 3, requires_grad=True)):  # by the kernels, by torch
        field.zero_grad()
        density = field.density(points)
        assert math.isclose(float(density.detach()), math.exp(15.0), rel_tol=1e-5)
        density.sum().backward()
        slope = field.out.bias.grad
        assert slope is not None
        assert math.isclose(float(slope[0]), math.exp(15.0), rel_tol=1e-5)


@pytest.mark.parametrize("config", [SMALL, EXPONENTIAL])
def test_a_broken_parameter_is_not_hidden(config: FieldConfig) -> None:
    field = lived_in(config)
    with torch.no_grad():
        field.hidden.weight[0, 0] = math.nan
    density, albedo = field(random_points(10))
    assert torch.isnan(density).all()
    assert torch.isnan(albedo).all()


@pytest.mark.cuda
def test_cuda_agrees_with_the_cpu() -> None:
    field, points = lived_in(), random_points(500)
    expected = field(points)
    found = lived_in().cuda()(points.cuda())
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a.cpu(), b, rtol=1e-4, atol=1e-4)
