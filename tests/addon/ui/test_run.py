"""A whole run through the operators and the timer's tick, with a scripted engine: from Generate to the object.

Of: blender_addon/ui/operators/run.py, blender_addon/ui/run/timer.py.
"""

from __future__ import annotations

from pathlib import Path

from addon.blenders import Session

from dreamfusion_engine.mesh.preview import MOST_TRIANGLES

# Over the bars of benchmarks/speed/addon_ticks.py, in processor time, which programs that share caches and cores
# stretch two or three times.
ROOM = 5

SCRIPTS = Path(__file__).with_name("scripts")


def test_generate_ends_in_one_object_in_its_place(blender: Session) -> None:
    facts = blender.run(SCRIPTS / "run_whole.py").facts
    assert facts["state"] == "done" and facts["selected"] and not facts["preview"]
    assert facts["new"] == [facts["name"]] and "hamburger" in facts["name"].lower()
    assert abs(facts["size"] - 2.0) < 1e-3
    assert abs(facts["low"] - 0.5) < 1e-3 and facts["xy"] == [1.0, 2.0]
    assert facts["seed"] == 11 and facts["preset"] == "draft" and facts["sent"] == {"optimize": {"steps": 60}}
    assert facts["rows"] == [True] and facts["folder"] and facts["thumbnail"]
    assert "train" in facts["stages"]
    assert facts["notes"] == ["The object is rather flat."]
    assert facts["preview_vertices"] > 100
    assert facts["children"] == []


def test_pause_resume_finish_and_cancel_do_what_they_say(blender: Session) -> None:
    facts = blender.run(SCRIPTS / "run_steered.py").facts
    assert facts["held"] == 0
    assert facts["finished"] == "done" and facts["objects"] == 1
    assert facts["cancelled"] == "cancelled" and not facts["preview"] and facts["after"] == 1 and not facts["meshes"]
    assert facts["third"] == "done"


def test_a_run_stands_aside_while_blender_renders_and_does_what_the_artist_says(newest_blender: Session) -> None:
    facts = newest_blender.run(SCRIPTS / "run_aside.py").facts
    assert facts["said"] == ["Paused while Blender renders"]
    assert facts["resumed"] == "running" and facts["kept"] == "paused"
    assert (facts["unasked"], facts["wish"]) == ("running", "")


def test_failures_say_what_why_and_what_to_do_and_the_next_run_works(blender: Session) -> None:
    facts = blender.run(SCRIPTS / "run_troubles.py").facts
    told = facts["told"]
    assert told["die"]["code"].startswith("engine.") and "dreamfusion.resume_job" in told["die"]["buttons"]
    assert told["fail"]["buttons"][0] == "dreamfusion.lower_quality"
    assert "--preset" not in told["fail"]["fix"]
    assert told["zebra"]["code"] == "input.unknown_words"
    assert not any(trouble["preview"] for trouble in told.values())
    assert facts["cheaper"]["settings"]["mesh"]["texture"] == 512
    assert facts["good"] == "done" and facts["damaged"]


def test_a_text_block_queues_and_results_are_inserted_again_and_removed(blender: Session) -> None:
    facts = blender.run(SCRIPTS / "run_queued.py").facts
    assert facts["prompts"] == ["a hamburger", "a mug", "a rocket"]
    assert facts["objects"] == 3 and facts["again"] == 4
    assert facts["prompt"] == "a mug" and facts["steps"] == 20
    assert facts["left"] == 2 and facts["rows"] == 2


def test_without_an_engine_generate_is_grey_and_nothing_starts_before_somebody_looks(blender: Session) -> None:
    facts = blender.run(SCRIPTS / "run_no_engine.py").facts
    assert (facts["code"], facts["can"]) == ("engine.not_installed", False)
    assert (facts["unseen"], facts["children"], facts["seen"]) == ("idle", [], "examining")


def test_connection_is_tested_without_waiting(blender: Session) -> None:
    facts = blender.run(SCRIPTS / "run_connection.py").facts
    assert facts["trouble"] and facts["good"]
    assert "nowhere" in facts["bad"]


def test_jobs_go_to_a_cluster_several_at_once(blender: Session) -> None:
    facts = blender.run(SCRIPTS / "run_cluster.py").facts
    assert facts["without"] == [["jobs_on"], True] and facts["refused"] == "engine.cluster_address"
    assert facts["shown"] == ["jobs_on", "cluster"] and facts["words"] == ["serve", "--on", "gpu-box:6379"]
    assert "Ray cluster" in facts["found"] and "jobs at once: 2" in facts["found"]
    assert facts["at_once"] == ["running", "running"] and facts["top"]
    assert (facts["first"], facts["second"]) == ("running", "done")
    assert len(facts["objects"]) == 1


def test_ticks_bring_one_piece_each_and_compute_little(blender: Session) -> None:
    facts = blender.run(SCRIPTS / "ticks.py").facts
    assert facts["triangles"] > 45_000 and facts["growing"] > 0.95 * MOST_TRIANGLES
    assert max(facts["brought"]) == 1, "pictures and meshes come one a tick"
    usual = sorted(cpu_s for _, cpu_s, insertion in facts["ticks"] if not insertion)
    insertion = max(cpu_s for _, cpu_s, insertion in facts["ticks"] if insertion)
    assert len(usual) > 100
    print(f"Blender {blender.series}: first {facts['first']}, longest {usual[-10:]}, insertion {insertion}")
    assert facts["first"] <= ROOM * 0.100  # before any run: Blender loads its readers of pictures
    assert usual[int(0.99 * (len(usual) - 1))] <= ROOM * 0.010
    assert insertion <= ROOM * 0.500


def test_a_placeholder_gives_place_and_size_and_is_forgotten(blender: Session) -> None:
    facts = blender.run(SCRIPTS / "run_placeholder.py").facts
    assert facts["gone"] and facts["pointer"] and facts["where"] == "PLACEHOLDER"
    assert abs(facts["x"] - 3.0) < 1e-3 and abs(facts["size"] - 3.0) < 1e-2
