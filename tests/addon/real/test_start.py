"""Start from a mesh through the add-on with the real engine: the object stands where the block stood, as large.

Of: blender_addon/ui/scene/blockout.py, blender_addon/ui/scene/insert.py, dreamfusion_engine/run/start.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from addon.blenders import Session

REAL = Path(__file__).with_name("scripts") / "start_real.py"
BLOCK = [4.0, 5.0, 5.0, 6.0, 7.0, 9.0]


@pytest.mark.slow
def test_the_real_engine_begins_from_a_block_and_stays_in_its_place(newest_blender: Session, tmp_path: Path) -> None:
    facts = newest_blender.run(REAL, str(tmp_path / "house.blend")).facts
    assert facts["pressed"] == ["FINISHED"] and facts["state"] == "done", facts["trouble"]
    assert facts["box"] == pytest.approx(BLOCK, abs=0.4)
    assert facts["previews"] and facts["previews"][0] == pytest.approx(BLOCK, abs=0.6)
    assert facts["location"] == pytest.approx([5.0, 6.0, 5.0], abs=1e-4)
    assert facts["hidden"] and facts["textured"]
