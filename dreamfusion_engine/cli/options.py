"""What the options of a command say, as settings nested by stage."""

from __future__ import annotations

import argparse
from typing import Any

from dreamfusion_engine.commands import typed_settings


def run_settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return what the options of a run say.

    options: of a command that makes something.
    """
    return given_settings(options) | {
        "seed": options.seed or 0,
        "negative": options.negative,
        "device": options.device,
    }


def given_settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return what --set, --model, --base and the options that are short for a --set say.

    options: of a command that has them.
    """
    # Each of some commands.
    lock, part, shape, method = (getattr(options, name, None) for name in ("lock", "part", "shape", "method"))
    settings = typed_settings.given_settings(
        options.set,
        options.steps,
        options.lora,
        options.embedding,
        lock=lock,
        part=part,
        shape=shape,
        texture_model=getattr(options, "texture_model", None),
        texture_base=getattr(options, "texture_base", None),
        method=method,
        seed_option="--seed" if hasattr(options, "seed") else "--seeds",  # a batch has seeds alone
    )
    return settings | {"model": options.model, "base": options.base}
