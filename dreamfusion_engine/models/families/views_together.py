"""Attention among several views of one object, for any unet of diffusers (MVDream, Shi 2023, arXiv 2308.16512)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class AttentionTogether:
    """Attention among the pixels of several views: (b v) l c -> b (v l) c, attention, and back.

    views: int, v, rows in a row that see each other.
    inner: diffusers' processor, which attends.
    Source: arXiv 2308.16512, section 3.1, "3D self-attention".
    """

    def __init__(self, views: int, inner: Any) -> None:
        self._views = views
        self.inner = inner

    def __call__(
        self,
        attn: nn.Module,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
    ) -> Tensor:
        """Return what `inner` does with the views of each group side by side; the arguments are those of diffusers."""
        if encoder_hidden_states is not None:
            prompted: Tensor = self.inner(attn, hidden_states, encoder_hidden_states, attention_mask)
            return prompted
        _, length, width = hidden_states.shape
        side_by_side = hidden_states.reshape(-1, self._views * length, width)
        seen: Tensor = self.inner(attn, side_by_side, None, attention_mask)
        return seen.reshape(-1, length, width)


def let_views_see_each_other(network: Any, views: int) -> None:
    """Let each view's pixels attend to those of the other views of its group.

    network: UNet2DConditionModel, changed in place.
    views: int, rows in a row that see each other; 1: each row sees itself.
    """
    plain = {
        name: each.inner if isinstance(each, AttentionTogether) else each
        for name, each in network.attn_processors.items()
    }
    network.set_attn_processor(
        {
            name: AttentionTogether(views, each) if views > 1 and ".attn1." in name else each
            for name, each in plain.items()
        }
    )
