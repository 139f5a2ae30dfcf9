"""A hub's address, and which token it may be sent."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from sixarts_hub.errors import HubError

#: The hub that is meant where nothing else is said.
DEFAULT_URL = "https://huggingface.co"


@dataclass(frozen=True)
class Endpoint:
    """Where requests go.

    Attributes:
        url: its address, without a slash at the end.
        token: a token to send it; it is shown nowhere.
        named: whether the person's stored login may be sent to it.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    named: bool = False

    @classmethod
    def of(cls, url: str | None = None, token: str | None = None) -> Endpoint:
        """The endpoint that is named, else ``HF_ENDPOINT``, else the public hub.

        A stored login goes to the last two only: a person who names another address in code has not said
        that it may have their token.

        Raises:
            HubError: not an address, or a token would travel unencrypted.
        """
        usual = (os.environ.get("HF_ENDPOINT") or DEFAULT_URL).rstrip("/")
        address = (url or usual).rstrip("/")
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise HubError(
                f"received the endpoint {parts.scheme}://{parts.hostname or ''}…; expected https://HOST "
                "without a user name or a query; set HF_ENDPOINT or pass endpoint="
            )
        private = is_private(address)
        if token and not private:
            raise HubError(
                f"received a token for {address}, which is not encrypted; expected https or this machine; "
                "use the https address"
            )
        return cls(address, token, named=private and address in (usual, DEFAULT_URL))

    @property
    def library_token(self) -> str | Literal[False] | None:
        """The token as the client library takes it: ``None`` means the stored login, ``False`` none."""
        return self.token or (None if self.named else False)


def is_private(url: str) -> bool:
    """Whether nobody on the way can read what is sent to an address: it is encrypted, or is this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or ""))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
