"""Facts about exact meshes: closed, of the volume that geometry gives, and seen as the renderer sees the object."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import trimesh

from training.starter.exact_mesh import exact_mesh, signed_distance
from training.starter.objects.kinds import KINDS, Appearance, Kind, make_object
from training.starter.primitives import ball, box

CPU = torch.device("cpu")
GREY = (0.5, 0.5, 0.5)


def test_the_distance_of_a_union_is_that_to_its_nearest_part() -> None:
    parts = [ball((-0.5, 0, 0), 0.2, GREY), box((0.5, 0, 0), (0.2, 0.2, 0.2), GREY, rounding=0.0)]
    points = torch.tensor([[-0.5, 0, 0], [-0.5, 0, 0.5], [0.5, 0, 0.5], [0.9, 0.0, 0.0]])
    torch.testing.assert_close(signed_distance(parts, points), torch.tensor([-0.2, 0.3, 0.3, 0.2]))


def test_a_ball_has_its_volume_and_faces_outward() -> None:
    vertices, triangles = exact_mesh([ball((0, 0, 0), 0.7, GREY)], 64, CPU)
    mesh = trimesh.Trimesh(vertices, triangles, process=False)
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(4 / 3 * math.pi * 0.7**3, rel=0.01)
    assert np.linalg.norm(vertices, axis=1) == pytest.approx(0.7, abs=0.005)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.names[0])
def test_every_kind_gives_a_closed_mesh_of_its_size(kind: Kind) -> None:
    parts = make_object(np.random.default_rng(0), kind, Appearance())
    vertices, triangles = exact_mesh(parts, 48, CPU)
    mesh = trimesh.Trimesh(vertices, triangles, process=False)
    assert mesh.is_watertight
    assert mesh.volume > 0.01
    assert 0.6 < np.abs(vertices).max() < 1.0
