"""The surface that is refined: a textured mesh in the box, and what its texture shows at first.

Axis letters: V vertices, T triangles, H W texels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from dreamfusion_engine.mesh.arrays import Floats
from dreamfusion_engine.mesh.bake import padded
from dreamfusion_engine.mesh.framing import Frame, frame_of
from dreamfusion_engine.mesh.gltf.read import GltfPrimitive
from dreamfusion_engine.mesh.surface.topology import vertex_normals
from dreamfusion_engine.mesh.textured import TexturedMesh
from dreamfusion_engine.paint.canvas import Canvas, CanvasPart, canvas_of
from dreamfusion_engine.paint.texels import TextureMap, texture_map
from dreamfusion_engine.render.surface.texture import sample_texture


@dataclass(frozen=True, kw_only=True)
class RefinedSurface:
    """A mesh that is refined.

    mesh: TexturedMesh as it was, where the artist has it.
    canvas: Canvas of one part, the mesh in the box.
    frame: Frame, how it came into the box.
    """

    mesh: TexturedMesh
    canvas: Canvas
    frame: Frame

    @property
    def texels(self) -> TextureMap:
        """What each texel shows."""
        return self.canvas.maps[0]


def surface_of(
    mesh: TexturedMesh, front_deg: float = 0.0, advance: Callable[[float], None] = lambda share: None
) -> RefinedSurface:
    """Return a mesh in the box in which it is refined.

    mesh: TexturedMesh.
    front_deg: float, degrees counter-clockwise from above, from -Y to the side that is the front.
    advance: told the share done, in [0, 1].
    Raises InputError input.mesh where it has no area.
    """
    part = CanvasPart(name="object", vertices=mesh.vertices, triangles=mesh.triangles, uv=mesh.uv)
    canvas = canvas_of([part], len(mesh.texture), front_deg, advance)
    return RefinedSurface(mesh=mesh, canvas=canvas, frame=frame_of(mesh.vertices, mesh.triangles, front_deg))


def welded(parts: tuple[GltfPrimitive, ...]) -> tuple[Floats, NDArray[np.int32]]:
    """Return all parts as one mesh, vertices at one place as one: float32[V, 3] and int32[T, 3].

    parts: GltfPrimitives; files split vertices at seams.
    """
    first = np.cumsum([0, *(len(part.vertices) for part in parts)])
    triangles = np.concatenate([part.triangles.astype(np.int64) + n for part, n in zip(parts, first, strict=False)])
    places, corners = np.unique(np.concatenate([part.vertices for part in parts]), axis=0, return_inverse=True)
    return places.astype(np.float32), corners.reshape(-1)[triangles].astype(np.int32)


def textured_as_is(part: GltfPrimitive, picture: NDArray[np.uint8], uv: Floats, size: int) -> TexturedMesh:
    """Return a part with its own UVs and its own texture; the picture is the same where it has the size.

    part: GltfPrimitive.
    picture: uint8[h, w, 3], its base colour.
    uv: float32[T, 3, 2], its own, in [0, 1].
    size: int, pixels along the texture.
    """
    vertices, triangles = welded((part,))
    if picture.shape[:2] != (size, size):
        picture = np.array(  # a copy, which torch may take as its own
            Image.fromarray(np.ascontiguousarray(picture)).resize((size, size), Image.Resampling.BICUBIC)
        )
    return TexturedMesh(
        vertices=vertices,
        triangles=triangles,
        normals=vertex_normals(vertices, triangles).astype(np.float32),
        uv=uv.astype(np.float32),
        texture=np.ascontiguousarray(picture),
    )


def textured_mesh(
    parts: tuple[GltfPrimitive, ...], pictures: list[NDArray[np.uint8]], uv: Floats, size: int, padding: int
) -> TexturedMesh:
    """Return all parts as one mesh with one texture, which shows what theirs show.

    parts: GltfPrimitives.
    pictures: uint8[h, w, 3], base colour of each part.
    uv: float32[T, 3, 2], the layout of the new texture, in [0, 1]; of all parts together.
    size: int, pixels along it.
    padding: int, texels of colour beyond its islands.
    """
    vertices, triangles = welded(parts)
    frame = frame_of(vertices, triangles)
    texels = texture_map(frame.to_box(vertices), triangles, uv, size)
    first = np.cumsum([0, *(len(part.triangles) for part in parts)])
    colour = np.zeros((size, size, 3), np.float32)
    rows, columns = np.nonzero(texels.used)
    owner = texels.owner[rows, columns]
    weights = _weights(frame.to_box(vertices)[triangles[owner]], texels.positions[rows, columns])
    for part, picture, begin, end in zip(parts, pictures, first, first[1:], strict=False):
        own = (owner >= begin) & (owner < end)
        if part.uv is None or picture.shape[:2] == (1, 1):
            colour[rows[own], columns[own]] = picture.reshape(-1, 3).mean(0) / 255.0
            continue
        places = np.einsum("nc,nci->ni", weights[own], part.uv[owner[own] - begin])
        source = torch.from_numpy(np.ascontiguousarray(picture, np.float32) / 255.0)
        inside = torch.from_numpy((places - np.floor(places)).astype(np.float32))
        colour[rows[own], columns[own]] = sample_texture(source, inside).numpy()
    return TexturedMesh(
        vertices=vertices,
        triangles=triangles,
        normals=vertex_normals(vertices, triangles).astype(np.float32),
        uv=uv.astype(np.float32),
        texture=padded(colour, texels.used, padding),
    )


def _weights(corners: NDArray[np.floating], points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Barycentric weights float64[N, 3] of points on triangles float[N, 3, 3]; a third each without an area."""
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    p = points - corners[:, 0]
    aa, ab, bb = (a * a).sum(1), (a * b).sum(1), (b * b).sum(1)
    pa, pb = (p * a).sum(1), (p * b).sum(1)
    area = aa * bb - ab * ab
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        s, t = (bb * pa - ab * pb) / area, (aa * pb - ab * pa) / area
    weights = np.clip(np.stack([1.0 - s - t, s, t], 1), 0.0, 1.0)
    weights[~np.isfinite(weights).all(1)] = 1.0 / 3.0
    return np.asarray(weights / np.maximum(weights.sum(1, keepdims=True), 1e-9))
