"""Previews while a run paints: pictures of it, and small textures that show what a bake would give."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from paint.surfaces import canvas, mirrored, moved, plane
from PIL import Image
from reference.tiny_training import CPU, tiny_config

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.events import Event, Preview, TexturePreview
from dreamfusion_engine.mesh.field_queries import query_albedo
from dreamfusion_engine.optimize.previews import KEEP_EVERY, PIXELS
from dreamfusion_engine.paint.canvas import Canvas, DeviceCanvas
from dreamfusion_engine.paint.previews import PARTS_SHOWN, TEXTURE_PIXELS, PaintPreviews
from dreamfusion_engine.paint.render import SurfaceRenderer
from dreamfusion_engine.paint.training import SurfaceTraining


def training(made: Canvas) -> SurfaceTraining:
    return SurfaceTraining(SurfaceRenderer(DeviceCanvas.of(made, CPU)), tiny_config(), seed=0, device=CPU)


def shown(made: Canvas, folder: Path, step: int = 0) -> tuple[list[Event], SurfaceTraining]:
    events: list[Event] = []
    painted = training(made)
    painted.step = step
    PaintPreviews(made, folder, events.append)(painted)
    return events, painted


def pixels(png: bytes) -> NDArray[Any]:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def test_there_is_a_picture_a_row_of_views_and_a_texture_of_each_part(tmp_path: Path) -> None:
    events, _ = shown(canvas(plane(2), moved(plane(3), (0.0, 1.0, 0.0)), texture=32), tmp_path, 7)
    pictures = [event for event in events if isinstance(event, Preview)]
    assert [(event.name, event.step) for event in pictures] == [("latest", 7), ("views", 7)]
    assert [pixels(event.png).shape for event in pictures] == [(PIXELS, PIXELS, 3), (PIXELS, 4 * PIXELS, 3)]
    textures = [event for event in events if isinstance(event, TexturePreview)]
    assert [(event.part, event.step) for event in textures] == [(0, 7), (1, 7)]


@pytest.mark.parametrize("texture", [32, 2 * TEXTURE_PIXELS])
def test_the_texture_shows_the_colours_of_its_places(tmp_path: Path, texture: int) -> None:
    made = canvas(mirrored(4), texture=texture)
    events, painted = shown(made, tmp_path)
    (found,) = [pixels(event.png) for event in events if isinstance(event, TexturePreview)]
    step = texture // len(found)
    assert len(found) == min(texture, TEXTURE_PIXELS)
    places = made.maps[0].positions[::step, ::step].reshape(-1, 3)
    expected = 255.0 * query_albedo(painted.colours, places, CPU)
    assert np.abs(found.reshape(-1, 3) - expected).max() <= 0.51


def test_of_many_parts_the_largest_are_shown(tmp_path: Path) -> None:
    parts = [moved(plane(1 + number % 5), (3.0 * number, 0.0, 0.0)) for number in range(12)]
    events, _ = shown(canvas(*parts, texture=8), tmp_path)
    found = [event.part for event in events if isinstance(event, TexturePreview)]
    assert len(found) == PARTS_SHOWN and found == sorted(found)
    assert {number for number in range(12) if number % 5 >= 2} <= set(found)


def test_a_part_that_shows_nothing_breaks_nothing(tmp_path: Path) -> None:
    vertices, triangles, uv = plane(2)
    events, _ = shown(canvas((vertices, triangles, 0.0 * uv), texture=16), tmp_path)
    (found,) = [pixels(event.png) for event in events if isinstance(event, TexturePreview)]
    assert (found == 128).all()


def test_a_picture_stays_every_so_many_steps(tmp_path: Path) -> None:
    made = canvas(plane(1), texture=8)
    painted = training(made)
    show: Callable[[SurfaceTraining], None] = PaintPreviews(made, tmp_path / "previews", lambda event: None)
    for step in (1, 2, KEEP_EVERY + 3, KEEP_EVERY + 4):
        painted.step = step
        show(painted)
    names = sorted(path.name for path in (tmp_path / "previews").iterdir())
    assert names == ["step-000001.png", f"step-{KEEP_EVERY + 3:06d}.png"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "previews").write_text("in the way")
    with pytest.raises(InputError) as refused:
        shown(canvas(plane(1), texture=8), tmp_path / "previews")
    assert refused.value.fix


def test_a_preview_changes_nothing_of_the_training(tmp_path: Path) -> None:
    made = canvas(plane(2), texture=16)
    painted = training(made)
    before = {name: value.clone() for name, value in painted.state().items()}
    PaintPreviews(made, tmp_path, lambda event: None)(painted)
    after = painted.state()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_preview_asks_for_fewer_colours_than_some_steps(tmp_path: Path) -> None:
    """One sample a pixel, and each texel of the small textures once."""
    made = canvas(plane(2), texture=512)
    painted = training(made)
    painted.renderer.grid = 4  # of training: what is only looked at does not pay for it
    asked: list[int] = []
    real = painted.colours

    def counting(points: torch.Tensor) -> torch.Tensor:
        asked.append(len(points))
        return real(points)

    painted.colours = counting  # type: ignore[method-assign]
    PaintPreviews(made, tmp_path, lambda event: None)(painted)
    assert sum(asked) <= 5 * PIXELS**2 + TEXTURE_PIXELS**2
