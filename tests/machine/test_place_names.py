"""Words for places are read in every spelling that is meant, and refused with a reason in all others."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.machine.place_names import check_device_name, check_titles, is_kind, named


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("auto", ("auto", "auto")),
        ("CPU", ("cpu", "auto")),
        ("Processor", ("cpu", "auto")),
        ("cuda:1", ("cuda:1", "auto")),
        (" MPS ", ("mps", "auto")),
        ("teacher=mps,field=cpu", ("mps", "cpu")),
        ("field=cpu", ("auto", "cpu")),
        ("field = processor , teacher = xpu", ("xpu", "cpu")),
        ("model=cuda:1,object=cpu", ("cuda:1", "cpu")),
        ("Teacher = MPS, Object = cpu", ("mps", "cpu")),
        ("NVIDIA GeForce RTX 4090", ("NVIDIA GeForce RTX 4090", "auto")),
        ("teacher=Intel(R) Arc(TM) A770, 16 GB,field=cpu", ("Intel(R) Arc(TM) A770, 16 GB", "cpu")),
        ("RTX  4090", ("RTX 4090", "auto")),
        ("4090", ("4090", "auto")),
    ],
)
def test_a_place_or_two_are_named_by_kind_or_by_a_cards_name(name: str, words: tuple[str, str]) -> None:
    assert named(name) == words


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "cuda:", "cuda:-1", "cuda:x", "cpu:0", "cuda:1:2", "cuda:1000", "mps:0", "x", "4", "-rf /"),
        *("teacher=", "teacher=,field=", "teacher=mps,teacher=cpu", "field=cpu,object=cpu", "judge=cpu", "teacher:cpu"),
        *("RTX\n4090\x00", "RTX 4090\x1b[31m", "a" * 121, "\ud800\ud800\ud800", "../../etc"),
    ],
)
def test_what_is_no_name_is_refused_with_what_why_and_fix(name: str) -> None:
    with pytest.raises(InputError) as caught:
        check_device_name(name)
    assert caught.value.code == "input.device"
    assert caught.value.what and caught.value.why and "auto" in caught.value.fix
    assert len(str(caught.value)) < 700 and "\x1b" not in caught.value.what


def test_kinds_are_told_from_cards_names() -> None:
    assert all(is_kind(word) for word in ("auto", "cpu", "cuda", "cuda:12", "rocm:0", "xpu", "mps"))
    assert not any(is_kind(word) for word in ("cudas", "RTX 4090", "mps:0"))


def test_names_are_checked_without_torch() -> None:
    code = (
        "import sys; from dreamfusion_engine.machine.place_names import check_device_name;"
        "check_device_name('teacher=RTX 4090,field=cpu'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_words_that_no_device_has_are_refused_without_torch() -> None:
    titles = ("AMD Ryzen 9", "NVIDIA GeForce RTX 4090")
    for name in ("auto", "cpu", "cuda:3", "rtx 4090", "teacher=GeForce,field=cpu", "ryzen"):
        check_titles(name, titles)
    with pytest.raises(InputError, match="quantum") as refused:
        check_titles("teacher=cuda,field=quantum", titles)
    assert refused.value.code == "input.device" and titles[1] in refused.value.why
