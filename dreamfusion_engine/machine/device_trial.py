"""Whether a device computes rightly: a small piece of what a diffusion model does, held against the processor's.

Torch saying that a device is available means a driver that answers, not kernels that fit the card.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from dreamfusion_engine.inputs.outside_text import first_line
from dreamfusion_engine.machine.backends import wait_for
from dreamfusion_engine.machine.device import out_of_memory

if TYPE_CHECKING:
    import torch
    from torch import Tensor

# Relative error by precision, of the largest that runs use: cards may multiply float32 with 10 bits of mantissa.
_WORST = {"float32": 0.02, "float16": 0.05}


@functools.cache
def trouble_of(device: torch.device) -> str:
    """Return why a device cannot be relied on, '' where it can; tried once in a process.

    device: torch.device that torch says is there.
    """
    import torch

    certain = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)  # a run on the processor asks for it, and cards refuse some work then
    try:
        with torch.enable_grad():
            return _trouble_of(device)
    finally:
        torch.use_deterministic_algorithms(certain)


def _trouble_of(device: torch.device) -> str:
    import torch

    exact = _work(torch.device("cpu"), torch.float32)
    for name, worst in _WORST.items():
        try:
            found = [tensor.float().cpu() for tensor in _work(device, getattr(torch, name))]
            wait_for(device)
        except Exception as error:  # whatever a driver or a library says is the finding
            if out_of_memory(error):
                return ""  # another program has its memory now, which a run says by itself
            return f"a small trial in {name} failed there: {first_line(f'{type(error).__name__}: {error}')}"
        for tensor, expected in zip(found, exact, strict=True):
            wrong = float((tensor - expected).norm() / expected.norm())
            if not wrong <= worst:  # not a number is wrong too
                return f"a small trial in {name} came out wrong there, by {wrong:.2g} of its size"
    return ""


def _work(device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """A convolution, a normalisation, attention and a projection, and the gradient that comes back through them."""
    import torch
    import torch.nn.functional as F

    generator = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).to(device, dtype)

    picture = drawn(2, 8, 16, 16).requires_grad_()
    weight, projection = drawn(8, 8, 3, 3) / 8.0, drawn(8, 8)
    seen = F.silu(F.group_norm(F.conv2d(picture, weight, padding=1), 4))
    tokens = seen.flatten(2).transpose(1, 2).unflatten(2, (2, 4)).transpose(1, 2)
    looked = F.scaled_dot_product_attention(tokens, tokens, tokens).transpose(1, 2).flatten(2)
    told = F.linear(looked, projection)
    (gradient,) = torch.autograd.grad(told.square().sum(), picture)
    return told.detach(), gradient
