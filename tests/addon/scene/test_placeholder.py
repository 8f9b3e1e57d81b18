"""A result in the place of a placeholder: it fills its box, stands on its floor and takes over what belonged to it.

Of: blender_addon/ui/scene/replacement.py, blender_addon/ui/scene/placement.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from addon.blenders import Session
from addon.scene.shapes import write_body

SCRIPT = Path(__file__).with_name("scripts") / "placeholder.py"


def near(values: Any, expected: Any) -> bool:
    """Whether nested numbers are equal to within float32."""
    if isinstance(expected, list):
        return len(values) == len(expected) and all(map(near, values, expected))
    return bool(values == pytest.approx(expected, abs=2e-5))


def inside(box: list[list[float]], low: list[float], high: list[float]) -> bool:
    """Whether the box lies in low..high, touches its floor and fills it along one axis at least."""
    within = all(box[0][i] > low[i] - 1e-4 and box[1][i] < high[i] + 1e-4 for i in range(3))
    full = any(abs((box[1][i] - box[0][i]) - (high[i] - low[i])) < 1e-4 for i in range(3))
    centred = all(abs((box[0][i] + box[1][i]) - (low[i] + high[i])) < 1e-4 for i in range(2))
    return within and full and centred and abs(box[0][2] - low[2]) < 1e-4


def test_placeholders_of_every_kind_are_replaced(blender: Session, tmp_path: Path) -> None:
    facts = blender.run(SCRIPT, str(write_body(tmp_path / "mesh.glb"))).facts
    axes = facts["axes"]
    assert axes["gone"] and near(axes["location"], [1, 2, 3]) and near(axes["scale"], [1, 1, 1])
    assert inside(axes["box"], [0.5, 1.5, 3.0], [1.5, 2.5, 4.0]) and near(axes["nose"], [0, -1, 0])

    striped = facts["striped"]
    assert near(striped["found"], striped["expected"]) and max(striped["found"]) - min(striped["found"]) > 7
    assert striped["tracks"] == ["Track 0", "Track 1"]

    cube = facts["cube"]  # turned by 90 degrees about Z: 4 long in X, 2 in Y, 6 high
    assert cube["parent"] == "Parent" and cube["collections"] == ["Set"] and near(cube["scale"], [1, 1, 1])
    assert inside(cube["box"], [3, -1, -1], [7, 1, 5]) and near(cube["nose"], [1, 0, 0])
    assert near(cube["origin"], [5, 0, -1])

    mesh = facts["mesh"]
    assert mesh["kept"] and mesh["hidden"]
    assert inside(mesh["box"], [-2, -4, 1], [-1, -1, 2]) and near(mesh["origin"], [-1.5, -2.5, 1])

    rigged = facts["rigged"]
    assert inside(rigged["box"], [8, -2, 0], [12, 2, 2]) and inside(rigged["later"], [8, 3, 0], [12, 7, 2])
    assert rigged["child_parent"] == rigged["target"] == rigged["name"]
    assert near(rigged["child_after"], rigged["child_before"])
    assert rigged["constraints"] == [["LIMIT_LOCATION", -7.0]] and near(rigged["scale"], [2, 2, 1])

    gone = facts["gone"]
    assert near(gone["origin"], [0, 0, 8]) and near(gone["box"][0][2], 8) and near(gone["box"][1][2], 12)

    assert facts["edited"]["kept"] and facts["edited"]["mode"] == "EDIT_MESH"
    assert inside(facts["edited"]["box"], [-1, -1, 0], [1, 1, 2])
    flat = facts["flat"]["box"]
    assert near(flat[0][2], 0) and max(flat[1][i] - flat[0][i] for i in range(2)) == pytest.approx(2.0, abs=1e-4)
    assert inside(facts["mirrored"]["box"], [-1, 0, 0], [0, 1, 2])
    assert facts["zero"]["finite"]
    assert facts["undo"] == {"back": True, "gone": True}


def test_other_places_are_the_cursor_the_ground_and_the_origin(newest_blender: Session, tmp_path: Path) -> None:
    facts = newest_blender.run(SCRIPT, str(write_body(tmp_path / "mesh.glb"))).facts
    assert facts["ground"] == [1, 1, 0] and facts["origin"] == [0, 0, 0] and facts["cursor"] == [1, 1, 5]
    assert facts["odd"] == [[1, 1, 5]] * 3
