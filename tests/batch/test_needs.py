"""What a run of a batch takes: of two models the larger, not both."""

from __future__ import annotations

from pathlib import Path

import pytest
from reference.tiny_families import VARIANTS

from dreamfusion_engine.batch.needs import needs_of
from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.request.generate import checked_request


@pytest.mark.slow
def test_a_run_of_two_models_takes_the_memory_of_the_larger(tmp_path: Path) -> None:
    VARIANTS["sdxl"]().save_pretrained(tmp_path / "model")
    other = str(tmp_path / "model")

    def asked(**settings: object) -> tuple[int, int]:
        made = checked_request("a mug", preset_name="draft", settings=settings, output=tmp_path / "out").config
        found = needs_of(made)
        return found.main, found.card

    alone, both = asked(model=other), asked(model=other, texture={"model": "starter"})
    assert both == alone, "the starter's stage takes less"
    other_way = asked(texture={"model": other})
    plain = needs_of(preset("draft", "a mug"))
    assert plain.main <= other_way[0] <= alone[0] + plain.main and other_way[0] < alone[0] + plain.main
