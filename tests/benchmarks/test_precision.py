"""Facts about the benchmark of half precision: a streamed network is the whole one, and holds no weights between calls.

Of: benchmarks/guidance/precision.py, benchmarks/guidance/streamed.py.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmarks.guidance.precision import HALVES, Rounded, predictions, predictions_together
from benchmarks.guidance.streamed import streamed
from benchmarks.memory.networks import denoiser_inputs, transformer, unet

TINY: dict[str, Callable[[], nn.Module]] = {
    "flux": transformer(
        "FluxTransformer2DModel",
        in_channels=4,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=8,
        pooled_projection_dim=8,
        guidance_embeds=True,
        axes_dims_rope=(4, 4, 8),
    ),
    "sd3": transformer(
        "SD3Transformer2DModel",
        sample_size=8,
        num_layers=2,
        num_attention_heads=2,
        attention_head_dim=8,
        joint_attention_dim=8,
        caption_projection_dim=16,
        pooled_projection_dim=8,
        out_channels=16,
        pos_embed_max_size=8,
        qk_norm="rms_norm",
    ),
    "if": unet(
        in_channels=3,
        out_channels=6,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        attention_head_dim=4,
        norm_num_groups=4,
        cross_attention_dim=32,
        encoder_hid_dim=8,
        encoder_hid_dim_type="text_proj",
        addition_embed_type="text",
        addition_embed_type_num_heads=2,
        resnet_time_scale_shift="scale_shift",
        cross_attention_norm="group_norm",
    ),
}


def inputs_and_texts(model: Any) -> tuple[dict[str, Any], tuple[Tensor, Tensor]]:
    torch.manual_seed(5)
    inputs = denoiser_inputs(model, 1, 8, 3)
    text = inputs.pop("encoder_hidden_states")
    return inputs, (text, torch.randn_like(text))


def kept_whole(model: nn.Module) -> nn.Module:
    """The same network with every layer's weights in memory, as its own hooks make them."""
    whole = copy.deepcopy(model)
    for mine, its in zip(whole.modules(), model.modules(), strict=True):
        hooks = list(its._forward_pre_hooks.values())
        if hooks:
            empty = dict(its.named_parameters(recurse=False))
            hooks[0](its, None)
            for name, value in its.named_parameters(recurse=False):
                setattr(mine, name, nn.Parameter(value.detach().clone(), requires_grad=False))
            for name, value in empty.items():
                setattr(its, name, value)
        mine._forward_pre_hooks.clear()
        mine._forward_hooks.clear()
    return whole


@pytest.mark.slow
@pytest.mark.parametrize("name", TINY)
def test_a_streamed_network_is_the_whole_one_in_every_precision_and_keeps_nothing(name: str) -> None:
    model = streamed(TINY[name], seed=3)
    empty = [parameter for parameter in model.parameters() if parameter.is_meta]
    assert sum(p.numel() for p in empty) > 0.9 * sum(p.numel() for p in model.parameters())
    whole = kept_whole(model)
    assert not any(parameter.is_meta for parameter in whole.parameters())
    inputs, texts = inputs_and_texts(model)
    exact = predictions(whole, inputs, texts)
    for seen, expected in zip(predictions_together(model, inputs, texts), exact, strict=True):
        torch.testing.assert_close(seen, expected, rtol=1e-4, atol=1e-5)
    assert float((exact[1] - exact[0]).abs().max()) > 0
    for dtype in HALVES.values():
        reduced = copy.deepcopy(whole)
        for tensor in (*reduced.parameters(), *reduced.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(tensor.to(dtype))
        again = streamed(TINY[name], seed=3)
        for tensor in (*again.parameters(), *again.buffers()):
            if tensor.is_floating_point() and not tensor.is_meta:
                tensor.copy_(tensor.to(dtype))
        with Rounded(dtype):
            expected_pair = predictions_together(reduced, inputs, texts)
            pair = predictions_together(again, inputs, texts)
        for seen, expected in zip(pair, expected_pair, strict=True):
            assert torch.equal(seen, expected)
        assert not torch.equal(pair[1], exact[1])
    assert sum(parameter.is_meta for parameter in model.parameters()) == len(empty)


def test_a_streamed_layer_has_torchs_own_spread_and_another_seed_other_weights() -> None:
    seen = []
    for seed in (0, 1):
        layer: Any = streamed(lambda: nn.Linear(400, 300), seed)
        layer._forward_pre_hooks[next(iter(layer._forward_pre_hooks))](layer, None)
        seen.append(layer.weight.detach().clone())
    own = nn.Linear(400, 300).weight.detach()
    assert abs(float(seen[0].std() / own.std()) - 1.0) < 0.01
    assert float(seen[0].abs().max()) <= 1.0 / 400**0.5
    assert not torch.equal(seen[0], seen[1])


def test_a_layer_without_a_rule_is_refused() -> None:
    with pytest.raises(TypeError, match="Embedding"):
        streamed(lambda: nn.Embedding(4, 4), seed=0)
