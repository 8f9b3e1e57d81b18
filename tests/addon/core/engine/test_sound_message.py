"""Absurd numbers, endless texts and tokens in the engine's messages do not get in."""

from __future__ import annotations

import math
from typing import Any

import pytest

from blender_addon.core.blot import BLOT, Blot
from blender_addon.core.engine.sound_message import TEXT_LIMIT, sound_devices, sound_message
from blender_addon.core.protocol import EVENTS, DamagedFrame, check_message

ABSURD = [math.inf, -math.inf, math.nan, 10**400, -(10**400), -1, 1e300]
PROGRESS = {"type": "progress", "id": "a", "stage": "train", "step": 3, "total": 9, "memory_mib": 5.5}
TOKEN = "hf_" + "a" * 34


def test_what_can_be_believed_passes_as_it_is() -> None:
    for message in (
        {**PROGRESS, "eta_s": 12.5, "rate": None},
        {"type": "result", "id": "a", "folder": "/x", "files": {"mesh.glb": "/x"}, "report": {"a": [1]}, "bytes": 4},
        {"type": "ready", "protocol": 1, "engine": "0.2", "pid": 7, "devices": {}, "models": [{"name": "starter"}]},
    ):
        assert sound_message(message, Blot()) == message


@pytest.mark.parametrize("value", ABSURD)
@pytest.mark.parametrize("name", ["step", "total"])
def test_a_message_that_counts_what_cannot_be_is_damaged(name: str, value: Any) -> None:
    with pytest.raises(DamagedFrame, match=name):
        sound_message({**PROGRESS, name: value}, Blot())


@pytest.mark.parametrize("value", ABSURD)
def test_other_absurd_numbers_count_as_not_known(value: Any) -> None:
    found = sound_message({**PROGRESS, "eta_s": value, "rate": value, "memory_mib": value}, Blot())
    assert (found["eta_s"], found["rate"], found["memory_mib"]) == (None, None, 0.0)
    check_message(found, EVENTS)
    done = {"type": "downloaded", "id": "a", "model": "m", "folder": "f", "size": value, "license": ""}
    assert sound_message(done, Blot())["size"] == 0  # the end of a download is never lost


def test_texts_are_short_and_without_tokens_but_ids_stay() -> None:
    failed = {"type": "failed", "id": TOKEN, "code": "x", "what": f"{TOKEN} is bad", "why": "y" * 10**6, "fix": ""}
    found = sound_message(failed, Blot())
    assert found["id"] == TOKEN and found["what"] == f"{BLOT} is bad"
    assert len(found["why"]) == TEXT_LIMIT + 3
    deep = {"type": "models", "models": [{"name": "m", "trouble": {"why": TOKEN}}]}
    assert sound_message(deep, Blot())["models"] == [{"name": "m", "trouble": {"why": BLOT}}]


@pytest.mark.parametrize("report", [{"devices": 5}, {"devices": [5, {}, {"name": "a"}]}, {"default": [], "cores": "x"}])
def test_a_report_on_devices_has_names_and_numbers(report: dict[str, Any]) -> None:
    found = sound_devices(report)
    assert isinstance(found["default"], str)
    assert all(isinstance(one[name], str) for one in found["devices"] for name in ("name", "title"))
    assert all(one["memory_mib"] >= 0 for one in found["devices"])


@pytest.mark.parametrize("value", [*ABSURD, "much", None])
def test_absurd_memory_counts_as_not_known(value: Any) -> None:
    (device,) = sound_devices({"devices": [{"name": "cuda:0", "title": "card", "memory_mib": value}]})["devices"]
    assert device == {"name": "cuda:0", "title": "card", "memory_mib": 0}
