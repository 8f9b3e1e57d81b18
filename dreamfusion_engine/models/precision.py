"""When a model is held in half precision."""

from __future__ import annotations

HALF_ABOVE = 200_000_000  # parameters beyond which precision 'auto' holds a model in half precision on a card
