"""JSON that a stranger wrote: read whole and meant one way, or refused with a ``ValueError``.

Python's own parser is kind: it takes a name twice and keeps the last, numbers that are none, half of a
surrogate pair, and any depth until its stack ends. Two programs that read such a file differ in what they
see, and values of that kind fail later, far from the file.
"""

from __future__ import annotations

import json
import math
import re
import stat
from pathlib import Path
from typing import Any

#: Most bytes of a file: a tokenizer of 250,000 pieces takes 40 million.
SIZE_CAP = 64 << 20
#: Most lists and objects: an empty one takes 20 times the memory of its two letters.
CONTAINERS_CAP = 1 << 20
#: Most levels of lists and objects, so that whoever walks the value has stack enough.
DEPTH_CAP = 100
#: Most characters of a number; published files write 10**30 where they mean no limit.
NUMBER_CAP = 60

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def read_small(path: Path, cap: int = SIZE_CAP) -> bytes:
    """A file's content, if it is a regular file of at most ``cap`` bytes.

    Raises:
        ValueError: it is something else.
        OSError: it is not there or cannot be read.
    """
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):  # opening a pipe would wait for its writer
        raise ValueError("it is no regular file")
    with path.open("rb") as file:
        # Python sets aside what is asked for, so a small file is not asked for 64 megabytes.
        data = file.read(min(state.st_size, cap) + 1)
    if state.st_size > cap or len(data) > state.st_size:
        raise ValueError(f"it has more than {min(state.st_size, cap)} bytes")
    return data


def parse(data: bytes) -> Any:
    """The value of a JSON text in UTF-8 with every name once and finite numbers.

    Raises:
        ValueError: it is anything else, or beyond one of this module's caps.

    >>> parse(b'{"a": [1, 2.5]}')
    {'a': [1, 2.5]}
    >>> parse(b'{"a": 1, "a": 2}')
    Traceback (most recent call last):
    ...
    ValueError: the name 'a' twice
    """
    if len(data) > SIZE_CAP:
        raise ValueError(f"{len(data)} bytes, more than {SIZE_CAP}")
    if data.count(b"[") + data.count(b"{") > CONTAINERS_CAP:
        raise ValueError(f"more than {CONTAINERS_CAP} lists and objects")
    try:
        value = json.loads(
            data.decode(),
            object_pairs_hook=_once,
            parse_int=_whole,
            parse_float=_finite,
            parse_constant=_no_constant,
        )
    except RecursionError:
        raise ValueError(f"more than {DEPTH_CAP} levels") from None
    _check_depth(value)
    if _SURROGATE.search(data):
        # Such a text can neither be written nor printed; in pairs they are letters.
        json.dumps(value, ensure_ascii=False).encode()
    return value


def short(value: object) -> str:
    """A stranger's value, safe and short enough to print.

    >>> short("a" * 200)[-5:]
    'aaaa…'
    """
    if isinstance(value, str):
        value = value[:200]
    elif isinstance(value, (list, dict)) and len(value) > 20:
        return f"a {type(value).__name__} of {len(value)}"
    text = repr(value)
    return text if len(text) <= 120 else text[:119] + "…"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"the name {short(twice)} twice")
    return found


def _whole(text: str) -> int:
    if len(text) > NUMBER_CAP:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"the number {short(text)}, which is too large")
    return number


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text}, which is no number")


def _check_depth(value: Any) -> None:
    level: list[Any] = [[value]]
    for _ in range(DEPTH_CAP + 1):
        # An object's names are texts, so that its values are all that can nest.
        level = [
            child
            for item in level
            for child in (item.values() if type(item) is dict else item)
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return
    raise ValueError(f"more than {DEPTH_CAP} levels")
