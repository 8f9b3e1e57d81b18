"""The hub's address, account and folder of downloads, from the environment, as the hub's own tools read it."""

from __future__ import annotations

import os
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dreamfusion_engine.errors import InputError, SetupError
from dreamfusion_engine.inputs.given_path import UnusablePath, given_path, shortened

HUB = "https://huggingface.co"
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_ID_LIMIT = 96  # letters (huggingface_hub, validate_repo_id)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_TRUE = {"1", "ON", "YES", "TRUE"}


@dataclass(frozen=True, kw_only=True)
class HubAddress:
    """How to reach the hub.

    endpoint: str, address without a slash at its end.
    cache: Path, folder of downloads.
    offline: bool, whether the network must not be used.
    token: str, of an account, or ''. It is sent to the endpoint's own host only, and shown nowhere.
    """

    endpoint: str = HUB
    cache: Path
    offline: bool = False
    token: str = field(default="", repr=False)

    def is_own(self, url: str) -> bool:
        """Return whether an address has the endpoint's own scheme, host and port. The token goes only there."""
        own = _origin(self.endpoint)
        return own is not None and _origin(url) == own

    def may_ask(self, url: str) -> bool:
        """Return whether an address may be asked: over https, or over http on this machine if the endpoint is too."""
        asked, own = _origin(url), _origin(self.endpoint)
        if asked is None or own is None:
            return False
        return asked[0] == "https" or (_is_here(asked) and _is_here(own))

    def page(self, repository: str) -> str:
        """Return the address where people read about a model and accept its licence."""
        return f"{self.endpoint}/{repository}"


def hub_address(environ: Mapping[str, str] = os.environ) -> HubAddress:
    """Return the address from HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE and what `cache_folder` reads.

    Raises SetupError model.token for a token that cannot be one, such as two lines; the error does not repeat it.
    """
    token = environ.get("HF_TOKEN", "").strip()
    if not re.fullmatch(r"[\x21-\x7e]*", token):
        raise SetupError(
            "model.token",
            what="The token for the model hub cannot be used.",
            why="HF_TOKEN holds blanks, line ends or letters that no token has.",
            fix="Copy it again from the settings of your account at the hub.",
        )
    offline = any(environ.get(name, "").upper() in _TRUE for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
    return HubAddress(
        endpoint=(environ.get("HF_ENDPOINT") or HUB).rstrip("/"),
        cache=cache_folder(environ),
        offline=offline,
        token=token,
    )


def _origin(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port; None for what is no address over HTTP."""
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError):
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname else None


def _is_here(origin: tuple[str, str, int]) -> bool:
    """Whether it is http to this machine, where nobody listens on the way."""
    return origin[0] == "http" and origin[1] in _LOOPBACK


def is_hub_id(name: str) -> bool:
    """Return whether a name has the form owner/name and a length that the hub gives ids."""
    return len(name) <= _ID_LIMIT and HUB_ID.fullmatch(name) is not None


def check_hub_id(name: str) -> None:
    """Raise InputError input.model unless `name` is the id of a model at the hub."""
    if not is_hub_id(name):
        raise InputError(
            "input.model",
            what=f"'{shortened(name)}' is not the id of a model at the hub.",
            why="An id is the owner's name, a slash and the model's name, as in its address.",
            fix="See `dreamfusion-engine models` for some. A folder or a file on this machine needs no download.",
        )


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of downloads: HF_HUB_CACHE, or `hub` in HF_HOME, XDG_CACHE_HOME/huggingface or ~/.cache.

    Raises InputError input.model_folder for a path that no folder can have.
    """
    caches = environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = environ.get("HF_HOME") or os.path.join(caches, "huggingface")
    given = os.path.expandvars(environ.get("HF_HUB_CACHE") or os.path.join(home, "hub"))
    try:
        return given_path(given)
    except UnusablePath as error:
        raise InputError(
            "input.model_folder",
            what="The folder for downloaded models cannot be used.",
            why=f"{shortened(given)}: {error}.",
            fix="Give another --cache, or set HF_HUB_CACHE to another folder.",
        ) from error
