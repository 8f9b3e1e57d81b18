from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from twins import torch_render

from dreamfusion_engine.render.march import Samples, march, most_samples

FULL = torch.ones(8**3, dtype=torch.uint8)


def random_rays(count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Rays from a sphere of radius 3 towards the box; most hit it."""
    generator = torch.Generator().manual_seed(seed)
    origins = 3.0 * torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=-1)
    target = torch.rand(count, 3, generator=generator) * 3.0 - 1.5
    return origins, torch.nn.functional.normalize(target - origins, dim=-1)


def one_ray(origin: list[float], direction: list[float], **options: object) -> Samples:
    settings: dict[str, object] = {"step": 0.1, "jitter": torch.full((1,), 0.5), "max_samples": 100, **options}
    return march(torch.tensor([origin]), torch.tensor([direction]), FULL, **settings)  # type: ignore[arg-type]


def test_a_ray_through_the_middle_is_sampled_from_face_to_face() -> None:
    samples = one_ray([0.0, -3.0, 0.0], [0.0, 1.0, 0.0])
    assert samples.offsets.tolist() == [0, 20]
    torch.testing.assert_close(samples.t, 2.05 + 0.1 * torch.arange(20.0))
    expected = torch.stack([torch.zeros(20), torch.linspace(-0.95, 0.95, 20), torch.zeros(20)], -1)
    torch.testing.assert_close(samples.points, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("origin", "direction"),
    [
        ([0.0, -3.0, 1.5], [0.0, 1.0, 0.0]),  # passes above
        ([0.0, -3.0, 0.0], [0.0, -1.0, 0.0]),  # looks away
        ([3.0, 3.0, 0.0], [0.0, -1.0, 0.0]),  # passes beside
    ],
)
def test_a_ray_that_misses_the_box_has_no_samples(origin: list[float], direction: list[float]) -> None:
    assert len(one_ray(origin, direction)) == 0


def test_a_ray_that_starts_inside_is_sampled_from_there_on() -> None:
    samples = one_ray([0.0, 0.0, 0.0], [0.0, 0.0, 1.0])
    torch.testing.assert_close(samples.t, 0.05 + 0.1 * torch.arange(10.0))


def test_samples_fill_each_rays_chord_through_the_box() -> None:
    origins, directions = random_rays(500)
    step = 0.02
    samples = march(origins, directions, FULL, step=step, jitter=torch.rand(500), max_samples=1000)
    near, far = torch_render.box_spans(origins, directions)
    assert (samples.points.abs() <= 1.0 + 1e-5).all()
    assert ((samples.offsets.diff() * step - (far - near).clamp_min(0.0)).abs() <= step).all()


@pytest.mark.parametrize("share", [1.0, 0.4, 0.02])
def test_kernels_agree_with_plain_torch(share: float) -> None:
    origins, directions = random_rays(400)
    generator = torch.Generator().manual_seed(1)
    occupied = (torch.rand(16**3, generator=generator) < share).to(torch.uint8)
    options = {"step": 0.03, "jitter": torch.rand(400, generator=generator), "max_samples": 40}
    ours = march(origins, directions, occupied, **options)  # type: ignore[arg-type]
    theirs = torch_render.march(origins, directions, occupied, **options)  # type: ignore[arg-type]
    # A sample within rounding of a cell's face may fall on either side of it.
    differing = ours.offsets.diff() != theirs.offsets.diff()
    assert int(differing.sum()) <= 2
    kept_ours, kept_theirs = ~differing[ours.ray.long()], ~differing[theirs.ray.long()]
    assert torch.equal(ours.ray[kept_ours], theirs.ray[kept_theirs])
    torch.testing.assert_close(ours.t[kept_ours], theirs.t[kept_theirs])
    torch.testing.assert_close(ours.points[kept_ours], theirs.points[kept_theirs], rtol=1e-4, atol=1e-4)


def test_skipping_empty_cells_leaves_the_other_samples_where_they_were() -> None:
    origins, directions = random_rays(300)
    jitter = torch.rand(300, generator=torch.Generator().manual_seed(2))
    occupied = (torch.rand(8**3, generator=torch.Generator().manual_seed(3)) < 0.5).to(torch.uint8)
    everywhere = march(origins, directions, FULL, step=0.05, jitter=jitter, max_samples=200)
    some = march(origins, directions, occupied, step=0.05, jitter=jitter, max_samples=200)
    cell = ((everywhere.points + 1.0) * 4.0).long().clamp(0, 7)
    kept = occupied[cell[:, 0] + 8 * (cell[:, 1] + 8 * cell[:, 2])] > 0
    assert 0 < len(some) < len(everywhere)
    assert torch.equal(some.t, everywhere.t[kept])
    assert torch.equal(some.ray, everywhere.ray[kept])


def test_no_ray_keeps_more_than_its_share_and_keeps_the_nearest() -> None:
    few = one_ray([0.0, -3.0, 0.0], [0.0, 1.0, 0.0], max_samples=7)
    all_of_them = one_ray([0.0, -3.0, 0.0], [0.0, 1.0, 0.0])
    assert torch.equal(few.t, all_of_them.t[:7])


def test_an_empty_box_gives_no_samples() -> None:
    origins, directions = random_rays(50)
    samples = march(origins, directions, FULL * 0, step=0.05, jitter=torch.zeros(50), max_samples=99)
    assert len(samples) == 0
    assert (samples.offsets == 0).all()


@pytest.mark.parametrize("spare", [0, 700])
def test_arrays_with_room_to_spare_hold_the_same_samples_and_nothing_else(spare: int) -> None:
    origins, directions = random_rays(300)
    options = {"step": 0.05, "jitter": torch.rand(300, generator=torch.Generator().manual_seed(4)), "max_samples": 99}
    exact = march(origins, directions, FULL, **options)  # type: ignore[arg-type]
    count = len(exact)
    roomy = march(origins, directions, FULL, rows=count + spare, **options)  # type: ignore[arg-type]
    assert exact.wanted is None
    assert roomy.wanted is not None and roomy.wanted.tolist() == [count]
    assert len(roomy) == count + spare
    for name in ("points", "ray", "t"):
        assert torch.equal(getattr(roomy, name)[:count], getattr(exact, name))
    assert torch.equal(roomy.offsets, exact.offsets)
    assert (roomy.points[count:].abs() > 1.0).all(), "outside the box, where there is nothing"


def test_samples_that_do_not_fit_are_cut_and_counted() -> None:
    origins, directions = random_rays(300)
    options = {"step": 0.05, "jitter": torch.zeros(300), "max_samples": 99}
    exact = march(origins, directions, FULL, **options)  # type: ignore[arg-type]
    rows = len(exact) // 2
    cut = march(origins, directions, FULL, rows=rows, **options)  # type: ignore[arg-type]
    assert cut.wanted is not None and cut.wanted.tolist() == [len(exact)]
    assert torch.equal(cut.t, exact.t[:rows])
    assert torch.equal(cut.offsets, exact.offsets.clamp(max=rows))


@pytest.mark.parametrize("step", [0.05, 0.031, 2.0 / 64])
def test_no_ray_has_more_samples_than_the_most(step: float) -> None:
    """The longest rays there are: from corner to corner."""
    corner = torch.tensor([[3.0, 3.0, 3.0], [-3.0, 3.0, -3.0]])
    directions = torch.nn.functional.normalize(-corner, dim=-1)
    for jitter in (0.0, 0.5, 0.999):
        found = march(corner, directions, FULL, step=step, jitter=torch.full((2,), jitter), max_samples=10_000)
        assert int(found.offsets.diff().max()) <= most_samples(step, 10_000)
    assert most_samples(step, 30) == 30


def test_any_number_of_threads_gives_the_same_bits(set_threads: Callable[[int], None]) -> None:
    origins, directions = random_rays(1000)
    results = []
    for threads in (1, 2, 3):
        set_threads(threads)
        results.append(march(origins, directions, FULL, step=0.03, jitter=torch.zeros(1000), max_samples=99))
    for other in results[1:]:
        assert torch.equal(other.t, results[0].t)
        assert torch.equal(other.points, results[0].points)
        assert torch.equal(other.ray, results[0].ray)


@pytest.mark.cuda
def test_cuda_agrees_with_the_cpu() -> None:
    origins, directions = random_rays(300)
    expected = march(origins, directions, FULL, step=0.05, jitter=torch.zeros(300), max_samples=99)
    found = march(
        origins.cuda(), directions.cuda(), FULL.cuda(), step=0.05, jitter=torch.zeros(300).cuda(), max_samples=99
    )
    torch.testing.assert_close(found.t.cpu(), expected.t)
