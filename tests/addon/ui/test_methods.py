"""The method of a CLIP, from its choice in the sidebar to the object, in every Blender.

Of: blender_addon/ui/settings/models.py, blender_addon/ui/run/enqueue.py, blender_addon/ui/panels/main.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from addon.blenders import Session
from addon.ui.painters import STARTER

from dreamfusion_engine.commands.given_models import given_model
from dreamfusion_engine.commands.model_line import Machine
from dreamfusion_engine.judge.folder import WEIGHTS

SCRIPT = Path(__file__).with_name("scripts") / "methods.py"


def clip() -> dict[str, Any]:
    """The engine's own line on the CLIP that comes with it, with times that can be told apart."""
    line = given_model(str(WEIGHTS), Machine(device_type="cpu", free_bytes=8 << 30)).to_json()
    assert list(line["methods"]) == ["clip-mesh"]
    for said, seconds in ((line, 3600.0), (line["methods"]["clip-mesh"], 7200.0)):
        for costs in said["estimates"].values():
            costs["seconds"] = seconds
    return {**line, "name": "owner/clip"}


def test_a_method_goes_from_the_sidebar_to_the_object_and_back(blender: Session) -> None:
    facts = blender.run(SCRIPT, DREAMFUSION_FAKE_MODELS=json.dumps([STARTER, clip()])).facts
    unknown, denoiser, field, bent = (facts[name] for name in ("unknown", "denoiser", "field", "bent"))
    assert "method" in unknown["rows"] and unknown["sent"]["method"] == "clip-mesh", "nobody said that it lacks it"
    assert "method" not in denoiser["rows"] and "method" not in denoiser["sent"]
    assert field["rows"] == ["method", "texture_choice", "best_of", "symmetry", "resolution", "triangles"]
    assert "method" not in field["sent"] and "1 h" in " ".join(field["texts"]).replace("60 min", "1 h")
    assert bent["rows"] == ["method", "triangles"], "what does nothing is not there"
    assert bent["sent"]["method"] == "clip-mesh" and bent["sent"]["mesh"] == {"triangles": 4321}
    assert "texture" not in bent["sent"] and bent["seeds"] == 1
    assert bent["views"] == 8 != field["views"] and "optimize.views" not in bent["changed"]
    assert "2 h" in " ".join(bent["texts"]).replace("\u00a0", " ")
    texture = facts["texture"]
    assert "method" not in texture["rows"] and "method" not in facts["painted"] and texture["views"] == field["views"]
    assert facts["poll"] == [False, False, True]
    assert "sphere" in facts["why"][0] and "words alone" in facts["why"][1]
    assert facts["asked"] == facts["kept"] == "clip-mesh" and "method clip-mesh" in facts["described"]
    assert "Made by CLIP-Mesh" in facts["panel"]
    assert [method for method, _ in facts["again"]] == ["clip-mesh"] * 2
    assert facts["again"][1][1] == facts["again"][0][1] + 1
    assert facts["used"] == facts["opened"] == "clip-mesh"
