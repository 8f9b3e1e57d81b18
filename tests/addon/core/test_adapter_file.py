"""What a file is, the add-on and the engine say alike, and nothing that is given crashes the reading."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest
from reference.paper_model import paper_tensors

from blender_addon.core.adapter_file import NoAdapter, read
from dreamfusion_engine.models.adapters.learned_word import learned_word
from dreamfusion_engine.models.safetensors_header import read_header

WORDS: dict[str, dict[str, tuple[int, ...]]] = {
    "jug": {"emb_params": (2, 32)},
    "plate": {"clip_l": (3, 32), "clip_g": (3, 40)},
    "anything": {"<my-mug>": (32,)},
    "star": {"*": (1, 32)},
}


@pytest.mark.parametrize("name", WORDS)
def test_a_word_is_the_engines_word(tmp_path: Path, name: str) -> None:
    file = tmp_path / f"{name}.safetensors"
    file.write_bytes(paper_tensors(WORDS[name]))
    assert read(file).word == learned_word(file, read_header(file)).word != ""


@pytest.mark.parametrize(
    "shapes",
    [
        {"lora_unet_a.lora_down.weight": (4, 8), "lora_unet_a.lora_up.weight": (8, 4)},
        {f"unet.a{n}.lora_A.weight": (4, 8) for n in range(5)},
        {"conv": (3, 3, 3, 3)},
        {"a": (1,), "b": (1,), "c": (1,)},
    ],
)
def test_what_has_no_vectors_of_one_word_is_a_lora_until_the_engine_says_more(
    tmp_path: Path, shapes: dict[str, tuple[int, ...]]
) -> None:
    file = tmp_path / "a.safetensors"
    file.write_bytes(paper_tensors(shapes))
    assert read(file).word == ""


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.pt", b"PK", "pickle"),
        ("a.safetensors", b"", "no whole"),
        ("a.safetensors", struct.pack("<Q", 1 << 40) + b"{", "no whole"),
        ("a.safetensors", struct.pack("<Q", 2) + b"[]", "no whole"),
        ("a.safetensors", struct.pack("<Q", 100_000) + b"[" * 100_000, "no whole"),
        ("a.safetensors", struct.pack("<Q", 2) + b"{}", "empty"),
        ("two words.safetensors", paper_tensors({"emb_params": (1, 4)}), "Rename"),
        ("a.safetensors", paper_tensors({"x" * 101: (1, 4)}), "Rename"),
    ],
)
def test_what_is_neither_is_told_in_a_sentence(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(NoAdapter, match=why):
        read(tmp_path / name)


def test_a_folder_and_a_file_that_is_not_there_are_told_too(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent.safetensors"):
        with pytest.raises(NoAdapter, match="cannot be read"):
            read(path)


def test_no_bytes_crash_it(tmp_path: Path) -> None:
    chance, file = random.Random(1), tmp_path / "a.safetensors"
    whole = paper_tensors({"<my-mug>": (1, 4)})
    for _ in range(300):
        content = bytearray(whole[: chance.randrange(len(whole))] if chance.random() < 0.3 else whole)
        for _ in range(chance.randrange(6)):
            if content:
                content[chance.randrange(len(content))] = chance.randrange(256)
        file.write_bytes(content)
        try:
            assert isinstance(read(file).word, str)
        except NoAdapter as error:
            assert str(error)
