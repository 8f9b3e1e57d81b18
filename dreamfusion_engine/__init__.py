"""DreamFusion engine: text prompt -> NeRF by score distillation -> textured mesh.

Importing this package loads no torch: heavy modules are imported where they are used.
"""

__version__ = "0.2.0"
