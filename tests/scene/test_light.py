from __future__ import annotations

import torch

from dreamfusion_engine.scene.light import sample_lights

POSITION = torch.tensor([[0.0, -3.0, 1.0]])


def test_lights_are_0_9_to_1_5_camera_distances_from_the_object() -> None:
    lights = sample_lights(POSITION.expand(2000, 3), torch.Generator().manual_seed(0))
    share = lights.norm(dim=-1) / POSITION.norm()
    assert 0.899 < float(share.min()) < 0.91
    assert 1.49 < float(share.max()) < 1.501


def test_lights_gather_around_the_camera() -> None:
    lights = sample_lights(POSITION.expand(2000, 3), torch.Generator().manual_seed(0))
    towards = torch.nn.functional.cosine_similarity(lights, POSITION.expand(2000, 3))
    assert 0.85 < float(towards.mean()) < 0.95
    assert float((towards < 0.0).float().mean()) < 0.01


def test_a_spread_of_zero_leaves_the_light_behind_the_camera_and_of_one_is_the_papers() -> None:
    behind = sample_lights(POSITION.expand(50, 3), torch.Generator().manual_seed(0), 0.0)
    torch.testing.assert_close(torch.nn.functional.cosine_similarity(behind, POSITION.expand(50, 3)), torch.ones(50))
    wide = sample_lights(POSITION.expand(20_000, 3), torch.Generator().manual_seed(0), 1.0)
    cosine = torch.nn.functional.cosine_similarity(wide, POSITION.expand(20_000, 3))
    noise = torch.randn(200_000, 3, generator=torch.Generator().manual_seed(1)) + torch.tensor([0.0, 0.0, 1.0])
    assert abs(float(cosine.mean()) - float((noise[:, 2] / noise.norm(dim=-1)).mean())) < 0.01


def test_the_distribution_scales_with_the_scene() -> None:
    near = sample_lights(POSITION, torch.Generator().manual_seed(1))
    far = sample_lights(2.0 * POSITION, torch.Generator().manual_seed(1))
    torch.testing.assert_close(far, 2.0 * near)


def test_each_view_gets_its_own_light_and_a_seed_the_same_ones() -> None:
    first, again = (sample_lights(POSITION.expand(2, 3), torch.Generator().manual_seed(2)) for _ in range(2))
    assert first.shape == (2, 3)
    assert torch.equal(first, again)
    assert not torch.allclose(first[0], first[1])
