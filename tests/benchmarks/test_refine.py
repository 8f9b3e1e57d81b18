"""The measures of a refined texture: sharpness and purity, on pictures whose answer is known."""

from __future__ import annotations

import numpy as np

from benchmarks.refine import Grade, Row, impurity, mean_row, row_text, sharpness


def striped(blur: int) -> np.ndarray:
    """Two colours side by side, with an edge that takes `blur` pixels."""
    row = np.clip((np.arange(32) - 16 + 0.5 * blur) / max(blur, 1), 0.0, 1.0) if blur else (np.arange(32) > 15) * 1.0
    return np.repeat(np.repeat(row[None, None, :, None], 32, 1), 3, 3).astype(np.float32)


def test_an_edge_is_as_sharp_as_its_steps_and_length_does_not_count() -> None:
    inside = np.ones((1, 32, 32), bool)
    assert abs(sharpness(striped(0), inside) - 255.0) < 1e-6
    assert abs(sharpness(striped(4), inside) - 255.0 / 4.0) < 1e-3
    half = inside.copy()
    half[:, 16:] = False
    assert abs(sharpness(striped(4), half) - sharpness(striped(4), inside)) < 1e-9
    assert sharpness(np.zeros((1, 32, 32, 3), np.float32), inside) == 0.0


def test_purity_is_the_distance_from_the_nearest_exact_colour() -> None:
    palette = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    assert impurity(np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], np.float32), palette) == 0.0
    assert abs(impurity(np.array([[0.9, 0.0, 0.0]], np.float32), palette) - 25.5) < 1e-4


def test_failed_runs_are_shown_and_left_out_of_the_means() -> None:
    grade = Grade(colour=1.0, textureless=0.5, chamfer=0.04, iou=0.8, sharpness=9.0, purity=30.0)
    made = Row(
        prompt="a mug",
        before=grade,
        after=grade,
        exact_sharpness=50.0,
        crossings=(1, 0),
        folds=(2, 2),
        moved=0.001,
        seconds=9.0,
    )
    failed = Row(
        prompt="a car",
        before=None,
        after=None,
        exact_sharpness=40.0,
        crossings=None,
        folds=None,
        moved=None,
        seconds=None,
    )
    assert "failed" in row_text(failed)
    every = mean_row([made, failed])
    assert every.before == grade and every.crossings == (1, 0) and every.folds == (2, 2)
    assert "100% to 100%" in row_text(every) and "0.040 to 0.040" in row_text(every)
