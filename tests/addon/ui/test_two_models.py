"""A second model for the texture, from its choice in the sidebar to the object, in every Blender.

Of: blender_addon/ui/settings/models.py, blender_addon/ui/run/enqueue.py, blender_addon/ui/panels/main.py.
"""

from __future__ import annotations

import json
from pathlib import Path

from addon.blenders import Session
from addon.ui.painters import PAINTER, STARTER

SCRIPT = Path(__file__).with_name("scripts") / "two_models.py"
PRESETS = ("draft", "standard", "high")
MODELS = [
    {**STARTER, "estimates": {name: {"seconds": 3600.0, "memory_mib": 2048} for name in PRESETS}},
    {
        **PAINTER,
        "estimates": {
            name: {"seconds": 7200.0, "memory_mib": 3072, "texture": {"seconds": 1800.0, "memory_mib": 3072}}
            for name in PRESETS
        },
    },
    {"name": "owner/told", "recipe": {"settings": {"draft": {"reference.pose": "zero123"}}}},
]


def test_a_texture_model_goes_from_the_sidebar_to_the_object_and_back(blender: Session) -> None:
    facts = blender.run(SCRIPT, DREAMFUSION_FAKE_MODELS=json.dumps(MODELS)).facts
    assert facts["offered"] == ["NONE", "starter", "owner/painter"], "what is told a picture paints nothing"
    assert facts["at_first"] == "NONE" and facts["plain"] is False
    assert facts["name"] == "owner/painter" and facts["sent"] == {"model": "owner/painter"}
    assert facts["painted"] is False, "a texture for what is there is by one model"
    assert facts["shown"] == [False, True]
    assert facts["asked"] == facts["kept"] == {"model": "owner/painter"}
    assert "Texture by owner/painter" in " ".join(facts["panel"])
    assert [texture for texture, _ in facts["again"]] == [{"model": "owner/painter"}] * 2
    assert facts["again"][1][1] == facts["again"][0][1] + 1
    assert facts["none"] == "" and facts["used"] == "owner/painter"
    assert facts["poll"][0] is False
    assert facts["opened"] == facts["choice"] == "/models/nobody/has"


def test_the_panel_tells_the_time_of_both_and_the_memory_of_the_larger(newest_blender: Session) -> None:
    facts = newest_blender.run(SCRIPT, DREAMFUSION_FAKE_MODELS=json.dumps(MODELS)).facts
    alone, both = (" ".join(facts[name]).replace("\u00a0", " ") for name in ("alone", "both"))
    assert "60 min" in alone and "2.0 GiB" in alone
    assert "90 min" in both and "3.0 GiB" in both
