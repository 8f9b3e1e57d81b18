"""Close views: they look at the part, from where it is seen, and leave the other views as they are."""

from __future__ import annotations

import numpy as np
import torch
from mesh.shapes import cube

from dreamfusion_engine.config.stages import CameraConfig
from dreamfusion_engine.paint.part.cameras import PartViews
from dreamfusion_engine.scene.cameras import projected, sample_cameras

CPU = torch.device("cpu")


def views_of_the_right_side(zoom: float = 2.0) -> PartViews:
    """A cube, of which the part is a patch on the side at +X."""
    vertices, triangles = cube((-0.5, -0.5, -0.5))
    rng = np.random.default_rng(0)
    patch = np.stack([np.full(500, 0.5), *rng.uniform(-0.2, 0.2, (2, 500))], -1)
    return PartViews(vertices.astype(np.float32), triangles, patch, CameraConfig(), zoom, CPU)


def test_the_part_is_in_the_middle_and_larger_and_seen_from_its_side() -> None:
    views, generator = views_of_the_right_side(), torch.Generator().manual_seed(0)
    cameras = sample_cameras(64, CameraConfig(), generator)
    turned = views.turned(cameras, torch.ones(64, dtype=torch.bool), generator)
    place = projected(views.middle.expand(64, 1, 3), turned, 100, 100)[:, 0, :2]
    assert torch.allclose(place, torch.full_like(place, 50.0), atol=1e-3)
    assert torch.allclose(turned.focal, views.zoom * cameras.focal) and views.zoom == 2.0
    assert torch.allclose(turned.position.norm(dim=1), cameras.position.norm(dim=1), atol=1e-5)
    assert (turned.position[:, 0] > 0.4).all()  # the plane of the patch is at 0.5; a cell reaches a little over it
    low, high = torch.deg2rad(torch.tensor(CameraConfig().elevation_deg))
    assert ((turned.elevation >= low) & (turned.elevation <= high)).all()
    # What prompts are chosen by is where the camera is.
    x, y = turned.position[:, 0], turned.position[:, 1]
    assert torch.allclose(torch.atan2(x, -y) % (2 * torch.pi), turned.azimuth, atol=1e-4)


def test_views_that_are_not_close_stay() -> None:
    views, generator = views_of_the_right_side(), torch.Generator().manual_seed(0)
    cameras = sample_cameras(8, CameraConfig(), generator)
    close = torch.arange(8) % 2 == 0
    turned = views.turned(cameras, close, generator)
    for name, value in vars(cameras).items():
        assert torch.equal(getattr(turned, name)[~close], value[~close])
        assert not torch.equal(getattr(turned, name)[close], value[close])


def test_a_large_part_is_not_looked_at_more_closely() -> None:
    vertices, triangles = cube((-0.5, -0.5, -0.5))
    whole = PartViews(vertices.astype(np.float32), triangles, 0.95 * vertices / 0.5 * 0.5, CameraConfig(), 2.0, CPU)
    assert 1.0 <= whole.zoom < 1.1
    # A part that no direction sees is looked for from everywhere.
    hidden = PartViews(
        vertices.astype(np.float32),
        triangles,
        np.random.default_rng(0).uniform(-0.1, 0.1, (50, 3)),
        CameraConfig(),
        2.0,
        CPU,
    )
    assert (hidden.share == 1.0).all()
