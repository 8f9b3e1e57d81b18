"""What the add-on makes of a cluster's address and of what the engine says of it, damaged reports too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blender_addon.core.engine.cluster import MOST_PLACES, address_trouble, is_there, places, text
from blender_addon.core.engine.connection_check import ConnectionReport
from blender_addon.core.engine.location import EngineLocation

TWO = {"cluster": {"machines": ["a", "b"], "left_out": [], "places": 3}}


@pytest.mark.parametrize("address", ["ray", "gpu-box:6379", "10.0.0.1:6379", "ray://gpu-box.example:10001"])
def test_an_address_goes_to_the_engine(address: str, tmp_path: Path) -> None:
    assert address_trouble(address) is None
    (tmp_path / "python").touch()
    for place in (
        EngineLocation("python", tmp_path / "python", cluster=address),
        EngineLocation("command", command="ssh gpu-box", cluster=address),
        EngineLocation("command", command="ssh gpu-box dreamfusion-engine serve", cluster=address),
    ):
        words = place.words()
        assert words[-3:] == ["serve", "--on", address] and words.count("serve") == 1
    assert "--on" not in EngineLocation("command", command="ssh gpu-box").words()


@pytest.mark.parametrize("address", ["", "gpu-box", "a b:1", "box:6379; rm -rf x", "$(x):1", "box:123456", "x" * 300])
def test_what_is_no_address_is_said_before_anything_starts(address: str) -> None:
    trouble = address_trouble(address)
    assert trouble is not None and trouble.code == "engine.cluster_address" and trouble.fix
    if address:
        assert EngineLocation("command", command="ssh gpu-box", cluster=address).missing() == trouble


def test_the_report_says_how_many_jobs_go_at_once() -> None:
    assert places(TWO) == 3 and is_there(TWO) and "machines: 2, jobs at once: 3" in text(TWO)
    left_out = {"cluster": {"machines": ["a"], "left_out": ["b: it has Python 3.9"], "places": 1}}
    assert "machines left out: 1" in text(left_out)
    assert places({"cluster": {"places": 10**9}}) == MOST_PLACES
    said = ConnectionReport(engine="9.9", devices=TWO, seconds=1.0).text
    assert "Engine 9.9 answered" in said and "Ray cluster" in said


@pytest.mark.parametrize("devices", [None, {}, {"cluster": None}, {"cluster": 3}, {"cluster": []}])
def test_an_engine_without_a_cluster_takes_one_job(devices: dict[str, Any] | None) -> None:
    assert places(devices) == 1 and not is_there(devices) and text(devices) == ""


@pytest.mark.parametrize("count", [None, 0, -3, True, "many", 2.5])
def test_a_damaged_number_of_places_is_one(count: Any) -> None:
    assert places({"cluster": {"places": count}}) == 1
    assert text({"cluster": {"places": count, "machines": 3, "left_out": None}})
