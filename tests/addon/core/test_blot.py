"""Tokens are blotted out: the account's own, and what looks like one."""

from __future__ import annotations

import pytest

from blender_addon.core.blot import BLOT, Blot

OWN = "my+own(token)"
HUB = "hf_" + "aB3" * 11


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"with {OWN}.", f"with {BLOT}."),
        (f"HF_TOKEN={HUB} ssh box", f"HF_TOKEN={BLOT} ssh box"),
        (f"https://user:{HUB}@hub/a", f"https://user:{BLOT}@hub/a"),
        ("hf_oauth_abcdefghijklmnopqrst.uvw-x_y", BLOT),
        ("Authorization: Bearer abc.DEF-123=", f"Authorization: Bearer {BLOT}"),
        ("hf_hub_download failed in hf_transfer", "hf_hub_download failed in hf_transfer"),
        ("a bearer of bad news", "a bearer of bad news"),
    ],
)
def test_tokens_go_and_the_rest_stays(text: str, left: str) -> None:
    blot = Blot([OWN, "", "abc"])
    assert blot.text(text) == left
    assert blot.line(text.encode()) == left.encode()
    assert blot.value({text: [text, 1, {"a": text}]}) == {left: [left, 1, {"a": left}]}


def test_the_longer_of_two_secrets_is_taken_whole() -> None:
    assert Blot(["secret", "secret-and-more"]).text("secret-and-more") == BLOT


def test_what_is_nested_too_deeply_is_dropped() -> None:
    value: object = HUB
    for _ in range(400):
        value = [value]
    assert HUB not in repr(Blot().value(value))
