"""The sidebar shows the chosen model's recipe, and keeps and sends what the artist changed, in every Blender.

Of: blender_addon/ui/settings/model_recipe.py, blender_addon/ui/settings/scene_settings.py.
"""

from __future__ import annotations

import json
from typing import Any

from addon.blenders import Session
from addon.ui.painters import BROKEN, MODELS, PAINTER
from addon.ui.painters import MINE as MINE_LINE

HEAD = """
import sys, addon, bpy, os, json
sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run
from recording_layout import draw
run = Run()
settings = run.settings
artist, preset = addon.part("ui.settings.artist_settings"), addon.part("core.engine_preset")
artist.reset(settings)

def told(name):
    addon.tell(**{name: {"values": preset.read(run.settings), "changed": artist.overrides(run.settings)}})

def greet():
    run.session.queue.start_engine()
    run.until(lambda: run.session.queue.engine_state == "ready", "the engine")
    run.ticks(0.1)
"""


def run(blender: Session, script: str, **variables: Any) -> dict[str, Any]:
    models = variables.pop("models", json.dumps(MODELS))
    return blender.run(HEAD + script, DREAMFUSION_FAKE_MODELS=models, **variables).facts


CHOSEN = """
settings.model = "owner/painter"
told("unknown")
greet()
told("draft")
settings.preset = "high"
told("high")
settings.model = "starter"
told("starter")
"""


def test_the_panels_show_the_chosen_models_recipe_as_soon_as_the_engine_tells_it(blender: Session) -> None:
    facts = run(blender, CHOSEN)
    assert all(facts[name]["changed"] == {} for name in ("unknown", "draft", "high", "starter"))
    assert facts["unknown"]["values"]["guidance"]["scale"] == 7.0
    draft, high = facts["draft"]["values"], facts["high"]["values"]
    for name, value in PAINTER["recipe"]["settings"]["draft"].items():
        stage, key = name.split(".")
        assert stage == "field" or draft[stage][key] == value, name
    assert draft["guidance"]["t_min"] == [0.5, 0.02] and draft["mesh"]["triangles"] == 10_000  # of the plain preset
    assert high["optimize"]["steps"] == 10_000 and high["optimize"]["resolution"] == [128, 256]
    assert facts["starter"]["values"]["guidance"]["scale"] == 7.0
    assert facts["starter"]["values"]["optimize"]["resolution"] == [32, 48]


MINE = """
greet()
settings.model = "owner/painter"
settings.guidance.scale = 7.0
settings.mesh.triangles = 1234
told("mine")
settings.model = "starter"
told("starter")
settings.preset = "high"
settings.model = "owner/painter"
told("high")
run.settings.optimize.steps = 20
settings.preset = "draft"
job = run.generate("a mug")
run.until(run.inserted(job), "an object")
addon.tell(sent=json.loads((job.folder / "result.json").read_text())["settings"])
bpy.ops.dreamfusion.reset_settings(stages="guidance")
told("guidance_back")
addon.tell(poll=bpy.ops.dreamfusion.reset_settings.poll())
bpy.ops.dreamfusion.reset_settings()
told("all_back")
addon.tell(poll_after=bpy.ops.dreamfusion.reset_settings.poll())
settings.optimize.steps = 99
settings.optimize.steps = 2500
told("moved_back")
"""


def test_what_the_artist_changed_stays_and_only_that_is_sent(blender: Session) -> None:
    facts = run(blender, MINE)
    mine = {"guidance": {"scale": 7.0}, "mesh": {"triangles": 1234}}
    for name in ("mine", "starter", "high"):  # 7 is what the starter model's recipe says, and stays the artist's
        assert facts[name]["changed"] == mine, name
    assert facts["high"]["values"]["optimize"]["steps"] == 10_000
    sent = {stage: values for stage, values in facts["sent"].items() if isinstance(values, dict)}
    assert sent == {**mine, "optimize": {"steps": 20}}
    back = facts["guidance_back"]
    assert back["values"]["guidance"]["scale"] == 100.0 and "guidance" not in back["changed"]
    assert back["changed"]["mesh"] == {"triangles": 1234} and (facts["poll"], facts["poll_after"]) == (True, False)
    assert facts["all_back"]["changed"] == {} and facts["all_back"]["values"]["optimize"]["steps"] == 2500
    assert facts["moved_back"]["changed"] == {}


ENDS = """
greet()
settings.guidance.t_max = (0.45, 0.3)
told("pushed")
artist.reset(settings)
settings.model = "owner/painter"
settings.guidance.t_min = (0.5, 0.45)
settings.model = "starter"
told("kept")
settings.model = "owner/painter"
told("again")
"""


def test_the_recipe_gives_way_where_an_end_of_the_artists_needs_the_room(blender: Session) -> None:
    facts = run(blender, ENDS)
    pushed = facts["pushed"]["changed"]["guidance"]
    assert pushed["t_max"] == [0.45, 0.3] and pushed["t_min"][0] < 0.45
    kept = facts["kept"]["changed"]["guidance"]  # the starter's 0.3 is below the artist's 0.45
    assert kept["t_min"] == [0.5, 0.45] and kept["t_max"][0] == 0.98 and kept["t_max"][1] > 0.45
    assert facts["again"]["changed"] == {"guidance": {"t_min": [0.5, 0.45]}}
    assert facts["again"]["values"]["guidance"]["t_max"] == [0.98, 0.5]


DAMAGED = """
greet()
told("starter")
settings.model = "owner/strange"
told("draft")
settings.preset = "standard"
told("standard")
panels = [name for name in dir(bpy.types) if name.startswith("DREAMFUSION_PT") and "presets" not in name]
texts = [text for name in panels for text in draw(getattr(bpy.types, name)).texts()]
items = {item[0]: item[1] for item in addon.part("ui.settings.models").items(None, None)}
addon.tell(texts=texts, items=items)
wrong = {"preset": 5, "settings": {"guidance.scale": "x", "a.b": 1, "mesh.texture": []}}
for shown in ("", "{", "[]", json.dumps(wrong), "9" * 5000):
    settings.shown, settings.kept = shown, "guidance.scale no.such mesh x.y.z"
    artist.settle(settings)
told("noted_wrongly")
"""


def test_what_a_recipe_has_that_no_property_could_hold_is_left_out(blender: Session) -> None:
    facts = run(blender, DAMAGED)
    assert facts["draft"]["values"] == facts["starter"]["values"]
    assert [facts[name]["changed"] for name in ("draft", "standard")] == [{}, {}]
    assert facts["items"]["owner/strange"] == "Strange (6.9 GB, experimental)"
    assert "This model is experimental:" in " ".join(facts["texts"])
    assert set(facts["noted_wrongly"]["changed"]) == {"guidance"}


COSTS = """
def texts():
    addon.tell(**{name: draw(bpy.types.DREAMFUSION_PT_main).texts()})

greet()
settings.model = "owner/painter"
for name, chosen in (("draft", "draft"), ("standard", "standard"), ("high", "high")):
    settings.preset = chosen
    texts()
settings.preset, settings.optimize.steps = "draft", 20
name = "twenty_steps"
texts()
job = run.generate("a mug")
run.until(run.inserted(job), "an object")
name = "measured"
texts()
settings.model = "starter"
name = "starter"
texts()
"""


def test_the_cost_is_told_before_generate_and_what_was_measured_replaces_it(blender: Session) -> None:
    facts = {name: " ".join(texts) for name, texts in run(blender, COSTS).items()}
    assert "Roughly 2 h, 3.0 GiB, not measured here yet" in facts["draft"] and " 2 h ? 40 h " in facts["draft"]
    assert "Time not known before the first run, 3.5 GiB" in facts["standard"]
    assert "Roughly 40 hours on this machine, 4.0 GiB" in facts["high"]
    assert "Roughly 60 s, 3.0 GiB, not measured" in facts["twenty_steps"]
    assert "About 1 s, 0.9 GiB" in facts["measured"]
    assert "not measured here yet" in facts["starter"]


OFFERED = """
from recording_layout import Drawn, RecordingLayout
greet()
preferences = addon.preferences()
preferences.show_offer = True
mine = preferences.models.add()
mine.name, mine.path = "Mine", "owner/strange"
here = run.session
here.queue._host.suggestions = [{"name": "owner/offered", "recipe": {"experimental": True}}]
drawn = Drawn()
addon.part("ui.panels.preferences").draw(RecordingLayout(drawn), bpy.context, preferences)
preferences.models.clear()
settings.model = "/models/of/mine"
headers = {}
for name in ("guidance", "training", "mesh", "memory"):
    headers[name] = draw(getattr(bpy.types, "DREAMFUSION_PT_" + name)).operators()
settings.camera.distance = (3.0, 4.0)
def guidance():
    return " ".join(draw(bpy.types.DREAMFUSION_PT_guidance).texts())

after = {name: draw(getattr(bpy.types, "DREAMFUSION_PT_" + name)).operators() for name in headers}
addon.tell(preferences=drawn.texts(), headers=headers, after=after,
           note=draw(bpy.types.DREAMFUSION_PT_training).texts())
settings.model = "owner/painter"
addon.tell(own_score=guidance())
settings.guidance.score = "vsd"
addon.tell(vsd=guidance())
settings.model = "owner/before"
addon.tell(vsd_before=guidance())
settings.guidance.scale = 7.5
addon.tell(vsd_and_scale=guidance())
"""


def test_experimental_is_said_and_each_panel_has_its_way_back(blender: Session) -> None:
    before = {**PAINTER, "name": "owner/before", "recipe": {**PAINTER["recipe"], "scores": None}}  # an older engine's
    facts = run(blender, OFFERED, models=json.dumps([*MODELS, before]))
    assert facts["preferences"].count("experimental") == 2, facts["preferences"]
    assert all(operators == [] for operators in facts["headers"].values())
    assert [name for name, found in facts["after"].items() if found] == ["training"]
    assert "The engine has a recipe for this model" in " ".join(facts["note"])
    scale = "The model's recipe may have another scale"
    said = [scale in facts[name] for name in ("own_score", "vsd", "vsd_before", "vsd_and_scale")]
    assert said == [False, False, True, False]


SCORES = """
greet()
settings.model = "owner/painter"
settings.guidance.score = "vsd"
told("vsd")
settings.guidance.score = "sdi"
told("sdi")
settings.guidance.score = "nfsd"
settings.guidance.scale = 30.0
told("mine")
settings.guidance.score = "sds"
told("mine_kept")
artist.reset(settings)
settings.guidance.score = "vsd"
settings.model = "owner/strange"
settings.preset = "draft"
told("strange")
settings.model = "owner/painter"
told("back")
artist.reset(settings)
told("reset")
artist.put(settings, {"guidance": {"score": "vsd", "rescale": 0.25}})
told("put")
"""


def test_a_score_shows_what_the_recipe_has_with_it(blender: Session) -> None:
    facts = run(blender, SCORES)
    scale = {name: told["values"]["guidance"]["scale"] for name, told in facts.items()}
    assert (scale["vsd"], scale["sdi"], scale["mine"], scale["mine_kept"]) == (7.5, 100.0, 30.0, 30.0)
    assert (scale["strange"], scale["back"], scale["reset"], scale["put"]) == (7.0, 7.5, 100.0, 7.5)
    assert facts["vsd"]["changed"] == facts["back"]["changed"] == {"guidance": {"score": "vsd"}}
    assert facts["mine"]["changed"] == {"guidance": {"score": "nfsd", "scale": 30.0}}
    assert facts["mine_kept"]["changed"] == {"guidance": {"scale": 30.0}} and facts["reset"]["changed"] == {}
    assert facts["put"]["changed"] == {"guidance": {"score": "vsd", "rescale": 0.25}}


GIVEN = """
settings.model = "/models/mine"
host = run.session.queue._host
here = run.session
greet()
told("mine")
texts = {"mine": " ".join(draw(bpy.types.DREAMFUSION_PT_main).texts())}
mine = addon.preferences().models.add()
mine.path, mine.name = "/models/broken", "Broken"
settings.model = "/models/broken"
run.until(lambda: len(here.queue.given) == 1 and here.queue.given[0]["name"] == "/models/broken", "another answer")
texts["broken"] = " ".join(draw(bpy.types.DREAMFUSION_PT_main).texts())
texts["broken"] += " ".join(draw(bpy.types.DREAMFUSION_PT_guidance).texts())
here.queue.stop_engine()
run.until(lambda: here.queue.engine_state == "absent" and not host.ending, "no engine")
settings.model = "/models/other"
draw(bpy.types.DREAMFUSION_PT_main)
run.until(lambda: here.queue.engine_state == "ready", "an engine to ask")
run.ticks(0.1)
here.queue.stop_engine()
run.until(lambda: here.queue.engine_state == "absent" and not host.ending, "no engine again")
draw(bpy.types.DREAMFUSION_PT_main)
run.ticks(0.3)
addon.tell(texts=texts, state=here.queue.engine_state)
"""


def test_a_folder_of_the_artists_own_shows_its_recipe_and_cost_or_why_it_cannot_be_used(blender: Session) -> None:
    facts = run(blender, GIVEN, DREAMFUSION_FAKE_GIVEN=json.dumps([MINE_LINE, BROKEN]))
    assert facts["mine"]["values"]["guidance"]["scale"] == 100.0 and facts["mine"]["changed"] == {}
    assert "Roughly 2 h, 3.0 GiB" in facts["texts"]["mine"]
    assert "The model is damaged. Copy or download the model again" in facts["texts"]["broken"]
    assert "has a recipe for this model" not in facts["texts"]["broken"]
    assert facts["state"] == "absent", "an engine is started once to ask, not again and again"


BROUGHT_BACK = """
greet()
settings.model, settings.preset = "owner/painter", "high"
settings.guidance.scale, settings.mesh.iso_auto, settings.mesh.iso = 33.0, False, 4.0
bpy.ops.dreamfusion.add_preset(name="My Way")
artist.reset(settings)
settings.model, settings.preset = "starter", "draft"
settings.optimize.views = 3
folders = bpy.utils.preset_paths("dreamfusion")
found = next(os.path.join(folder, name) for folder in folders for name in os.listdir(folder) if name.endswith(".py"))
bpy.ops.script.execute_preset(filepath=found, menu_idname="DREAMFUSION_PT_presets")
told("saved_preset")
artist.reset(settings)
Recipe = addon.part("core.job").Recipe
was = {"guidance": {"scale": 100.0, "of_the_future": 1}, "mesh": {"texture": 1000, "padding": 4}, "device": "cpu"}
made_by = Recipe("a mug", seed=3, model="owner/painter", preset="draft", settings=was)
addon.part("ui.run.enqueue").write(bpy.context, made_by)
told("job")
addon.tell(job_model=settings.model, job_preset=settings.preset)
settings.model = "starter"
told("job_elsewhere")
"""


def test_saved_presets_and_the_settings_of_a_job_come_back_as_the_artists(blender: Session) -> None:
    facts = run(blender, BROUGHT_BACK)
    saved = facts["saved_preset"]
    assert saved["changed"] == {"guidance": {"scale": 33.0}, "mesh": {"iso": 4.0}}
    assert saved["values"]["optimize"]["resolution"] == [
        32,
        48,
    ]  # of the model at hand, not of the one it was saved with
    assert saved["values"]["optimize"]["views"] == 4 and saved["values"]["optimize"]["steps"] == 2500
    mine = {"guidance": {"scale": 100.0}, "mesh": {"padding": 4}}  # 100 is what the recipe says, and stays the artist's
    assert facts["job"]["changed"] == facts["job_elsewhere"]["changed"] == mine
    assert (facts["job_model"], facts["job_preset"]) == ("owner/painter", "draft")
    assert facts["job"]["values"]["optimize"]["steps"] == 2500


UNDONE = """
settings.model = "owner/painter"
bpy.ops.ed.undo_push(message="before")
settings.mesh.padding = 3
bpy.ops.ed.undo_push(message="padding")
greet()
told("greeted")
bpy.ops.ed.undo()
run.ticks(0.1)
told("undone")
bpy.ops.ed.redo()
run.ticks(0.1)
told("redone")
"""


def test_an_undo_brings_no_old_recipe_back(blender: Session) -> None:
    facts = run(blender, UNDONE)
    assert facts["greeted"]["changed"] == facts["redone"]["changed"] == {"mesh": {"padding": 3}}
    assert facts["undone"]["changed"] == {}
    assert [facts[name]["values"]["guidance"]["scale"] for name in ("greeted", "undone", "redone")] == [100.0] * 3
