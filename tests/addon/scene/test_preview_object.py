"""The object that grows: little work, at its place, never in the artist's way, never left behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from addon.blenders import Session
from addon.scene.shapes import write_body

SCRIPT = Path(__file__).with_name("scripts") / "preview.py"
# Of the processor, for each of the two ticks that show a mesh: five times the bar of benchmarks/speed/addon_ticks.py,
# because programs that share its caches and cores stretch even that two or three times.
TICK_S = 5 * 0.010
SAME = 20  # lines of Python: a mesh of any size is handed to Blender in a few calls


def test_the_preview_grows_and_goes_and_survives_the_artist(blender: Session, tmp_path: Path) -> None:
    body = write_body(tmp_path / "mesh.glb", 70, 72)  # 9,936 triangles: a preview's usual size
    facts = blender.run(SCRIPT, str(body), str(blender.folder)).facts

    looks = facts["looks"]
    assert looks["box"][0][2] == pytest.approx(3.0, abs=1e-4)  # on the cursor
    assert looks["box"][1][2] == pytest.approx(7.0, abs=1e-4)  # as large as asked
    assert 0.5 * (looks["box"][0][0] + looks["box"][1][0]) == pytest.approx(1.0, abs=1e-4)
    orange = [1.0, 0.2159, 0.0, 1.0]  # sRGB 255, 128, 0 as linear values
    assert looks["colour"] == pytest.approx(orange, abs=1e-3) and looks["solid"] == pytest.approx(orange, abs=1e-3)
    assert looks["active_colour"] and looks["node"] == ["Color"] and looks["smooth"] and looks["open"] == 0
    assert looks["hidden"] == [True, True, False] and looks["in front"] is False

    assert facts["fifty"]["same"] and not facts["fifty"]["idle"] and facts["removed"]
    steps = [sorted(column)[25] for column in zip(*facts["fifty"]["cpu"], strict=True)]
    print(f"Blender {blender.series}: {facts['fifty']['triangles']:,} triangles, take and show: {steps}")
    assert max(steps) < TICK_S
    assert abs(facts["lines"][0] - facts["lines"][1]) < SAME

    assert facts["rendering"] == [False, 1, 0, True] and facts["rendered"] == [True, 0, 1, False]
    assert facts["damaged"] == [False] * 8 + [True]
    assert facts["deleted"] == [0, False, 0, False]
    assert facts["deletion undone"] == [1, True, 1]
    assert facts["undone"] == [0, True] and facts["came again"] == 1
    assert facts["stale"] == 0
    assert facts["renamed"] == ["Mine"] and facts["copied"] == 0
    assert facts["edited"] == [False, "EDIT_MESH"] and facts["kept"] == ["EDIT_MESH", True, None, False]
    assert facts["kept as it is"] is False
    assert facts["beside"] == ["EDIT_MESH", 1, "EDIT_MESH", 0]
    assert facts["saved"] == [0, True, 1] and facts["in file"] == []
    assert facts["opened"] == [0, False, True, 1]
    assert facts["recovered"] == [0, 0]
    assert facts["placeholder"] == pytest.approx([4.0, 6.0], abs=1e-4)
    assert facts["end"] == [0] * 6
