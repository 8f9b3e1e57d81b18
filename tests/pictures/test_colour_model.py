"""Models of the colours of background and object."""

from __future__ import annotations

import numpy as np

from dreamfusion_engine.pictures.colour_model import backdrop_of, mixture_of


def test_a_mixture_finds_colours_that_lie_apart() -> None:
    rng = np.random.default_rng(0)
    centres = np.array([[20.0, 0.0, 0.0], [60.0, 40.0, -30.0], [90.0, -20.0, 50.0]])
    colours = np.concatenate([rng.normal(centre, 3.0, (200, 3)) for centre in centres])
    model = mixture_of(colours)
    for centre in centres:
        assert np.linalg.norm(model.means - centre, axis=1).min() < 4.0  # two of five may share one
    likely = model.log_density(np.array([*centres, [50.0, 0.0, 60.0]]))
    assert likely[:3].min() > likely[3] + 20.0


def test_one_colour_is_a_mixture_of_one() -> None:
    model = mixture_of(np.full((50, 3), 30.0))
    assert len(model.means) == 1 and np.isfinite(model.log_density(np.zeros((1, 3)))).all()


def test_a_backdrop_is_the_polynomial_that_it_was_made_of_though_an_object_lies_on_its_rim() -> None:
    y, x = np.meshgrid(np.linspace(-1, 1, 40), np.linspace(-1, 1, 50), indexing="ij")
    true = np.stack([60.0 + 10.0 * y - 5.0 * x * x, 3.0 * x, 2.0 * x * y], -1)
    picture, rim = true.copy(), np.ones((40, 50), bool)
    rim[3:-3, 3:-3] = False
    picture[-8:, 15:35] = [20.0, 50.0, 30.0]
    found, explained = backdrop_of(picture, rim)
    assert np.abs(found.colours - true).max() < 0.1
    assert not explained[-1, 20] and explained[0].all() and not explained[20, 25]
