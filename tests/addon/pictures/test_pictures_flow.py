"""Pictures in real Blenders with the scripted engine: the list, the job, cut-outs, and back from jobs and objects.

Of: blender_addon/ui/run/pictures.py, blender_addon/ui/run/cut_outs.py, blender_addon/ui/operators/pictures.py.
"""

from __future__ import annotations

from pathlib import Path

from addon.blenders import Session

SCRIPT = Path(__file__).with_name("scripts") / "pictures_flow.py"


def test_pictures_go_with_a_job_and_their_cut_outs_can_be_seen_and_painted(blender: Session) -> None:
    facts = blender.run(SCRIPT, FOLDER=str(blender.folder)).facts
    adding = ["dreamfusion.add_pictures", "dreamfusion.add_picture_line"]
    assert facts["empty"] == adding
    assert facts["sides"] == ["LEFT", "FRONT", "BACK"]
    assert "cannot read notes.png" in facts["not one"][0] and facts["not one"][1] == 3
    assert "no file" in facts["no file"]
    assert facts["same file"] == [True, True, "RIGHT"] and facts["removed"] == [3, 3]
    assert facts["drawn"][0] == ["DREAMFUSION_PG_picture.view"]
    assert facts["drawn"][1] == sorted([*adding, "dreamfusion.remove_picture", "dreamfusion.show_cut_out"])
    assert facts["draws an image"][0] == 6, "a picture and a mask for each"

    assert facts["no words"] == [False, True] and facts["good"] == [True, ""]
    words = ["one view, left", "one view, left", "an image for picture 3", "Picture 3: 'Clip' is a movie"]
    words += ["Picture 3: 'Clip' is a movie", "17 pictures"]
    assert all(word in said for word, said in zip(words, facts["bad"], strict=True)), facts["bad"]
    assert facts["room"] == [False, False]
    assert "IMG_2.png" in facts["missing"][0] and facts["missing"][1:] == [0, "pictures.image"]

    assert "300 MiB" in facts["too large"][0] and facts["too large"][1] == "pictures.large"
    assert facts["given"] == [["left", [45.0, 1.0], "back"], True, [False, False, True]]
    assert facts["recipe"] == ["left", [45.0, 1.0], "back"] and facts["text"]
    assert facts["again"] == [True] * 3 and facts["refined"] == []
    assert facts["back"] == [["LEFT", True, False], ["ANGLES", True, False], ["BACK", True, True]]
    assert facts["same bytes"] == [True, True]
    assert facts["lost file"] == [["LEFT", False], ["ANGLES", False], ["BACK", False]]
    assert "Add them in Pictures" in facts["gone"]

    assert facts["asked"] == ["{'FINISHED'}", True, True]
    assert facts["cut"] == ["car-left.png Cut Out", [64, 64], True, True, True]
    assert facts["its pixels"] == [[220, 40, 20, 0], [20, 40, 220, 255]], "colours are kept below alpha 0"
    assert facts["thumbnail"] == [True, [[0.35, 0.35, 0.35, 1.0], [0.5, 0.5, 0.5, 1.0], [0.08, 0.16, 0.86, 1.0]]]
    assert facts["no thumbnail of what was painted"]
    assert facts["cut is drawn"] and facts["painted back"] == [220, 40, 20, 255, 220, 40, 20, 0]
    assert facts["uncut"] == [True, True] and facts["another image"]
    assert facts["no object"] == ["input.picture_no_object", True]
    assert "Choose an image first" in facts["no image"][1] and "Choose an image first" in facts["no image"][2]
    assert "car-left.png" in facts["no line"]
    assert facts["other file"] == [0, 0]
    assert facts["saved"] == [["LEFT", "car-left.png"]]
    assert facts["texture"] is False
    newer = tuple(map(int, blender.series.split("."))) >= (4, 1)
    dropped = {"sidebar": True, "another tab": False, "view": False, "text": False}
    assert facts["drop"] == (dropped if newer else None)
    assert facts["bug"] == "None"
