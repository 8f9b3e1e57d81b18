"""Where a run computes: chosen so that it is sure to work, named in an artist's words, refused with what there is."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import torch
import warp
from reference.pretend_machine import pretend_machine

from dreamfusion_engine.errors import InputError, SetupError
from dreamfusion_engine.machine import backends, places
from dreamfusion_engine.machine.places import Places, device_report, devices_here, resolve_places, spoken_kind

CPU, CUDA, MPS, XPU = (torch.device(name) for name in ("cpu", "cuda:0", "mps", "xpu:0"))
WARP_CARDS = places.warp_cards
RTX, SUPER = "NVIDIA GeForce RTX 4090", "NVIDIA GeForce RTX 4070 SUPER"


def test_the_processor_is_always_there_and_auto_works() -> None:
    found = resolve_places("cpu")
    assert (found.teacher, found.field, found.apart, found.kind) == (CPU, CPU, False, "cpu")
    assert float(torch.ones(3, device=resolve_places("auto").teacher).sum()) == 3.0


def test_auto_takes_what_is_sure_to_work_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    machines = {
        "cpu": {},
        "cuda": {"nvidia": (RTX,)},
        "rocm+cpu": {"amd": ("AMD Radeon RX 7900 XTX",)},
        "xpu+cpu": {"intel": ("Intel(R) Arc(TM) A770",)},
        "mps+cpu": {"apple": "Apple M2"},
        "cuda+cpu": {"nvidia": (RTX,), "warp": 0},
    }
    for kind, machine in machines.items():
        pretend_machine(monkeypatch, **machine)  # type: ignore[arg-type]
        found = resolve_places("auto")
        assert found.kind == kind and found.apart == ("+" in kind)
        assert "torch finds no graphics card" in found.why if kind == "cpu" else "small trial" in found.why
        assert "Warp" in found.why or "+" not in kind
        report = json.loads(json.dumps(device_report()))
        assert report["default"] == str(found.teacher) and report["default_field"] == str(found.field)
        assert report["why"] == found.why and {"cuda", "rocm"} <= report.keys()
        fields = {entry["name"]: entry["field"] for entry in report["devices"]}
        assert fields == {"cpu": True} | ({str(found.teacher): "+" not in kind} if kind != "cpu" else {})


def test_a_variable_that_may_hide_the_cards_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_machine(monkeypatch)
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK"):
        monkeypatch.delenv(name, raising=False)
    assert resolve_places("auto").why == "torch finds no graphics card"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "CUDA_VISIBLE_DEVICES" in resolve_places("auto").why


def test_a_card_that_fails_a_small_trial_is_passed_over_by_auto_and_taken_when_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend_machine(monkeypatch, apple="Apple M1", broken=("mps",))
    found = resolve_places("auto")
    assert (
        found.kind == "cpu" and found.why == f"not {found.unused}" == "not mps (Apple M1): a small trial failed there"
    )
    assert resolve_places("mps").kind == "mps+cpu"
    pretend_machine(monkeypatch, nvidia=(RTX, SUPER), broken=("cuda:0",))
    assert resolve_places("auto").teacher == torch.device("cuda", 1)


def test_of_several_processes_each_tries_its_own_card(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_machine(monkeypatch, nvidia=(RTX, SUPER))
    tried: list[torch.device] = []

    def trouble_of(device: torch.device) -> str:
        tried.append(device)
        return ""

    monkeypatch.setattr(places, "trouble_of", trouble_of)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert resolve_places("auto").teacher == torch.device("cuda", 1) and tried == [torch.device("cuda", 1)]
    for odd in ("", "one", "-1", "²"):
        monkeypatch.setenv("LOCAL_RANK", odd)
        assert resolve_places("auto").teacher == CUDA, "some other program's variable"


def test_of_two_cards_auto_takes_the_one_that_warp_has_too(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_machine(monkeypatch, nvidia=(RTX, SUPER), warp=1)
    assert resolve_places("auto").teacher == CUDA
    second = resolve_places("cuda:1")
    assert (second.teacher, second.field, second.apart) == (torch.device("cuda", 1), CPU, True)
    assert "driver" in second.why


def test_a_card_that_warp_lists_but_has_no_kernels_for_has_no_field(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pascal and Volta with driver 580: CUDA 13 knows them, and its compiler does not."""
    pretend_machine(monkeypatch, nvidia=("NVIDIA GeForce GTX 1080", RTX))
    monkeypatch.setattr(places, "warp_cards", WARP_CARDS)
    monkeypatch.setattr(warp, "get_cuda_devices", lambda: [SimpleNamespace(arch=arch) for arch in (61, 89)])
    monkeypatch.setattr(warp, "get_cuda_supported_archs", lambda: [75, 80, 86, 89, 90])
    assert [bool(device.no_field) for device in devices_here()] == [False, True, False]
    assert resolve_places("auto").teacher == torch.device("cuda", 1), "where both can be"
    old = resolve_places("1080")
    assert old.kind == "cuda+cpu" and "RTX 20" in old.why
    assert "RTX 20" in pytest.raises(InputError, resolve_places, "field=cuda:0").value.why
    monkeypatch.setattr(warp, "get_cuda_devices", list)
    assert "driver" in resolve_places("cuda").why


def test_a_single_word_is_the_teachers_and_the_field_goes_along_where_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_machine(monkeypatch, nvidia=(RTX, SUPER))
    assert resolve_places("cuda") == Places(teacher=CUDA, field=CUDA)
    assert resolve_places("cuda:1") == Places.at(torch.device("cuda", 1))
    both = resolve_places("teacher=cuda:1,field=cuda:0")
    assert both.kind == "cuda+cuda" and both.apart
    assert resolve_places("field=cpu") == Places(teacher=CUDA, field=CPU, apart=True)
    assert resolve_places("teacher=cpu") == Places.at(CPU)
    pretend_machine(monkeypatch, amd=("AMD Radeon RX 7900 XTX",))
    for word in ("cuda", "rocm", "radeon", "AMD Radeon RX 7900 XTX"):
        assert resolve_places(word).kind == "rocm+cpu"


def test_two_names_are_two_places_even_where_they_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    found = resolve_places("teacher=cpu,field=cpu")
    assert found.apart and found.kind == "cpu", "the same numbers: the same kind"


def test_a_card_is_named_by_words_of_its_title(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_machine(monkeypatch, nvidia=(RTX, SUPER, RTX))
    assert resolve_places("4070 super").teacher == torch.device("cuda", 1)
    with pytest.raises(InputError) as caught:
        resolve_places("RTX 4090")
    assert "more than one" in caught.value.what and "--device cuda:0" in caught.value.fix
    with pytest.raises(InputError) as caught:
        resolve_places("RTX 5090")
    assert caught.value.code == "input.device" and f"cuda:1 ({SUPER})" in caught.value.why
    pretend_machine(monkeypatch, nvidia=("NVIDIA GeForce RTX 4070 Ti", "NVIDIA GeForce RTX 4070", SUPER))
    assert resolve_places("rtx 4070").teacher == torch.device("cuda", 1), "a whole name, not the beginning of another"
    pretend_machine(monkeypatch, apple="Apple M2")  # the chip's name is the processor's and the card's
    assert resolve_places("M2").kind == "mps+cpu"


def test_a_field_that_cannot_be_there_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_machine(monkeypatch, apple="Apple M2")
    with pytest.raises(SetupError) as absent:  # named by hand: no machine has both
        resolve_places("teacher=mps,field=cuda")
    assert absent.value.code == "setup.device" and "mps (Apple M2)" in absent.value.why
    with pytest.raises(InputError) as caught:
        resolve_places("field=mps")
    assert "Warp" in caught.value.why and "teacher=mps,field=cpu" in caught.value.fix
    pretend_machine(monkeypatch, amd=("AMD Radeon RX 7900 XTX",))
    with pytest.raises(InputError) as caught:
        resolve_places("teacher=cuda,field=cuda")
    assert "AMD's torch calls its cards 'cuda'" in caught.value.why


def test_an_absent_device_says_what_there_is_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, str] = {}
    for build, word in ((None, "cuda"), ("13.0", "cuda"), (None, "mps"), (None, "xpu:0"), (None, "rocm")):
        pretend_machine(monkeypatch)
        monkeypatch.setattr(torch.version, "cuda", build)
        with pytest.raises(SetupError) as caught:
            resolve_places(word)
        assert caught.value.code == "setup.device" and "--device auto" in caught.value.fix
        told[f"{word} {build}"] = caught.value.why
    assert "build for the CPU only" in told["cuda None"] and "no usable NVIDIA card" in told["cuda 13.0"]
    assert "Apple" in told["mps None"] and "Intel" in told["xpu:0 None"] and "AMD" in told["rocm None"]
    monkeypatch.setattr(torch.version, "hip", "6.4")
    assert "no usable AMD card" in str(pytest.raises(SetupError, resolve_places, "cuda").value)
    pretend_machine(monkeypatch, nvidia=("Card 0", "Card 1"))
    with pytest.raises(SetupError) as caught:
        resolve_places("cuda:2")
    assert "cuda:0 (Card 0), cuda:1 (Card 1)" in caught.value.why


def test_result_json_has_both_devices_and_people_are_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_machine(monkeypatch, apple="Apple M2")
    said = resolve_places("auto").to_json()
    assert said["kind"] == "mps+cpu" and said["teacher"] == {"device": "mps", "title": "Apple M2"}
    assert spoken_kind("mps+cpu") == "an Apple card and, for the field, the processor"
    assert spoken_kind("cpu") == "the processor" and spoken_kind("tpu") == "tpu"
    assert len(spoken_kind("x" * 10_000)) < 200, "a checkpoint is a file from outside"


def test_the_list_of_devices_begins_with_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_machine(monkeypatch, nvidia=(RTX,), warp=0)
    processor, card = devices_here()
    assert processor.name == "cpu" and not processor.no_field
    assert card.to_json()["note"] == card.no_field and "driver" in card.no_field
    assert card.memory == 24 << 30 and card.backend is backends.BACKENDS["cuda"]
