"""Text to the tokens of models of many languages, and back: M2M-100, NLLB, mBART and mBART-50.

Three published layouts hold the same: a SentencePiece model beside ``vocab.json`` (M2M-100), a SentencePiece
model numbered as fairseq does, or ``tokenizer.json``. Source: ``transformers``' tokenizers, read at 5.23, and
the vocabularies of fairseq.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

from sixarts.errors import CheckpointError, OptionError
from sixarts.model import Processor, read_json, read_optional_json, write_json
from sixarts.readers.sentencepiece_file import check_vocabulary, loaded_pieces
from sixarts.readers.tokenizer_file import NAME as _TOKENIZER
from sixarts.readers.tokenizer_file import JsonPieces
from sixarts_translation.languages import Opening, code_of, tagged, untagged
from sixarts_translation.published_languages import LANGUAGES
from sixarts_translation.subwords import SPACE

#: What a language's token looks like in each layout.
_CODE = re.compile(r"__([a-z]{2,4})__|([a-z]{2}_[A-Z]{2})|([a-z]{3}_[A-Z][a-z]{3})")
_SPM, _VOCABULARY = "sentencepiece.bpe.model", "vocab.json"
#: Numbers of fairseq's first tokens; SentencePiece has three such, in another order.
_FAIRSEQ = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}


class Pieces(Protocol):
    """A tokenizer without languages and special tokens."""

    def encode(self, text: str) -> list[int]: ...
    def decode(self, tokens: Sequence[int]) -> str: ...
    def piece(self, token: int) -> str: ...


class MultilingualProcessor(Processor):
    """The tokenizers of models that read and write many languages.

    A text may begin with ``>>code<<``, the language that it is translated into.

    Args:
        pieces: text to numbers and back.
        codes: language to the number of its token.
        eos: number of the end token.
        settings: the content of ``tokenizer_config.json``.
        files: the layout's files as they were read, to be written again.
        code_last: whether a language stands after the end of a source (mBART, first NLLB) or before it.
        starts_with_code: whether the decoder starts with the language itself (mBART) or is forced to it.
        target: number of the language that the checkpoint's authors write, if they name one.
    """

    def __init__(
        self,
        pieces: Pieces,
        codes: Mapping[str, int],
        eos: int,
        settings: Mapping[str, Any],
        files: Mapping[str, bytes],
        *,
        code_last: bool = False,
        starts_with_code: bool = False,
        target: int | None = None,
    ) -> None:
        self.pieces, self.codes, self.eos = pieces, dict(codes), eos
        self.settings, self._files = dict(settings), dict(files)
        self.code_last, self.starts_with_code = code_last, starts_with_code
        self.languages = tuple(self.codes)
        self._names = {number: code for code, number in self.codes.items()}
        self.default_target = self._names.get(target) or self._known("tgt_lang") or self._known("target_lang")
        self.default_source = self._known("src_lang") or self._known("source_lang")

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        settings = read_optional_json(folder / "tokenizer_config.json")
        generation = read_optional_json(folder / "generation_config.json")
        kind = settings.get("tokenizer_class", "").removesuffix("Fast")
        names = [name for name in (_SPM, _VOCABULARY, _TOKENIZER) if (folder / name).is_file()]
        files = {name: (folder / name).read_bytes() for name in names}
        numbered: tuple[Pieces, dict[str, int]]
        if config.get("model_type") == "m2m_100" and {_SPM, _VOCABULARY} <= files.keys():
            numbered = _with_vocabulary(files[_SPM], read_json(folder / _VOCABULARY), settings)
        elif _TOKENIZER in files:
            numbered = _with_tokenizer(files[_TOKENIZER])
        elif _SPM in files:
            numbered = _as_fairseq(files[_SPM], kind, config)
        else:
            raise CheckpointError(
                f"none of {_SPM} and {_TOKENIZER} in {folder}; expected one of them; fetch the model again"
            )
        pieces, codes = numbered
        size = config.get("vocab_size")
        if not codes or (isinstance(size, int) and max(codes.values()) >= size):
            raise CheckpointError(
                f"the tokenizer in {folder} has {len(codes)} languages with tokens up to "
                f"{max(codes.values(), default=None)}, and config.json has vocab_size={size}; expected "
                "languages below it; the two are not of one model"
            )
        # mBART-50 took its predecessor's model type, but not its order of tokens.
        first = config.get("model_type") == "mbart" and (kind == "MBartTokenizer" or len(codes) < 30)
        target = generation.get("forced_bos_token_id", config.get("forced_bos_token_id"))
        if first:
            target = generation.get("decoder_start_token_id", config.get("decoder_start_token_id"))
        return cls(
            pieces,
            codes,
            _first(config.get("eos_token_id"), 2),
            settings,
            files,
            code_last=first or bool(settings.get("legacy_behaviour")),
            starts_with_code=first,
            target=target,
        )

    def save(self, folder: Path) -> None:
        for name, content in self._files.items():
            (folder / name).write_bytes(content)
        if self.settings:
            write_json(folder / "tokenizer_config.json", self.settings)

    # Languages.

    def source_of(self, wanted: str | None) -> str:
        """The code of the language that is read.

        Raises:
            OptionError: none is named, here or by the checkpoint; or it is not one of the model's.
        """
        return self._chosen("source", wanted, self.default_source)

    def target_of(self, wanted: str | None) -> str:
        """The code of the language that is written; errors as :meth:`source_of`."""
        return self._chosen("target", wanted, self.default_target)

    def tagged(self, text: str, wanted: str | None) -> tuple[str, str]:
        """The target's code, as wanted or from the text's own ``>>code<<``, and the text without it."""
        return tagged(text, wanted, self.languages, self.target_of)

    def opening(self, text: str) -> Opening:
        """How the decoder begins the translation of a text."""
        target, _ = self.tagged(text, None)
        code = self.codes[target]
        return Opening(code, ()) if self.starts_with_code else Opening(None, (code,))

    # Tokens.

    def encode(self, text: str, source: str) -> list[int]:
        """Source text to token numbers, language and end included."""
        return self._framed(self.pieces.encode(untagged(text)[1]), source)

    def source_pieces(self, text: str, source: str) -> list[str]:
        """The same as pieces."""
        return [self._piece(token) for token in self.encode(text, source)]

    def encode_target(self, text: str, target: str) -> list[int]:
        """What the decoder is to produce for a text, language and end included."""
        return self._framed(self.pieces.encode(text), target)

    def encoder(
        self, sampling: float, seed: int, source: str | None = None, target: str | None = None
    ) -> _Encoder:
        """An encoder of one direction for training; ``sampling`` must be 0."""
        if sampling:
            raise OptionError(
                f"subword_sampling={sampling!r} with a tokenizer of many languages; expected 0; leave it out"
            )
        return _Encoder(self, self.source_of(source), self.target_of(target))

    def target_pieces(self, tokens: Sequence[int]) -> list[str]:
        """Token numbers to pieces, up to the end token and without it."""
        return [self._piece(token) for token in self._before_end(tokens)]

    def decode(self, tokens: Sequence[int]) -> str:
        """Target token numbers to text; special tokens are left out."""
        words = [token for token in self._before_end(tokens) if token not in self._names and token > 3]
        return self.pieces.decode(words).replace(SPACE, " ").strip()

    def _before_end(self, tokens: Sequence[int]) -> list[int]:
        numbers = [int(token) for token in tokens]
        return numbers[: numbers.index(self.eos)] if self.eos in numbers else numbers

    def _framed(self, tokens: list[int], language: str) -> list[int]:
        code = self.codes[language]
        return [*tokens, self.eos, code] if self.code_last else [code, *tokens, self.eos]

    def _piece(self, token: int) -> str:
        if token in self._names:
            return self._names[token]
        return "</s>" if token == self.eos else self.pieces.piece(token)

    def _known(self, setting: str) -> str | None:
        code = self.settings.get(setting)
        return code if code in self.codes else None

    def _chosen(self, option: str, wanted: str | None, usual: str | None) -> str:
        if wanted is not None:
            return code_of(wanted, self.languages, option)
        if usual is None:
            raise OptionError(
                f"this model knows {len(self.languages)} languages and none is chosen; give {option}=, e.g. "
                f"{option}={self.languages[len(self.languages) // 2]!r} or a language's name"
            )
        return usual


class _Encoder:
    """Encodes pairs of one direction for training."""

    def __init__(self, processor: MultilingualProcessor, source: str, target: str) -> None:
        self._processor, self._source, self._target = processor, source, target
        # The first target token is the language: what comes before it is the decoder's own start.
        self.start = processor.codes[target] if processor.starts_with_code else None

    def source(self, text: str) -> list[int]:
        """Source text to token numbers."""
        return self._processor.encode(text, self._source)

    def target(self, text: str) -> list[int]:
        """Target text to token numbers."""
        return self._processor.encode_target(text, self._target)


class _Numbered:
    """SentencePiece's pieces under other numbers."""

    def __init__(self, model: bytes, numbers: Mapping[str, int]) -> None:
        self._model = loaded_pieces(model, _SPM)
        self._numbers, self._pieces = numbers, {number: piece for piece, number in numbers.items()}
        self._unknown = numbers["<unk>"]

    def encode(self, text: str) -> list[int]:
        return [self._numbers.get(piece, self._unknown) for piece in self._model.encode(text, out_type=str)]

    def decode(self, tokens: Sequence[int]) -> str:
        return str(self._model.decode_pieces([self._pieces[t] for t in tokens if t in self._pieces]))

    def piece(self, token: int) -> str:
        return self._pieces.get(token, "<unk>")


def _with_vocabulary(
    model: bytes, vocabulary: Mapping[str, Any], settings: Mapping[str, Any]
) -> tuple[Pieces, dict[str, int]]:
    """M2M-100: pieces numbered by ``vocab.json``, languages after them in a fixed order."""
    check_vocabulary(vocabulary, _VOCABULARY, tuple(_FAIRSEQ))
    kind = settings.get("language_codes", "m2m100")
    if kind not in ("m2m100", "wmt21"):
        raise CheckpointError(f"tokenizer_config.json has language_codes={kind!r}; expected m2m100 or wmt21")
    codes = {code: len(vocabulary) + place for place, code in enumerate(LANGUAGES[kind])}
    return _Numbered(model, vocabulary), codes


def _as_fairseq(model: bytes, kind: str, config: Mapping[str, Any]) -> tuple[Pieces, dict[str, int]]:
    """mBART and NLLB: SentencePiece's numbers moved by one, languages after them in a fixed order."""
    spm = loaded_pieces(model, _SPM)
    size = spm.get_piece_size()
    numbers = {spm.id_to_piece(number): number + 1 for number in range(3, size)} | _FAIRSEQ
    first = size + 1
    # Without a class the vocabulary's size tells: languages and one mask fill it.
    room = config.get("vocab_size", 0) - first - 1
    known = ("MBartTokenizer", "MBart50Tokenizer", "NllbTokenizer")
    if kind not in known:
        kind = max((name for name in known if len(LANGUAGES[name]) <= room), key=_count, default=known[0])
    return _Numbered(model, numbers), {code: first + place for place, code in enumerate(LANGUAGES[kind])}


def _count(kind: str) -> int:
    return len(LANGUAGES[kind])


def _with_tokenizer(content: bytes) -> tuple[Pieces, dict[str, int]]:
    """Any of them in one file, languages among its added tokens."""
    pieces = JsonPieces(content)
    matches = {number: _CODE.fullmatch(text) for text, number in pieces.added.items()}
    codes = {next(filter(None, match.groups())): number for number, match in matches.items() if match}
    return pieces, codes


def _first(value: Any, usual: int) -> int:
    """An end token's number; a list of them begins with the usual one."""
    value = value[0] if isinstance(value, list) and value else value
    return value if isinstance(value, int) else usual
