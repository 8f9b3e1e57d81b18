"""Every panel draws in every state, in every Blender, and shows what the state calls for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from addon.blenders import Session

SCRIPT = Path(__file__).parents[1] / "scripts" / "main_states.py"


def text(state: dict[str, Any]) -> str:
    return " ".join(state["texts"])


def test_every_panel_draws_in_every_state(blender: Session) -> None:
    facts = blender.run(SCRIPT).facts
    assert "dreamfusion.install_engine" in facts["no_engine"]["operators"]
    assert "dreamfusion.generate" not in facts["no_engine"]["operators"]
    assert "dreamfusion.cancel_install" in facts["installing"]["operators"] and "Installing" in text(
        facts["installing"]
    )
    assert "It failed." in text(facts["install_failed"])
    ready = facts["ready"]
    assert "dreamfusion.generate" in ready["operators"] and "dreamfusion.pause" not in ready["operators"]
    for shown in ("settings.prompt", "settings.negative", "settings.model_choice", "settings.seed", "settings.preset"):
        assert f"DREAMFUSION_PG_{shown}" in ready["properties"], shown
    texture = facts["texture"]
    assert "dreamfusion.texture" in texture["operators"] and "dreamfusion.generate" not in texture["operators"]
    assert "No mesh is selected" in texture["texts"]
    assert any(word in text(texture) for word in ("Select one or more mesh", "numpy"))  # Debian's Blender has none
    for shown in ("uvs", "size", "front", "material"):
        assert f"DREAMFUSION_PG_texture.{shown}" in texture["properties"], shown
    assert "Bucket" in facts["texture_of_one"]["texts"]
    assert "Starting the engine..." in facts["starting"]["texts"]
    running = facts["running"]
    assert {"dreamfusion.pause", "dreamfusion.cancel", "dreamfusion.finish"} <= set(running["operators"])
    assert "Training, step" in text(running) and "steps/s" in text(running) and "left" in text(running)
    assert "Settings changed" in running["texts"] and "1 more in the queue" in running["texts"]
    assert "dreamfusion.resume_job" in facts["paused"]["operators"] and "Paused at step" in text(facts["paused"])
    assert "Cancelled: a" in text(facts["cancelled"])
    assert "dreamfusion.lower_quality" in facts["failed"]["operators"] and "The memory ran out." in text(
        facts["failed"]
    )
    assert "Done in" in text(facts["done"]) and "dreamfusion.insert" in facts["done"]["operators"]
    assert "Asking the engine..." in facts["testing"]["texts"]
    assert "9.9" in text(facts["tested"])
    assert "Something is done" in text(facts["trouble"]) and "dreamfusion.open_log" in facts["trouble"]["operators"]


SHOWN = Path(__file__).parents[1] / "scripts" / "main_shown.py"


def test_every_setting_has_its_place_in_a_sub_panel(newest_blender: Session) -> None:
    assert newest_blender.run(SHOWN).facts["missing"] == []
