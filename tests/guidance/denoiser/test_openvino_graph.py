"""How far two predictions are apart is said by the row that differs most."""

from __future__ import annotations

import pytest
import torch

from dreamfusion_engine.guidance.denoiser.openvino_graph import least_cosine


def test_the_least_cosine_is_of_the_row_that_differs_most() -> None:
    a = torch.eye(3).numpy() + 1.0
    b = a.copy()
    b[2] = -b[2]
    assert least_cosine(a, a) == pytest.approx(1.0) and least_cosine(a, b) == pytest.approx(-1.0)
    b[2, 0] = float("nan")
    assert not least_cosine(a, b) >= -1.0
