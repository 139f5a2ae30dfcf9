"""KerasHub's tokenizers, with the face of the ``tokenizers`` library's, which :class:`Tokens` asks.

Sources: ``keras_hub.tokenizers.WordPieceTokenizer``, as it reads Python's strings, and
``keras_hub.tokenizers.SentencePieceTokenizer``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import regex

from sixarts_kerashub.unicode_folding import Span, folded, unaccented

#: Longest word that is cut into pieces, in bytes of UTF-8.
WORD_BYTES = 100
_KEPT = (
    r"[!-/:-@\[-`{-~]|\p{P}|[\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFAFF\U00020000-\U0002A6DF"
    r"\U0002A700-\U0002B73F\U0002B740-\U0002B81F\U0002B820-\U0002CEAF\U0002F800-\U0002FA1F]"
)
#: What stands between words, and what is a word by itself.
_WORD = regex.compile(rf"(?P<alone>{_KEPT})|[ \t\n\r\f]|\p{{Cc}}|\p{{Cf}}")


class Found(NamedTuple):
    """The tokens of a text, as the library gives them."""

    ids: list[int]
    offsets: list[Span]


class WordPieces:
    """BERT's word pieces as KerasHub cuts them: words in bytes, case by NFKC_Casefold, accents by choice.

    Args:
        vocabulary: piece to number.
        unknown: the piece of words that have no other.
        prefix: what begins pieces that begin no word.
        lowercase: whether case is left out.
        strip_accents: whether accents are.
    """

    def __init__(
        self, vocabulary: Mapping[str, int], unknown: str, prefix: str, lowercase: bool, strip_accents: bool
    ) -> None:
        from tokenizers import Tokenizer, decoders, models

        self.unknown, self.lowercase, self.strip_accents = unknown, lowercase, strip_accents
        self._pieces = Tokenizer(
            models.WordPiece(
                dict(vocabulary),
                unk_token=unknown,
                continuing_subword_prefix=prefix,
                max_input_chars_per_word=WORD_BYTES,
            )
        )
        self.decoder = self._pieces.decoder = decoders.WordPiece(prefix=prefix)
        self._unknown = vocabulary[unknown]

    def encode(self, text: str, add_special_tokens: bool = False) -> Found:
        """A text's tokens; ``add_special_tokens`` is never asked for."""
        words = self._words(text)
        # One that is too long is unknown as a whole, as is the name of what is unknown.
        short = [word if len(word.encode()) <= WORD_BYTES else self.unknown for word, _ in words]
        made = self._pieces.encode(short, is_pretokenized=True, add_special_tokens=False)
        offsets = []
        for token, place, (start, end) in zip(made.ids, made.word_ids, made.offsets, strict=True):
            spans = words[place][1] if token == self._unknown else words[place][1][start:end]
            offsets.append((spans[0][0], max(last for _, last in spans)))
        return Found(made.ids, offsets)

    def _words(self, text: str) -> list[tuple[str, list[Span]]]:
        """The words of a text, each with the spans of its characters."""
        spans = [(place, place + 1) for place in range(len(text))]
        if self.strip_accents:
            text, spans = unaccented(text)
        parts, last = [], 0
        for between in _WORD.finditer(text):
            parts.append((last, between.start()))
            if between["alone"]:
                parts.append(between.span())
            last = between.end()
        words = [(text[start:end], spans[start:end]) for start, end in [*parts, (last, len(text))]]
        if self.lowercase:
            words = [folded(*word) for word in words]
        return [word for word in words if word[0]]

    def get_vocab(self, with_added_tokens: bool = True) -> dict[str, int]:
        """Piece to number."""
        return dict(self._pieces.get_vocab())

    def id_to_token(self, token: int) -> str | None:
        """A number's piece."""
        return self._pieces.id_to_token(token)

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = True) -> str:
        """The text of numbers."""
        return str(self._pieces.decode(list(ids), skip_special_tokens=False))


class SentencePieces:
    """A SentencePiece model, asked as it is.

    Args:
        model: the library's processor.
        number: SentencePiece's number to the network's.
        beside: pieces that the network has beside the model's, to their numbers.
    """

    decoder = None

    def __init__(self, model: Any, number: Callable[[int], int], beside: Mapping[str, int]) -> None:
        self._model, self._number = model, number
        count = range(model.get_piece_size())
        self._vocabulary = {model.id_to_piece(piece): number(piece) for piece in count} | dict(beside)
        self._pieces = {token: piece for piece, token in self._vocabulary.items()}
        self._own = {number(piece): piece for piece in reversed(count)}

    def encode(self, text: str, add_special_tokens: bool = False) -> Found:
        """A text's tokens; ``add_special_tokens`` is never asked for."""
        made = self._model.encode(text, return_type="offset_mapping")
        return Found([self._number(piece) for piece in made["ids"]], made["offsets"])

    def get_vocab(self, with_added_tokens: bool = True) -> dict[str, int]:
        """Piece to number."""
        return dict(self._vocabulary)

    def id_to_token(self, token: int) -> str | None:
        """A number's piece."""
        return self._pieces.get(token)

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = True) -> str:
        """The text of numbers."""
        return str(self._model.decode([self._own[token] for token in ids if token in self._own]))
