"""Facts about the questions that the judge is trained on, and about judges that begin with another one's weights."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch

from dreamfusion_engine.judge.model import load_judge
from training.judge.choices import Choices, choice_loss, choices, colour_captions, part_captions, view_captions
from training.judge.network import JudgeSize, make_judge, save_judge, start_from
from training.starter.corpus import Label
from training.starter.objects.kinds import KINDS, Appearance, kind_named

MUG = Label(
    kind=kind_named("mug"), appearance=Appearance(colour="red"), view="back", heading="back left", shading="lambertian"
)
CLAY = Label(
    kind=kind_named("mug"), appearance=Appearance(colour="red"), view="back", heading="back", shading="textureless"
)
TWO_COLOURED = Label(
    kind=kind_named("mug"),
    appearance=Appearance(colour="red", part="green"),
    view="side",
    heading="right",
    shading="albedo",
)
HAMBURGER = Label(kind=kind_named("hamburger"), appearance=Appearance(), view="side", heading="left", shading="albedo")


def right_captions(asked: Choices) -> list[tuple[int, str]]:
    places = asked.answers.gather(1, asked.right[:, None])[:, 0]
    return [(int(i), asked.captions[int(c)]) for i, c in zip(asked.picture, places, strict=True)]


def test_the_right_answers_are_the_pictures_kind_colour_and_view() -> None:
    rng = np.random.default_rng(0)
    asked = choices(rng, [MUG, MUG, MUG])
    right = right_captions(asked)
    kinds = [(i, c) for i, c in right if c in ("a mug", "a cup")]
    assert [i for i, _ in kinds] == [0, 1, 2]
    asked_else = [(0, "a red mug"), (0, "a mug, back view"), (1, "a mug, back view"), (2, "a red mug")]
    assert [x for x in right if x not in kinds] == asked_else


def test_the_colour_is_asked_with_the_second_colour_given() -> None:
    """Of a red mug with a green handle, "a green mug" is half true and "a green mug with a green handle" is not."""
    asked = choices(np.random.default_rng(0), [TWO_COLOURED])
    assert (0, "a red mug with a green handle") in right_captions(asked)
    assert "a green mug with a green handle" in asked.captions and "a green mug" not in asked.captions


def test_every_kind_is_an_answer_once_and_no_place_is_empty_but_at_the_end() -> None:
    asked = choices(np.random.default_rng(1), [HAMBURGER])
    assert asked.answers.shape == (1, len(KINDS))
    assert sorted(asked.answers[0].tolist()) == list(range(len(KINDS)))
    both = choices(np.random.default_rng(1), [MUG])
    colours = both.answers[1]
    offered = len(MUG.kind.colours)
    assert (colours[:offered] >= 0).all() and (colours[offered:] == -1).all()


def test_nothing_is_asked_that_the_picture_cannot_show() -> None:
    """The colour of white clay, and the front of a hamburger."""
    rng = np.random.default_rng(2)
    assert [text for _, text in right_captions(choices(rng, [CLAY]))][1:] == ["a mug, back view"]
    assert len(choices(rng, [HAMBURGER, HAMBURGER, HAMBURGER]).picture) == 3


def test_answers_of_a_question_differ() -> None:
    for captions in (colour_captions(MUG.kind), view_captions(MUG.kind)):
        assert len(set(captions)) == len(captions)


def test_the_loss_of_indifference_is_the_logarithm_of_the_answers() -> None:
    asked = choices(np.random.default_rng(3), [MUG])
    loss = choice_loss(torch.zeros(1, len(asked.captions)), asked)
    expected = (math.log(len(KINDS)) + math.log(len(MUG.kind.colours)) + math.log(4)) / 3
    assert math.isclose(float(loss), expected, rel_tol=1e-5)


def test_the_loss_falls_to_nothing_when_the_right_captions_are_nearest() -> None:
    asked = choices(np.random.default_rng(4), [MUG, MUG])
    similarity = torch.zeros(2, len(asked.captions))
    places = asked.answers.gather(1, asked.right[:, None])[:, 0]
    similarity[asked.picture, places] = 50.0
    assert float(choice_loss(similarity, asked)) < 1e-6


def test_a_judge_that_begins_with_anothers_weights_gives_the_same_vectors(tmp_path: Path) -> None:
    torch.manual_seed(0)
    size = JudgeSize(pixels=16, patch=8, width=16, layers=1, heads=2, vector=8)
    save_judge(make_judge(size), tmp_path)
    torch.manual_seed(1)
    new = make_judge(size)
    start_from(new, tmp_path)
    old = load_judge(tmp_path).model
    for (name, a), b in zip(new.named_parameters(), old.parameters(), strict=True):
        torch.testing.assert_close(a, b, msg=name)


def test_a_smaller_patch_gives_an_enlarged_patch_s_vector(tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_judge(make_judge(JudgeSize(pixels=16, patch=8, width=16, layers=1, heads=2, vector=8)), tmp_path)
    old = load_judge(tmp_path).model.vision_model.embeddings
    model = make_judge(JudgeSize(pixels=16, patch=4, width=16, layers=1, heads=2, vector=8))
    start_from(model, tmp_path)
    new = model.vision_model.embeddings
    small = torch.rand(1, 3, 4, 4)
    large = torch.nn.functional.interpolate(small, (8, 8), mode="bilinear", align_corners=False)
    torch.testing.assert_close(new.patch_embedding(small), old.patch_embedding(large), rtol=1e-4, atol=1e-5)
    assert new.position_embedding.weight.shape == (17, 16)
    corner = old.position_embedding.weight[1]
    torch.testing.assert_close(new.position_embedding.weight[1], corner)


def test_a_part_is_asked_in_every_colour_swapped_left_out_and_spread_over_the_whole() -> None:
    captions = part_captions(MUG.kind, "red", "green")
    assert captions[0] == "a red mug with a green handle"
    assert {"a green mug with a red handle", "a red mug", "a green mug", "a red mug with a red handle"} <= set(captions)
    assert len(captions) == len(set(captions)) == 13  # ten colours of the handle, and three more


def test_a_part_without_a_colour_of_its_own_is_not_asked_in_those_that_it_may_have_by_nature() -> None:
    captions = part_captions(MUG.kind, "pink", None)
    assert captions == ["a pink mug", "a pink mug with a green handle", "a pink mug with a purple handle"]


def test_a_part_is_asked_only_on_demand_and_only_where_it_is_seen_in_colour() -> None:
    plain = choices(np.random.default_rng(0), [TWO_COLOURED])
    asked = choices(np.random.default_rng(0), [TWO_COLOURED, CLAY], parts=True)
    own = "a red mug with a green handle"
    assert "a green mug with a red handle" not in plain.captions
    assert [right for right in right_captions(asked) if right == (0, own)] == [(0, own)] * 2, "for colour and for part"
    assert not any("with a" in text for i, text in right_captions(asked) if i == 1)
