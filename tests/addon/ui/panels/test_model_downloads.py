"""The preferences offer models with size and fit, show a download on its way, and every end of it, in every Blender."""

from __future__ import annotations

from pathlib import Path

from addon.blenders import Session

SCRIPT = Path(__file__).parents[1] / "scripts" / "model_downloads.py"


def test_models_are_offered_fetched_and_chosen(blender: Session) -> None:
    said = blender.run(SCRIPT).facts
    assert "dreamfusion.download_model" not in said["nothing_known"]["operators"]
    assert "DREAMFUSION_AP_preferences.show_offer" in said["folded"]["properties"]
    assert "dreamfusion.download_model" not in said["folded"]["operators"]
    offered = said["offered"]
    texts, words = " | ".join(offered["texts"]), " ".join(offered["texts"])
    assert "A/Small" in texts and "2.1 GB, takes 11.6 GiB, fits" in words and "too large for this machine" in words
    assert "e/bare" in texts and "D/Gone" not in texts
    assert offered["operators"].count("dreamfusion.download_model") == 4 and "wm.url_open" in offered["operators"]
    assert "a/small: Waiting for the engine..." in said["waiting"]["texts"]
    assert "a/small: 1.0 of 2.0 GB, 20 MB/s, 0:50 left" in said["running"]["texts"]
    assert "dreamfusion.stop_download" in said["running"]["operators"] and said["second_while_running"] is False
    assert (said["offline"], said["online"]) == (False, True)
    failed = " ".join(said["failed"]["texts"])
    assert "It asks." in failed and "accept the licence" in failed and "Set HF_TOKEN" not in failed
    assert "goes on from there" in " ".join(said["stopped"]["texts"])
    assert "is here" in " ".join(said["done"]["texts"])
    assert "DREAMFUSION_PG_model.base" in said["file"]["properties"]
    assert "DREAMFUSION_PG_model.base" not in said["done"]["properties"]
    assert said["with_base"]["base"] == "owner/base" and "base" not in said["without"]
    items = {item[0]: item for item in said["items"]}
    assert items["starter"][1:] == ["Starter (Built In)", "Comes with the engine", "MESH_MONKEY"]
    assert items["a/small"][1] == "A/Small (2.1 GB)" and "just fits" in items["a/small"][2]
