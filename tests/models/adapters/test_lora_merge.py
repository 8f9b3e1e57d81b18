"""The size and the rank of what a LoRA adds to a weight."""

from __future__ import annotations

import torch

from dreamfusion_engine.models.adapters.lora_merge import low_rank_change, said_scale


def test_the_scale_is_alpha_over_the_rank_or_over_its_root() -> None:
    assert said_scale({}, "unet", "x.to_q", 4) == 1.0
    assert said_scale({"unet.lora_alpha": 8}, "unet", "x.to_q", 4) == 2.0
    assert said_scale({"unet.lora_alpha": 8}, "text_encoder", "x.q_proj", 4) == 1.0
    assert said_scale({"unet.lora_alpha": 8, "unet.use_rslora": True}, "unet", "x.to_q", 4) == 4.0
    assert said_scale({"unet.lora_alpha": 8, "unet.alpha_pattern": {"to_k": 1}}, "unet", "x.to_q", 4) == 2.0


def test_a_pattern_names_a_layer_or_the_end_of_its_path_and_the_first_one_counts() -> None:
    said = {"unet.lora_alpha": 8, "unet.alpha_pattern": {r"^x\.to_q": 1, "to_q": 2, "b.to_v": 3}}
    assert said_scale(said, "unet", "x.to_q", 4) == 0.25 and said_scale(said, "unet", "a.x.to_q", 4) == 0.5
    assert said_scale(said, "unet", "a.b.to_v", 4) == 0.75
    assert said_scale(said, "unet", "a.not_to_q", 4) == said_scale(said, "unet", "ab.to_v", 4) == 2.0


def test_the_change_has_the_rank_of_its_factors() -> None:
    down, up = torch.randn(2, 5, 3, 3), torch.randn(7, 2, 1, 1)
    change = low_rank_change(down, up, 1.0, torch.Size([7, 5, 3, 3]))
    assert int(torch.linalg.matrix_rank(change.reshape(7, -1))) == 2
    x = torch.randn(1, 5, 6, 6)
    through = torch.nn.functional.conv2d(torch.nn.functional.conv2d(x, down), up)
    torch.testing.assert_close(torch.nn.functional.conv2d(x, change), through, atol=1e-4, rtol=1e-4)
