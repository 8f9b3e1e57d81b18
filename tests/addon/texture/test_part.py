"""Change Part in real Blenders: what is read of a selection, what must not change, and what is refused.

Of: blender_addon/ui/operators/part.py, blender_addon/ui/scene/texture/part.py, blender_addon/ui/scene/reshape.py.
"""

from __future__ import annotations

from pathlib import Path

from addon.blenders import Session

SCRIPTS = Path(__file__).with_name("scripts")


def test_a_selection_is_read_and_only_its_image_changes(blender: Session) -> None:
    facts = blender.run(SCRIPTS / "part.py", str(blender.folder)).facts
    assert facts["mode"] == "EDIT_MESH" and facts["same"] == [True, True, True] and facts["selected"] == [0, 3]
    assert facts["chosen"] == [1, 12.0, 36] and facts["skin"] == [1, 4, 4, 4] and facts["pixels"]
    assert facts["told"] == [{"slot": 0, "tile": 0, "repeats": False, "stays": False}]
    assert facts["painted"] == [["Cube"], [], "Rusty bucket base colour", "Non-Color"]
    assert facts["nodes"] == [0, True] and facts["still"] and facts["undone"]
    some, all_of_them = facts["subdivided"]
    assert all_of_them == 36 * 16 and some == all_of_them / 6
    assert facts["weights"] == [[0.0, 0.5], 36] and facts["attributes"]
    assert facts["two"] == [[False, True], True] and facts["first"] == 0 and facts["plain"] == 1
    refusals = facts["refusals"]
    for name, code, word in (
        ("nothing", "texture.part_empty", "No face is selected"),
        ("everything", "texture.part_whole", "Texture This"),
        ("float", "texture.part_colours", "32 bits"),
        ("tiles", "texture.part_colours", "UDIM"),
        ("missing", "texture.part_colours", "is missing"),
        ("none", "texture.part_colours", "no image"),
        ("nodes", "texture.part_colours", "nodes other than one image"),
        ("mapped", "texture.part_colours", "UV layer"),
    ):
        assert refusals[name][0] == code and word in " ".join(refusals[name]) and all(refusals[name]), name
    assert facts["back"] == [True, False, "EDIT_MESH"]
    none, no_group, sculpting, fine = facts["obstacles"]
    assert "Select faces" in none and "vertex group" in no_group and "Edit Mode" in sculpting and fine == ""
    assert facts["gone"][0] == [] and "'Odd'" in facts["gone"][1][0]


def test_a_part_changes_from_the_operator_to_the_result(blender: Session) -> None:
    facts = blender.run(SCRIPTS / "part_run.py", str(blender.folder)).facts
    same = [True, True, True]
    assert (facts["grey"], facts["ready"], facts["pressed"], facts["mode"]) == (False, True, ["FINISHED"], "EDIT_MESH")
    assert facts["job"] == ["a white cube with a red side", "texture", "keep"]
    assert facts["skin"] == [1, 2] and facts["growing"] == same
    assert facts["cancelled"] == [[], same]
    assert facts["done"] == ["White cube with a red side base colour", [], True]
    assert facts["undone"] == same
    paint, noted = facts["shape"]
    assert paint == {"uv": "keep", "front_deg": 0.0, "shape": True} and "shape" in noted[0] and facts["reshaped"]
    *refused, queued = facts["again"]
    assert all("'Cube'" in why and "press Change Part anew" in why for why in refused) and queued == 0
    assert "Nothing is selected" in facts["empty"] and facts["told"] == ["texture.part_empty", 0, "EDIT_MESH"]
    assert facts["gone"] == ["texture.nowhere", []] and facts["disabled"] == [[], []]


def test_a_new_shape_is_written_to_the_base_mesh_and_nowhere_else(blender: Session) -> None:
    facts = blender.run(SCRIPTS / "part_shape.py", str(blender.folder)).facts
    assert facts["untouched"] and facts["moved"] == [True, ["Grid"], []] and facts["step"] < 1e-5
    assert facts["image"] == "Rusty bucket base colour" and facts["undone"] == [True, True]
    assert facts["sculpted"][1] and "has changed meanwhile" in facts["sculpted"][0][0]
    assert "old shape is gone" in facts["lost"][0]
    stays, moves, apart, notes = facts["shared"]
    assert stays and moves and apart and "copy of its mesh" in notes[0]
    refusals = facts["refusals"]
    assert refusals["off"] == [] and facts["same"]
    for name, word in (
        ("faces", "'Smooth'"),
        ("moved", "'Round'"),
        ("multires", "Multiresolution"),
        ("keys", "shape keys"),
    ):
        assert refusals[name][0] == "texture.part_shape" and word in " ".join(refusals[name]), name
        assert all(refusals[name]), name
