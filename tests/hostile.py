"""Hostile files: valid ones taken apart and put together wrongly, and bounds on whoever reads them."""

from __future__ import annotations

import copy
import json
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from hypothesis import strategies as st

#: JSON that Python writes for no value of its own.
RAW = [
    "NaN",
    "-Infinity",
    "1e999",
    "-0",
    "1" * 50,
    "1" * 5000,
    '"\\ud800"',
    '"\\udfff\\ud800"',
    "[" * 90 + "]" * 90,
    "[" * 400 + "]" * 400,
    '{"a":' * 5000 + "1" + "}" * 5000,
    "[" * 200_000,
    '"' + "x" * 300_000 + '"',
    "[" + "{}," * 20_000 + "{}]",
    '{"a": 1, "a": 2}',
    "",
    "\x00",
]
VALUES: list[Any] = [
    *(None, True, False, 0, 1, 2, -1, 7, 255, 2**31, 2**32 - 1, 2**63, 2**64, -(2**63), 10**12, 10**30),
    *(0.5, -0.5, 1.0, 1e308, 5e-324),
    *(
        "",
        " ",
        "a",
        "\0",
        "../up.json",
        "/etc/passwd",
        "C:\\x",
        "a/b.json",
        "con",
        "\u202e",
        "é" * 300,
        "0" * 64,
    ),
    *([], {}, [[]], [None], [0], [True], [1.5], ["a"], [[0]], {"a": {}}, {"": None}, [2**63] * 40),
]


@st.composite
def mutated_json(draw: st.DrawFn, base: Any) -> bytes:
    """The text of a JSON value in which something is of another kind, lost, doubled, or no JSON at all."""
    value = copy.deepcopy(base)
    raws: list[str] = []

    def raw(text: str) -> str:
        raws.append(text)
        return f"@{len(raws) - 1}@"

    def hostile() -> Any:
        # Copied, since what is put in may be changed in turn.
        values = st.sampled_from(VALUES).map(copy.deepcopy)
        return draw(values | st.sampled_from(RAW).map(raw) | st.text(max_size=5))

    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(value))
        if not places:
            break
        holder, key = draw(st.sampled_from(places))
        match draw(st.sampled_from(["put", "put", "put", "lose", "twice", "rename", "add"])):
            case "lose":
                del holder[key]
            case "twice" if isinstance(holder, dict):
                other = draw(st.sampled_from([holder[key], 0, None]))
                holder[key] = raw(f"{json.dumps(holder[key])}, {json.dumps(key)}: {json.dumps(other)}")
            case "rename" if isinstance(holder, dict):
                name = draw(st.sampled_from(["", "..", "A.JSON", "\0", "x" * 2000, "a/b", "cls", "self"]))
                holder[name] = holder.pop(key)
            case "add" if isinstance(holder, list):
                holder.insert(0, hostile())
            case _:
                holder[key] = hostile()
    text = json.dumps(value, ensure_ascii=draw(st.booleans()))
    for number, token in reversed(list(enumerate(raws))):
        text = text.replace(json.dumps(f"@{number}@"), token)
    data = text.encode()
    return draw(mutated(data)) if draw(st.integers(0, 4)) == 0 else data


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every holder and key in a JSON tree."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in list(keys):
        yield value, key
        yield from _places(value[key])


NUMBERS = [0, 1, 2, 127, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1]


@st.composite
def mutated(draw: st.DrawFn, data: bytes) -> bytes:
    """Bytes flipped, cut, spliced, doubled, or overwritten with numbers that lengths and offsets fear."""
    body = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(body) - 1)))
        end = at + draw(st.integers(0, 40))
        match draw(
            st.sampled_from(["flip", "flip", "set", "number", "cut", "end", "double", "move", "fill"])
        ):
            case "flip" if body:
                body[at] ^= 1 << draw(st.integers(0, 7))
            case "set" if body:
                body[at] = draw(st.integers(0, 255))
            case "number":
                size = draw(st.sampled_from([1, 2, 4, 8]))
                number = draw(st.sampled_from(NUMBERS)) % 256**size
                body[at : at + size] = number.to_bytes(size, draw(st.sampled_from(["little", "big"])))
            case "cut":
                del body[at:end]
            case "end":
                del body[at:]
            case "double":
                body[at:at] = body[at:end]
            case "move":
                piece = body[at:end]
                del body[at:end]
                place = draw(st.integers(0, len(body)))
                body[place:place] = piece
            case "fill":
                body[at:end] = draw(st.binary(max_size=40))
    return bytes(body)


@contextmanager
def within(seconds: float = 10.0) -> Iterator[None]:
    """Fails what takes longer; a reader that hangs is stopped."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"it took more than {seconds} s")

    handler = signal.signal(signal.SIGALRM, stop)
    left, every = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, left, every)
        signal.signal(signal.SIGALRM, handler)


def confined(code: str, *arguments: str, memory: int = 1 << 30, seconds: float = 120.0) -> str:
    """What a program prints in a process of its own that gets no more than this memory and time.

    Args:
        code: the program; what it prints comes back.
        arguments: its ``sys.argv[1:]``.
        memory: bytes of its whole address space.
        seconds: until it is killed.
    """
    program = f"import resource, sys\nresource.setrlimit(resource.RLIMIT_AS, ({memory}, {memory}))\n"
    done = subprocess.run(
        [sys.executable, "-c", program + textwrap.dedent(code), *arguments],
        capture_output=True,
        text=True,
        timeout=seconds,
        env={"PATH": "/usr/bin:/bin", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": ":".join(sys.path)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
