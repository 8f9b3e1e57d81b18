"""An engine that does what it is told to, the worst included: the real protocol, no torch, for tests of the client.

`python scripted_engine.py [option ...] serve`. Options choose how it starts and ends; words of a prompt choose what
goes wrong during its run. Without any it counts its steps, shows pictures and a growing mesh, writes a checkpoint every
ten steps into the job's output folder, and ends in a small textured cube.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import struct
import sys
import threading
import time
import zlib
from pathlib import Path
from typing import Any, BinaryIO, cast

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from fakes.painted_glb import painted, part_count, source_of

from dreamfusion_engine.wire.protocol import COMMANDS, PROTOCOL_VERSION, encode, read_frame

STEPS = 30
STEP_SECONDS = 0.01
CHECKPOINT_EVERY = 10
MODEL = {
    "name": "starter",
    "closed_vocabulary": True,
    "kinds": ["hamburger", "mug", "ice cream"],
    "colours": ["red", "orange"],
    "examples": ["a hamburger"],
}
DEVICES = {
    "default": "cpu",
    "cores": 2,
    "torch": "none",
    "devices": [{"name": "cpu", "title": "paper", "memory_mib": 1024}],
}


def png(width: int, height: int, shade: int) -> bytes:
    """A PNG of one colour. shade: 0 to 255."""
    rows = (b"\0" + bytes((shade, 128, 255 - shade)) * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def tetrahedron(size: float) -> bytes:
    """The bytes of a mesh preview: 4 vertices, 4 triangles, 4 colours."""
    corners = [(-1, -1, -1), (1, 1, -1), (1, -1, 1), (-1, 1, 1)]
    triangles = [(0, 1, 2), (0, 3, 1), (0, 2, 3), (1, 3, 2)]
    vertices = b"".join(struct.pack("<3f", *(size * value for value in corner)) for corner in corners)
    return vertices + b"".join(struct.pack("<3i", *t) for t in triangles) + bytes((255, 0, 0, 0, 255, 0) * 2)


def cube_glb(name: str, shade: int, padding: int = 0) -> bytes:
    """A textured cube as binary glTF 2.0: 24 vertices, 12 triangles, a PNG base colour; on the ground, side 1.

    padding: bytes that nothing refers to, for a file of a real one's size.
    """
    positions: list[tuple[float, ...]] = []
    normals: list[tuple[float, ...]] = []
    uvs: list[tuple[float, float]] = []
    indices: list[int] = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            first = len(positions)
            for u, v in ((0, 0), (1, 0), (1, 1), (0, 1)):
                point, normal = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
                point[axis], normal[axis] = 0.5 * sign, sign
                point[(axis + 1) % 3], point[(axis + 2) % 3] = (u - 0.5) * sign, v - 0.5
                positions.append((point[0], point[1] + 0.5, point[2]))
                normals.append(tuple(normal))
                uvs.append((float(u), float(v)))
            indices += [first, first + 1, first + 2, first, first + 2, first + 3]
    blobs = [
        b"".join(struct.pack("<3f", *p) for p in positions),
        b"".join(struct.pack("<3f", *n) for n in normals),
        b"".join(struct.pack("<2f", *t) for t in uvs),
        b"".join(struct.pack("<I", i) for i in indices),
        png(8, 8, shade),
    ]
    views, binary = [], b""
    for blob in blobs:
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(blob)})
        binary += blob + b"\0" * (-len(blob) % 4)
    binary += b"\0" * (padding & ~3)
    accessors: list[dict[str, Any]] = [
        {
            "bufferView": 0,
            "componentType": 5126,
            "count": 24,
            "type": "VEC3",
            "min": [-0.5, 0, -0.5],
            "max": [0.5, 1, 0.5],
        },
        {"bufferView": 1, "componentType": 5126, "count": 24, "type": "VEC3"},
        {"bufferView": 2, "componentType": 5126, "count": 24, "type": "VEC2"},
        {"bufferView": 3, "componentType": 5125, "count": 36, "type": "SCALAR"},
    ]
    attributes = {"POSITION": 0, "NORMAL": 1, "TEXCOORD_0": 2}
    document = {
        "asset": {"version": "2.0", "generator": "scripted engine"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": name}],
        "meshes": [{"name": name, "primitives": [{"attributes": attributes, "indices": 3, "material": 0}]}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}, "metallicFactor": 0.0}}],
        "textures": [{"source": 0}],
        "images": [{"bufferView": 4, "mimeType": "image/png"}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(binary)}],
    }
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


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

    def say(self, kind: str, data: bytes = b"", **fields: Any) -> None:
        self.raw(encode({"type": kind, **fields}, data))

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
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.jobs or self.ending)
                if self.ending:
                    break
                job = self.jobs.pop(0)
            self.run(job)
        if self.options.ignore_end:
            time.sleep(600)
        self.say("bye")

    def listen(self) -> None:
        while (frame := read_frame(self.stdin, COMMANDS)) is not None:
            message = frame.message
            kind = message["type"]
            if kind == "hello":
                self.hello()
            elif kind == "shutdown":
                break
            elif kind == "generate" and message["prompt"] == "unreadable":
                self.say("failed", id=None, code="protocol.json", what="Not read.", why="It says so.", fix="Report it.")
            elif kind in ("generate", "texture"):
                message["meshes"] = frame.data
                self.wishes[message["id"]] = []
                if "ponder" in message["prompt"].split():
                    time.sleep(1.0)
                self.say("queued", id=message["id"], ahead=0, output=message.get("output") or "")
                with self.changed:
                    self.jobs.append(message)
                    self.changed.notify_all()
            elif message.get("id") in self.wishes:
                self.wishes[message["id"]].append(kind)
        with self.changed:
            self.ending = True
            self.changed.notify_all()

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
        self.say("ready", protocol=protocol, engine="9.9", pid=os.getpid(), devices=DEVICES, models=[MODEL])

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
        checkpoint = folder / "checkpoint" / "checkpoint.json" if folder else None
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
        if job["type"] == "texture":
            job["meshes"] = source_of(job, job["meshes"])
        if "fail" in words:
            what = "The memory ran out."
            self.say("failed", id=name, code="run.out_of_memory", what=what, why="2 TiB", fix="Use a smaller preset.")
            self.running = None
            return
        held = False
        while step < total:
            if "deaf" not in words:
                if "cancel" in wishes or self.ending:
                    self.say("cancelled", id=name, what=f"Stopped at step {step}.", why="You asked.", fix="Resume.")
                    self.running = None
                    return
                if "finish" in wishes:
                    break
                if wishes and (wishes[-1] == "pause") != held:
                    held = not held
                    self.say("paused" if held else "resumed", id=name)
            if held:
                time.sleep(0.01)
                continue
            self.misbehave(words, name, step)
            time.sleep(0.2 if "slow" in words else STEP_SECONDS)
            step += 1
            fields = {"eta_s": (total - step) * STEP_SECONDS, "rate": 1.0 / STEP_SECONDS, "memory_mib": 12.5}
            self.say("progress", id=name, stage="train", step=step, total=total, **fields)
            if step % CHECKPOINT_EVERY == 0:
                shade = step % 256
                self.say("preview", png(16, 16, shade), id=name, name="latest", step=step)
                self.say("preview", png(32, 8, shade), id=name, name="views", step=step)
                if job["type"] == "texture":
                    for part in range(part_count(job["meshes"])):
                        self.say("texture_preview", png(8, 8, shade), id=name, step=step, part=part)
                elif "badmesh" in words:
                    broken = bytearray(tetrahedron(1.0))
                    broken[48:52] = struct.pack("<i", 10**6)
                    self.say("mesh_preview", bytes(broken), id=name, step=step, vertices=4, triangles=4)
                else:
                    self.say("mesh_preview", tetrahedron(0.5), id=name, step=step, vertices=4, triangles=4)
                if checkpoint is not None:
                    checkpoint.parent.mkdir(parents=True, exist_ok=True)
                    checkpoint.write_text(json.dumps({"step": step}))
        self.end(job, words, folder, step)
        self.running, self.last = None, name

    def misbehave(self, words: set[str], name: str, step: int) -> None:
        if self.last and "late" in words:
            self.say("progress", id=self.last, stage="train", step=1, total=2, memory_mib=0.0)
            self.say("failed", id=self.last, code="x", what="An old one.", why="", fix="")
        if "babble" in words:
            self.raw(b"a stray print\n")
        if "noise" in words:
            sys.stderr.write("x" * 100_000 + "\n")
        if "flood" in words:
            for _ in range(50):
                self.say("preview", png(64, 64, step % 256), id=name, name="latest", step=step)
                self.say("mesh_preview", tetrahedron(1.0), id=name, step=step, vertices=4, triangles=4)
                self.say("progress", id=name, stage="train", step=step, total=STEPS, memory_mib=1.0)
        if step != 5:
            return
        if "die" in words:
            os._exit(7)
        if "segfault" in words:
            os.kill(os.getpid(), signal.SIGSEGV)
        if "hang" in words:
            self.silent = True
            time.sleep(600)
        if "damaged" in words:
            self.raw(b'{"type":"progress","id":\n')
        if "absurd" in words:
            start = b'{"type":"progress","id":"%s","stage":"train","total":9' % name.encode()
            self.raw(start + b',"step":1' + b"0" * 400 + b',"memory_mib":1}\n')
            self.raw(start + b',"step":6,"memory_mib":1e999,"eta_s":NaN,"rate":Infinity}\n')
            huge = bytearray(png(2, 2, 0))
            huge[16:24] = struct.pack(">II", 12_000, 12_000)
            self.say("preview", bytes(huge), id=name, name="latest", step=step)
        if "leak" in words:
            token = os.environ["HF_TOKEN"]
            self.say("note", id=name, code="x", text=f"Asked with {token}.")
            self.say("failed", id=name, code="x", what="Refused.", why=f"The token is {token}.", fix=f"Not {token}.")
            raise SystemExit(0)
        if "unknown" in words:
            self.say("a_message_of_the_future", id=name)
        if "garbage" in words:
            for _ in range(400):
                self.raw(os.urandom(100).replace(b"\n", b"") + b"\n")
        if "endless" in words:
            while True:
                self.raw(b"x" * 65536)
        if "torn" in words:
            self.raw(b'{"type":"preview","id":"%s","name":"latest","step":1,"bytes":9000}\nabc' % name.encode())
            os._exit(0)
        if "mute" in words:  # closes its output and goes on
            self.stdout.close()
            time.sleep(600)

    def end(self, job: dict[str, Any], words: set[str], folder: Path | None, step: int) -> None:
        name = job["id"]
        for stage in ("extract", "unwrap", "bake", "render"):
            self.say("progress", id=name, stage=stage, step=0, total=100, memory_mib=13.0)
        self.say("note", id=name, code="health.flat", text="The object is rather flat.")
        glb = cube_glb(job["prompt"], step % 256, 30 << 20 if "huge" in words else 0)
        if job["type"] == "texture":
            glb = painted(job["meshes"], lambda part: png(16, 16, part))
        if "badglb" in words:
            glb = glb[:-7]
        report = {
            "prompt": job["prompt"],
            "seed": (job.get("settings") or {}).get("seed", 0),
            "device": "cpu",
            "steps": step,
            "steps_per_second": 100.0,
            "seconds": {"load": 0.5, "train": 0.3, "render": 0.5, "train_all_sessions": 0.3},
            "versions": {"torch": "0"},
        }
        files = {}
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "mesh.glb").write_bytes(glb)
            (folder / "result.json").write_text(json.dumps(report))
            files = {"mesh.glb": str(folder / "mesh.glb")}
        self.say("result", glb, id=name, folder=str(folder or ""), files=files, report=report)


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
