"""Texture This through the add-on with the real engine: what an artist's object gets, and what stays.

Of: blender_addon/ui/run/painting.py, blender_addon/ui/scene/texture/repaint.py, dreamfusion_engine/tasks/texture.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from addon.blenders import Session

REAL = Path(__file__).with_name("scripts") / "texture_real.py"


@pytest.mark.slow
def test_the_real_engine_paints_a_chair_blue_and_leaves_its_shape_and_uvs(
    newest_blender: Session, tmp_path: Path
) -> None:
    facts = newest_blender.run(REAL, str(tmp_path / "chair.blend")).facts
    assert facts["pressed"] == ["FINISHED"] and facts["state"] == "done", facts["trouble"]
    assert facts["same"] == [True] and facts["uvs"] is True
    assert facts["packed"] == [True]
    ((red, green, blue),) = facts["textures"]
    assert blue > red + 0.1 and blue > green + 0.05, f"a blue chair is not {facts['textures']}"
