"""What the denoiser is told: by view, by hand, mixed by angle, against other views, and for bad pictures."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.config.stages import GuidanceConfig, PromptsConfig
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.guidance.prompt_conditioning import OUT_OF_DISTRIBUTION, PromptConditioning
from dreamfusion_engine.models.card import AUTOMATIC, PromptCard, predictions_a_view, uses_perp_neg
from dreamfusion_engine.models.prompt_check import check_prompts
from dreamfusion_engine.models.teacher import Conditioning
from dreamfusion_engine.models.views import HEADINGS, VIEWS

LEVEL = torch.zeros(4)
AROUND = torch.deg2rad(torch.tensor([0.0, 45.0, 90.0, 180.0]))
OPEN, CLOSED = PromptCard(), PromptCard(closed_vocabulary=True, words=frozenset({"a", "mug", "red"}))


class Encoder:
    """Encodes texts as rows of a unit matrix, so that a told row says which texts it is made of."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.calls = 0

    def __call__(self, texts: list[str]) -> Conditioning:
        self.calls += 1
        self.texts = texts
        return Conditioning(tokens=torch.eye(len(texts))[:, None, :])

    def said(self, told: Conditioning) -> list[dict[str, float]]:
        """For each row the texts in it, with their weights."""
        return [
            {text: round(float(w), 4) for text, w in zip(self.texts, row[0], strict=True) if w > 1e-6}
            for row in told.tokens
        ]


def told_of(
    config: GuidanceConfig, card: PromptCard = OPEN, negative: str = "", texts: PromptsConfig = AUTOMATIC
) -> tuple[Encoder, PromptConditioning]:
    encoder = Encoder()
    return encoder, PromptConditioning(encoder, "a mug", negative, card, config, texts)


def test_the_nearest_view_alone_is_told_and_every_text_is_encoded_in_one_call() -> None:
    encoder, made = told_of(GuidanceConfig(perp_neg="off"), negative="dark")
    told = made.embeddings(AROUND, LEVEL, "albedo")
    words = ["a mug, front view", "a mug, side view", "a mug, side view", "a mug, back view"]
    assert encoder.said(told.cond) == [{text: 1.0} for text in words]
    assert encoder.said(told.uncond) == [{"dark": 1.0}] * 4
    assert (told.bad, told.against, told.weights) == (None, (), None)
    assert encoder.calls == 1


def test_interpolated_views_mix_their_neighbours() -> None:
    encoder, made = told_of(GuidanceConfig(view_prompts="interpolated", perp_neg="off"))
    said = encoder.said(made.embeddings(AROUND, LEVEL, "albedo").cond)
    assert said[0] == {"a mug, front view": 1.0}
    assert said[1] == {"a mug, front view": 0.5, "a mug, side view": 0.5}
    assert said[3] == {"a mug, back view": 1.0}


def test_a_model_with_headings_is_told_left_from_right() -> None:
    card = dataclasses.replace(OPEN, headings={heading: f"from the {heading}" for heading in HEADINGS})
    encoder, made = told_of(GuidanceConfig(perp_neg="off"), card)
    azimuth = torch.deg2rad(torch.tensor([10.0, 95.0, -85.0, 130.0]))
    said = encoder.said(made.embeddings(azimuth, torch.tensor([0.0, 0.0, 0.0, 1.4]), "albedo").cond)
    words = ["from the front", "from the right", "from the left", "overhead view, from the back right"]
    assert said == [{f"a mug, {place}": 1.0} for place in words]
    assert encoder.said(made.of_views(["front", "back"], "albedo")) == [
        {"a mug, front view": 1.0},
        {"a mug, back view": 1.0},
    ]
    mixed_encoder, mixed = told_of(GuidanceConfig(perp_neg="off", view_prompts="interpolated"), card)
    half = mixed.embeddings(torch.deg2rad(torch.tensor([-22.5])), torch.zeros(1), "albedo")
    assert mixed_encoder.said(half.cond) == [{"a mug, from the front": 0.5, "a mug, from the front left": 0.5}]


def exact_card() -> PromptCard:
    azimuths = tuple(f"azimuth{turn}" for turn in range(8))
    return dataclasses.replace(OPEN, azimuths=azimuths, elevations={0: "level", 30: "above", 80: "top"})


def test_a_model_that_knows_exact_cameras_is_told_the_nearest() -> None:
    texts = PromptsConfig(overhead="a round lid")
    encoder, made = told_of(GuidanceConfig(perp_neg="off"), exact_card(), texts=texts)
    azimuth, elevation = torch.deg2rad(torch.tensor([[20.0, 30.0, -50.0, 0.0], [-9.0, 20.0, 54.0, 90.0]]))
    said = encoder.said(made.embeddings(azimuth, elevation, "albedo").cond)
    words = ["a mug, azimuth0 level", "a mug, azimuth1 above", "a mug, azimuth7 above", "a round lid"]
    assert said == [{text: 1.0} for text in words]
    assert encoder.said(made.of_views(["front"], "albedo")) == [{"a mug, front view": 1.0}]
    mixed_encoder, mixed = told_of(GuidanceConfig(perp_neg="off", view_prompts="interpolated"), exact_card())
    half = mixed.embeddings(torch.deg2rad(torch.tensor([22.5])), torch.deg2rad(torch.tensor([30.0])), "albedo")
    assert mixed_encoder.said(half.cond) == [{"a mug, azimuth0 above": 0.5, "a mug, azimuth1 above": 0.5}]


def test_a_prompt_by_hand_replaces_the_headings_of_its_view() -> None:
    card = dataclasses.replace(OPEN, headings={heading: f"from the {heading}" for heading in HEADINGS})
    encoder, made = told_of(GuidanceConfig(perp_neg="off"), card, texts=PromptsConfig(side="a handle"))
    said = encoder.said(made.embeddings(AROUND, LEVEL, "albedo").cond)
    assert said == [
        {"a mug, from the front": 1.0},
        {"a mug, from the front right": 1.0},
        {"a handle": 1.0},
        {"a mug, from the back": 1.0},
    ]


def test_without_view_words_every_camera_is_told_the_same() -> None:
    encoder, made = told_of(GuidanceConfig(view_prompts="off", perp_neg="on"))
    told = made.embeddings(AROUND, LEVEL, "albedo")
    assert encoder.said(told.cond) == [{"a mug": 1.0}] * 4
    assert told.against == ()


def test_a_prompt_by_hand_replaces_the_automatic_one_of_its_view_alone() -> None:
    texts = PromptsConfig(back="the back of {}", overhead="a round lid")
    card = dataclasses.replace(OPEN, shading={"albedo": "", "lambertian": "", "textureless": "white clay"})
    encoder, made = told_of(GuidanceConfig(perp_neg="off"), card, texts=texts)
    above = torch.tensor([0.0, 0.0, 0.0, 1.5])
    said = encoder.said(made.embeddings(torch.flip(AROUND, [0]), above, "textureless").cond)
    assert said[0] == {"the back of a mug, white clay": 1.0}
    assert said[1] == {"a mug, side view, white clay": 1.0}
    assert said[3] == {"a round lid, white clay": 1.0}


def test_perp_neg_tells_front_and_side_too() -> None:
    encoder, made = told_of(GuidanceConfig(perp_neg="on"))
    told = made.embeddings(AROUND, LEVEL, "albedo")
    assert [encoder.said(part)[0] for part in told.against] == [{"a mug, front view": 1.0}, {"a mug, side view": 1.0}]
    assert told.weights is not None and told.weights.shape == (2, 4)


def test_perp_neg_is_automatic_for_open_vocabularies_with_view_words() -> None:
    assert uses_perp_neg(GuidanceConfig(), OPEN)
    assert not uses_perp_neg(GuidanceConfig(), CLOSED)
    assert uses_perp_neg(GuidanceConfig(perp_neg="on"), CLOSED)
    assert not uses_perp_neg(GuidanceConfig(perp_neg="off"), OPEN)
    assert not uses_perp_neg(GuidanceConfig(perp_neg="on", view_prompts="off"), OPEN)
    assert not uses_perp_neg(GuidanceConfig(), dataclasses.replace(OPEN, views=dict.fromkeys(VIEWS, ""))), "no words"


@pytest.mark.parametrize(
    ("card", "negative", "bad"), [(OPEN, "", OUT_OF_DISTRIBUTION), (OPEN, "ugly", "ugly"), (CLOSED, "", "")]
)
def test_noise_free_distillation_is_told_nothing_and_what_bad_pictures_are_called(
    card: PromptCard, negative: str, bad: str
) -> None:
    encoder, made = told_of(GuidanceConfig(score="nfsd"), card, negative)
    told = made.embeddings(AROUND, LEVEL, "albedo")
    assert encoder.said(told.uncond)[0] == {"": 1.0}
    assert told.bad is not None and encoder.said(told.bad)[0] == {bad: 1.0}


def test_words_by_hand_that_a_closed_vocabulary_lacks_are_refused_by_view() -> None:
    config = preset("draft", "a mug", {"prompts": {"back": "the rear of {}"}})
    with pytest.raises(InputError, match="back view.*'the', 'rear', 'of'"):
        check_prompts(config, CLOSED)
    check_prompts(config, OPEN)
    check_prompts(preset("draft", "a mug", {"prompts": {"back": "red {}"}}), CLOSED)


@pytest.mark.parametrize("score", ["sds", "nfsd"])
@pytest.mark.parametrize("perp_neg", ["on", "off"])
def test_a_step_tells_each_view_as_many_texts_as_its_memory_is_estimated_for(score: str, perp_neg: str) -> None:
    config = GuidanceConfig(score=score, perp_neg=perp_neg)  # type: ignore[arg-type]
    told = told_of(config)[1].embeddings(AROUND, LEVEL, "albedo")
    parts = [told.uncond, told.cond, *([told.bad] if told.bad is not None else []), *told.against]
    assert len(parts) == predictions_a_view(config, OPEN)
    assert all(len(part) == len(AROUND) for part in parts)
