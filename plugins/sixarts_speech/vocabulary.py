"""What a CTC network spells with: its tokens, the blank among them, and how they make words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sixarts.errors import CheckpointError, InputError
from sixarts_hub.strict_json import short

#: Most tokens: MMS's characters of a thousand languages together are fewer.
TOKENS = 100_000


@dataclass(frozen=True)
class Vocabulary:
    """Tokens by number.

    Attributes:
        tokens: their texts.
        blank: the number of the token that says nothing (Graves et al. 2006, section 3).
        delimiter: the token that stands between words; ``None`` where each token is a word.
        lowered: whether texts are made lowercase, both ways.
    """

    tokens: tuple[str, ...]
    blank: int = 0
    delimiter: str | None = "|"
    lowered: bool = False

    def __post_init__(self) -> None:
        if not 1 < len(self.tokens) <= TOKENS or not 0 <= self.blank < len(self.tokens):
            raise CheckpointError(
                f"a vocabulary of {len(self.tokens)} tokens with blank {self.blank}; expected 2 to {TOKENS:,}"
            )

    @property
    def space(self) -> int | None:
        """The delimiter's number."""
        if self.delimiter is None or self.delimiter not in self.tokens:
            return None
        return self.tokens.index(self.delimiter)

    def text(self, numbers: Iterable[int]) -> str:
        """The text of a path's tokens, repeats and blanks taken out already.

        >>> Vocabulary(("<pad>", "|", "A", "B")).text([1, 2, 3, 1, 2])
        'AB A'
        """
        if self.delimiter is None:
            return " ".join(self.tokens[number] for number in numbers)
        spelled = (self.tokens[number] for number in numbers)
        text = "".join(" " if token == self.delimiter else token for token in spelled).strip()
        return text.lower() if self.lowered else text

    def numbers(self, text: str) -> list[int]:
        """The tokens of a text.

        >>> Vocabulary(("<pad>", "|", "A", "B")).numbers("AB A")
        [2, 3, 1, 2]

        Raises:
            InputError: something in it that no token spells.
        """
        by_text = {token: number for number, token in enumerate(self.tokens)}
        text = self._cased(text, by_text)
        parts: Sequence[str] = text.split()
        if self.delimiter is not None:
            parts = list(" ".join(parts))
            if self.delimiter in by_text:
                parts = [self.delimiter if part == " " else part for part in parts]
            else:
                parts = [part for part in parts if part != " "]
        unknown = [part for part in parts if part not in by_text or by_text[part] == self.blank]
        if unknown:
            known = ", ".join(token for token in self.tokens[:12] if token)
            raise InputError(
                f"{unknown[0]!r} in {text[:60]!r}; expected what the model can spell: {known}, …"
            )
        return [by_text[part] for part in parts]

    def _cased(self, text: str, by_text: dict[str, int]) -> str:
        """A text in the one case that a vocabulary has, where it has one."""
        letters = [token for token in by_text if len(token) == 1 and token.isalpha()]
        if letters and all(letter == letter.upper() for letter in letters):
            return text.upper()
        if self.lowered or (self.delimiter is None and all(t == t.lower() for t in by_text)):
            return text.lower()
        return text


def vocabulary_of(texts: Iterable[str], words: bool) -> Vocabulary:
    """The tokens that spell some texts.

    Args:
        texts: what is to be spelled.
        words: whether each word is a token; each character else.

    >>> vocabulary_of(["two one"], words=True).tokens
    ('<pad>', 'one', 'two')
    """
    if words:
        return Vocabulary(
            ("<pad>", *sorted({word for text in texts for word in text.lower().split()})), 0, None
        )
    letters = sorted({letter for text in texts for letter in text.lower() if not letter.isspace()} - {"|"})
    return Vocabulary(("<pad>", "|", *letters))


def tokens_of(table: Mapping[str, Any], size: int, where: str) -> tuple[str, ...]:
    """The tokens by number; one that a head has and no table names spells nothing.

    Args:
        table: token to number, as ``vocab.json`` has them.
        size: how many the head has.
        where: what messages call the table.

    >>> tokens_of({"<pad>": 0, "a": 2}, 3, "vocab.json")
    ('<pad>', '', 'a')
    """
    tokens = [""] * size
    for token, number in table.items():
        if type(number) is not int or number < 0:
            raise CheckpointError(
                f"{where} gives {short(token)} the number {short(number)}; expected one from 0"
            )
        # Tables list a few tokens more than some heads have.
        if number < size:
            tokens[number] = token
    return tuple(tokens)
