"""The sidebar shows the chosen model's recipe, and keeps and sends what the artist changed, in every Blender.

Of: blender_addon/ui/settings/model_recipe.py, blender_addon/ui/settings/scene_settings.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from addon.blenders import Session
from addon.ui.painters import BROKEN, MINE, MODELS, PAINTER

SCRIPTS = Path(__file__).with_name("scripts")


def run(blender: Session, script: str, **variables: Any) -> dict[str, Any]:
    models = variables.pop("models", json.dumps(MODELS))
    return blender.run(SCRIPTS / f"model_recipes_{script}.py", DREAMFUSION_FAKE_MODELS=models, **variables).facts


def test_the_panels_show_the_chosen_models_recipe_as_soon_as_the_engine_tells_it(blender: Session) -> None:
    facts = run(blender, "chosen")
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


def test_what_the_artist_changed_stays_and_only_that_is_sent(blender: Session) -> None:
    facts = run(blender, "mine")
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


def test_the_recipe_gives_way_where_an_end_of_the_artists_needs_the_room(blender: Session) -> None:
    facts = run(blender, "ends")
    pushed = facts["pushed"]["changed"]["guidance"]
    assert pushed["t_max"] == [0.45, 0.3] and pushed["t_min"][0] < 0.45
    kept = facts["kept"]["changed"]["guidance"]  # the starter's 0.3 is below the artist's 0.45
    assert kept["t_min"] == [0.5, 0.45] and kept["t_max"][0] == 0.98 and kept["t_max"][1] > 0.45
    assert facts["again"]["changed"] == {"guidance": {"t_min": [0.5, 0.45]}}
    assert facts["again"]["values"]["guidance"]["t_max"] == [0.98, 0.5]


def test_what_a_recipe_has_that_no_property_could_hold_is_left_out(blender: Session) -> None:
    facts = run(blender, "damaged")
    assert facts["draft"]["values"] == facts["starter"]["values"]
    assert [facts[name]["changed"] for name in ("draft", "standard")] == [{}, {}]
    assert facts["items"]["owner/strange"] == "Strange (6.9 GB, experimental)"
    assert "This model is experimental:" in " ".join(facts["texts"])
    assert set(facts["noted_wrongly"]["changed"]) == {"guidance"}


def test_the_cost_is_told_before_generate_and_what_was_measured_replaces_it(blender: Session) -> None:
    facts = {name: " ".join(texts) for name, texts in run(blender, "costs").items()}
    assert "Roughly 2 h, 3.0 GiB, not measured here yet" in facts["draft"] and " 2 h ? 40 h " in facts["draft"]
    assert "Time not known before the first run, 3.5 GiB" in facts["standard"]
    assert "Roughly 40 hours on this machine, 4.0 GiB" in facts["high"]
    assert "Roughly 60 s, 3.0 GiB, not measured" in facts["twenty_steps"]
    assert "About 1 s, 0.9 GiB" in facts["measured"]
    assert "not measured here yet" in facts["starter"]


def test_experimental_is_said_and_each_panel_has_its_way_back(blender: Session) -> None:
    before = {**PAINTER, "name": "owner/before", "recipe": {**PAINTER["recipe"], "scores": None}}  # an older engine's
    facts = run(blender, "offered", models=json.dumps([*MODELS, before]))
    assert facts["preferences"].count("experimental") == 2, facts["preferences"]
    assert all(operators == [] for operators in facts["headers"].values())
    assert [name for name, found in facts["after"].items() if found] == ["training"]
    assert "The engine has a recipe for this model" in " ".join(facts["note"])
    scale = "The model's recipe may have another scale"
    said = [scale in facts[name] for name in ("own_score", "vsd", "vsd_before", "vsd_and_scale")]
    assert said == [False, False, True, False]


def test_a_score_shows_what_the_recipe_has_with_it(blender: Session) -> None:
    facts = run(blender, "scores")
    scale = {name: told["values"]["guidance"]["scale"] for name, told in facts.items()}
    assert (scale["vsd"], scale["sdi"], scale["mine"], scale["mine_kept"]) == (7.5, 100.0, 30.0, 30.0)
    assert (scale["strange"], scale["back"], scale["reset"], scale["put"]) == (7.0, 7.5, 100.0, 7.5)
    assert facts["vsd"]["changed"] == facts["back"]["changed"] == {"guidance": {"score": "vsd"}}
    assert facts["mine"]["changed"] == {"guidance": {"score": "nfsd", "scale": 30.0}}
    assert facts["mine_kept"]["changed"] == {"guidance": {"scale": 30.0}} and facts["reset"]["changed"] == {}
    assert facts["put"]["changed"] == {"guidance": {"score": "vsd", "rescale": 0.25}}


def test_a_folder_of_the_artists_own_shows_its_recipe_and_cost_or_why_it_cannot_be_used(blender: Session) -> None:
    facts = run(blender, "given", DREAMFUSION_FAKE_GIVEN=json.dumps([MINE, BROKEN]))
    assert facts["mine"]["values"]["guidance"]["scale"] == 100.0 and facts["mine"]["changed"] == {}
    assert "Roughly 2 h, 3.0 GiB" in facts["texts"]["mine"]
    assert "The model is damaged. Copy or download the model again" in facts["texts"]["broken"]
    assert "has a recipe for this model" not in facts["texts"]["broken"]
    assert facts["state"] == "absent", "an engine is started once to ask, not again and again"


def test_saved_presets_and_the_settings_of_a_job_come_back_as_the_artists(blender: Session) -> None:
    facts = run(blender, "brought_back")
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


def test_an_undo_brings_no_old_recipe_back(blender: Session) -> None:
    facts = run(blender, "undone")
    assert facts["greeted"]["changed"] == facts["redone"]["changed"] == {"mesh": {"padding": 3}}
    assert facts["undone"]["changed"] == {}
    assert [facts[name]["values"]["guidance"]["scale"] for name in ("greeted", "undone", "redone")] == [100.0] * 3
