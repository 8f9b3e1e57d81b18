"""A low-rank change of a frozen network: W x + (a / r) B A x (Hu 2021, arXiv 2106.09685, section 4.1).

Only the projections of attention get one, as in the paper's section 4.2. The changed network is a copy that shares
every weight with the frozen one. It costs only the memory of A and B, and the frozen network stays as it is.
"""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn

from dreamfusion_engine.errors import SetupError

PROJECTIONS = ("to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")
# The names that diffusers gives the projections of attention, in UNets and in transformers.


class LowRankLinear(nn.Module):
    """y = W x + b + (a / r) B A x, with A float32[r, in] and B float32[out, r]; a = r, so the factor is 1.

    A starts normal with variance 1 / in, and B at zero, so the layer starts equal to `base`.

    base: nn.Linear, the frozen layer.
    rank: int, r.
    generator: draws A.
    """

    def __init__(self, base: nn.Linear, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        self.base = base
        start = torch.randn(rank, base.in_features, generator=generator, device=generator.device)
        device = base.weight.device
        self.down = nn.Parameter((start / math.sqrt(base.in_features)).to(device))
        self.up = nn.Parameter(torch.zeros(base.out_features, rank, device=device))

    def forward(self, x: Tensor) -> Tensor:
        """Return y, as `base` does; the small products are computed in float32, whatever `base` computes in."""
        y: Tensor = self.base(x)
        change = nn.functional.linear(nn.functional.linear(x.to(self.down.dtype), self.down), self.up)
        return y + change.to(y.dtype)


def with_low_rank(network: nn.Module, rank: int, generator: torch.Generator) -> nn.Module:
    """Copy a network, sharing its weights, with a LowRankLinear in place of each projection of attention.

    network: nn.Module, frozen.
    rank: int, r.
    generator: draws every A, in the order of the layers.
    Raises SetupError model.unsupported where the network has no such layer.
    """
    # Tensors are entered as their own copies, so that only the tree of modules is copied.
    memo = {id(tensor): tensor for tensor in [*network.parameters(), *network.buffers()]}
    changed: nn.Module = copy.deepcopy(network, memo)
    names = [n for n, m in changed.named_modules() if isinstance(m, nn.Linear) and n.endswith(PROJECTIONS)]
    if not names:
        raise SetupError(
            "model.unsupported",
            what="This model cannot be used with the score 'vsd'.",
            why=f"Its denoiser, {type(network).__name__}, has no attention layers to train a change of.",
            fix="Take another score, such as --set guidance.score=sds, or another --model.",
        )
    for name in names:
        parent, _, leaf = name.rpartition(".")
        holder = changed.get_submodule(parent)
        layer = LowRankLinear(holder.get_submodule(leaf), rank, generator)  # type: ignore[arg-type]
        setattr(holder, leaf, layer)
    return changed


def low_rank_parameters(network: nn.Module) -> dict[str, nn.Parameter]:
    """Return A and B of every changed layer by name, in the order of the layers."""
    layers = [(n, m) for n, m in network.named_modules() if isinstance(m, LowRankLinear)]
    return {f"{name}.{part}": getattr(layer, part) for name, layer in layers for part in ("down", "up")}
