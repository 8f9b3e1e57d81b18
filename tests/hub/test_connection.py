"""Nothing but HTTP is asked, whatever an endpoint or a redirect says, and the token follows to the endpoint only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.hostile_hub import HostileHub, running_hostile_hub

from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.hub.address import HubAddress
from dreamfusion_engine.hub.connection import opened


@pytest.fixture
def hub() -> Iterator[HostileHub]:
    with running_hostile_hub(HostileHub()) as started:
        yield started


def asked(endpoint: str, url: str) -> SetupError:
    address = HubAddress(endpoint=endpoint, cache=Path("unused"), token="hf_secret")
    with pytest.raises(SetupError) as caught, opened(address, url, "someone/tiny"):
        pass
    assert caught.value.code == "model.network" and "hf_secret" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("endpoint", ["file://", "ftp://hub.example", "http://hub.example", "hub.example", "https://"])
def test_an_endpoint_that_is_not_https_is_refused_with_its_name(endpoint: str, tmp_path: Path) -> None:
    (tmp_path / "answer").write_text("{}")
    error = asked(endpoint, f"{endpoint}{tmp_path}/answer")
    assert "HF_ENDPOINT" in error.why and endpoint in error.why


@pytest.mark.parametrize("there", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://hub.example/x"])
def test_a_redirect_to_another_protocol_is_not_followed(hub: HostileHub, there: str) -> None:
    hub.redirect = there
    asked(hub.address, f"{hub.address}/x")
    assert len(hub.asked) == 1


def test_a_redirect_to_another_port_takes_no_token_along(hub: HostileHub) -> None:
    with running_hostile_hub(HostileHub()) as other:
        hub.redirect = f"{other.address}/y"
        address = HubAddress(endpoint=hub.address, cache=Path("unused"), token="hf_secret")
        with opened(address, f"{hub.address}/x", "someone/tiny") as response:
            assert response.read()
        assert (hub.asked, other.asked) == ([("/x", "Bearer hf_secret")], [("/y", None)])
