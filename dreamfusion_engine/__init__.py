"""DreamFusion engine: text prompt -> NeRF by score distillation -> textured mesh.

`from dreamfusion_engine import generate` makes an object from Python; `texture` and `refine` change a mesh. Importing
this package loads no torch: heavy modules are imported where they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dreamfusion_engine.scripting import generate as generate
    from dreamfusion_engine.scripting import refine as refine
    from dreamfusion_engine.scripting import texture as texture

__version__ = "0.2.0"
_FUNCTIONS = ("generate", "refine", "texture")


def __getattr__(name: str) -> Any:
    """Import the functions for scripts when they are asked for: the engine itself does without them."""
    if name not in _FUNCTIONS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dreamfusion_engine import scripting

    return getattr(scripting, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_FUNCTIONS})
