"""Text to the numbers of a tokenizer's tokens, with where each stands, and the frame that a model expects."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sixarts.errors import CheckpointError
from sixarts.readers.tokenizer_file import told

#: A part of a frame: ``"A"`` or ``"B"`` for a text's tokens, or a special token's number; and its segment.
Part = tuple[str | int, int]


class Encoded(NamedTuple):
    """The tokens of a text.

    Attributes:
        ids: their numbers.
        spans: the first character of each, and the one after its last.
    """

    ids: list[int]
    spans: list[tuple[int, int]]

    def cut(self, start: int, end: int) -> Encoded:
        """The tokens from one place to before another."""
        return Encoded(self.ids[start:end], self.spans[start:end])


class Frame(NamedTuple):
    """How texts are put between special tokens: one alone, and two together."""

    single: tuple[Part, ...]
    pair: tuple[Part, ...]

    def added(self, paired: bool) -> int:
        """How many special tokens it adds."""
        return sum(isinstance(what, int) for what, _ in (self.pair if paired else self.single))


class Tokens:
    """A tokenizer with its frame.

    Args:
        tokenizer: the library's ``Tokenizer``, which adds nothing.
        frame: what stands around texts.
        pad: number of the padding token.
        unknown: number that stands for special tokens which a text spells out.
        special: numbers of special tokens.
        name: what the tokenizer's file is called, for messages.
    """

    def __init__(
        self, tokenizer: Any, frame: Frame, pad: int, unknown: int, special: Collection[int], name: str
    ) -> None:
        self._tokenizer, self.frame, self.pad = tokenizer, frame, pad
        self._plain, self.name = dict.fromkeys(special, unknown), name

    def encode(self, text: str) -> Encoded:
        """A text's tokens, without its frame."""
        with told("cannot read this text", self.name):
            found = self._tokenizer.encode(text, add_special_tokens=False)
            ids, spans = found.ids, found.offsets
        plain = self._plain
        if not plain.keys().isdisjoint(ids):
            ids = [plain.get(token, token) for token in ids]
        return Encoded(ids, spans)

    def framed(self, first: Sequence[Any], second: Sequence[Any] | None, other: Any = None) -> list[Any]:
        """What stands for each token of one text or two, and for special tokens their number or ``other``."""
        given = {"A": first, "B": second or ()}
        found: list[Any] = []
        for what, _ in self._parts(second):
            if isinstance(what, str):
                found += given[what]
            else:
                found.append(what if other is None else other)
        return found

    def segments(self, first: Sequence[Any], second: Sequence[Any] | None) -> list[int]:
        """The segment of each token of the same."""
        count = {"A": len(first), "B": len(second or ())}
        return [
            segment
            for what, segment in self._parts(second)
            for _ in range(count[what] if isinstance(what, str) else 1)
        ]

    def _parts(self, second: Sequence[Any] | None) -> tuple[Part, ...]:
        return self.frame.single if second is None else self.frame.pair

    @property
    def size(self) -> int:
        """How many numbers it may give: one more than the largest."""
        vocabulary = self._tokenizer.get_vocab(with_added_tokens=True)
        return max(vocabulary.values(), default=-1) + 1

    @property
    def plain_size(self) -> int:
        """One more than the largest number that it gives to text, or puts around it."""
        vocabulary = self._tokenizer.get_vocab(with_added_tokens=True)
        around = [what for what, _ in self.frame.single if isinstance(what, int)]
        plain = (number for number in vocabulary.values() if number not in self._plain)
        return max(max(plain, default=-1), *around, *self._plain.values(), self.pad) + 1

    # Numbers to text.

    @property
    def by_bytes(self) -> bool:
        """Whether its pieces are of bytes."""
        return type(self._tokenizer.decoder).__name__ == "ByteLevel"

    def is_special(self, token: int) -> bool:
        """Whether a number stands for no text."""
        return token in self._plain

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token numbers, without special ones."""
        with told("cannot write this text", self.name):
            plain = [int(token) for token in ids if int(token) not in self._plain]
            return str(self._tokenizer.decode(plain, skip_special_tokens=True))

    def piece(self, token: int) -> str:
        """One number's piece, as a person reads it; a special token's name."""
        name = str(self._tokenizer.id_to_token(token) or "")
        if token in self._plain or not name:
            return name
        if self.by_bytes:
            return str(self._tokenizer.decode([token], skip_special_tokens=False))
        return name.replace("▁", " ")


def stated_frame(processor: Any, name: str) -> Frame | None:
    """The frame that a ``tokenizer.json`` states as its ``post_processor``; ``None`` where it states none.

    Raises:
        CheckpointError: a kind that is not known.
    """
    if not isinstance(processor, Mapping):
        return None
    kind = processor.get("type")
    if kind == "Sequence":
        found = (stated_frame(part, name) for part in processor["processors"])
        return next((frame for frame in found if frame is not None), None)
    if kind == "ByteLevel":
        return None
    if kind in ("BertProcessing", "RobertaProcessing"):
        first, last = int(processor["cls"][1]), int(processor["sep"][1])
        return bert_frame(first, last) if kind == "BertProcessing" else roberta_frame(first, last)
    if kind == "TemplateProcessing":
        return Frame(*(_template(processor, part) for part in ("single", "pair")))
    raise CheckpointError(
        f"{name} has a post_processor of type {str(kind)[:60]!r}; expected TemplateProcessing, "
        "BertProcessing or RobertaProcessing; choose another model"
    )


def _template(processor: Mapping[str, Any], which: str) -> tuple[Part, ...]:
    numbers = {name: token["ids"] for name, token in processor["special_tokens"].items()}
    found: list[Part] = []
    for part in processor[which]:
        if "Sequence" in part:
            found.append((str(part["Sequence"]["id"]), int(part["Sequence"]["type_id"])))
        else:
            token = part["SpecialToken"]
            found += [(int(number), int(token["type_id"])) for number in numbers[token["id"]]]
    wanted = ["A"] if which == "single" else ["A", "B"]
    if sorted(what for what, _ in found if isinstance(what, str)) != wanted:
        raise ValueError(f"a {which} template without {' and '.join(wanted)}")
    return tuple(found)


def bert_frame(first: int, last: int) -> Frame:
    """``[CLS] A [SEP]``, and ``[CLS] A [SEP] B [SEP]`` with the second text as segment 1."""
    single: tuple[Part, ...] = ((first, 0), ("A", 0), (last, 0))
    return Frame(single, (*single, ("B", 1), (last, 1)))


def roberta_frame(first: int, last: int) -> Frame:
    """``<s> A </s>``, and ``<s> A </s> </s> B </s>``, all of one segment."""
    single: tuple[Part, ...] = ((first, 0), ("A", 0), (last, 0))
    return Frame(single, (*single, (last, 0), ("B", 0), (last, 0)))


def ended_frame(_: int, last: int) -> Frame:
    """``A </s>``, and ``A B </s>``, all of one segment."""
    return Frame((("A", 0), (last, 0)), (("A", 0), ("B", 0), (last, 0)))
