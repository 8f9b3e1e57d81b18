"""Exact objects have one face, and objects whose back is their front have two."""

from __future__ import annotations

import pytest
import torch

from benchmarks.shared import portraits
from dreamfusion_engine.judge.appraisal import appraiser
from dreamfusion_engine.judge.faces import SIDES, Faces, faces
from dreamfusion_engine.judge.folder import WEIGHTS
from training.starter.objects.kinds import Appearance, kind_named


def of_word(sides: str) -> Faces:
    """What is found where the judge is sure of each picture: F, S, B for its side, - for none."""
    rows = [[float(side == letter) for side in "FSB"] for letter in sides]
    return faces(torch.tensor(rows), 100.0)


@pytest.mark.parametrize(
    ("sides", "count", "share", "many"),
    [
        ("FFSBBBSF", 1, 3 / 8, False),
        ("FSSSBSSS", 1, 1 / 8, False),
        ("SBBBSFFF", 1, 3 / 8, False),  # an object that is turned
        ("FSBSFSBS", 2, 2 / 8, True),
        ("FFSSFFSF", 2, 5 / 8, True),
        ("FSFSFSFS", 4, 4 / 8, True),
        ("FFFFFSSS", 1, 5 / 8, True),
        ("FFFFFFFF", 1, 1.0, True),
        ("SSSSBBSS", 0, 0.0, False),
        ("--------", 0, 0.0, False),  # alike from all around: no side is surer than another
    ],
)
def test_runs_of_neighbouring_fronts_are_faces(sides: str, count: int, share: float, many: bool) -> None:
    found = of_word(sides)
    assert (found.count, found.many) == (count, many) and found.share == pytest.approx(share)


def test_turning_the_object_changes_nothing() -> None:
    similarity = torch.rand(8, len(SIDES), generator=torch.Generator().manual_seed(3))
    found = {(faces(similarity.roll(turn, 0), 20.0)) for turn in range(8)}
    assert len(found) == 1


@pytest.mark.parametrize("name", ["chair", "house", "penguin", "car", "mug"])
def test_an_exact_object_has_one_face_and_one_with_its_front_at_the_back_has_two(name: str) -> None:
    colour, clay = portraits.truth_portraits(kind_named(name), Appearance(), 0)
    judge = appraiser(f"a {name}", WEIGHTS)
    assert judge is not None
    own = judge.appraise(colour, clay)
    assert own.faces == 1 and own.fronts is not None and own.fronts <= 0.5 and not own.many_faced
    both = colour.clone()
    both[3:6] = colour[[7, 0, 1]]  # what is seen from behind is what is seen in front
    janus = judge.appraise(both, clay)
    assert janus.faces == 2 and janus.many_faced


@pytest.mark.slow
def test_an_object_without_a_front_is_not_asked_about() -> None:
    colour, clay = portraits.truth_portraits(kind_named("hamburger"), Appearance(), 0)
    judge = appraiser("a hamburger", WEIGHTS)
    assert judge is not None
    found = judge.appraise(colour, clay)
    assert found.faces is None and found.fronts is None and not found.many_faced
