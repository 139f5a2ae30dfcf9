"""``tokenizer.json`` from strangers: opened only after what the library does not bound was looked at.

A file of a few kilobytes can say that each letter becomes a million, and some files make the library panic:
that is an error which Python's ``Exception`` does not cover.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from sixarts.errors import CheckpointError
from sixarts.readers.sentencepiece_file import EXPANSION_CAP, PIECE_CAP, longest_rule
from sixarts_hub.strict_json import parse

NAME = "tokenizer.json"
#: What the file is made of besides its pieces; each part is one component, or a list of some.
PARTS = ("normalizer", "pre_tokenizer", "post_processor", "decoder")
#: Most components of a part.
COMPONENTS_CAP = 64


class JsonPieces:
    """The pieces of a ``tokenizer.json``.

    Args:
        content: the file.

    Attributes:
        added: its added tokens, special ones among them, to their numbers.

    Raises:
        CheckpointError: it is none, or one that turns a few characters into very many.
    """

    def __init__(self, content: bytes) -> None:
        with told("is not a tokenizer"):
            data = tokenizer_parts(content)
            self.added: dict[str, int] = {entry["content"]: entry["id"] for entry in data["added_tokens"]}
            self._tokenizer = opened_tokenizer(content)
            unknown = self.added.get("<unk>", 3)
            self._plain = dict.fromkeys(self.added.values(), unknown)

    def encode(self, text: str) -> list[int]:
        """Text to numbers."""
        with told("cannot read this text"):
            tokens = self._tokenizer.encode(text, add_special_tokens=False).ids
        return [self._plain.get(token, token) for token in tokens]

    def decode(self, tokens: Sequence[int]) -> str:
        """Numbers to text."""
        with told("cannot write this text"):
            return str(self._tokenizer.decode(list(tokens), skip_special_tokens=True))

    def piece(self, token: int) -> str:
        """A number's piece."""
        return self._tokenizer.id_to_token(token) or "<unk>"


def tokenizer_parts(content: bytes) -> dict[str, Any]:
    """The file's value, once nothing in it can make very many characters of a few.

    Raises:
        ValueError, LookupError, TypeError: it is none; read it within :func:`told`.
    """
    data: dict[str, Any] = parse(content)
    for part in PARTS:
        _check_growth(part, data.get(part))
    _check_pieces(data["model"]["vocab"], data["added_tokens"])
    return data


def opened_tokenizer(content: bytes) -> Any:
    """The library's ``Tokenizer`` of a file that :func:`tokenizer_parts` took; made within :func:`told`.

    It neither cuts nor pads, and what looks like a special token in a text is text.
    """
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(content.decode())
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    return tokenizer


def _check_growth(part: str, component: Any) -> None:
    """Refuse a part that makes very many characters of one: what its components make multiplies."""
    growth = count = 1
    waiting = [component]
    while waiting:
        found = waiting.pop()
        if isinstance(found, list):
            waiting += found
        elif isinstance(found, dict):
            count += 1
            waiting += [value for value in found.values() if isinstance(value, (dict, list))]
            rules = found.get("precompiled_charsmap")
            texts = [value for value in found.values() if isinstance(value, str) and value is not rules]
            if isinstance(rules, str):
                growth *= max(1, longest_rule(base64.b64decode(rules)))
            growth *= max(1, len(str(found.get("content", ""))))
            if count > COMPONENTS_CAP or growth > EXPANSION_CAP or any(len(t) > PIECE_CAP for t in texts):
                raise ValueError(f"its {part} may make {growth} characters of one in {count} components")


def _check_pieces(vocabulary: Any, added: Any) -> None:
    """Refuse pieces that are very long: an answer has as many of them as the search allows."""
    pieces = [
        *(vocabulary if isinstance(vocabulary, dict) else (entry[0] for entry in vocabulary)),
        *(entry["content"] for entry in added),
    ]
    if longest := [piece for piece in pieces if len(piece) > PIECE_CAP]:
        raise ValueError(f"a piece of {len(longest[0])} characters, more than {PIECE_CAP}")


@contextlib.contextmanager
def told(what: str, name: str = NAME) -> Iterator[None]:
    """Makes one error of ours of whatever the library does; it raises bare exceptions, and panics.

    Args:
        what: happened, e.g. ``"cannot read this text"``.
        name: what the file is called.
    """
    try:
        yield
    except CheckpointError:
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        said = "".join(sign if sign.isprintable() else "?" for sign in str(error)[:200])
        raise CheckpointError(f"{name} {what} ({said}); fetch the model again") from error
