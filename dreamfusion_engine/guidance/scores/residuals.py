"""The residual function of every score, by name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from dreamfusion_engine.config.scores import SCORES, Score
from dreamfusion_engine.guidance.scores.guide import Residual

# Each score's function is `residual` in the file of its name, so that a new score is that file and its record.
RESIDUALS: Mapping[Score, Residual] = {
    name: importlib.import_module(f"{__package__}.{name}").residual for name in SCORES
}
