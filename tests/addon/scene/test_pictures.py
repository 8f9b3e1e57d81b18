"""Pictures for the panel: from PNG bytes, cut into squares, without a trace in the file.

Of: blender_addon/core/picture.py, blender_addon/ui/scene/icons.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from addon.blenders import Session
from PIL import Image

SCRIPT = Path(__file__).with_name("scripts") / "pictures.py"


def test_pictures_come_and_go_without_a_trace(blender: Session, tmp_path: Path) -> None:
    image = Image.new("RGB", (64, 16))
    for number in range(4):
        image.paste((80 * number, 0, 255), (16 * number, 0, 16 * number + 16, 8))  # above
        image.paste((80 * number, 255, 0), (16 * number, 8, 16 * number + 16, 16))  # below
    image.save(tmp_path / "row.png")
    facts = blender.run(SCRIPT, str(tmp_path / "row.png")).facts
    assert facts["before"] == facts["after"] == [0, False]
    assert facts["shown"] == [True, True] and facts["has"] == [True, True, True, False, False, False]
    assert facts["damaged"] == [False] * 4 and facts["same"]
    assert facts["huge"] == [True, False]
    for number, (width, height, first, last) in enumerate(facts["parts"]):
        assert (width, height) == (16, 16)
        assert first == pytest.approx([80 * number / 255, 1, 0, 1], abs=1e-3)  # rows go up
        assert last == pytest.approx([80 * number / 255, 0, 1, 1], abs=1e-3)
    assert facts["forgotten"] == [False, True]
    assert facts["again"] == [False, True]
