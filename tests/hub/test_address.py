"""Who may be asked, and who learns the token: the endpoint's scheme, host and port, compared as wholes."""

from __future__ import annotations

from pathlib import Path

import pytest

from dreamfusion_engine.hub.address import HubAddress


def address(endpoint: str) -> HubAddress:
    return HubAddress(endpoint=endpoint, cache=Path())


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("https://hub.example/api", True),
        ("https://HUB.example:443/api", True),
        ("http://hub.example/api", False),
        ("https://hub.example:444/api", False),
        ("https://other.example/api", False),
        ("https://hub.example@other.example/api", False),
        ("https://hub.example:port/api", False),
        ("file:///etc/passwd", False),
        ("", False),
    ],
)
def test_the_token_is_for_the_same_scheme_host_and_port(url: str, own: bool) -> None:
    assert address("https://hub.example").is_own(url) is own


@pytest.mark.parametrize(
    ("endpoint", "url", "allowed"),
    [
        ("https://hub.example", "https://content.example/x", True),
        ("https://hub.example", "http://hub.example/x", False),
        ("https://hub.example", "http://127.0.0.1/x", False),
        ("https://hub.example", "ftp://hub.example/x", False),
        ("https://hub.example", "file:///etc/passwd", False),
        ("http://localhost:8080", "http://localhost:8080/x", True),
        ("http://127.0.0.1:8080", "https://content.example/x", True),
        ("http://[::1]:8080", "http://localhost:80/x", True),
        ("http://127.0.0.1:8080", "http://hub.example/x", False),
        ("http://hub.example", "http://hub.example/x", False),
        ("http://127.0.0.1.hub.example", "http://127.0.0.1.hub.example/x", False),
        ("file:///tmp", "file:///tmp/x", False),
    ],
)
def test_only_https_is_spoken_and_http_with_this_machine(endpoint: str, url: str, allowed: bool) -> None:
    assert address(endpoint).may_ask(url) is allowed
