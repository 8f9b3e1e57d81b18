"""Files of earlier versions open, in every Blender: what differed from the preset stays the artist's.

Of: blender_addon/ui/settings/artist_settings.py, blender_addon/ui/settings/engine_settings.py.
"""

from __future__ import annotations

import json
from typing import Any

from addon.blenders import Session
from addon.ui.painters import MODELS, PAINTER

# As the version before recipes stored its settings: values without any note of who set them. Choosing a preset wrote
# what presets decide, as numbers that stand for the names of an enum.
OLD = """
import sys, addon, bpy, os, json
sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run

def stored(group):
    '''Where Blender keeps an add-on's values; what is written here calls nothing.'''
    return group.bl_system_properties_get(do_create=True) if bpy.app.version >= (5, 0) else group

def old(name, preset, model, **changes):
    settings = bpy.data.scenes.new(name).dreamfusion
    stored(settings)["preset"] = ("draft", "standard", "high").index(preset)
    stored(settings)["model"] = model
    stored(settings)["prompt"] = "a mug of " + name
    plain = addon.part("core.engine_preset")
    for stage, key in plain.OF_PRESETS:
        stored(getattr(settings, stage))[key] = plain.preset_value(preset, stage, key)
    for dotted, value in changes.items():
        stage, key = dotted.split("__")
        stored(getattr(settings, stage))[key] = value

def told(when):
    artist, plain = addon.part("ui.settings.artist_settings"), addon.part("core.engine_preset")
    addon.tell(**{when: {
        scene.name: {"changed": artist.overrides(scene.dreamfusion), "values": plain.read(scene.dreamfusion),
                     "preset": scene.dreamfusion.preset, "model": scene.dreamfusion.model,
                     "prompt": scene.dreamfusion.prompt}
        for scene in bpy.data.scenes}})

path = os.path.join(os.environ["FOLDER"], "old.blend")
"""
WRITE = """
addon.enable()
old("painted", "draft", "owner/painter", guidance__scale=20.0, guidance__t_max=[0.9, 0.4], mesh__triangles=1234,
    camera__elevation_deg=[-20.0, 60.0], mesh__iso_auto=False, mesh__iso=7.25, mesh__texture=4096)
old("plain", "high", "starter")
old("sixty_four", "standard", "owner/painter", optimize__resolution=[64, 128], guidance__scale=7.0)
bpy.data.scenes.new("fresh")
for scene in bpy.data.scenes:
    assert not scene.dreamfusion.kept and not scene.dreamfusion.shown
bpy.ops.wm.save_as_mainfile(filepath=path)
"""
OPEN = """
addon.enable()
bpy.ops.wm.open_mainfile(filepath=path)
told("opened")
run = Run()
bpy.ops.wm.open_mainfile(filepath=path)
run.session.queue.start_engine()
run.until(lambda: run.session.queue.engine_state == "ready", "the engine")
run.ticks(0.1)
told("greeted")
bpy.data.scenes["painted"].dreamfusion.model = "starter"
bpy.data.scenes["sixty_four"].dreamfusion.model = "starter"
told("starter")
bpy.data.scenes["painted"].dreamfusion.model = "owner/painter"
bpy.data.scenes["sixty_four"].dreamfusion.model = "owner/painter"
bpy.ops.wm.save_as_mainfile(filepath=path + "2")
bpy.ops.wm.open_mainfile(filepath=path + "2")
told("again")
run.ticks(0.1)
told("again_settled")
"""
AT_ONCE = """
addon.enable()
bpy.ops.wm.open_mainfile(filepath=path)
for name, preset in (("painted", "high"), ("plain", "draft"), ("sixty_four", "high"), ("fresh", "draft")):
    bpy.data.scenes[name].dreamfusion.preset = preset
told("at_once")
"""
MINE = {
    "guidance": {"scale": 20.0, "t_max": [0.9, 0.4]},
    "camera": {"elevation_deg": [-20.0, 60.0]},
    "mesh": {"triangles": 1234, "iso": 7.25, "texture": 4096},
}


def test_an_old_file_keeps_the_artists_changes_and_shows_the_recipe_in_the_rest(blender: Session) -> None:
    variables: dict[str, Any] = {"FOLDER": str(blender.folder), "DREAMFUSION_FAKE_MODELS": json.dumps(MODELS)}
    blender.run(OLD + WRITE, **variables)
    facts = blender.run(OLD + OPEN, **variables).facts
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
    blender.run(OLD + WRITE, FOLDER=str(blender.folder))
    scenes = blender.run(OLD + AT_ONCE, FOLDER=str(blender.folder)).facts["at_once"]
    assert scenes["painted"]["changed"] == MINE
    assert scenes["painted"]["values"]["optimize"]["steps"] == 2500
    assert scenes["sixty_four"]["changed"] == {"optimize": {"resolution": [64, 128]}}
    assert scenes["plain"]["changed"] == scenes["fresh"]["changed"] == {}
    assert scenes["plain"]["values"]["optimize"]["steps"] == scenes["fresh"]["values"]["optimize"]["steps"] == 500
