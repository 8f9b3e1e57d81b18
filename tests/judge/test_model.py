"""Facts about the judge's folder: stock transformers load it, damage is named, training resumes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from transformers import CLIPModel

from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.judge.folder import WEIGHTS
from dreamfusion_engine.judge.model import Judge, load_judge
from training.judge.network import JudgeSize, make_judge, save_judge
from training.judge.train import JudgePlan, JudgeTrainer, varied
from training.starter.captions import make_tokenizer
from training.starter.corpus import Corpus

CPU = torch.device("cpu")
TINY = JudgeSize(pixels=16, patch=8, width=16, layers=1, heads=2, vector=8)
PLAN = JudgePlan(images=64, batch=8, capacity=32, fresh=0.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_judge(make_judge(TINY), tmp_path / "judge")
    return tmp_path / "judge"


def test_the_folder_is_a_clip_model_for_stock_transformers(folder: Path) -> None:
    stock = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
    judge = load_judge(folder)
    pictures = torch.rand(3, 3, 16, 16)
    texts = ["a red mug", "a car, side view, white clay"]
    tokens = make_tokenizer()(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        stock_logits = stock(
            input_ids=tokens.input_ids, attention_mask=tokens.attention_mask, pixel_values=2.0 * pictures - 1.0
        ).logits_per_image
        ours = stock.logit_scale.exp() * judge.pictures(pictures) @ judge.captions(texts).T
    torch.testing.assert_close(ours, stock_logits, rtol=1e-4, atol=1e-4)


def test_vectors_have_length_one_and_large_pictures_are_made_small(folder: Path) -> None:
    judge = load_judge(folder)
    vectors = judge.pictures(torch.rand(2, 3, 64, 64))
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(2))
    torch.testing.assert_close(judge.captions(["a mug"]).norm(dim=1), torch.ones(1))


def test_a_damaged_file_is_named_with_the_hash_that_it_should_have(folder: Path) -> None:
    weights = folder / "model.safetensors"
    expected = hashlib.sha256(weights.read_bytes()).hexdigest()
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    with pytest.raises(SetupError) as caught:
        load_judge(folder)
    assert caught.value.code == "judge.damaged"
    assert "model.safetensors" in caught.value.what
    assert expected in caught.value.why


def test_a_folder_without_a_judge_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(SetupError) as caught:
        load_judge(tmp_path)
    assert "judge.train" in caught.value.fix


def test_training_goes_on_bit_for_bit_from_its_checkpoint(tmp_path: Path) -> None:
    trainer = JudgeTrainer(PLAN, TINY, CPU)
    for step in range(2):
        trainer.train_step(_corpus(step), torch.Generator().manual_seed(step))
    trainer.save(tmp_path)
    other = JudgeTrainer(PLAN, TINY, CPU)
    other.load(tmp_path)
    assert other.images == trainer.images == 16
    for run in (trainer, other):
        run.train_step(_corpus(2), torch.Generator().manual_seed(2))
    for (name, a), b in zip(trainer.model.named_parameters(), other.model.parameters(), strict=True):
        assert torch.equal(a, b), name


def _corpus(seed: int) -> Corpus:
    return Corpus(pixels=16, capacity=16, fresh=0, seed=seed, device=CPU)


def test_varied_pictures_keep_their_range_and_differ() -> None:
    pictures = torch.rand(4, 3, 16, 16)
    moved = varied(pictures, torch.Generator().manual_seed(0))
    assert moved.shape == pictures.shape
    assert float(moved.min()) >= 0.0 and float(moved.max()) <= 1.0
    assert not torch.equal(moved, pictures)


@pytest.mark.slow
def test_the_committed_judge_knows_the_corpus() -> None:
    """A smoke test of the committed weights; `judge.evaluate` gives the exact figures."""
    from training.judge.evaluate import held_out

    judge = load_judge(WEIGHTS)
    assert isinstance(judge, Judge)
    scores = held_out(judge, 400)
    assert scores.kind is not None and scores.kind > 0.94
    assert scores.colour is not None and scores.colour > 0.85
    files = [p for p in WEIGHTS.iterdir() if p.is_file()]
    assert sum(p.stat().st_size for p in files) < 8 << 20
    listed = json.loads((WEIGHTS / "hashes.json").read_text(encoding="utf-8"))
    assert "model.safetensors" in listed
