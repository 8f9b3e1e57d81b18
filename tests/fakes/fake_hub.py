"""A model hub on this machine: enough of its HTTP interface for downloads, with the troubles of a real one on demand.

Content is served by a second host (as the real hub leads to another one), told apart by its name: the hub is
127.0.0.1, the content lies on localhost.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" * 6 + "c0de"
LARGE = 200  # bytes from which a file is stored by its SHA-256, as large files are at the hub


@dataclass
class Request:
    """What was asked. host: the name of the host that was asked; token: as it arrived."""

    host: str
    path: str
    range: str | None
    token: str | None


@dataclass
class FakeHub:
    """files: path -> content of the one model `repository`. The rest is what goes wrong.

    gate: 'gated', 'private', 'token' or '' for an open model. cut: path -> lengths, one a try, after which the
    connection breaks. broken: path -> how many times its content arrives changed. status: an answer to everything.
    deaf: ranges are ignored. slow_s: seconds between two pieces.
    """

    repository: str = "someone/tiny"
    files: dict[str, bytes] = field(default_factory=dict)
    gate: str = ""
    accepted: str = "hf_good"  # the token whose account has accepted the licence
    cut: dict[str, list[int]] = field(default_factory=dict)
    broken: dict[str, int] = field(default_factory=dict)
    status: int = 0
    deaf: bool = False
    page: int = 1000  # lines of a listing
    stop: threading.Event = field(default_factory=threading.Event)  # set: content waits after its first piece
    asked: list[Request] = field(default_factory=list)
    address: str = ""

    def asked_for(self, path: str) -> list[Request]:
        """The requests for one file's content."""
        return [one for one in self.asked if one.path == f"/content/{path}"]


def oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def line_of(path: str, content: bytes) -> dict[str, object]:
    line: dict[str, object] = {"type": "file", "path": path, "size": len(content), "oid": oid(content)}
    if len(content) >= LARGE:
        pointer = oid(b"pointer to " + content)
        digest = hashlib.sha256(content).hexdigest()
        line |= {"oid": pointer, "lfs": {"oid": digest, "size": len(content), "pointerSize": 130}}
    return line


@contextmanager
def running_hub(hub: FakeHub) -> Iterator[FakeHub]:
    """Serve until the end of the block; `hub.address` is where."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            path = unquote(url.path)
            host = (self.headers.get("Host") or "").split(":")[0]
            token = self.headers.get("Authorization")
            hub.asked.append(Request(host, path, self.headers.get("Range"), token))
            if hub.status:
                self.answer(hub.status, b"")
            elif path.startswith("/content/"):
                self.content(path.removeprefix("/content/"))
            elif path.startswith("/api/models/"):
                self.api(path.removeprefix("/api/models/"), url.query)
            else:
                self.resolve(path, token)

        def do_HEAD(self) -> None:
            """Answered as the hub does for its own library: commit, hash and size of a file."""
            name = unquote(urlsplit(self.path).path).partition(f"/resolve/{COMMIT}/")[2]
            line = line_of(name, hub.files[name])
            large = line.get("lfs")
            etag = large["oid"] if isinstance(large, dict) else line["oid"]
            headers = {"X-Repo-Commit": COMMIT, "X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(line["size"])}
            where = hub.address.replace("127.0.0.1", "localhost")
            self.answer(302, b"", {**headers, "Location": f"{where}/content/{name}"})

        def api(self, path: str, query: str) -> None:
            if self.token_refused() or not path.startswith(hub.repository + "/") or hub.gate == "private":
                self.refuse(401, "RepoNotFound")
            elif path == f"{hub.repository}/revision/main":
                self.say(
                    {
                        "id": hub.repository,
                        "sha": COMMIT,
                        "cardData": {"license": "openrail"},
                        "gated": "auto" if hub.gate else False,
                    }
                )
            elif path == f"{hub.repository}/tree/{COMMIT}":
                start = int(query.partition("cursor=")[2] or 0)
                lines = [{"type": "directory", "path": "unet", "oid": "0" * 40, "size": 0}]
                lines += [line_of(name, content) for name, content in hub.files.items()]
                more = {}
                if start + hub.page < len(lines):
                    next_page = f"{hub.address}/api/models/{path}?recursive=true&cursor={start + hub.page}"
                    more = {"Link": f'<{next_page}>; rel="next"'}
                self.say(lines[start : start + hub.page], more)
            else:
                self.refuse(404, "RevisionNotFound")

        def resolve(self, path: str, token: str | None) -> None:
            name = path.removeprefix(f"/{hub.repository}/resolve/{COMMIT}/")
            if self.token_refused():
                return
            if hub.gate == "gated" and token != f"Bearer {hub.accepted}":
                self.refuse(403 if token else 401, "GatedRepo")
            elif name not in hub.files:
                self.refuse(404, "EntryNotFound")
            else:
                where = hub.address.replace("127.0.0.1", "localhost")
                self.answer(302, b"", {"Location": f"{where}/content/{name}"})

        def token_refused(self) -> bool:
            token = self.headers.get("Authorization")
            if hub.gate == "token" and token is not None:
                self.answer(401, b'{"error":"Invalid credentials in Authorization header"}')
                return True
            return False

        def content(self, name: str) -> None:
            content = hub.files[name]
            if hub.broken.get(name, 0) > 0:
                hub.broken[name] -= 1
                content = bytes([content[0] ^ 1]) + content[1:]
            start = 0 if hub.deaf else int((self.headers.get("Range") or "bytes=0-")[6:-1])
            headers = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
            self.send_response(206 if start else 200)
            for key, value in {**headers, "Content-Length": str(len(content) - start)}.items():
                self.send_header(key, value)
            self.end_headers()
            cuts = hub.cut.get(name, [])
            end = min(len(content), start + cuts.pop(0)) if cuts else len(content)
            if hub.stop.is_set():
                self.wfile.write(content[start : start + 10])
                self.wfile.flush()
                while hub.stop.is_set():
                    hub.stop.wait(0.02)
                start += 10
            self.wfile.write(content[start:end])
            self.close_connection = True

        def refuse(self, status: int, code: str) -> None:
            self.answer(status, b"{}", {"X-Error-Code": code})

        def say(self, value: object, headers: dict[str, str] | None = None) -> None:
            self.answer(200, json.dumps(value).encode(), headers)

        def answer(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for key, value in {**(headers or {}), "Content-Length": str(len(content))}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("", 0), Handler)
    server.daemon_threads = True
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.stop.clear()
        server.shutdown()
        server.server_close()
        thread.join()


def tiny_files(**parts: bytes) -> dict[str, bytes]:
    """The files of a pipeline whose weights are a few hundred bytes, with much that no run reads beside them."""
    from reference.paper_model import paper_weights

    index = {
        "_class_name": "IFPipeline",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "text_encoder": ["transformers", "T5EncoderModel"],
        "tokenizer": ["transformers", "T5Tokenizer"],
        "scheduler": ["diffusers", "DDPMScheduler"],
        "safety_checker": ["deepfloyd_if", "IFSafetyChecker"],
        "watermarker": [None, None],
    }
    weights = paper_weights(shape=(40, 50))
    return {
        "model_index.json": json.dumps(index).encode(),
        "README.md": b"# tiny",
        "pipeline.ckpt": b"pickle" * 100,
        "unet/config.json": b"{}",
        "unet/diffusion_pytorch_model.safetensors": weights + b"full" * 0,
        "unet/diffusion_pytorch_model.fp16.safetensors": paper_weights(shape=(40, 60)),
        "unet/diffusion_pytorch_model.bin": b"pickle" * 100,
        "text_encoder/config.json": b"{}",
        "text_encoder/model.safetensors.index.json": json.dumps({"weight_map": {"a": "b"}}).encode(),
        "text_encoder/model-00001-of-00002.safetensors": paper_weights(shape=(30, 31), name="first"),
        "text_encoder/model-00002-of-00002.safetensors": paper_weights(shape=(30, 32), name="second"),
        "tokenizer/spiece.model": b"a sentencepiece model" * 3,
        "tokenizer/tokenizer_config.json": b'{"model_max_length": 77}',
        "scheduler/scheduler_config.json": b'{"beta_schedule": "linear"}',
        "safety_checker/model.safetensors": paper_weights(),
        **parts,
    }
