"""Models of words for CTC's beam search: KenLM's, ARPA files without KenLM, or anyone's function."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sixarts.errors import MissingExtra, OptionError
from sixarts_speech.ctc_paths import LanguageModel

#: Logarithms in files are to base 10.
TEN = math.log(10.0)
#: Most bytes and orders of an ARPA file that is read without KenLM.
BYTES, ORDERS = 2**31, 10


def language_model(source: str | Path | Callable[..., Any]) -> LanguageModel:
    """What scores words: KenLM where it is installed, else our own reader of ARPA files; or a function.

    Args:
        source: an ARPA file, a KenLM binary, or a function from a tuple of words to the natural logarithm
            of the last one's probability after the others.

    Raises:
        OptionError: a file that is not there, or not read.
        MissingExtra: a KenLM binary, and KenLM is not installed.
    """
    if callable(source):
        return FunctionModel(source)
    path = Path(source)
    if not path.is_file():
        raise OptionError(f"language_model={str(source)!r}, which is no file; expected an ARPA or KenLM file")
    return _read(str(path.absolute()), os.stat(path).st_mtime_ns)


@functools.lru_cache(maxsize=4)
def _read(path: str, changed: int) -> LanguageModel:
    try:
        import kenlm
    except ImportError:
        return ArpaModel.read(Path(path))
    try:
        return KenModel(kenlm.Model(path))
    except (OSError, RuntimeError) as error:
        reason = str(error).splitlines()[0][:160]
        raise OptionError(f"language_model={path!r} ({reason}); expected an ARPA or KenLM file") from None


class FunctionModel:
    """A function of a tuple of words as a model."""

    def __init__(self, function: Callable[[tuple[str, ...]], float]) -> None:
        self.function = function

    def start(self) -> tuple[str, ...]:
        return ()

    def score(self, state: Any, word: str) -> tuple[float, Any]:
        words = (*state, word)
        return float(self.function(words)), words


class KenModel:
    """A model that KenLM reads."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def start(self) -> Any:
        import kenlm

        state = kenlm.State()
        self.model.BeginSentenceWrite(state)
        return state

    def score(self, state: Any, word: str) -> tuple[float, Any]:
        import kenlm

        after = kenlm.State()
        return TEN * self.model.BaseScore(state, word, after), after


class ArpaModel:
    """An n-gram model with back-off, in memory (Katz 1987; the ARPA format).

    Args:
        table: words to the logarithms, to base 10, of probability and of back-off.
        order: of its longest n-grams.
    """

    def __init__(self, table: dict[tuple[str, ...], tuple[float, float]], order: int) -> None:
        self.table, self.order = table, order

    @classmethod
    def read(cls, path: Path) -> ArpaModel:
        """Reads a file in the ARPA format."""
        if path.stat().st_size > BYTES:
            raise OptionError(f"language_model={str(path)!r} is larger than {BYTES:,} bytes; install kenlm")
        table: dict[tuple[str, ...], tuple[float, float]] = {}
        order = 0
        try:
            with path.open(encoding="utf-8") as lines:
                for line in lines:
                    line = line.strip()
                    if line.startswith("\\") and line.endswith("-grams:"):
                        order = int(line[1:].removesuffix("-grams:"))
                        if not 1 <= order <= ORDERS:
                            raise ValueError(f"{order}-grams")
                    elif line == "\\end\\":
                        break
                    elif order and line:
                        parts = line.split()
                        words = tuple(parts[1 : 1 + order])
                        if len(words) < order:
                            raise ValueError(f"line {line[:60]!r}")
                        found = [float(part) for part in (*parts[:1], *parts[1 + order : 2 + order])]
                        if any(math.isnan(value) or value == math.inf for value in found):
                            raise ValueError(f"line {line[:60]!r}")
                        table[words] = (found[0], found[1] if len(found) > 1 else 0.0)
        except UnicodeDecodeError:
            raise MissingExtra(
                f"{path.name} is no text; a KenLM binary needs KenLM, which is not installed: "
                "pip install kenlm"
            ) from None
        except ValueError as error:
            raise OptionError(
                f"language_model={str(path)!r} ({str(error)[:160]}); expected an ARPA file"
            ) from None
        if not table:
            raise OptionError(f"language_model={str(path)!r} has no n-gram; expected an ARPA file")
        return cls(table, order)

    def start(self) -> tuple[str, ...]:
        return ("<s>",)

    def score(self, state: Any, word: str) -> tuple[float, Any]:
        known = word if (word,) in self.table else "<unk>"
        history: tuple[str, ...] = tuple(state)[-(self.order - 1) :] if self.order > 1 else ()
        after = (*history, known)[-(self.order - 1) :] if self.order > 1 else ()
        back = 0.0
        while True:
            found = self.table.get((*history, known))
            if found is not None:
                return TEN * (back + found[0]), after
            if not history:
                # What the file does not know at all, not even as unknown.
                return TEN * (back - 10.0), after
            back += self.table.get(history, (0.0, 0.0))[1]
            history = history[1:]
