"""Facts about the judge's scores, its truth table and its loss."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from dreamfusion_engine.judge.scores import r_precision, top1
from training.judge.train import contrastive_loss
from training.judge.truth import shown, statement, truth
from training.starter.corpus import Corpus, Label
from training.starter.objects.kinds import KINDS, Appearance, kind_named

CPU = torch.device("cpu")


def label(name: str, view: str = "front", shading: str = "lambertian", **appearance: str) -> Label:
    seen = Appearance(**appearance)
    return Label(kind=kind_named(name), appearance=seen, view=view, heading="front", shading=shading)  # type: ignore[arg-type]


def test_r_precision_counts_the_pictures_whose_own_caption_is_best() -> None:
    similarity = torch.tensor([[0.9, 0.1, 0.0], [0.2, 0.3, 0.8], [0.1, 0.7, 0.2], [0.5, 0.4, 0.6]])
    assert top1(similarity, [0, 1, 1, 2]).tolist() == [True, False, True, True]
    assert r_precision(similarity, [0, 1, 1, 2]) == 0.75


def test_a_caption_is_true_of_a_picture_if_all_that_it_says_is_shown() -> None:
    rng = np.random.default_rng(0)
    red_mug, blue_mug = label("mug", colour="red"), label("mug", colour="blue")
    said = []
    for asked in ("a mug", "a red mug"):
        while True:
            text, stated = statement(rng, label("mug", colour="red"))
            if text == asked:
                said.append(stated)
                break
    table = truth([shown(red_mug), shown(blue_mug), shown(label("car", colour="red"))], said)
    assert table.tolist() == [[True, True], [True, False], [False, False]]


def test_white_clay_shows_no_colour() -> None:
    rng = np.random.default_rng(1)
    clay = label("mug", shading="textureless", colour="red")
    for _ in range(100):
        text, stated = statement(rng, clay)
        assert "red" not in text
        assert truth([shown(clay)], [stated]).item()
    painted = statement(rng, label("mug", colour="red"))
    while "red" not in painted[0]:
        painted = statement(rng, label("mug", colour="red"))
    assert not truth([shown(clay)], [painted[1]]).item()


def test_every_caption_is_true_of_its_own_picture() -> None:
    corpus = Corpus(pixels=8, capacity=64, fresh=0, seed=3, device=CPU)
    _, labels = corpus.pictures(64)
    said = [statement(corpus.rng, x)[1] for x in labels]
    assert truth([shown(x) for x in labels], said).diagonal().all()


def test_the_loss_is_least_where_exactly_the_truth_is_similar() -> None:
    true = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])
    best = torch.where(true, 30.0, -30.0)
    entropy = (2 * math.log(2.0) + 0.0) / 3  # two of three rows have two right answers
    assert float(contrastive_loss(best, true)) == pytest.approx(entropy, abs=1e-4)
    assert float(contrastive_loss(-best, true)) > 10.0
    assert float(contrastive_loss(torch.zeros(3, 3), true)) == pytest.approx(math.log(3.0))


def test_every_kind_has_a_number_of_its_own() -> None:
    assert len({shown(label(kind.names[0]))[0] for kind in KINDS}) == len(KINDS)
