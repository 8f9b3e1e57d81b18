"""A painted result on an artist's objects in real Blenders: what changes, and what must not, to the bit.

Of: blender_addon/ui/scene/texture/repaint.py, blender_addon/ui/scene/mesh_identity.py.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from addon.blenders import Session

SCRIPTS = Path(__file__).with_name("scripts")
BASE = "Rusty bucket base colour"


def test_only_base_colours_change(blender: Session) -> None:
    facts = blender.run(SCRIPTS / "repainting.py", str(blender.folder)).facts
    place = facts["in place"]
    assert place["done"] == [["Cube"], [], []] and place["same"] and place["material"] == "Cube"
    assert place["image"] == [BASE, True, [64, 64], "sRGB"] and place["part"] == 0
    assert re.fullmatch(r"//textures/Rusty bucket base colour-[0-9a-f]{8}\.png", place["path"])
    assert place["nodes kept"] and place["old image"]
    changed = place["links"][0]
    assert len(changed) == 2 and all("'Base Color'" in link for link in changed)  # the old link, and the new one
    assert facts["undone"] == [True, True, True] and facts["redone"]
    two = facts["two"]
    assert two["names"] == ["Two", "Common Rusty bucket"] and two["parts"] == [0, 1]
    assert two["common"] == [True, "Common"] and len(two["notes"]) == 1 and "copy" in two["notes"][0]
    tiled = facts["tiled"]
    assert tiled["source"] == "TILED" and tiled["tiles"] == [[1002, [64, 64]], [1003, [64, 64]]] and tiled["same"]
    assert re.fullmatch(r"//textures/Rusty bucket base colour[.0-9]*-[0-9a-f]{8}\.<UDIM>\.png", tiled["path"])
    assert tiled["packed"] == [tiled["path"].replace("<UDIM>", number) for number in ("1002", "1003")]
    twin = facts["twin"]
    assert twin["links"] == ["OBJECT", "DATA"] and twin["twin"] == "First" and twin["own"] == [True, "First"]
    assert twin["first"] == 0 and len(twin["notes"]) == 2
    assert facts["new"] == [0, 1, 2]
    assert facts["glow"] == [2, 1, "Rusty bucket"]
    assert facts["chosen"][0].startswith("Rusty bucket") and facts["chosen"][1]

    fresh = facts["fresh"]
    assert fresh["layers"] == ["UVMap", "DreamFusion"] and fresh["same"] and fresh["render"] == ["UVMap"]
    assert fresh["uvs"] and fresh["node"] == ["DreamFusion"]
    assert facts["bare"] == ["DreamFusion"]
    check_what_happened_meanwhile(facts, renamed="Renamed" if blender.series != "3.4" else "Moved")
    assert facts["again"] == 2  # the new base colour, and the roughness
    assert facts["damaged"] == [["result.damaged", "result.damaged"], True, True]
    copies = facts["copies"]
    assert copies["names"] == ["Stood.Stood", "Two.Two", "Two.Common Rusty bucket"]
    assert copies["box"] and copies["images"] == [0, 1, 2]
    assert facts["saved"] == [[1002, 1003], [[64, 64], [64, 64]], 0]


def check_what_happened_meanwhile(facts: dict[str, Any], renamed: str) -> None:
    """Before Blender 4.2 objects have no number that stays, and an object of the same name is taken."""
    painted, missing, taker = facts["meanwhile"]
    assert painted == ["Good", renamed] or painted == sorted(["Good", renamed])
    assert len(missing) == 2 and "'Gone'" in missing[0] and "UV layer 'UVMap' is gone" in missing[1]
    assert (taker == "Moved Base Color.001") == (renamed == "Renamed")
    assert facts["cut"][0] == [] and "faces have changed" in facts["cut"][1][0] and facts["cut"][2] == ["UVMap"]
    assert facts["by name"] == ["Good"] and "being edited" in facts["edited"][0]
