"""Embeddings on disk: the same bits come back, other models and texts never meet, damage and a full disk cost time."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from dreamfusion_engine.config.stages import GuidanceConfig
from dreamfusion_engine.events import Event, Note
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.guidance.embedding_cache import EmbeddingCache, model_digest
from dreamfusion_engine.machine.cache_folder import cache_folder
from dreamfusion_engine.models.load import load_teacher
from dreamfusion_engine.models.pipeline_folder import open_pipeline
from dreamfusion_engine.models.teacher import Conditioning

CPU = torch.device("cpu")


class Encoder:
    """Random rows, other ones in every call, so that what comes from the disk shows."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, texts: list[str]) -> Conditioning:
        self.calls += 1
        generator = torch.Generator().manual_seed(self.calls)
        return Conditioning(
            tokens=torch.randn(len(texts), 3, 4, generator=generator),
            mask=torch.rand(len(texts), 3, generator=generator) > 0.5,
            pooled=torch.randn(len(texts), 5, generator=generator),
        )


def same(a: Conditioning, b: Conditioning) -> bool:
    first, second = a.tensors(), b.tensors()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_the_second_run_gets_the_same_bits_without_encoding(tmp_path: Path) -> None:
    encoder = Encoder()
    made = EmbeddingCache(tmp_path / "new" / "folder").encode(encoder, "m", ["", "a mug"], CPU)
    kept = EmbeddingCache(tmp_path / "new" / "folder").encode(encoder, "m", ["", "a mug"], CPU)
    assert same(made, kept)
    assert encoder.calls == 1
    assert [path.suffix for path in files(tmp_path / "new" / "folder")] == [".safetensors"]


def test_another_model_text_or_order_is_another_entry(tmp_path: Path) -> None:
    encoder, cache = Encoder(), EmbeddingCache(tmp_path)
    for model, texts in (("m", ["a", "b"]), ("n", ["a", "b"]), ("m", ["b", "a"]), ("m", ["a"]), ("m", ["a b"])):
        cache.encode(encoder, model, texts, CPU)
    assert encoder.calls == len(files(tmp_path)) == 5


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "other"])
def test_a_damaged_entry_is_ignored_and_written_again(tmp_path: Path, damage: str) -> None:
    encoder, cache = Encoder(), EmbeddingCache(tmp_path)
    cache.encode(encoder, "m", ["a mug"], CPU)
    (path,) = files(tmp_path)
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[-3] ^= 1
    path.write_bytes(
        {"flip": bytes(content), "cut": bytes(content[:-9]), "empty": b"", "other": b"no tensors at all"}[damage]
    )
    mended = cache.encode(encoder, "m", ["a mug"], CPU)
    assert encoder.calls == 2
    assert same(cache.encode(encoder, "m", ["a mug"], CPU), mended)
    assert encoder.calls == 2


def test_the_folder_stays_within_its_limit_and_keeps_what_was_used_last(tmp_path: Path) -> None:
    encoder = Encoder()
    EmbeddingCache(tmp_path).encode(encoder, "m", ["0"], CPU)
    size = files(tmp_path)[0].stat().st_size
    cache = EmbeddingCache(tmp_path, limit=int(3.5 * size))
    for place in range(1, 3):
        cache.encode(encoder, "m", [str(place)], CPU)
    for age, text in enumerate(["1", "2", "0"]):  # 0 was the first, and is used once more
        cache.encode(encoder, "m", [text], CPU)
        newest = max(files(tmp_path), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, ns=(age, age))
    calls = encoder.calls
    assert calls == 3
    cache.encode(encoder, "m", ["3"], CPU)
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 3.5 * size
    cache.encode(encoder, "m", ["0"], CPU)
    assert encoder.calls == calls + 1  # 3 was made; 0 was kept
    cache.encode(encoder, "m", ["1"], CPU)
    assert encoder.calls == calls + 2  # 1 was the oldest, and went


def test_an_entry_larger_than_the_limit_is_not_written(tmp_path: Path) -> None:
    EmbeddingCache(tmp_path, limit=100).encode(Encoder(), "m", ["a"], CPU)
    assert files(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_a_note_and_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    events: list[Event] = []
    encoder = Encoder()
    made = EmbeddingCache(tmp_path / "file" / "cache", events.append).encode(encoder, "m", ["a"], CPU)
    assert len(made) == 1
    (note,) = events
    assert isinstance(note, Note) and note.code == "setup.embedding_cache" and "DREAMFUSION_CACHE" in note.text


def test_the_folder_is_the_systems_unless_the_variable_names_another(tmp_path: Path) -> None:
    assert cache_folder({"DREAMFUSION_CACHE": str(tmp_path)}) == tmp_path
    assert cache_folder({"XDG_CACHE_HOME": "/var/cache"}, "linux") == Path("/var/cache/dreamfusion")
    assert cache_folder({}, "linux") == Path.home() / ".cache" / "dreamfusion"
    assert cache_folder({"LOCALAPPDATA": "/local"}, "win32") == Path("/local/dreamfusion")
    assert cache_folder({}, "darwin") == Path.home() / "Library" / "Caches" / "dreamfusion"


def test_the_digest_changes_with_the_models_files_and_with_the_precision(pipeline_copy: Path) -> None:
    def digest(precision: str = "auto") -> str:
        return model_digest(pipeline_copy, precision=precision, device=CPU)

    first = digest()
    assert first == digest() != digest("float16")
    weights = next((pipeline_copy / "text_encoder").glob("*.safetensors"))
    status = weights.stat()
    os.utime(weights, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert digest() != first


@pytest.mark.slow
def test_no_text_encoder_is_left_in_memory_when_training_starts(saved_pipeline: Path, tmp_path: Path) -> None:
    from transformers import T5EncoderModel

    def alive() -> list[Any]:
        gc.collect()
        return [thing for thing in gc.get_objects() if isinstance(thing, T5EncoderModel)]

    before = {id(thing) for thing in alive()}
    pipeline = open_pipeline(saved_pipeline)
    teacher = load_teacher(pipeline, CPU)
    cache = EmbeddingCache(tmp_path)
    loaded = []

    def encode(texts: list[str]) -> Conditioning:
        loaded.append(len(texts))
        return teacher.encode_prompts(texts)

    def run() -> ScoreDistillation:
        return ScoreDistillation(
            teacher,
            "a red mug",
            "",
            pipeline.card,
            GuidanceConfig(),
            encode=lambda texts: cache.encode(encode, "tiny", texts, CPU),
        )

    first = run()
    assert loaded and not [thing for thing in alive() if id(thing) not in before]
    second = run()
    assert len(loaded) == 1, "the second run must not load the encoder at all"
    angle = torch.zeros(2)
    told = [made.conditioning.embeddings(angle, angle, "albedo").cond for made in (first, second)]
    assert same(*told)
