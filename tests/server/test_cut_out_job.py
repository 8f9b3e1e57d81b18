"""The cut-out of a picture through a real process: beside a run, with a mask, and what is refused.

Of: dreamfusion_engine/server/cut_out_job.py, dreamfusion_engine/server/server.py.
"""

from __future__ import annotations

import io
import threading
from typing import Any

import numpy as np
import pytest
from pictures.painting import bytes_of, disc, painted
from PIL import Image
from reference.wire_client import Client

from dreamfusion_engine.pictures.given import MOST, GivenPicture
from dreamfusion_engine.server.cut_out_job import CutOuts
from dreamfusion_engine.wire.protocol import Frame, write_frame

MASK = disc(64, 96)
PHOTO = bytes_of(painted(MASK, (0.7, 0.1, 0.1), 0.9))


def ask(client: Client, name: str, data: bytes, **fields: Any) -> None:
    write_frame(client.stdin, {"type": "cut_out", "id": name, **fields}, data)


def alpha(frame: Frame) -> Any:
    return np.asarray(Image.open(io.BytesIO(frame.data)))[..., 3] / 255.0


@pytest.mark.slow
def test_a_picture_is_cut_out_beside_a_run(greeted: Client) -> None:
    greeted.generate("run", "a mug", steps=100_000)
    greeted.wait_for("progress", "run")
    ask(greeted, "a", PHOTO)
    answer = greeted.wait_for("cut_out", "a")
    assert answer.message["by"] == "colours" and answer.message["cropped"] is False
    assert np.abs(alpha(answer) - MASK).mean() < 0.02
    greeted.send("finish", id="run")
    greeted.wait_for("result", "run")


@pytest.mark.slow
def test_a_mask_comes_after_its_picture(greeted: Client) -> None:
    other = disc(64, 96, radius=0.2)
    mask = bytes_of(other)
    ask(greeted, "a", PHOTO + mask, mask=len(mask))
    answer = greeted.wait_for("cut_out", "a")
    assert answer.message["by"] == "mask" and np.abs(alpha(answer) - other).max() < 0.01


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "fields", "code"),
    [
        (b"", {}, "protocol.field"),
        (PHOTO, {"mask": len(PHOTO)}, "protocol.pictures"),
        (b"no bitmap", {}, "input.picture"),
        (bytes_of(np.full((64, 64, 3), 0.5, np.float32)), {}, "input.picture_no_object"),
        (bytes_of(np.zeros((64, 64, 4), np.float32)), {}, "input.picture_empty"),
    ],
)
def test_what_shows_nothing_is_refused_in_words_and_the_next_is_cut_out(
    greeted: Client, data: bytes, fields: dict[str, Any], code: str
) -> None:
    ask(greeted, "a", data, **fields)
    said = greeted.wait_for("failed", "a").message
    assert said["code"] == code and said["what"] and said["why"] and said["fix"]
    ask(greeted, "a", PHOTO)  # an id may be used again: a cut-out is no job
    greeted.wait_for("cut_out", "a")


def test_a_flood_of_pictures_is_bounded_in_number_and_size() -> None:
    held, said = threading.Event(), []

    def send(name: str, _message: Any, _data: bytes) -> None:
        said.append(name)
        held.wait(600.0)

    waiting = CutOuts(send, bytes_limit=1000)
    waiting.begin("first", GivenPicture(data=b"x"))
    while not said:
        held.wait(0.001)
    assert waiting.has_room(1000) and not waiting.has_room(1001)
    for number in range(MOST):
        assert waiting.has_room(10)
        waiting.begin(str(number), GivenPicture(data=b"123456", mask=b"1234"))
    assert not waiting.has_room(0) and waiting.busy
    waiting.end()
    held.set()


def test_the_waiting_ones_are_answered_in_order() -> None:
    done, said = threading.Event(), []

    def send(name: str, message: Any, _data: bytes) -> None:
        said.append((name, message["type"]))
        if name == "2":
            done.set()

    waiting = CutOuts(send, bytes_limit=10_000_000)
    for name, data in (("0", PHOTO), ("1", b"junk"), ("2", PHOTO)):
        waiting.begin(name, GivenPicture(data=data))
    assert done.wait(600.0)
    assert said == [("0", "cut_out"), ("1", "failed"), ("2", "cut_out")]
