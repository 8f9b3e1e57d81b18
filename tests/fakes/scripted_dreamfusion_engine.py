"""A small engine that speaks the real protocol and makes a growing ball, for tests. Standard library only.

`python scripted_dreamfusion_engine.py serve`. A word of the prompt chooses what goes wrong: crash (the process dies),
silent (not a word more), memory (failed), unknown (refused), damaged (a mesh that is none), slow (ten times slower).
DREAMFUSION_FAKE_STEP_S: seconds a step, default 0.01. DREAMFUSION_FAKE_TRIANGLES: of the result, default 960.
DREAMFUSION_FAKE_RINGS: of the growing ball, default 12, which gives 528 triangles; 100 give 39,600.
DREAMFUSION_FAKE_MODELS: its models as JSON, in place of the starter model without a recipe. DREAMFUSION_FAKE_GIVEN:
lines of models that it can be asked about by path. The report of a run has the settings that were sent.
"""

from __future__ import annotations

import json
import math
import os
import queue
import struct
import sys
import threading
import time
import zlib
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from fakes.painted_glb import painted, part_count, source_of

from blender_addon.core.protocol import COMMANDS, PROTOCOL_VERSION, Wire, read_frame

STEP_S = float(os.environ.get("DREAMFUSION_FAKE_STEP_S", "0.01"))
TRIANGLES = int(os.environ.get("DREAMFUSION_FAKE_TRIANGLES", "960"))
RINGS = int(os.environ.get("DREAMFUSION_FAKE_RINGS", "12"))
CARD = {
    "name": "starter",
    "closed_vocabulary": True,
    "kinds": ["hamburger", "donut", "mug", "chair", "snowman", "rocket"],
    "colours": ["red", "green", "blue"],
    "examples": ["a hamburger", "a pink donut", "a rocket"],
}
DEVICES = {
    "default": "cpu",
    "cores": 2,
    "platform": "test",
    "devices": [
        {"name": "cpu", "title": "x86_64", "memory_mib": 24000},
        {"name": "cuda:0", "title": "Paper Card 9000", "memory_mib": 24576},
    ],
}


def models() -> list[dict[str, Any]]:
    """Its list of models."""
    return json.loads(os.environ.get("DREAMFUSION_FAKE_MODELS") or "null") or [CARD]


class Engine:
    """One conversation: the reader puts wishes into `wishes`, the main thread works."""

    def __init__(self) -> None:
        self.wire = Wire(os.fdopen(os.dup(1), "wb"))
        self.work: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.wishes: dict[str, str] = {}
        self.paused: set[str] = set()
        self.running = ""  # the job at hand, while it shows its pulse

    def run(self) -> None:
        threading.Thread(target=self.read, daemon=True).start()
        threading.Thread(target=self.beat, daemon=True).start()
        while (message := self.work.get()) is not None:
            if message["type"] == "hello":
                self.wire.send(
                    {
                        "type": "ready",
                        "protocol": PROTOCOL_VERSION,
                        "engine": "0.2.0",
                        "pid": os.getpid(),
                        "devices": DEVICES,
                        "models": models(),
                    }
                )
            else:
                self.make(message)
        self.wire.send({"type": "bye"})

    def read(self) -> None:
        while (frame := read_frame(sys.stdin.buffer, COMMANDS)) is not None:
            message = frame.message
            kind = message["type"]
            if kind == "shutdown":
                break
            if kind in ("generate", "texture"):
                message["meshes"] = frame.data
                self.wire.send(
                    {"type": "queued", "id": message["id"], "ahead": 0, "output": message.get("output") or ""}
                )
            if kind in ("hello", "generate", "texture"):
                self.work.put(message)
            elif kind == "models" and message.get("given") is not None:
                asked = [entry["model"] for entry in message["given"]]
                known = json.loads(os.environ.get("DREAMFUSION_FAKE_GIVEN") or "[]")
                given = [line for line in known if line["name"] in asked]
                self.wire.send({"type": "models", "models": models(), "given": given})
            elif kind in ("cancel", "finish"):
                self.wishes[message["id"]] = kind
            elif kind == "pause":
                self.paused.add(message["id"])
            elif kind == "resume":
                self.paused.discard(message["id"])
        os._exit(0)  # the end of the input ends everything

    def beat(self) -> None:
        """The pulse, as the real engine's: a large mesh takes this one long on a busy machine."""
        while True:
            time.sleep(1.0)
            if self.running:
                self.wire.send({"type": "heartbeat", "id": self.running, "queued": 0})

    def make(self, message: dict[str, Any]) -> None:
        try:
            self.work_on(message)
        finally:
            self.running = ""

    def work_on(self, message: dict[str, Any]) -> None:
        name, words = message["id"], message["prompt"].split()
        failure = {
            "unknown": ("input.unknown_words", "The model does not know these words.", "It does not know: unknown."),
            "memory": ("run.out_of_memory", "The memory ran out.", "CUDA out of memory: 2 GiB wanted."),
        }
        for word, (code, what, why) in failure.items():
            if word in words:
                self.wire.send(
                    {"type": "failed", "id": name, "code": code, "what": what, "why": why, "fix": "Use --preset draft."}
                )
                return
        meshes = source_of(message, message["meshes"]) if message["type"] == "texture" else b""
        self.wire.send({"type": "started", "id": name})
        self.running = name
        settings = message.get("settings") or {}
        total = settings.get("optimize", {}).get("steps", 500 if message.get("preset") == "draft" else 1200)
        pause = STEP_S * (10.0 if "slow" in words else 1.0)
        step = 0
        while step < total and self.wishes.get(name) != "finish":
            if self.wishes.get(name) == "cancel":
                end: dict[str, Any] = {
                    "what": f"Stopped at step {step}.",
                    "why": "It was asked to.",
                    "fix": "Resume goes on.",
                }
                self.wire.send({"type": "cancelled", "id": name, **end})
                return
            if "crash" in words and step == 5:
                os._exit(7)
            if "silent" in words and step == 5:
                self.running = ""
                time.sleep(3600)
            if name in self.paused:
                self.hold(name)
                continue
            time.sleep(pause)
            step += 1
            self.progress(name, "train", step, total, (total - step) * pause, 1 / pause)
            if step % 10 == 0 or step == total:
                self.show(name, step, total, meshes)
        for stage in ("extract", "unwrap", "bake", "render"):
            self.progress(name, stage, 1, 1, 0.1, None)
            time.sleep(2 * pause)
        self.wire.send({"type": "note", "id": name, "code": "health.flat", "text": "The object is rather flat."})
        data = painted(meshes, lambda part: plain_png(64, part)) if meshes else glb(TRIANGLES)
        data = b"this is no mesh" if "damaged" in words else data
        report = {
            "prompt": message["prompt"],
            "seed": settings.get("seed", 0),
            "settings": settings,
            "device": "cpu",
            "steps": total,
            "steps_per_second": 1 / pause,
            "seconds": {"train": total * pause, "render": 2 * pause},
            "versions": {"engine": "0.2.0"},
        }
        end = {"folder": message.get("output") or "", "files": {"mesh": "mesh.glb"}, "report": report}
        self.wire.send({"type": "result", "id": name, **end}, data)

    def hold(self, name: str) -> None:
        self.wire.send({"type": "paused", "id": name})
        while name in self.paused and name not in self.wishes:
            time.sleep(0.02)
            self.wire.send({"type": "heartbeat", "id": name, "queued": 0})
        self.wire.send({"type": "resumed", "id": name})

    def progress(self, name: str, stage: str, step: int, total: int, eta: float, rate: float | None) -> None:
        values = {"stage": stage, "step": step, "total": total, "eta_s": eta, "rate": rate, "memory_mib": 960.0}
        self.wire.send({"type": "progress", "id": name, **values})

    def show(self, name: str, step: int, total: int, meshes: bytes) -> None:
        share = step / total
        self.wire.send({"type": "preview", "id": name, "name": "latest", "step": step}, png(128, 1, share))
        self.wire.send({"type": "preview", "id": name, "name": "views", "step": step}, png(128, 4, share))
        if meshes:
            for part in range(part_count(meshes)):
                picture = plain_png(32, part)
                self.wire.send({"type": "texture_preview", "id": name, "step": step, "part": part}, picture)
            return
        vertices, triangles = ball(RINGS, 2 * RINGS, 0.3 + 0.6 * share)
        data = b"".join(struct.pack("<3f", *v) for v in vertices) + b"".join(struct.pack("<3i", *t) for t in triangles)
        colours = b"".join(bytes((200, 90 + int(100 * abs(v[2])), 60)) for v in vertices)
        counts = {"vertices": len(vertices), "triangles": len(triangles)}
        self.wire.send({"type": "mesh_preview", "id": name, "step": step, **counts}, data + colours)


def ball(rings: int, sides: int, radius: float) -> tuple[list[tuple[float, float, float]], list[tuple[int, int, int]]]:
    """A closed ball, Z up."""
    vertices = [(0.0, 0.0, radius)]
    for ring in range(1, rings):
        polar = math.pi * ring / rings
        for side in range(sides):
            turn = 2 * math.pi * side / sides
            flat = radius * math.sin(polar)
            vertices.append((flat * math.cos(turn), flat * math.sin(turn), radius * math.cos(polar)))
    vertices.append((0.0, 0.0, -radius))
    last = len(vertices) - 1
    triangles = []
    for side in range(sides):
        after = (side + 1) % sides
        triangles.append((0, 1 + side, 1 + after))
        for ring in range(rings - 2):
            a, b = 1 + ring * sides + side, 1 + ring * sides + after
            triangles += [(a, a + sides, b), (b, a + sides, b + sides)]
        low = 1 + (rings - 2) * sides
        triangles.append((last, low + after, low + side))
    return vertices, triangles


def png(side: int, count: int, share: float) -> bytes:
    """A row of `count` square pictures of a ball that grows with `share`."""
    rows: list[bytes] = []
    radius = side * (0.15 + 0.3 * share)
    for y in range(side):
        row = bytearray(b"\0")
        line = bytearray()
        for x in range(side):
            u, v = (x - side / 2) / radius, (y - side / 2) / radius
            r2 = u * u + v * v
            if r2 < 1:
                light = max(0.25, 0.5 * math.sqrt(1 - r2) - 0.4 * v + 0.3)
                line += bytes((min(255, int(230 * light)), min(255, int(140 * light)), min(255, int(70 * light))))
            else:
                line += b"\x99\x99\x99"
        rows.append(bytes(row + line * count))
    return png_file(side * count, rows)


def plain_png(side: int, part: int) -> bytes:
    """A square in the colour of a part's number: red 200, green 20 a part, blue 60; its lower left quarter is dark."""
    bright, dark = bytes((200, min(255, 20 * part), 60)), bytes((40, min(255, 20 * part), 60))
    half = side // 2
    upper, lower = b"\0" + bright * side, b"\0" + dark * half + bright * (side - half)
    return png_file(side, [upper] * (side - half) + [lower] * half)


def png_file(width: int, rows: list[bytes]) -> bytes:
    """A PNG of rows that begin with their filter."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, len(rows), 8, 2, 0, 0, 0)
    body = zlib.compress(b"".join(rows), 6)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def glb(triangle_count: int) -> bytes:
    """A textured ball as a GLB: Y up, as the format wants it."""
    rings = max(3, round(math.sqrt(triangle_count / 4)))
    vertices, triangles = ball(rings, 2 * rings, 0.5)
    positions = b"".join(struct.pack("<3f", x, z, -y) for x, y, z in vertices)
    uvs = b"".join(
        struct.pack("<2f", math.atan2(y, x) / (2 * math.pi) + 0.5, max(0.0, min(1.0, 0.5 - z))) for x, y, z in vertices
    )
    indices = b"".join(struct.pack("<3I", *triangle) for triangle in triangles)
    picture = png(64, 1, 1.0)
    picture += b"\0" * (-len(picture) % 4)
    binary = positions + uvs + indices + picture
    views, at = [], 0
    for part in (positions, uvs, indices, picture):
        views.append({"buffer": 0, "byteOffset": at, "byteLength": len(part)})
        at += len(part)
    content = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "TEXCOORD_0": 1}, "indices": 2, "material": 0}]}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}, "metallicFactor": 0.0}}],
        "textures": [{"source": 0}],
        "images": [{"bufferView": 3, "mimeType": "image/png"}],
        "buffers": [{"byteLength": len(binary)}],
        "bufferViews": views,
        "accessors": [
            {
                "bufferView": 0,
                "componentType": 5126,
                "count": len(vertices),
                "type": "VEC3",
                "min": [-0.5] * 3,
                "max": [0.5] * 3,
            },
            {"bufferView": 1, "componentType": 5126, "count": len(vertices), "type": "VEC2"},
            {"bufferView": 2, "componentType": 5125, "count": 3 * len(triangles), "type": "SCALAR"},
        ],
    }
    text = json.dumps(content).encode()
    text += b" " * (-len(text) % 4)
    length = 12 + 8 + len(text) + 8 + len(binary)
    return (
        struct.pack("<4sII", b"glTF", 2, length)
        + struct.pack("<I4s", len(text), b"JSON")
        + text
        + struct.pack("<I4s", len(binary), b"BIN\0")
        + binary
    )


if __name__ == "__main__":
    Engine().run()
