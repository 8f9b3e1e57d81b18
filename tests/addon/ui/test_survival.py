"""What an artist may do in the middle of a run: open, save, undo, edit, delete, disable, reload. Nothing breaks.

Of: blender_addon/ui/run/timer.py, blender_addon/ui/run/session.py.
"""

from __future__ import annotations

from pathlib import Path

from addon.blenders import Session

SCRIPTS = Path(__file__).with_name("scripts")


def test_a_run_outlives_opening_a_file_and_does_not_surprise_the_other_file(blender: Session) -> None:
    facts = blender.run(SCRIPTS / "survival_opened.py", FOLDER=str(blender.folder)).facts
    assert facts["timer"] and facts["rows"] == 1
    assert not facts["preview"] and facts["objects"] == 0
    assert not facts["inserted"] and facts["stranger"] == 0 and "another file" in facts["notice"]
    assert facts["on_wish"] == 1
    assert facts["reopened"] == 1 and facts["listed"] == 2


def test_an_object_comes_into_the_scene_in_which_it_was_begun(blender: Session) -> None:
    facts = blender.run(SCRIPTS / "survival_elsewhere.py").facts
    assert facts["seen"] == facts["there"] == [facts["begun"]] and facts["active"]


def test_undo_and_redo_in_the_middle_and_of_the_result(blender: Session) -> None:
    facts = blender.run(SCRIPTS / "survival_undone.py").facts
    assert facts == {
        "previews": False,
        "there": True,
        "after_undo": False,
        "ghost": False,
        "after_redo": True,
        "state": "done",
    }


def test_edit_mode_is_never_left_and_a_deleted_preview_is_no_harm(blender: Session) -> None:
    facts = blender.run(SCRIPTS / "survival_edited.py").facts
    assert facts["mode"] == "EDIT_MESH" and not facts["inserted"] and "Object Mode" in facts["reason"]
    assert facts["objects"] == 2 and facts["cube"]
    assert facts["after"] == 3


def test_a_file_saved_in_the_middle_of_a_run_holds_nothing_half_built(blender: Session) -> None:
    facts = blender.run(SCRIPTS / "survival_saved.py", FOLDER=str(blender.folder)).facts
    assert facts == {"objects": [], "meshes": [], "images": [], "state": "running"}


def test_disabling_ends_the_engine_and_the_job_can_be_resumed(blender: Session) -> None:
    facts = blender.run(SCRIPTS / "survival_disabled.py").facts
    assert facts["waited"] < 2.5, "what closing is ready to wait for"
    assert facts["objects"] == 0
    assert not facts["timers"] and not facts["scene"] and not facts["window"]
    assert facts["state"] == "interrupted" and facts["same"] and facts["shown"] and facts["rows"] == 1


def test_reload_scripts_in_the_middle_of_a_run(blender: Session) -> None:
    facts = blender.run(SCRIPTS / "survival_reloaded.py").facts
    assert facts == {"children_before": 0, "state": "interrupted", "fresh": "done"}


def test_a_bug_of_the_addon_is_told_once_and_the_timer_and_the_run_go_on(newest_blender: Session) -> None:
    facts = newest_blender.run(SCRIPTS / "survival_bug.py").facts
    assert facts == {"told": "internal.bug", "traces": 1, "state": "done"}


def test_another_output_folder_is_taken_without_waiting_for_the_engine_to_end(newest_blender: Session) -> None:
    facts = newest_blender.run(SCRIPTS / "survival_moved.py", FOLDER=str(newest_blender.folder)).facts
    assert facts["waits"] == [] and facts["folder"] == str(newest_blender.folder / "elsewhere")
    assert facts["jobs"] == 1


def test_an_idle_engine_is_started_anew_when_online_access_changes(newest_blender: Session) -> None:
    """What it may do was decided by its environment when it was started."""
    facts = newest_blender.run(SCRIPTS / "survival_online.py").facts
    assert facts == {"before": "ready", "after": "absent"}


def test_a_killed_engine_is_a_clear_failure_at_once(blender: Session) -> None:
    facts = blender.run(SCRIPTS / "survival_killed.py").facts
    for number in range(3):
        assert facts[f"state_{number}"] == "failed" and facts[f"why_{number}"] and not facts[f"preview_{number}"]
    assert facts["good"] == "done"


def test_blender_that_exits_in_the_middle_leaves_no_engine_and_does_not_hang(blender: Session) -> None:
    engine = blender.run(SCRIPTS / "survival_left.py").facts["engine"]
    assert engine
    assert blender.run(SCRIPTS / "survival_alive.py", str(engine)).facts["alive"] is False
