"""Health: measures on solids whose renders are known exactly, and verdicts at the probes where they must come."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from dreamfusion_engine.config.stages import CameraConfig
from dreamfusion_engine.optimize.health import (
    FLAT_RELIEF,
    FULL_OPACITY,
    SAME_FACE,
    SAME_SIDES,
    VERDICTS,
    HealthMonitor,
    Probe,
    Verdict,
    depth_relief,
    front_back_similarity,
    make_probe,
    probe_cameras,
    similarity_around,
)
from dreamfusion_engine.scene.cameras import camera_rays

SIZE = 32


def rays() -> tuple[Tensor, Tensor]:
    origins, directions = camera_rays(probe_cameras(CameraConfig(), torch.device("cpu")), SIZE, SIZE)
    return origins.double(), directions.double()


def views(distance: Tensor, hit: Tensor) -> tuple[Tensor, Tensor]:
    """Depth (0 where nothing is hit) and opacity, each float32[4, SIZE, SIZE]."""
    depth = torch.where(hit, distance, torch.zeros_like(distance))
    return depth.view(4, SIZE, SIZE).float(), hit.view(4, SIZE, SIZE).float()


def ball(radius: float) -> tuple[Tensor, Tensor]:
    o, d = rays()
    b = (o * d).sum(-1)
    discriminant = b * b - (o.square().sum(-1) - radius**2)
    return views(-b - discriminant.clamp(min=0.0).sqrt(), discriminant > 0.0)


def box(half: Sequence[float]) -> tuple[Tensor, Tensor]:
    o, d = rays()
    h = torch.tensor(half, dtype=torch.float64)
    near = torch.minimum((-h - o) / d, (h - o) / d).amax(-1)
    far = torch.maximum((-h - o) / d, (h - o) / d).amin(-1)
    return views(near, near < far)


def disc(normal: Sequence[float], radius: float) -> tuple[Tensor, Tensor]:
    o, d = rays()
    n = torch.nn.functional.normalize(torch.tensor(normal, dtype=torch.float64), dim=0)
    distance = -(o @ n) / (d @ n)
    return views(distance, (o + distance[:, None] * d).norm(dim=-1) < radius)


def test_a_ball_has_the_relief_of_its_formula_at_any_size() -> None:
    """Orthographically sqrt(1/18) r over sqrt(pi) r = 0.133; a pinhole sees a cap, which is flatter."""
    reliefs = [depth_relief(*ball(radius)) for radius in (0.3, 0.6, 1.0)]
    assert reliefs == pytest.approx([0.1] * 3, abs=0.01)


@pytest.mark.parametrize("half", [(0.6, 0.6, 0.6), (0.2, 0.2, 0.8), (0.8, 0.8, 0.1), (1.0, 1.0, 1.0)])
def test_boxes_and_plates_are_not_flat(half: tuple[float, float, float]) -> None:
    assert depth_relief(*box(half)) > 2.0 * FLAT_RELIEF


@pytest.mark.parametrize("normal", [(0, 1, 0), (1, 0, 0), (0, 0, 1), (1, 1, 1), (1, -2, 0.5)])
def test_a_sheet_is_flat_at_any_tilt(normal: tuple[float, float, float]) -> None:
    assert depth_relief(*disc(normal, 0.8)) < 0.3 * FLAT_RELIEF


def test_nothing_has_no_relief_and_no_similarity() -> None:
    empty = torch.zeros(4, SIZE, SIZE)
    assert depth_relief(empty, empty) == 0.0
    assert front_back_similarity(torch.ones(4, 3, SIZE, SIZE), empty) == 0.0


def test_the_full_box_is_told_from_the_largest_ball_by_its_opacity() -> None:
    assert float(ball(1.0)[1].mean()) < 0.75 < FULL_OPACITY < float(box((1.0, 1.0, 1.0))[1].mean())


def faces(back_of: str) -> tuple[Tensor, Tensor]:
    """Pictures of a head: a face in front; at the back 'the same' face, a 'plain' nape or its 'mirror' image."""
    _, opacity = ball(0.8)
    colour = torch.full((4, 3, SIZE, SIZE), 0.7)
    colour[0, :, 12:16, 9:13] = 0.05
    colour[0, :, 12:16, 19:23] = 0.2
    colour[0, 0, 20:22, 11:21] = 1.0
    if back_of == "same":
        colour[2] = colour[0]
    elif back_of == "plain":
        colour[2] = 0.35
        colour[2, :, 16:, :] = 0.5
    return colour * opacity[:, None] + 0.5 * (1.0 - opacity[:, None]), opacity


def test_a_second_face_at_the_back_is_similar_and_a_nape_is_not() -> None:
    assert front_back_similarity(*faces("same")) > 0.999
    assert front_back_similarity(*faces("plain")) < 0.5


def test_a_plain_ball_is_not_called_many_faced_whatever_is_behind_it() -> None:
    _, opacity = ball(0.8)
    soft = torch.nn.functional.avg_pool2d(opacity[:, None], 3, 1, 1)[:, 0]  # edges that mix with the background
    colour = torch.tensor([0.8, 0.1, 0.1])[:, None, None] * soft[:, None] + (1.0 - soft[:, None])
    assert front_back_similarity(colour, soft) == 0.0


def test_equal_textures_on_different_outlines_are_less_alike() -> None:
    colour, opacity = faces("same")
    opacity = opacity.clone()
    opacity[2, :, :10] = 0.0
    assert front_back_similarity(colour, opacity) < 0.9


def probe(**values: float | bool | int) -> Probe:
    good: dict[str, float | bool | int] = {
        "step": 0,
        "progress": 0.9,
        "opacity": 0.3,
        "occupied": 0.1,
        "relief": 0.1,
        "similarity": 0.2,
    }
    return Probe(**{**good, **values})  # type: ignore[arg-type]


def verdicts(*probes: Probe, views_differ: bool = True) -> list[str | None]:
    monitor = HealthMonitor(views_differ=views_differ)
    return [monitor.observe(p) for p in probes]


def test_a_healthy_run_has_no_verdict() -> None:
    assert verdicts(*[probe(progress=i / 20, step=i) for i in range(20)]) == [None] * 20


def test_an_empty_run_is_named_at_the_second_probe_even_at_the_start() -> None:
    empty = probe(progress=0.02, opacity=0.004, relief=0.0)
    assert verdicts(empty, empty) == [None, "empty"]
    assert verdicts(empty, probe(progress=0.02), empty) == [None, None, None]


def test_a_full_box_is_named_at_the_third_probe_after_a_tenth() -> None:
    for full in (probe(progress=0.2, opacity=0.97), probe(progress=0.2, occupied=0.8)):
        assert verdicts(full, full, full) == [None, None, "full_box"]
    early = probe(progress=0.05, occupied=1.0)
    assert verdicts(early, early, early, early) == [None] * 4


def test_a_flat_object_is_named_only_once_shapes_have_settled() -> None:
    flat = probe(progress=0.5, relief=0.005)
    assert verdicts(flat, flat, flat) == [None, None, "flat"]
    early = probe(progress=0.3, relief=0.005)
    assert verdicts(early, early, early, early) == [None] * 4


def test_one_value_that_is_not_finite_is_named_at_once() -> None:
    assert verdicts(probe(finite=False)) == ["non_finite"]


def test_two_alike_sides_are_named_only_where_the_model_expects_them_to_differ() -> None:
    alike = probe(similarity=SAME_FACE + 0.01)
    assert verdicts(alike, alike) == [None, "many_faced"]
    assert verdicts(alike, alike, views_differ=False) == [None, None]


def test_an_object_that_looks_alike_from_everywhere_is_not_called_many_faced() -> None:
    lamp = probe(similarity=SAME_FACE + 0.01, around=SAME_SIDES + 0.01)
    assert verdicts(lamp, lamp, lamp) == [None, None, None]
    two_faces = probe(similarity=SAME_FACE + 0.01, around=0.3)
    assert verdicts(two_faces, two_faces) == [None, "many_faced"]


def test_the_sides_of_a_lamp_are_like_its_front_and_those_of_a_head_are_not() -> None:
    colour, opacity = faces("same")
    assert similarity_around(colour, opacity) < 0.5
    colour[1], colour[3] = colour[0], colour[0]
    assert similarity_around(colour, opacity) > 0.999
    colour[3] = 0.5
    assert similarity_around(colour, opacity) < 0.5, "one side that differs is enough for a front"


def test_the_worst_of_several_verdicts_is_said() -> None:
    both = probe(opacity=0.001, relief=0.0)
    assert verdicts(both, both, both)[-1] == "empty"


def test_a_restart_forgets_streaks_and_keeps_history() -> None:
    monitor = HealthMonitor()
    empty = probe(opacity=0.0)
    monitor.observe(empty)
    assert monitor.observe(empty) == "empty"
    monitor.restart()
    assert monitor.verdict() is None
    assert monitor.observe(empty) is None
    assert len(monitor.history) == 3


def test_the_report_is_json_and_a_monitor_goes_on_from_it() -> None:
    monitor = HealthMonitor(views_differ=True)
    for _ in range(2):
        monitor.observe(probe(opacity=0.0, similarity=1.0 / 3.0))
    monitor.note("empty", 20, "Starting again.")
    report = json.loads(json.dumps(monitor.to_json(), allow_nan=False))
    assert report["verdict"] == "empty"
    assert report["events"] == [{"verdict": "empty", "step": 20, "text": "Starting again."}]
    again = HealthMonitor.from_json(report)
    assert again.to_json() == report
    assert again.observe(probe(opacity=0.0)) == "empty"


def test_a_monitor_comes_only_to_verdicts_that_it_watches_for() -> None:
    cases: list[tuple[tuple[Verdict, ...], Verdict | None]] = [
        (("non_finite",), None),
        (("empty",), "empty"),
        (VERDICTS, "empty"),
    ]
    for watched, expected in cases:
        monitor = HealthMonitor(watched=watched)
        for _ in range(3):
            monitor.observe(probe(opacity=0.0))
        assert monitor.verdict() == expected
        assert monitor.to_json()["verdict"] == (expected or "good")
        again = HealthMonitor.from_json(monitor.to_json(), watched=watched)
        assert again.observe(probe(opacity=0.0)) == expected
    broken = HealthMonitor(watched=("non_finite",))
    assert broken.observe(probe(finite=False)) == "non_finite"


def test_a_probe_measures_all_it_names_and_notices_nan() -> None:
    depth, opacity = ball(0.8)
    colour, _ = faces("same")
    good = make_probe(10, 0.5, colour, opacity, depth, 0.07)
    assert (good.step, good.progress, good.occupied, good.finite) == (10, 0.5, 0.07, True)
    assert good.opacity == pytest.approx(0.4, abs=0.02)
    assert good.relief == pytest.approx(0.1, abs=0.01)
    assert good.similarity > 0.999
    colour[1, 0, 3, 3] = math.nan
    bad = make_probe(10, 0.5, colour, opacity, depth, 0.07)
    assert not bad.finite
    assert json.dumps(HealthMonitor().to_json(), allow_nan=False)
    assert math.isfinite(bad.opacity + bad.relief + bad.similarity)


def test_probe_cameras_look_from_four_sides_and_see_named_views_in_order() -> None:
    from dreamfusion_engine.models.views import view_of

    cameras = probe_cameras(CameraConfig(), torch.device("cpu"))
    seen = [view_of(a, e) for a, e in zip(cameras.azimuth.tolist(), cameras.elevation.tolist(), strict=True)]
    assert seen == ["front", "side", "back", "side"]
