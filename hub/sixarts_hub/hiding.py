"""Keeping tokens out of error texts, also where an endpoint says back what it was sent."""

from __future__ import annotations

from collections.abc import Iterator

_sent: set[str] = set()


def remember(authorization: str) -> None:
    """Take note of a header that is about to be sent."""
    token = authorization.rpartition(" ")[2]
    if len(token) > 3:
        _sent.add(token)


def hidden(text: str) -> str:
    """``text`` without the tokens that were sent."""
    for token in _sent:
        text = text.replace(token, "<token>")
    return text


def hide(error: BaseException) -> None:
    """Take the tokens out of an error and of all that led to it."""
    if not _sent:
        return
    for link in _chain(error):
        link.args = tuple(hidden(part) if isinstance(part, str) else part for part in link.args)
        # The client library's errors keep what the endpoint said beside their text.
        if isinstance(said := getattr(link, "server_message", None), str):
            link.server_message = hidden(said)  # type: ignore[attr-defined]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        link = waiting.pop()
        if link is not None and id(link) not in seen:
            seen.add(id(link))
            yield link
            waiting += [link.__cause__, link.__context__]
