"""Runs that change a part, on a tiny diffusion model with random weights, and the files for them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from reference.glb_builder import Glb, parts

from dreamfusion_engine.config.paint import PaintConfig, painting
from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.events import Event, Note, Result
from dreamfusion_engine.mesh.export import png_bytes
from dreamfusion_engine.tasks import texture as engine

SIZE = 64
SETTINGS: dict[str, Any] = {
    "optimize": {"steps": 3, "views": 1, "resolution": [16, 16], "learning_rate": 0.05},
    "field": {"levels": 2},
    "mesh": {"texture": SIZE, "padding": 2},
    "device": "cpu",
}
RNG = np.random.default_rng(5)


def noise(height: int = SIZE, width: int = SIZE, channels: int = 3) -> NDArray[np.uint8]:
    return RNG.integers(0, 256, (height, width, channels)).astype(np.uint8)


def with_part(
    mesh: Any, chosen: NDArray[Any], picture: NDArray[np.uint8] | None, *, factor: Any = None, **attributes: Any
) -> Glb:
    """A GLB of one part, from vertices with Z up. chosen: [T, 3], of the corners. attributes: of the corners."""
    vertices, triangles, uv = mesh
    made = Glb()
    corners = vertices[triangles].reshape(-1, 3)[:, [0, 2, 1]] * [1.0, 1.0, -1.0]
    entry: dict[str, Any] = {
        "POSITION": made.array(corners, min=corners.min(0).tolist(), max=corners.max(0).tolist()),
        "TEXCOORD_0": made.array(uv.reshape(-1, 2)),
        "_PART": made.array(np.asarray(chosen, np.float32).reshape(-1)),
    }
    entry |= {name: made.array(values) for name, values in attributes.items()}
    surface: dict[str, Any] = {"roughnessFactor": 0.25}
    if picture is not None:
        made.document["images"] = [{"bufferView": made.view(png_bytes(picture)), "mimeType": "image/png"}]
        made.document["samplers"] = [{"magFilter": 9728, "minFilter": 9728, "wrapS": 33071, "wrapT": 33071}]
        made.document["textures"] = [{"source": 0, "sampler": 0}]
        surface["baseColorTexture"] = {"index": 0}
    if factor is not None:
        surface["baseColorFactor"] = factor
    made.document["materials"] = [{"name": "cloth", "pbrMetallicRoughness": surface}]
    made.node([{"attributes": entry, "material": 0}], mesh="net", name="flag")
    return made


def right_half(mesh: Any) -> NDArray[np.bool_]:
    """The triangles at +X, for each of their corners."""
    vertices, triangles, _ = mesh
    return np.repeat((vertices[triangles].mean(1)[:, 0] > 0.0)[:, None], 3, 1)


class Change:
    """A run, and what it said."""

    def __init__(
        self,
        model: Path,
        mesh: bytes,
        output: Path,
        *,
        paint: PaintConfig | None = None,
        settings: dict[str, Any] | None = None,
        **more: Any,
    ) -> None:
        self.events: list[Event] = []
        more.setdefault("report", self.events.append)
        given = SETTINGS | {"model": str(model)} | (settings or {})
        how = paint or PaintConfig()
        config = painting(preset("draft", "a red mug", given), given, part=True, shape=how.shape)
        self.result: Result = engine.texture(config, how, mesh, output, **more)
        self.folder = output
        self.report: dict[str, Any] = json.loads((output / "result.json").read_text())
        self.made = (output / "mesh.glb").read_bytes()

    def notes(self) -> set[str]:
        return {event.code for event in self.events if isinstance(event, Note)}

    def picture(self) -> NDArray[np.uint8]:
        """The base colour of the first primitive, by the file's own words."""
        document, binary = parts(self.made)
        material = document["materials"][document["meshes"][0]["primitives"][0]["material"]]
        texture = document["textures"][material["pbrMetallicRoughness"]["baseColorTexture"]["index"]]
        view = document["bufferViews"][document["images"][texture["source"]]["bufferView"]]
        start = view["byteOffset"]
        return np.array(Image.open(io.BytesIO(binary[start : start + view["byteLength"]])))
