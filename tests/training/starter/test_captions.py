"""Facts about captions, the tokenizer and the corpus."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from dreamfusion_engine.models.card import SHADINGS
from dreamfusion_engine.models.views import HEADINGS, VIEWS
from training.starter.captions import TOKENS, camera_words, caption, describe, known_words, make_tokenizer
from training.starter.corpus import Corpus
from training.starter.objects.kinds import KINDS, Appearance, kind_named, random_appearance

CPU = torch.device("cpu")


@pytest.mark.slow
def test_every_caption_is_made_of_known_words_and_fits() -> None:
    tokenizer = make_tokenizer()
    rng = np.random.default_rng(0)
    unknown = tokenizer.convert_tokens_to_ids("<unk>")
    for kind in KINDS:
        for view in VIEWS:
            for shading in SHADINGS:
                for heading in (*HEADINGS, *HEADINGS):
                    text = caption(
                        rng, kind, random_appearance(rng, kind), view, heading, shading, "azimuth105 elevation20"
                    )
                    ids = tokenizer(text, truncation=False).input_ids
                    assert unknown not in ids, text
                    assert len(ids) <= TOKENS, text


def test_the_tokenizer_reads_words_whatever_their_case_and_punctuation() -> None:
    tokenizer = make_tokenizer()
    assert tokenizer("A red Mug, front view!").input_ids == tokenizer("a red mug front view").input_ids
    assert tokenizer("a red mug").input_ids != tokenizer("a blue mug").input_ids


def test_known_words_cover_every_kind() -> None:
    words = set(known_words())
    assert {"hamburger", "mug", "snowman", "front", "clay", "red"} <= words


def test_a_caption_names_the_kind_and_its_colour() -> None:
    rng = np.random.default_rng(0)
    mug = kind_named("mug")
    for _ in range(50):
        text = caption(rng, mug, Appearance(colour="red"), "side", "left", "textureless")
        assert "red" in text
        assert any(name in text for name in mug.names)
        assert "front" not in text


def test_a_second_colour_is_bound_to_its_part_and_a_pattern_to_its_colour() -> None:
    appearance = Appearance(colour="blue", part="orange", pattern="stripes", pattern_colour="white")
    assert describe(kind_named("mug"), appearance) == "a blue mug with an orange handle and white stripes"
    assert describe(kind_named("snowman"), Appearance(part="red")) == "a snowman wearing a red hat"
    assert describe(kind_named("apple"), Appearance()) == "an apple"


def test_captions_tell_left_from_right_and_keep_the_four_views() -> None:
    rng = np.random.default_rng(0)
    texts = [caption(rng, kind_named("car"), Appearance(), "side", "left", "lambertian") for _ in range(300)]
    assert 0.78 < np.mean(["left side view" in text for text in texts]) < 0.92
    assert 0.05 < np.mean([", side view" in text for text in texts]) < 0.16
    assert not any("right" in text for text in texts)
    above = [caption(rng, kind_named("car"), Appearance(), "overhead", "front right", "albedo") for _ in range(60)]
    assert any("overhead view, front right view, flat colours" in text for text in above)


def test_exact_cameras_are_named_often_and_by_the_nearest_words() -> None:
    assert camera_words(math.radians(-6.0), math.radians(14.0)) == "azimuth000 elevation10"
    assert camera_words(math.radians(353.0 - 360.0 * 2), math.radians(-10.0)) == "azimuth000 elevation00"
    assert camera_words(math.radians(100.0), math.radians(88.0)) == "azimuth105 elevation80"
    rng, camera = np.random.default_rng(0), "azimuth270 elevation20"
    texts = [caption(rng, kind_named("car"), Appearance(), "side", "left", "textureless", camera) for _ in range(300)]
    named = [text for text in texts if camera in text]
    assert 0.6 < len(named) / len(texts) < 0.8
    assert sum("left side view" not in text for text in named) > 0.5 * len(named), "alone mostly, as the engine asks"
    assert "azimuth000" not in known_words(), "nobody writes it"
    tokens = make_tokenizer()(camera).input_ids
    assert len(tokens) == 3 and 2 not in tokens


def test_captions_vary_in_words_and_order() -> None:
    rng = np.random.default_rng(0)
    appearance = Appearance(colour="red", part="yellow")
    texts = {caption(rng, kind_named("car"), appearance, "front", "front", "lambertian") for _ in range(300)}
    assert len(texts) > 15
    assert any("in red" in text for text in texts)
    assert all("yellow roof" in text for text in texts)


def test_the_same_seed_gives_the_same_pictures_and_captions() -> None:
    def draw(seed: int):  # type: ignore[no-untyped-def]
        corpus = Corpus(pixels=16, capacity=32, fresh=0.5, seed=seed, device=CPU)
        corpus.batch(4)
        return corpus.batch(4)

    (first, said), (again, said_again), (other, _) = draw(1), draw(1), draw(2)
    assert torch.equal(first, again)
    assert said == said_again
    assert not torch.equal(first, other)
    assert first.shape == (4, 3, 16, 16)
    assert float(first.min()) >= 0.0 and float(first.max()) <= 1.0


def test_kinds_with_a_front_come_as_often_as_asked() -> None:
    kinds = [kind_named("car"), kind_named("apple"), kind_named("lamp"), kind_named("carrot")]
    corpus = Corpus(pixels=4, capacity=400, fresh=0, seed=0, device=CPU, kinds=kinds, fronts=3.0)
    share = np.mean([label.kind.front for label in corpus.pictures(400)[1]])
    assert 0.4 < share < 0.6, "three cars to one each of three others"


def test_backgrounds_cover_the_whole_range() -> None:
    corpus = Corpus(pixels=8, capacity=16, fresh=0, seed=0, device=CPU)
    corners = torch.cat([corpus.batch(16)[0][:, :, 0, 0] for _ in range(20)])
    assert float(corners.min()) < 0.05
    assert float(corners.max()) > 0.95
