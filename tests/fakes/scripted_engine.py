"""An engine that does what it is told to, the worst included: the real protocol, no torch, for tests of the client.

`python scripted_engine.py [option ...] serve`. Options choose how it starts and ends; words of a prompt choose what
goes wrong during its run. Without any it counts its steps, shows pictures and a growing ball, writes a checkpoint every
ten steps into the job's output folder, and ends in a textured ball, which has the box of a blockout. For who starts it
without options:
DREAMFUSION_FAKE_STEP_S: seconds a step, default 0.01. DREAMFUSION_FAKE_TRIANGLES: of the result, default 960.
DREAMFUSION_FAKE_RINGS: of the growing ball, default 12, which gives 528 triangles. DREAMFUSION_FAKE_MODELS: its models
as JSON. DREAMFUSION_FAKE_GIVEN: lines of models that it can be asked about by path.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
import zlib
from pathlib import Path
from typing import Any, BinaryIO, cast

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fakes import scripted_contest, scripted_faults, scripted_output
from fakes.painted_glb import box_of, source_of
from fakes.shapes import cut_out_png

from dreamfusion_engine.wire.protocol import COMMANDS, PROTOCOL_VERSION, encode, read_frame

STEPS = 30
STEP_SECONDS = float(os.environ.get("DREAMFUSION_FAKE_STEP_S", "0.01"))
CHECKPOINT_EVERY = 10
PATIENT = 8  # drafts, after which a contest with the word "patient" waits to be paused
MODEL = {
    "name": "starter",
    "closed_vocabulary": True,
    "kinds": ["hamburger", "donut", "mug", "chair", "ice cream", "rocket"],
    "colours": ["red", "green", "blue", "orange"],
    "examples": ["a hamburger", "a pink donut", "a rocket"],
}
MODELS = json.loads(os.environ.get("DREAMFUSION_FAKE_MODELS") or "null") or [MODEL]
GIVEN = json.loads(os.environ.get("DREAMFUSION_FAKE_GIVEN") or "[]")
DEVICES = {
    "default": "cpu",
    "default_field": "cpu",
    "why": "torch finds no graphics card",
    "cores": 2,
    "torch": "none",
    "devices": [
        {"name": "cpu", "title": "paper", "memory_mib": 24000},
        {"name": "cuda:0", "title": "Paper Card 9000", "memory_mib": 24576, "field": True, "note": ""},
        {"name": "xpu:0", "title": "Paper Arc", "memory_mib": 16384, "field": False, "note": "Warp has no such device"},
    ],
}


class ScriptedEngine:
    """One conversation."""

    def __init__(self, options: argparse.Namespace, stdin: BinaryIO, stdout: BinaryIO) -> None:
        self.options = options
        self.stdin = stdin
        self.stdout = stdout
        self.lock = threading.Lock()
        self.wishes: dict[str, list[str]] = {}
        self.jobs: list[dict[str, Any]] = []
        self.changed = threading.Condition()
        self.ending = False
        self.silent = False
        self.running: str | None = None
        self.last = ""
        self.drafts = 0

    def say(self, message_type: str, data: bytes = b"", **fields: Any) -> None:
        self.raw(encode({"type": message_type, **fields}, data))

    def raw(self, data: bytes) -> None:
        with self.lock:
            try:
                self.stdout.write(data)
                self.stdout.flush()
            except OSError:
                os._exit(0)

    def serve(self) -> None:
        threading.Thread(target=self.listen, daemon=True).start()
        threading.Thread(target=self.beat, daemon=True).start()
        for _ in range(self.options.places - 1):
            threading.Thread(target=self.work, daemon=True).start()
        self.work()
        if self.options.ignore_end:
            time.sleep(600)
        self.say("bye")

    def work(self) -> None:
        """Do one job after another, until the end."""
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.jobs or self.ending)
                if self.ending:
                    break
                job = self.jobs.pop(0)
            self.run(job)

    def listen(self) -> None:
        while (frame := read_frame(self.stdin, COMMANDS)) is not None:
            message = frame.message
            message_type = message["type"]
            if message_type == "hello":
                self.hello()
            elif message_type == "shutdown":
                break
            elif message_type == "models" and message.get("given") is not None:
                asked = [entry["model"] for entry in message["given"]]
                self.say("models", models=MODELS, given=[line for line in GIVEN if line["name"] in asked])
            elif message_type == "generate" and message["prompt"] == "unreadable":
                self.say("failed", id=None, code="protocol.json", what="Not read.", why="It says so.", fix="Report it.")
            elif message_type in ("generate", "contest", "texture", "refine"):
                message["meshes"], message["given"] = cut(frame.data, message.get("pictures") or [])
                self.wishes[message["id"]] = []
                if "ponder" in message["prompt"].split():
                    time.sleep(1.0)
                self.say("queued", id=message["id"], ahead=0, output=message.get("output") or "")
                with self.changed:
                    self.jobs.append(message)
                    self.changed.notify_all()
            elif message_type == "cut_out" and not self.options.old:
                self.cut_out(message["id"], frame.data)
            elif message_type == "cut_out":
                self.say("failed", id=None, code="protocol.unknown", what="Not read.", why="No such.", fix="Update.")
            elif message.get("id") in self.wishes:
                choice = f" {message['seed']}" if message_type == "choose" else ""
                self.wishes[message["id"]].append(message_type + choice)
        with self.changed:
            self.ending = True
            self.changed.notify_all()

    def cut_out(self, name: str, data: bytes) -> None:
        """A blue square. A picture with the word nothing has no object; one with torn is answered by half a PNG."""
        if b"nothing" in data:
            self.say(
                "failed", id=name, code="input.picture_no_object", what="No object.", why="It says so.", fix="Paint."
            )
            return
        png_data = cut_out_png(64)
        self.say("cut_out", png_data[: 40 if b"torn" in data else None], id=name, by="colours", cropped=False)

    def hello(self) -> None:
        options = self.options
        time.sleep(options.start_delay)
        if options.silent_start:
            return
        if options.complain:
            self.say(
                "failed", id=None, code="setup.package", what="A package is missing.", why="No torch.", fix="Install."
            )
            return
        protocol = options.protocol
        cluster = {"machines": ["a", "b"], "left_out": [], "places": options.places}
        devices = {**DEVICES, "cluster": cluster} if options.on or options.places > 1 else DEVICES
        self.say("ready", protocol=protocol, engine="9.9", pid=os.getpid(), devices=devices, models=MODELS)

    def beat(self) -> None:
        while True:
            time.sleep(self.options.beat)
            if self.running is not None and not self.silent:
                self.say("heartbeat", id=self.running, queued=0)

    def run(self, job: dict[str, Any]) -> None:
        name, words, wishes = job["id"], set(job["prompt"].split()), self.wishes[job["id"]]
        settings = job.get("settings") or {}
        total = (settings.get("optimize") or {}).get("steps", STEPS)
        folder = Path(job["output"]).expanduser() if job.get("output") and not self.options.remote else None
        state = "contest.json" if job["type"] == "contest" else "checkpoint/checkpoint.json"
        checkpoint = folder / state if folder else None
        if scripted_faults.fails(self, words, name, begun=False):
            return
        self.running = name
        self.say("started", id=name)
        step = 0
        if job.get("resume"):
            if checkpoint is None or not checkpoint.is_file():
                what = "There is nothing to resume."
                self.say("failed", id=name, code="checkpoint.missing", what=what, why="No file.", fix="Do not resume.")
                self.running = None
                return
            step = json.loads(checkpoint.read_text())["step"]
        if job["type"] in ("texture", "refine") or "start" in settings:
            job["meshes"] = source_of(job, job["meshes"])
        job["box"] = box_of(job["meshes"]) if job["type"] != "texture" and job["meshes"] else None
        if scripted_faults.fails(self, words, name, begun=True):
            self.running = None
            return
        if job["type"] == "contest" and not step:
            if checkpoint is not None:
                checkpoint.parent.mkdir(parents=True, exist_ok=True)
                checkpoint.write_text(json.dumps({"step": 0}))
            won = scripted_contest.winner(self, job, wishes, lambda: self.passed(name, words, wishes), folder)
            if won is None:
                self.say("cancelled", id=name, what="Stopped between drafts.", why="You asked.", fix="Resume.")
                self.running = None
                return
            settings["seed"] = won
        held = False
        while step < total:
            if "deaf" not in words:
                if "cancel" in wishes or self.ending:
                    self.say("cancelled", id=name, what=f"Stopped at step {step}.", why="You asked.", fix="Resume.")
                    self.running = None
                    return
                if "finish" in wishes:
                    break
                steered = [wish for wish in wishes if not wish.startswith("choose")]
                if steered and (steered[-1] == "pause") != held:
                    held = not held
                    self.say("paused" if held else "resumed", id=name)
            if held:
                time.sleep(0.01)
                continue
            scripted_faults.misbehave(self, words, name, step, STEPS)
            time.sleep(0.2 if "slow" in words else STEP_SECONDS)
            step += 1
            fields = {"eta_s": (total - step) * STEP_SECONDS, "rate": 1.0 / STEP_SECONDS, "memory_mib": 960.0}
            self.say("progress", id=name, stage="train", step=step, total=total, **fields)
            if step % CHECKPOINT_EVERY == 0:
                scripted_output.show(self, job, words, step, total)
                if checkpoint is not None:
                    checkpoint.parent.mkdir(parents=True, exist_ok=True)
                    checkpoint.write_text(json.dumps({"step": step}))
        scripted_output.finish(self, job, words, folder, step, STEP_SECONDS)
        self.running, self.last = None, name

    def passed(self, name: str, words: set[str], wishes: list[str]) -> bool:
        """Take the time of a draft, longer while the job is held; whether the job is to stop."""
        time.sleep(0.2 if "slow" in words else STEP_SECONDS)
        self.drafts += 1
        while (
            "patient" in words and self.drafts > PATIENT and not {"pause", "cancel"} & set(wishes) and not self.ending
        ):
            time.sleep(0.01)  # a window on a busy machine sees the second round, however slow it is
        held = False
        while "cancel" not in wishes and not self.ending:
            if ([wish for wish in wishes if not wish.startswith("choose")] or [""])[-1] != "pause":
                break
            if not held:
                self.say("paused", id=name)
            held = True
            time.sleep(0.01)
        if held:
            self.say("resumed", id=name)
        return "cancel" in wishes or self.ending


def cut(data: bytes, pictures: list[dict[str, Any]]) -> tuple[bytes, list[list[Any]]]:
    """The blockout of a message, and of each picture its view and the CRC-32 of its file and of its mask's."""
    place = len(data) - sum(each["bytes"] + each.get("mask", 0) for each in pictures)
    blockout, given = data[:place], []
    for each in pictures:
        middle = place + each["bytes"]
        end = middle + each.get("mask", 0)
        given.append([each["view"], zlib.crc32(data[place:middle]), zlib.crc32(data[middle:end])])
        place = end
    return blockout, given


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beat", type=float, default=0.2, help="seconds between heartbeats")
    parser.add_argument("--protocol", type=int, default=PROTOCOL_VERSION)
    parser.add_argument("--start-delay", type=float, default=0.0)
    parser.add_argument("--banner", type=int, default=0, help="lines that a login shell would print first")
    parser.add_argument("--die", type=int, help="exit at once with this code")
    parser.add_argument("--last-words", default="", help="on standard error, before anything else")
    parser.add_argument("--silent-start", action="store_true", help="never answer hello")
    parser.add_argument("--complain", action="store_true", help="answer hello with a failure")
    parser.add_argument("--ignore-end", action="store_true", help="outlive the end of the input and SIGTERM")
    parser.add_argument("--remote", action="store_true", help="as if on another computer: write no files")
    parser.add_argument("--child", action="store_true", help="start a child that holds the pipes and would live on")
    parser.add_argument("--places", type=int, default=1, help="jobs at once, as on a cluster")
    parser.add_argument("--on", default="", help="address of a cluster")
    parser.add_argument("--old", action="store_true", help="know nothing of cut-outs")
    parser.add_argument("--say-token", action="store_true", help="print HF_TOKEN on standard error")
    parser.add_argument("command", nargs="*")
    options = parser.parse_args()
    if options.last_words:
        print(options.last_words, file=sys.stderr, flush=True)
    if options.say_token:
        print(f"the token is {os.environ.get('HF_TOKEN')}", file=sys.stderr, flush=True)
    if options.die is not None:
        return int(options.die)
    if options.ignore_end:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if options.child and os.fork() == 0:
        time.sleep(600)
        return 0
    stdout = cast(BinaryIO, os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)
    stdout.write(b"Welcome to gpu-box\n" * options.banner)
    stdin = cast(BinaryIO, os.fdopen(os.dup(0), "rb", buffering=0))
    ScriptedEngine(options, stdin, stdout).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
