"""A job with a picture and no prompt, in a real Blender with the scripted engine.

Of: blender_addon/ui/operators/run.py, blender_addon/ui/run/headless.py, blender_addon/ui/panels/pictures.py.
"""

from __future__ import annotations

from pathlib import Path

from addon.blenders import Session

SCRIPT = Path(__file__).with_name("scripts") / "told_picture.py"


def test_a_picture_alone_makes_an_object_with_a_model_that_is_told_one(newest_blender: Session) -> None:
    facts = newest_blender.run(SCRIPT, FOLDER=str(newest_blender.folder)).facts
    assert facts["words"] == [False, True] and facts["one"] == [True, False]
    assert facts["two"] is False and facts["none"] is False
    assert facts["title"] == "From a picture"
    assert facts["made"] == ["Object", "object", ["", ["left"]]]
    assert facts["unsaid"] == [False, True, True, False] and facts["chosen"] == [True, True, False, False]
    assert facts["sent"] == [{"pose": "stable-zero123"}] * 2 and facts["put_back"] == "STABLE"
    assert facts["known"] == [True, False, False, True, False], "the catalogue's models are not asked about"
    assert facts["both"] == [True, False, False, False, False] and facts["both_without"] is False
    assert facts["script"] == ["Object.002", ["", [[30.0, 20.0]]]]
    above, nowhere, jobs = facts["troubles"]
    assert above[0] == nowhere[0] == "input.picture" and "'above'" in above[1] and "nowhere.png" in nowhere[1]
    assert jobs == 3 and facts["bug"] == "None"
