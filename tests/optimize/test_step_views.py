"""What lies behind the object in the views of a step."""

from __future__ import annotations

import torch

from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.optimize.step_views import sample_step_views


def test_white_lies_behind_every_view_where_the_recipe_says_so() -> None:
    generator = torch.Generator().manual_seed(0)
    white = sample_step_views(preset("draft", "", recipe="stable-zero123"), 4, 8, generator, generator)
    assert torch.equal(white.background, torch.ones(4, 3))
    other = sample_step_views(preset("draft", "a mug"), 4, 8, generator, generator)
    assert len({tuple(row.tolist()) for row in other.background}) == 4
