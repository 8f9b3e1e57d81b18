"""What goes wrong with a cluster, in words; Ray is not needed to say it."""

from __future__ import annotations

from dreamfusion_engine.batch.ray_faults import cluster_error, several_heads, unlike

MISMATCH = (
    "Version mismatch: The cluster was started with:\n    Ray: 2.9.0\n    Python: 3.10.4\n"
    "This process on 10.0.0.1 was started with:\n    Ray: 2.60.0\n    Python: 3.11.7\n"
)


def test_another_version_says_whose_is_whose() -> None:
    error = cluster_error(RuntimeError(MISMATCH), "h:1")
    assert error.code == "setup.ray_version"
    assert "It has Ray 2.9.0 and Python 3.10.4; this environment has Ray 2.60.0 and Python 3.11.7" in error.why


def test_a_version_that_is_told_in_other_words_is_repeated() -> None:
    assert "oops" in cluster_error(RuntimeError("Version mismatch: oops"), "h:1").why


def test_a_missing_part_and_silence_are_different_things() -> None:
    assert cluster_error(ImportError("No module named 'grpc'"), "ray://h:1").code == "setup.ray"
    silent = cluster_error(ConnectionError("ray client connection timeout"), "ray://h:1")
    assert silent.code == "setup.cluster" and "ray://h:1" in silent.why


def test_several_heads_are_named_and_one_is_asked_for() -> None:
    error = several_heads(["127.0.0.1:2", "127.0.0.1:1"])
    assert "127.0.0.1:1, 127.0.0.1:2" in error.why and "--on 127.0.0.1:1" in error.fix


def test_machines_are_alike_when_their_meshes_would_be() -> None:
    here = {"engine": "0.2.0", "python": "3.11.7", "torch": "2.13.0", "host": "a"}
    assert unlike(here, {**here, "host": "b"}) == ""
    assert unlike(here, {**here, "torch": "2.12.0"}) == "it has torch 2.12.0, and this machine torch 2.13.0"
