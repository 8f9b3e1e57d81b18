"""The canvas as one textured mesh: every part shows its own texture at its own UVs, before and after."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pytest
import torch
from mesh.shapes import icosphere
from numpy.typing import NDArray
from paint.surfaces import canvas, moved, plane
from PIL import Image
from reference.glb_builder import Glb, square_primitive

from dreamfusion_engine.mesh.export import png_bytes
from dreamfusion_engine.mesh.gltf.read import read_gltf
from dreamfusion_engine.mesh.pictures.render import render_mesh, retextured, scene_of
from dreamfusion_engine.mesh.textured import TexturedMesh
from dreamfusion_engine.paint.portrait import ATLAS, GREY, before_textures, portrait_mesh
from dreamfusion_engine.render.surface.texture import sample_texture
from dreamfusion_engine.scene.cameras import orbit_cameras

CPU = torch.device("cpu")


def flat(colour: tuple[int, int, int], size: int = 8) -> NDArray[np.uint8]:
    return np.tile(np.array(colour, np.uint8), (size, size, 1))


def middles(mesh: TexturedMesh) -> NDArray[Any]:
    """The colour in the middle of every triangle, float32[T, 3]."""
    places = torch.from_numpy(mesh.uv.mean(1))
    return np.asarray(sample_texture(torch.from_numpy(mesh.texture).float(), places))


def test_every_part_shows_its_own_texture() -> None:
    colours = [(200, 10, 20), (30, 200, 40), (50, 60, 200)]
    made = canvas(*(moved(plane(2), (3.0 * i, 0.0, 0.0)) for i in range(3)), texture=16)
    mesh = portrait_mesh(made, [flat(colour) for colour in colours])
    np.testing.assert_allclose(middles(mesh), np.repeat(colours, 8, 0), atol=1e-3)
    np.testing.assert_array_equal(mesh.vertices, made.vertices)
    np.testing.assert_array_equal(mesh.triangles, made.triangles)
    assert mesh.uv.min() >= 0.0 and mesh.uv.max() <= 1.0 and mesh.texture.shape == (16, 16, 3)


def test_vertices_are_shared_as_the_parts_share_them() -> None:
    """The share of open sky is found for each vertex: corners of their own would be six times the work."""
    vertices, triangles = icosphere(2)
    made = canvas((vertices, triangles, np.zeros((len(triangles), 3, 2), np.float32)), texture=8)
    assert len(portrait_mesh(made, [flat((1, 2, 3))]).vertices) == len(vertices)


@pytest.mark.parametrize("shift", [0.0, 3.0, -2.0])
def test_a_single_texture_is_shown_as_it_is(shift: float) -> None:
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 255, (32, 32, 3)).astype(np.uint8)
    vertices, triangles, uv = plane(4)
    mesh = portrait_mesh(canvas((vertices, triangles, uv + np.float32(shift)), texture=32), [texture])
    np.testing.assert_array_equal(mesh.texture, texture)
    np.testing.assert_allclose(mesh.uv, uv.clip(0.5 / 32, 1.0 - 0.5 / 32), atol=1e-5)


def test_old_textures_are_shown_at_the_old_uvs() -> None:
    vertices, triangles, uv = plane(1)
    halves = np.concatenate([flat((255, 0, 0)), flat((0, 0, 255))], 1)
    made = canvas((vertices, triangles, 0.3 * uv + np.float32(0.6)), moved(plane(1), (0.0, 1.0, 0.0)), texture=16)
    old = 0.4 * uv  # within the left, red half
    for uvs, expected in (((old, None), (255, 0, 0)), ((), (0, 0, 255))):
        mesh = portrait_mesh(made, [halves, flat((9, 9, 9))], uvs)
        np.testing.assert_allclose(middles(mesh)[:2], [expected, expected], atol=1e-3)
        np.testing.assert_allclose(middles(mesh)[2:], 9.0, atol=1e-3)


def test_many_and_large_textures_fit_into_the_atlas() -> None:
    parts = [moved(plane(1), (3.0 * i, 0.0, 0.0)) for i in range(10)]
    mesh = portrait_mesh(canvas(*parts, texture=8), [flat((5, 6, 7), ATLAS // 2)] * 10)
    assert max(mesh.texture.shape) <= ATLAS
    np.testing.assert_allclose(middles(mesh), np.tile([5.0, 6.0, 7.0], (20, 1)), atol=1e-3)


def test_textures_of_one_pixel_are_whole_parts() -> None:
    made = canvas(plane(3), texture=16)
    np.testing.assert_allclose(middles(portrait_mesh(made, [flat((40, 50, 60), 1)])), np.tile([40, 50, 60], (18, 1)))


def test_the_colours_before_are_those_of_the_file_or_grey() -> None:
    made = Glb()
    entries = [square_primitive(made) for _ in range(3)]
    made.document["images"] = [{"bufferView": made.view(png_bytes(flat((7, 8, 9), 4)))}, {"uri": "elsewhere.png"}]
    made.document["textures"] = [{"source": 0}, {"source": 1}]
    for number in range(2):
        texture = {"pbrMetallicRoughness": {"baseColorTexture": {"index": number}}}
        entries[number]["material"] = made.add("materials", texture)
    made.node(entries)
    first, second, third = before_textures(read_gltf(made.data()))
    np.testing.assert_array_equal(first, flat((7, 8, 9), 4))
    np.testing.assert_array_equal(second, np.full((1, 1, 3), GREY))
    assert third.shape == (1, 1, 3)


def test_a_picture_survives_png_and_the_same_one_gives_the_same_bytes() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (9, 5, 3)).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png_bytes(picture)))), picture)
    assert png_bytes(picture) == png_bytes(picture.copy())


def test_a_scene_with_another_texture_is_the_scene_of_that_mesh() -> None:
    made = canvas(plane(4), texture=16)
    first, second = (portrait_mesh(made, [flat(colour)]) for colour in ((200, 0, 0), (0, 0, 200)))
    camera = orbit_cameras(*(torch.tensor([x]) for x in (0.3, 0.2, 4.0, 0.6)))
    expected = render_mesh(scene_of(second, CPU), camera, 24, 24)
    found = render_mesh(retextured(scene_of(first, CPU), second), camera, 24, 24)
    for name in ("coverage", "albedo", "lit", "clay", "normal"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert math.isclose(float(found.albedo[0, 12, 12, 2]), 200.0 / 255.0, abs_tol=1e-3)
