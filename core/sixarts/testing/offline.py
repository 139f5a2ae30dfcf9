"""Networks that are off: guards under which code runs to show that it needs none."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock


class NetworkUsed(OSError):
    """Something reached for the network where it should not; the message says for what."""


@contextlib.contextmanager
def no_sockets() -> Iterator[None]:
    """Within it, opening any internet socket raises :class:`NetworkUsed`."""
    make = socket.socket.__init__

    def refused(self: socket.socket, family: int = -1, *args: Any, **kwargs: Any) -> None:
        if "fileno" not in kwargs and family in (-1, socket.AF_INET, socket.AF_INET6):
            raise NetworkUsed(f"a socket was opened ({socket.AddressFamily(max(family, 2)).name})")
        make(self, family, *args, **kwargs)

    with mock.patch.object(socket.socket, "__init__", refused), only_loopback():
        yield


@contextlib.contextmanager
def only_loopback() -> Iterator[None]:
    """Within it, connecting or looking up any machine but this one raises :class:`NetworkUsed`."""
    with contextlib.ExitStack() as stack:
        for owner, name, place in (
            (socket.socket, "connect", 1),
            (socket.socket, "connect_ex", 1),
            (socket, "getaddrinfo", 0),
        ):
            stack.enter_context(mock.patch.object(owner, name, _guarded(getattr(owner, name), place)))
        yield


def _guarded(function: Callable[..., Any], place: int) -> Callable[..., Any]:
    def guarded(*args: Any, **kwargs: Any) -> Any:
        address = args[place] if len(args) > place else kwargs.get("host")
        if not _is_loopback(address):
            raise NetworkUsed(f"{function.__name__} to {address!r}")
        return function(*args, **kwargs)

    return guarded


def _is_loopback(address: Any) -> bool:
    # A tuple is an internet address; a string is a host name, or the path of a Unix socket.
    host = address[0] if isinstance(address, tuple) else address
    host = host.decode() if isinstance(host, bytes) else host
    if host in (None, "", "localhost") or "/" in str(host) or str(host).startswith("\0"):
        return True
    try:
        return ipaddress.ip_address(str(host).partition("%")[0]).is_loopback
    except ValueError:
        return False
