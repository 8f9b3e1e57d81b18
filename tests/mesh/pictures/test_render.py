"""Pictures of a mesh: against every triangle in plain torch, and against what geometry says."""

import math

import numpy as np
import pytest
import torch
from mesh.shapes import Mesh, cube, icosphere, lattice_torus
from twins.torch_mesh import ray_hits

from dreamfusion_engine.mesh.pictures.render import busy_pixels, over, psnr, render_mesh, scene_of
from dreamfusion_engine.mesh.surface import topology
from dreamfusion_engine.mesh.textured import TexturedMesh, framed, standing
from dreamfusion_engine.scene.cameras import Cameras, camera_rays, orbit_cameras

CPU = torch.device("cpu")


def textured(mesh: Mesh, texture: np.ndarray | None = None, seed: int = 0) -> TexturedMesh:
    """The mesh with every triangle anywhere on a texture, random unless given."""
    vertices, triangles = mesh
    generator = np.random.default_rng(seed)
    picture = generator.integers(0, 256, (16, 24, 3)).astype(np.uint8) if texture is None else texture
    return TexturedMesh(
        vertices=vertices.astype(np.float32),
        triangles=triangles,
        normals=topology.vertex_normals(vertices, triangles).astype(np.float32),
        uv=generator.random((len(triangles), 3, 2)).astype(np.float32),
        texture=picture,
    )


def cameras(count: int, distance: float = 3.3) -> Cameras:
    """`count` cameras around the origin, from the front on, 20 degrees up."""
    one = torch.ones(count)
    azimuth = torch.arange(count) * (2.0 * math.pi / count)
    return orbit_cameras(azimuth, math.radians(20.0) * one, distance * one, math.radians(41.0) * one)


def test_albedo_and_normals_are_those_of_plain_torch() -> None:
    mesh = textured(lattice_torus(16, 8))
    views = cameras(2)
    found = render_mesh(scene_of(mesh, CPU), views, 24, 32, grid=1)
    origins, directions = (x.double() for x in camera_rays(views, 24, 32))
    corners = torch.from_numpy(mesh.vertices[mesh.triangles]).double()
    distance, face = ray_hits(origins, directions, corners)
    hit = torch.isfinite(distance).numpy()
    np.testing.assert_array_equal(found.coverage.reshape(-1) > 0.5, hit)
    # Barycentric weights by areas, then the texture by torch's grid_sample.
    at = (origins + distance[:, None].nan_to_num(posinf=0.0) * directions)[torch.from_numpy(hit)]
    f = face[torch.from_numpy(hit)]
    a, b, c = corners[f].unbind(1)
    area = lambda x, y, z: torch.linalg.cross(y - x, z - x, dim=-1).norm(dim=-1)  # noqa: E731
    weights = torch.stack([area(at, b, c), area(at, c, a), area(at, a, b)], -1) / area(a, b, c)[:, None]
    uv = torch.einsum("nc,nci->ni", weights, torch.from_numpy(mesh.uv).double()[f])
    picture = torch.from_numpy(mesh.texture).double().permute(2, 0, 1)[None] / 255.0
    sampled = torch.nn.functional.grid_sample(
        picture, (2.0 * uv - 1.0)[None, None], mode="bilinear", padding_mode="border", align_corners=False
    )[0, :, 0].T
    np.testing.assert_allclose(found.albedo.reshape(-1, 3)[hit], sampled.numpy(), atol=2e-3)
    normal = torch.einsum(
        "nc,nci->ni", weights, torch.from_numpy(mesh.normals).double()[torch.from_numpy(mesh.triangles)[f].long()]
    )
    normal = torch.nn.functional.normalize(normal, dim=-1)
    np.testing.assert_allclose(found.normal.reshape(-1, 3)[hit], (0.5 + 0.5 * normal).numpy(), atol=2e-3)


def test_a_ball_covers_the_disc_that_its_distance_says() -> None:
    found = render_mesh(scene_of(textured(icosphere(4, 0.7)), CPU), cameras(3), 96, 96, grid=3)
    # The cone around a ball of radius r at distance d has tan = r / sqrt(d^2 - r^2).
    radius = 0.5 / math.tan(math.radians(20.5)) * 0.7 / math.sqrt(3.3**2 - 0.7**2)
    np.testing.assert_allclose(found.coverage.mean((1, 2)), math.pi * radius**2, rtol=5e-3)


def test_more_samples_only_where_the_picture_changes_look_like_more_samples_everywhere() -> None:
    scene = scene_of(textured(lattice_torus(48, 24), np.full((4, 4, 3), 90, np.uint8)), CPU)
    smooth = render_mesh(scene, cameras(1), 64, 64, grid=4)
    fine = render_mesh(scene, cameras(1), 256, 256, grid=1)
    shrunk = fine.coverage.reshape(1, 64, 4, 64, 4).mean((2, 4))
    assert np.abs(smooth.coverage - shrunk).max() < 1e-5
    assert np.abs(smooth.clay - fine.clay.reshape(1, 64, 4, 64, 4).mean((2, 4))).max() < 0.06


def test_busy_pixels_are_those_beside_a_step() -> None:
    picture = torch.zeros(1, 8, 8, 2)
    picture[0, :, 4:, 1] = 0.5
    assert busy_pixels(picture)[0].nonzero()[:, 1].unique().tolist() == [3, 4]


def test_the_front_is_seen_from_azimuth_zero_with_x_to_the_right_and_z_up() -> None:
    mesh = textured(cube((-0.5, -0.5, -0.5)))
    one = torch.ones(1)
    front = orbit_cameras(0.0 * one, 0.0 * one, 4.0 * one, 0.7 * one)
    centre = render_mesh(scene_of(mesh, CPU), front, 33, 33, grid=1).normal[0, 16, 16]
    assert centre[1] < 0.2  # the normal points to -y
    ball = render_mesh(scene_of(textured(icosphere(3)), CPU), front, 65, 65, grid=1).normal[0]
    assert ball[32, 48, 0] > 0.7 and ball[32, 16, 0] < 0.3  # +x on the right
    assert ball[16, 32, 2] > 0.7 and ball[48, 32, 2] < 0.3  # +z above


def test_a_plain_texture_shows_as_its_colour_and_clay_does_not_depend_on_it() -> None:
    red, blue = (np.full((8, 8, 3), c, np.uint8) for c in ([200, 30, 10], [10, 30, 200]))
    first, second = (render_mesh(scene_of(textured(icosphere(3), t), CPU), cameras(1), 48, 48) for t in (red, blue))
    inside = first.coverage > 0.999
    np.testing.assert_allclose(
        first.albedo[inside], np.tile(np.array([200, 30, 10]) / 255.0, (inside.sum(), 1)), atol=1e-5
    )
    np.testing.assert_array_equal(first.clay, second.clay)
    assert first.clay[inside].min() > 0.2 and first.clay[inside].max() <= 1.0


def test_the_same_scene_gives_the_same_bits() -> None:
    first, second = (render_mesh(scene_of(textured(lattice_torus()), CPU), cameras(2), 48, 48) for _ in range(2))
    for name in ("coverage", "albedo", "lit", "clay", "normal"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_over_and_psnr() -> None:
    colour, coverage = np.full((1, 2, 2, 3), 0.25, np.float32), np.full((1, 2, 2), 0.5, np.float32)
    np.testing.assert_allclose(over(colour, coverage, np.ones(3, np.float32)), 0.75)
    assert psnr(np.zeros((4, 4), np.float32), np.full((4, 4), 0.1, np.float32)) == pytest.approx(20.0)


def test_standing_puts_the_mesh_on_the_ground_with_its_longest_side_one() -> None:
    mesh = textured(cube((3.0, -7.0, 2.0), 4.0))
    placed = standing(mesh)
    np.testing.assert_allclose(placed.vertices.min(0), [-0.5, -0.5, 0.0], atol=1e-6)
    np.testing.assert_allclose(placed.vertices.max(0), [0.5, 0.5, 1.0], atol=1e-6)
    assert np.linalg.norm(framed(mesh).vertices, axis=1).max() == pytest.approx(1.0)
    np.testing.assert_allclose(framed(mesh).vertices.mean(0), 0.0, atol=1e-6)


@pytest.mark.parametrize(
    ("texel", "normal"), [((0.6, 0.0, 0.8), (0.6, -0.8, 0.0)), ((0.0, 0.6, 0.8), (0.0, -0.8, 0.6))]
)
def test_a_normal_map_turns_the_shading_to_the_right_and_up(
    texel: tuple[float, float, float], normal: tuple[float, float, float]
) -> None:
    wall = np.array([[-1.0, 0.0, -1.0], [1.0, 0.0, -1.0], [1.0, 0.0, 1.0], [-1.0, 0.0, 1.0]], np.float32)
    triangles = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    uv = np.stack([0.5 + 0.5 * wall[:, 0], 0.5 - 0.5 * wall[:, 2]], -1)[triangles]
    mesh = TexturedMesh(
        vertices=wall,
        triangles=triangles,
        normals=np.tile(np.array([0.0, -1.0, 0.0], np.float32), (4, 1)),
        uv=uv,
        texture=np.full((2, 2, 3), 200, np.uint8),
        normal_map=np.tile(np.rint(127.5 * np.array(texel) + 127.5).astype(np.uint8), (4, 4, 1)),
    )
    seen = render_mesh(scene_of(mesh, CPU), cameras(1), 9, 9, grid=1)
    np.testing.assert_allclose(2.0 * seen.normal[0, 4, 4] - 1.0, normal, atol=0.01)
