"""What goes wrong in the scripted engine's runs, by the words of a prompt: failures that are told, and worse ones."""

from __future__ import annotations

import os
import signal
import struct
import sys
import time
from typing import Any, BinaryIO, Protocol

from fakes.shapes import png, tetrahedron

FAILURES = {  # by the word that asks for it: whether the run has begun, and what is told
    "zebra": (False, "input.unknown_words", "The model does not know these words.", "It does not know: zebra.", "Ask."),
    "unplugged": (True, "run.device_lost", "A card stopped answering.", "CUDA error: it is gone", "Look at it."),
    "fail": (True, "run.out_of_memory", "The memory ran out.", "2 TiB", "Use --preset draft."),
}


class Engine(Protocol):
    """What of the scripted engine is needed here."""

    stdout: BinaryIO
    silent: bool  # it sends no heartbeats
    last: str  # id of the job before

    def say(self, message_type: str, data: bytes = b"", **fields: Any) -> None: ...

    def raw(self, data: bytes) -> None: ...


def fails(engine: Engine, words: set[str], name: str, *, begun: bool) -> bool:
    """Whether the prompt asks for a failure here; then it is told."""
    for word, (late, code, what, why, fix) in FAILURES.items():
        if word in words and late == begun:
            engine.say("failed", id=name, code=code, what=what, why=why, fix=fix)
            return True
    return False


def misbehave(engine: Engine, words: set[str], name: str, step: int, steps: int) -> None:
    """Do before a step what the words of a prompt ask for, most of it before the fifth.

    steps: of a whole run.
    """
    if engine.last and "late" in words:
        engine.say("progress", id=engine.last, stage="train", step=1, total=2, memory_mib=0.0)
        engine.say("failed", id=engine.last, code="x", what="An old one.", why="", fix="")
    if "babble" in words:
        engine.raw(b"a stray print\n")
    if "noise" in words:
        sys.stderr.write("x" * 100_000 + "\n")
    if "flood" in words:
        for _ in range(50):
            engine.say("preview", png(64, 64, step % 256), id=name, name="latest", step=step)
            engine.say("mesh_preview", tetrahedron(1.0), id=name, step=step, vertices=4, triangles=4)
            engine.say("progress", id=name, stage="train", step=step, total=steps, memory_mib=1.0)
    if step != 5:
        return
    if "die" in words:
        os._exit(7)
    if "segfault" in words:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "hang" in words:
        engine.silent = True
        time.sleep(600)
    if "damaged" in words:
        engine.raw(b'{"type":"progress","id":\n')
    if "absurd" in words:
        start = b'{"type":"progress","id":"%s","stage":"train","total":9' % name.encode()
        engine.raw(start + b',"step":1' + b"0" * 400 + b',"memory_mib":1}\n')
        engine.raw(start + b',"step":6,"memory_mib":1e999,"eta_s":NaN,"rate":Infinity}\n')
        huge = bytearray(png(2, 2, 0))
        huge[16:24] = struct.pack(">II", 12_000, 12_000)
        engine.say("preview", bytes(huge), id=name, name="latest", step=step)
    if "leak" in words:
        token = os.environ["HF_TOKEN"]
        engine.say("note", id=name, code="x", text=f"Asked with {token}.")
        engine.say("failed", id=name, code="x", what="Refused.", why=f"The token is {token}.", fix=f"Not {token}.")
        raise SystemExit(0)
    if "unknown" in words:
        engine.say("a_message_of_the_future", id=name)
    if "garbage" in words:
        for _ in range(400):
            engine.raw(os.urandom(100).replace(b"\n", b"") + b"\n")
    if "endless" in words:
        while True:
            engine.raw(b"x" * 65536)
    if "torn" in words:
        engine.raw(b'{"type":"preview","id":"%s","name":"latest","step":1,"bytes":9000}\nabc' % name.encode())
        os._exit(0)
    if "mute" in words:  # closes its output and goes on
        engine.stdout.close()
        time.sleep(600)
