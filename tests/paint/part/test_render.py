"""What cameras see of a canvas of which a part changes: the mix of old and new, with gradients to the new alone."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from paint.surfaces import canvas, part_of, plane

from dreamfusion_engine.config.stages import CameraConfig
from dreamfusion_engine.paint.canvas import DeviceCanvas, canvas_of
from dreamfusion_engine.paint.part.border import Border
from dreamfusion_engine.paint.part.layer import part_layer
from dreamfusion_engine.paint.part.pictures import OwnPicture
from dreamfusion_engine.paint.part.render import Changing, PartRenderer, Table
from dreamfusion_engine.render.surface.texture import sample_texture
from dreamfusion_engine.scene.cameras import turntable_cameras

CPU = torch.device("cpu")


def test_tables_look_up_as_textures_do() -> None:
    rng = np.random.default_rng(0)
    pictures: list[NDArray[np.float32] | None] = [
        rng.random((5, 9, 3)).astype(np.float32),
        None,
        rng.random((4, 4, 3)).astype(np.float32),
    ]
    table = Table.of(pictures, (0, 2, 3, 7), CPU)
    for part, triangle in ((0, 1), (2, 5)):
        picture = pictures[part]
        assert picture is not None
        inside = 0.5 / min(picture.shape[:2])  # beyond the outermost texels this one repeats, and that one ends
        uv = torch.from_numpy(rng.uniform(inside, 1.0 - inside, (50, 2)).astype(np.float32))
        which = torch.full((50,), triangle)
        expected = sample_texture(torch.from_numpy(picture), uv)
        assert torch.allclose(table.smooth(which, uv), expected, atol=1e-5)
        assert torch.allclose(table.smooth(which, uv + 3.0), expected, atol=1e-5)
        middle = (torch.tensor([[2.0, 1.0]]) + 0.5) / torch.tensor([picture.shape[1], picture.shape[0]])
        assert torch.equal(table.nearest(which[:1], middle)[0], torch.from_numpy(picture[1, 2]))
    assert table.start.tolist() == [0, 0, -1, 45, 45, 45, 45]


def test_the_picture_is_the_old_one_and_the_fields_where_the_part_is() -> None:
    vertices, triangles, uv = plane(8)
    split = vertices[triangles].reshape(-1, 3), np.arange(3 * len(triangles)).reshape(-1, 3).astype(np.int32), uv
    made = canvas(split, texture=16)
    right = np.repeat(vertices[triangles].mean(1)[:, 0] > 0.0, 3).astype(np.float32)
    border = Border(made.vertices, made.triangles, right.reshape(-1, 3)[:, 0] > 0.0, 0.0)
    grey = np.full((64, 64, 3), 51, np.uint8)
    layer = part_layer(made, 0, right, OwnPicture(pixels=grey, factor=np.ones(3), flat=False), (64, 64), border)
    bare = DeviceCanvas.of(canvas_of([part_of(split)], None), CPU)
    renderer = PartRenderer(bare, Changing.of(made, [layer], [grey], CPU))
    new = torch.tensor([0.8, 0.4, 0.0], requires_grad=True)
    camera = turntable_cameras(1, elevation=0.0, config=CameraConfig(), device=CPU)
    seen = renderer.render(lambda points: new.expand(len(points), 3), camera, 32, background=torch.ones(3)).colour[0]
    assert torch.allclose(seen[16, 10], torch.full((3,), 0.2), atol=1e-5)
    assert torch.allclose(seen[16, 22], new.detach(), atol=1e-5)
    seen[:, :15].sum().backward(retain_graph=True)
    assert new.grad is not None and (new.grad == 0.0).all()
    seen.sum().backward()
    assert (new.grad > 50.0).all()
