"""Which build of torch follows from which card and driver, and what is said where one cannot be used.

Of: installer/torch_choice.py.
"""

from __future__ import annotations

import pytest

from installer import graphics
from installer.graphics import Card
from installer.processes import SetupFailed
from installer.torch_choice import BUILDS, DISK, DOWNLOAD, choose

ADA = Card("NVIDIA", "RTX 4090", "580.65.06", "sm_89")
RADEON = Card("AMD", "RX 7900", "6.12.12", "gfx1100")
ARC = Card("Intel", "Arc B580", "1.6.33578", "arc")
APPLE = Card("Apple", "Apple M2", "15.1", "apple")


@pytest.mark.parametrize(
    ("cards", "system", "expected"),
    [
        ([], "linux", ("cpu", "cpu")),
        ([ADA], "linux", ("cuda", "cu130")),
        ([ADA], "win32", ("cuda", "cu130")),
        ([Card("NVIDIA", "RTX 4090", "570.86", "sm_89")], "linux", ("cuda", "cu126")),
        ([Card("NVIDIA", "GTX 1080", "580.65", "sm_61")], "linux", ("cuda", "cu126")),
        ([Card("NVIDIA", "GTX 1080", "525.60.13", "sm_61")], "linux", ("cuda", "cu126")),
        ([Card("NVIDIA", "GTX 1080", "528.33", "sm_61")], "win32", ("cuda", "cu126")),
        ([Card("NVIDIA", "RTX 5090", "581.0", "sm_120")], "linux", ("cuda", "cu130")),
        ([Card("NVIDIA", "a card", "", "sm_89")], "linux", ("cuda", "cu130")),
        ([RADEON], "linux", ("rocm", "rocm7.2")),
        ([Card("AMD", "RX 7900", "", "gfx1100")], "linux", ("rocm", "rocm7.2")),
        ([ARC], "linux", ("xpu", "xpu")),
        ([ARC], "win32", ("xpu", "xpu")),
        ([APPLE], "darwin", ("mps", "cpu")),
        ([ARC, RADEON, ADA], "linux", ("cuda", "cu130")),
        ([ARC, RADEON], "linux", ("rocm", "rocm7.2")),
    ],
)
def test_the_build_follows_from_card_and_driver(cards: list[Card], system: str, expected: tuple[str, str]) -> None:
    choice = choose("auto", cards, system)
    assert (choice.build, choice.backend) == expected
    assert choice.build in BUILDS and choice.build in DOWNLOAD and choice.build in DISK
    assert choice.device in choice.why or choice.build == "cpu"


@pytest.mark.parametrize(
    ("card", "system", "told"),
    [
        (Card("NVIDIA", "GTX 1080", "470.42.01", "sm_61"), "linux", ["470.42.01", "525.60.13", "580"]),
        (Card("NVIDIA", "GTX 1080", "472.12", "sm_61"), "win32", ["472.12", "528.33", "580"]),
        (Card("NVIDIA", "RTX 5090", "570.86", "sm_120"), "linux", ["570.86", "580"]),
        (Card("NVIDIA", "GTX 780", "580.65", "sm_35"), "linux", ["sm_35", "sm_50"]),
        (Card("NVIDIA", "NVIDIA card", "580.65", fault="Its driver answers with error 803."), "linux", ["error 803"]),
        (Card("AMD", "RX 7900", "6.10.5", "gfx1100"), "linux", ["6.10.5", "6.12.12"]),
        (Card("AMD", "RX 6600", "6.12.12", "gfx1032"), "linux", ["RX 6600", "no"]),
        (Card("AMD", "RX 7900", "32.0.2"), "win32", ["Linux alone"]),
        (Card("AMD", "RX 7900", "6.12.12", "gfx1100", "You may not open /dev/kfd."), "linux", ["/dev/kfd"]),
        (Card("Intel", "Arc B580", "", "arc", "Intel's compute driver is not installed."), "linux", ["not installed"]),
    ],
)
def test_what_cannot_be_used_is_named_and_the_processor_works(card: Card, system: str, told: list[str]) -> None:
    choice = choose("auto", [card], system)
    assert choice.build == "cpu" and card.name in choice.why
    for word in told:
        assert word in choice.why
    build = {"NVIDIA": "cuda", "AMD": "rocm", "Intel": "xpu"}[card.maker]
    with pytest.raises(SetupFailed) as caught:
        choose(build, [card], system)
    assert caught.value.why == f"{build}: {choice.why}" and "--torch cpu" in caught.value.fix


def test_a_field_on_the_processor_is_said_beforehand() -> None:
    """Warp's wheels need driver 580 and Turing; with less the teacher is on the card and the field is not."""
    assert "field" not in choose("auto", [ADA], "linux").why
    older = choose("auto", [Card("NVIDIA", "RTX 4090", "570.86", "sm_89")], "linux").why
    assert "field is computed on the processor" in older and "580" in older
    pascal = choose("auto", [Card("NVIDIA", "GTX 1080", "580.65", "sm_61")], "linux").why
    assert "field is computed on the processor" in pascal and "sm_75" in pascal
    for card, system in ((RADEON, "linux"), (ARC, "win32"), (APPLE, "darwin")):
        assert "field is computed on the processor" in choose("auto", [card], system).why


def test_a_passed_over_card_is_told_beside_the_taken_one() -> None:
    old = Card("NVIDIA", "GTX 780", "470.42", "sm_35")
    choice = choose("auto", [ARC, old], "linux")
    assert choice.build == "xpu" and "GTX 780" in choice.why and "470.42" in choice.why


def test_of_nvidias_cards_the_newest_decides() -> None:
    old = Card("NVIDIA", "GTX 1080", "580.65.06", "sm_61")
    broken = Card("NVIDIA", "NVIDIA card", "580.65.06", fault="Its driver sees no card.")
    for cards in ([old, ADA, broken], [broken, ADA, old]):
        choice = choose("auto", cards, "linux")
        assert (choice.device, choice.backend) == ("RTX 4090", "cu130")


def test_what_is_asked_for_is_taken_where_it_can_be() -> None:
    assert choose("cpu", [ADA], "linux").build == "cpu"
    assert choose("rocm", [ADA, RADEON], "linux").build == "rocm"
    for build in ("cuda", "rocm", "mps", "xpu"):
        with pytest.raises(SetupFailed, match="cannot be used here") as caught:
            choose(build, [], "linux")
        assert build in caught.value.why


def test_an_own_rocm_is_mentioned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphics, "rocm_version", lambda: "6.4.1")
    assert "6.4.1" in choose("auto", [RADEON], "linux").why
