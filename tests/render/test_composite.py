from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from twins import torch_render

from dreamfusion_engine.render.composite import composite
from dreamfusion_engine.render.march import Samples


def samples_along(counts: list[int], dt: float = 0.05, start: float = 2.0) -> Samples:
    """Rays with `counts` samples each, in the middle of steps that begin at `start`; points are not used here."""
    offsets = torch.tensor([0, *counts]).cumsum(0).int()
    t = torch.cat([start + dt * (torch.arange(n) + 0.5) for n in counts])
    ray = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts)).int()
    return Samples(points=torch.zeros(len(t), 3), ray=ray, t=t, dt=dt, offsets=offsets)


def medium(samples: Samples, scale: float = 4.0, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Random density and colour."""
    generator = torch.Generator().manual_seed(seed)
    density = scale * torch.rand(len(samples), generator=generator)
    return density, torch.rand(len(samples), 3, generator=generator)


def test_a_homogeneous_slab_follows_beer_and_lambert() -> None:
    samples = samples_along([40])
    density, red = torch.full((40,), 1.5), torch.tensor([[0.8, 0.2, 0.1]]).expand(40, 3)
    colour, opacity, _ = composite(density, red, samples)
    expected = 1.0 - math.exp(-1.5 * 40 * 0.05)
    assert float(opacity) == pytest.approx(expected, abs=1e-6)
    torch.testing.assert_close(colour[0], expected * red[0])


def test_the_mean_depth_of_a_homogeneous_slab_is_the_exponential_distributions() -> None:
    """int_0^L s sigma e^(-sigma s) ds = (1 - e^(-sigma L)) / sigma - L e^(-sigma L)."""
    sigma, length, count = 2.0, 3.0, 3000
    samples = samples_along([count], dt=length / count, start=0.0)
    _, _, depth = composite(torch.full((count,), sigma), torch.zeros(count, 3), samples)
    expected = (1.0 - math.exp(-sigma * length)) / sigma - length * math.exp(-sigma * length)
    assert float(depth) == pytest.approx(expected, abs=1e-4)


def test_an_exponential_atmosphere_has_its_known_transmittance() -> None:
    """sigma(s) = sigma_0 e^(-k s): T(L) = exp(-sigma_0 (1 - e^(-k L)) / k)."""
    sigma, k, length, count = 1.7, 0.9, 4.0, 2000
    samples = samples_along([count], dt=length / count, start=0.0)
    _, opacity, _ = composite(sigma * torch.exp(-k * samples.t), torch.zeros(count, 3), samples)
    assert float(opacity) == pytest.approx(1.0 - math.exp(-sigma * (1.0 - math.exp(-k * length)) / k), abs=1e-5)


def test_weights_sum_to_what_does_not_pass() -> None:
    samples = samples_along([30, 5, 1, 60])
    density, _ = medium(samples)
    colour, opacity, _ = composite(density, torch.ones(len(samples), 3), samples)
    passed = torch.stack([torch.exp(-ray.sum() * samples.dt) for ray in density.split([30, 5, 1, 60])])
    torch.testing.assert_close(opacity, 1.0 - passed, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(colour, opacity[:, None].expand(-1, 3), rtol=1e-5, atol=1e-6)


def test_no_light_is_made() -> None:
    """A ray's colour is at most its brightest sample's, weighted by the opacity."""
    samples = samples_along([50] * 20)
    density, albedo = medium(samples, scale=20.0)
    colour, opacity, _ = composite(density, albedo, samples)
    brightest = albedo.view(20, 50, 3).amax(1)
    darkest = albedo.view(20, 50, 3).amin(1)
    assert (colour <= opacity[:, None] * brightest + 1e-6).all()
    assert (colour >= opacity[:, None] * darkest - 1e-6).all()
    assert (opacity <= 1.0).all()


def test_cutting_every_step_in_two_changes_nothing() -> None:
    coarse, fine = samples_along([30, 10], dt=0.06), samples_along([60, 20], dt=0.03)
    density, albedo = medium(coarse)
    colour, opacity, _ = composite(density, albedo, coarse)
    fine_colour, fine_opacity, _ = composite(density.repeat_interleave(2), albedo.repeat_interleave(2, 0), fine)
    torch.testing.assert_close(fine_opacity, opacity, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(fine_colour, colour, rtol=1e-5, atol=1e-6)


def test_rays_do_not_see_each_other() -> None:
    together, first = samples_along([12, 7]), samples_along([12])
    density, albedo = medium(together)
    both = composite(density, albedo, together)
    alone = composite(density[:12], albedo[:12], first)
    assert all(torch.equal(b[:1], a) for b, a in zip(both, alone, strict=True))


def test_a_ray_without_samples_is_clear() -> None:
    samples = samples_along([3, 0, 4])
    density, albedo = medium(samples)
    colour, opacity, depth = composite(density, albedo, samples)
    assert colour[1].tolist() == [0.0, 0.0, 0.0]
    assert (float(opacity[1]), float(depth[1])) == (0.0, 0.0)
    assert float(opacity[2]) > 0.0


@pytest.mark.parametrize("scale", [0.5, 10.0, 80.0])
def test_kernels_agree_with_plain_torch_in_values_and_gradients(scale: float) -> None:
    samples = samples_along([30, 1, 0, 64, 17])
    density, albedo = (x.requires_grad_() for x in medium(samples, scale))
    generator = torch.Generator().manual_seed(1)
    upstream = [torch.randn(shape, generator=generator) for shape in ((5, 3), (5,), (5,))]
    ours = composite(density, albedo, samples)
    theirs = torch_render.composite(density, albedo, samples)
    our_gradients = torch.autograd.grad(ours, [density, albedo], upstream)
    their_gradients = torch.autograd.grad(theirs, [density, albedo], upstream)
    for a, b in zip((*ours, *our_gradients), (*theirs, *their_gradients), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=4e-4)  # the kernels end a ray at a transmittance of 1e-4


def test_what_lies_behind_an_opaque_wall_gets_no_gradient_at_all() -> None:
    samples = samples_along([40])
    density = torch.full((40,), 1.0)
    density[10:20] = 100.0  # ten steps of optical depth 5
    density.requires_grad_()
    albedo = torch.rand(40, 3, requires_grad=True)
    colour, opacity, depth = composite(density, albedo, samples)
    to_density, to_albedo = torch.autograd.grad(colour.sum() + opacity.sum() + depth.sum(), [density, albedo])
    assert (to_density[13:] == 0.0).all()
    assert (to_albedo[13:] == 0.0).all()
    assert (to_albedo[:11] > 0.0).all()


def test_only_one_output_in_use_still_gives_the_gradient() -> None:
    samples = samples_along([20])
    density, albedo = medium(samples)
    density.requires_grad_()
    (gradient,) = torch.autograd.grad(composite(density, albedo, samples)[1].sum(), density)
    passed = torch.exp(-(density.detach().sum() * samples.dt))
    torch.testing.assert_close(gradient, (samples.dt * passed).expand(20), rtol=1e-4, atol=1e-7)
