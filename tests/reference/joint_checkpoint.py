"""Diffusion transformers' weights under the names of their first programs, as single-file checkpoints have them.

Stable Diffusion 3 (github.com/Stability-AI/sd3.5, mmditx.py) and Flux (github.com/black-forest-labs/flux, model.py).
Written from the two programs' structure, block by block, and not from the converter that it tests: both join query, key
and value in one matrix, and split the output of their last modulation as shift, scale where diffusers has scale, shift.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class Moved:
    """Takes weights from a module's state under their new names, and keeps them under their old ones."""

    def __init__(self, module: Any, prefix: str) -> None:
        self._left = dict(module.state_dict())
        self._prefix = prefix
        self.state: dict[str, Tensor] = {}

    def layer(self, new: str, old: str) -> None:
        """A layer with a weight and a bias."""
        for kind in ("weight", "bias"):
            self.keep(f"{old}.{kind}", self._left.pop(f"{new}.{kind}"))

    def joined(self, news: list[str], old: str) -> None:
        """Several layers as one, their outputs after one another."""
        for kind in ("weight", "bias"):
            self.keep(f"{old}.{kind}", torch.cat([self._left.pop(f"{new}.{kind}") for new in news]))

    def swapped(self, new: str, old: str) -> None:
        """A layer whose output is scale, shift, as one with shift, scale."""
        for kind in ("weight", "bias"):
            scale, shift = self._left.pop(f"{new}.{kind}").chunk(2)
            self.keep(f"{old}.{kind}", torch.cat([shift, scale]))

    def one(self, new: str, old: str) -> None:
        """A single tensor."""
        self.keep(old, self._left.pop(new))

    def keep(self, old: str, value: Tensor) -> None:
        self.state[self._prefix + old] = value

    def done(self) -> dict[str, Tensor]:
        """The old state, after a check that nothing was left behind."""
        assert not self._left, sorted(self._left)
        return self.state


def _qkv(attention: str, names: tuple[str, str, str] = ("to_q", "to_k", "to_v")) -> list[str]:
    return [f"{attention}.{name}" for name in names]


_ADDED = ("add_q_proj", "add_k_proj", "add_v_proj")


def sd3_state(transformer: Any, prefix: str = "model.diffusion_model.") -> dict[str, Tensor]:
    """An SD3Transformer2DModel's weights under the old names."""
    config, moved = transformer.config, Moved(transformer, prefix)
    moved.one("pos_embed.pos_embed", "pos_embed")
    moved.layer("pos_embed.proj", "x_embedder.proj")
    for new, old in (("timestep_embedder", "t_embedder"), ("text_embedder", "y_embedder")):
        moved.layer(f"time_text_embed.{new}.linear_1", f"{old}.mlp.0")
        moved.layer(f"time_text_embed.{new}.linear_2", f"{old}.mlp.2")
    moved.layer("context_embedder", "context_embedder")
    for i in range(config.num_layers):
        new, x, context = f"transformer_blocks.{i}", f"joint_blocks.{i}.x_block", f"joint_blocks.{i}.context_block"
        last = i == config.num_layers - 1
        moved.joined(_qkv(f"{new}.attn"), f"{x}.attn.qkv")
        moved.joined(_qkv(f"{new}.attn", _ADDED), f"{context}.attn.qkv")
        if config.qk_norm:
            moved.one(f"{new}.attn.norm_q.weight", f"{x}.attn.ln_q.weight")
            moved.one(f"{new}.attn.norm_k.weight", f"{x}.attn.ln_k.weight")
            moved.one(f"{new}.attn.norm_added_q.weight", f"{context}.attn.ln_q.weight")
            moved.one(f"{new}.attn.norm_added_k.weight", f"{context}.attn.ln_k.weight")
        moved.layer(f"{new}.attn.to_out.0", f"{x}.attn.proj")
        if i in config.dual_attention_layers:
            moved.joined(_qkv(f"{new}.attn2"), f"{x}.attn2.qkv")
            moved.layer(f"{new}.attn2.to_out.0", f"{x}.attn2.proj")
            if config.qk_norm:
                moved.one(f"{new}.attn2.norm_q.weight", f"{x}.attn2.ln_q.weight")
                moved.one(f"{new}.attn2.norm_k.weight", f"{x}.attn2.ln_k.weight")
        moved.layer(f"{new}.norm1.linear", f"{x}.adaLN_modulation.1")
        moved.layer(f"{new}.ff.net.0.proj", f"{x}.mlp.fc1")
        moved.layer(f"{new}.ff.net.2", f"{x}.mlp.fc2")
        if last:  # its text tokens end here: only shift and scale before the attention
            moved.swapped(f"{new}.norm1_context.linear", f"{context}.adaLN_modulation.1")
            continue
        moved.layer(f"{new}.norm1_context.linear", f"{context}.adaLN_modulation.1")
        moved.layer(f"{new}.attn.to_add_out", f"{context}.attn.proj")
        moved.layer(f"{new}.ff_context.net.0.proj", f"{context}.mlp.fc1")
        moved.layer(f"{new}.ff_context.net.2", f"{context}.mlp.fc2")
    moved.swapped("norm_out.linear", "final_layer.adaLN_modulation.1")
    moved.layer("proj_out", "final_layer.linear")
    return moved.done()


def flux_state(transformer: Any, prefix: str = "") -> dict[str, Tensor]:
    """A FluxTransformer2DModel's weights under the old names."""
    config, moved = transformer.config, Moved(transformer, prefix)
    moved.layer("x_embedder", "img_in")
    moved.layer("context_embedder", "txt_in")
    embedders = [("timestep_embedder", "time_in"), ("text_embedder", "vector_in")]
    embedders += [("guidance_embedder", "guidance_in")] if config.guidance_embeds else []
    for new, old in embedders:
        moved.layer(f"time_text_embed.{new}.linear_1", f"{old}.in_layer")
        moved.layer(f"time_text_embed.{new}.linear_2", f"{old}.out_layer")
    for i in range(config.num_layers):
        new, old = f"transformer_blocks.{i}", f"double_blocks.{i}"
        for stream, names, norms, suffix in (
            ("img", ("to_q", "to_k", "to_v"), ("norm_q", "norm_k"), ""),
            ("txt", _ADDED, ("norm_added_q", "norm_added_k"), "_context"),
        ):
            moved.layer(f"{new}.norm1{suffix}.linear", f"{old}.{stream}_mod.lin")
            moved.joined(_qkv(f"{new}.attn", names), f"{old}.{stream}_attn.qkv")
            moved.one(f"{new}.attn.{norms[0]}.weight", f"{old}.{stream}_attn.norm.query_norm.scale")
            moved.one(f"{new}.attn.{norms[1]}.weight", f"{old}.{stream}_attn.norm.key_norm.scale")
            out = "to_add_out" if suffix else "to_out.0"
            moved.layer(f"{new}.attn.{out}", f"{old}.{stream}_attn.proj")
            moved.layer(f"{new}.ff{suffix}.net.0.proj", f"{old}.{stream}_mlp.0")
            moved.layer(f"{new}.ff{suffix}.net.2", f"{old}.{stream}_mlp.2")
    for i in range(config.num_single_layers):
        new, old = f"single_transformer_blocks.{i}", f"single_blocks.{i}"
        moved.layer(f"{new}.norm.linear", f"{old}.modulation.lin")
        moved.joined([*_qkv(f"{new}.attn"), f"{new}.proj_mlp"], f"{old}.linear1")
        moved.one(f"{new}.attn.norm_q.weight", f"{old}.norm.query_norm.scale")
        moved.one(f"{new}.attn.norm_k.weight", f"{old}.norm.key_norm.scale")
        moved.layer(f"{new}.proj_out", f"{old}.linear2")
    moved.swapped("norm_out.linear", "final_layer.adaLN_modulation.1")
    moved.layer("proj_out", "final_layer.linear")
    return moved.done()


def named_state(module: Any, prefix: str) -> dict[str, Tensor]:
    """Weights under the names of transformers, as these files keep their text encoders."""
    return {f"{prefix}{name}": value for name, value in module.state_dict().items()}
