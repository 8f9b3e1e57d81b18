"""Files of earlier versions open, in every Blender: what differed from the preset stays the artist's.

Of: blender_addon/ui/settings/artist_settings.py, blender_addon/ui/settings/engine_settings.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from addon.blenders import Session
from addon.ui.painters import MODELS, PAINTER

SCRIPTS = Path(__file__).with_name("scripts")
MINE = {
    "guidance": {"scale": 20.0, "t_max": [0.9, 0.4]},
    "camera": {"elevation_deg": [-20.0, 60.0]},
    "mesh": {"triangles": 1234, "iso": 7.25, "texture": 4096},
}


def test_an_old_file_keeps_the_artists_changes_and_shows_the_recipe_in_the_rest(blender: Session) -> None:
    variables: dict[str, Any] = {"FOLDER": str(blender.folder), "DREAMFUSION_FAKE_MODELS": json.dumps(MODELS)}
    blender.run(SCRIPTS / "old_files_write.py", **variables)
    facts = blender.run(SCRIPTS / "old_files_open.py", **variables).facts
    for when in ("opened", "greeted", "starter", "again", "again_settled"):
        scenes = facts[when]
        painted, plain, fresh = scenes["painted"], scenes["plain"], scenes["fresh"]
        assert painted["changed"] == MINE and painted["preset"] == "draft", when
        assert painted["prompt"] == "a mug of painted"
        assert (plain["changed"], plain["preset"], fresh["changed"], fresh["preset"]) == ({}, "high", {}, "standard")
        assert plain["values"]["optimize"]["steps"] == 2500 and plain["values"]["mesh"]["texture"] == 2048
        # 64 and 128 differ from the old preset, and stay the artist's although the recipe says the same.
        assert scenes["sixty_four"]["changed"] == {"optimize": {"resolution": [64, 128]}}, when
    shown = facts["greeted"]["painted"]["values"]
    assert shown["optimize"]["steps"] == PAINTER["recipe"]["settings"]["draft"]["optimize.steps"]
    assert shown["guidance"]["weighting"] == "sigma_squared" and shown["guidance"]["scale"] == 20.0
    assert facts["greeted"]["sixty_four"]["values"]["guidance"]["scale"] == 100.0
    assert facts["again"]["painted"] == facts["greeted"]["painted"]


def test_a_script_that_chooses_a_preset_at_once_loses_nothing(blender: Session) -> None:
    """Before the add-on has looked at the file, nothing says which preset its values are from."""
    blender.run(SCRIPTS / "old_files_write.py", FOLDER=str(blender.folder))
    scenes = blender.run(SCRIPTS / "old_files_at_once.py", FOLDER=str(blender.folder)).facts["at_once"]
    assert scenes["painted"]["changed"] == MINE
    assert scenes["painted"]["values"]["optimize"]["steps"] == 2500
    assert scenes["sixty_four"]["changed"] == {"optimize": {"resolution": [64, 128]}}
    assert scenes["plain"]["changed"] == scenes["fresh"]["changed"] == {}
    assert scenes["plain"]["values"]["optimize"]["steps"] == scenes["fresh"]["values"]["optimize"]["steps"] == 500
