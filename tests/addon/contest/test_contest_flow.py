"""A contest of seeds in real Blenders with the scripted engine: from Best of to the winner in its place.

Of: blender_addon/ui/panels/contest_box.py, blender_addon/ui/operators/contest.py, blender_addon/ui/run.
"""

from __future__ import annotations

from pathlib import Path

from addon.blenders import Session

SCRIPT = Path(__file__).with_name("scripts") / "contest_flow.py"
GRADE = "Recognised by a judge from 88% of the sides, without colour from 100%"
LICENCE = "Made with paper: you may sell it: yes."


def test_a_contest_goes_from_the_sidebar_to_the_scene(blender: Session) -> None:
    facts = blender.run(SCRIPT).facts
    assert facts["default"] == [1, True, 1] and facts["texture"] == [False, 1, 1] and facts["most"] == 8
    one, eight, seeds = facts["costs"]
    assert one < eight < 4.0 * one and seeds == 8
    assert facts["last seeds"] == [3, 6, 0]
    texts, finishing, task = facts["running"]
    assert "Ranked by a scripted judge" in " ".join(texts) and task == "generate"
    assert any("of 4 left" in text for text in texts)
    assert {"1. Seed 6", "2. Seed 5"} <= set(texts) and finishing > 0 and facts["draft button"]
    seed, count, verdict, x = facts["draft"]
    assert (seed, count) == (3, 1) and x > 1.0 and "A draft" in verdict[0] and "Regenerate" in verdict[0]
    assert "A draft" in " ".join(facts["draft panel"])
    assert facts["winner"] == [6, 6, False, [GRADE, LICENCE], [0.0, 0.0, 0.0]]
    words = " ".join(facts["winner panel"])
    assert "seed 6" in words and GRADE in words and LICENCE in words
    assert "Seed 6 won of 4" in facts["done"][0] and facts["done"][1] == 3
    assert facts["again"] == [[6, 1], [7, 1]] and facts["same settings"]
    assert facts["another"] == [4, 1] and facts["refused"] == [["CANCELLED"], ["CANCELLED"]]
    assert facts["settings"] == [4, 3] and facts["next"] == [7, 4]
    assert any(text.startswith("You chose seed") for text in facts["you chose"]) and facts["chosen"][0]
    state, texts = facts["broken"]
    assert state == "cancelled" and "Best of 8, not finished" in texts
    assert facts["resumed"] == ["done", 7]
    assert "The draft cannot be read" in facts["gone"][0] and facts["gone"][1] == "contest.no_draft"
    assert facts["freed"] is False
    assert facts["other"] == [] and facts["damaged"] == [[], [], [], ["1", "x"]]
    assert facts["judges"] == [None, "off", "/models/clip", "~/clip", facts["judges"][4]]
    assert facts["back"] == [True, True, 8, False]
    words = " ".join(facts["results"])
    assert "won of 8" in words and "Ranked by a scripted judge" in words and "not begun" in words
    assert facts["bug"] == "None"
