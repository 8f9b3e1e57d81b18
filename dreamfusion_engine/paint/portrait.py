"""A canvas as one textured mesh, for pictures of it before and after."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dreamfusion_engine.mesh.arrays import Floats
from dreamfusion_engine.mesh.gltf.picture import read_base_colour
from dreamfusion_engine.mesh.gltf.read import GltfFile
from dreamfusion_engine.mesh.textured import TexturedMesh
from dreamfusion_engine.paint.canvas import Canvas
from dreamfusion_engine.paint.texels import in_first_tile

ATLAS = 4096  # pixels along the picture that holds the textures of all parts, at most
GREY = 204  # sRGB: a part without a colour, as Blender shows it


def before_textures(file: GltfFile) -> list[NDArray[np.uint8]]:
    """Return the present base colour of every part, uint8[H, W, 3], grey where there is none.

    file: GltfFile.
    """
    grey = np.full((1, 1, 3), GREY, np.uint8)
    found = [read_base_colour(file, i) for i in range(len(file.primitives))]
    return [grey if picture is None else picture for picture in found]


def portrait_mesh(
    canvas: Canvas, textures: Sequence[NDArray[np.uint8]], uvs: Sequence[Floats | None] = ()
) -> TexturedMesh:
    """Return all parts as one mesh whose texture is an atlas of theirs, scaled down where they are large.

    Triangles whose UVs leave the texture are moved into it by whole tiles, and show its border where they span more.

    canvas: Canvas.
    textures: uint8[H, W, 3] of each part.
    uvs: float32[T, 3, 2] of each part, those of its texture; None: the canvas's. (): all the canvas's.
    """
    columns = math.ceil(math.sqrt(len(textures)))
    cell = min(max(max(t.shape[:2]) for t in textures), ATLAS // columns)
    rows = math.ceil(len(textures) / columns)
    side = cell * max(columns, rows)
    atlas = np.zeros((side, side, 3), np.uint8)
    corners = []
    for i, (part, texture, uv) in enumerate(zip(canvas.parts, textures, uvs or [None] * len(textures), strict=True)):
        top, left = cell * (i // columns), cell * (i % columns)
        picture = Image.fromarray(np.ascontiguousarray(texture[..., :3])).resize((cell, cell), Image.Resampling.BOX)
        atlas[top : top + cell, left : left + cell] = np.asarray(picture)
        places = in_first_tile(part.uv if uv is None else uv)
        inside = np.clip(places, 0.5 / cell, 1.0 - 0.5 / cell)
        corners.append((inside * cell + np.array([left, top])) / side)
    return TexturedMesh(
        vertices=canvas.vertices,
        triangles=canvas.triangles,
        normals=canvas.normals,
        uv=np.concatenate(corners).astype(np.float32),
        texture=atlas,
    )
