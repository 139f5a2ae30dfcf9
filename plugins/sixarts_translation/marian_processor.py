"""Text to Marian's tokens and back: two SentencePiece models and one vocabulary (or two)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from sixarts.errors import CheckpointError, OptionError
from sixarts.model import Processor, read_json, read_optional_json, write_json
from sixarts.readers.sentencepiece_file import check_vocabulary, loaded_pieces, read_pieces
from sixarts_translation.languages import Opening, code_of, display_name, iso, tagged
from sixarts_translation.subwords import SPACE, UnigramSampler


class MarianProcessor(Processor):
    """The tokenizer of the ``marian`` layout.

    Pieces come from SentencePiece; their numbers from ``vocab.json``. A piece that the vocabulary lacks is
    ``<unk>``. A leading ``>>xx<<`` names the target language of a multilingual model and is one token.

    Args:
        source: serialized SentencePiece model of the source side.
        target: of the target side.
        vocabulary: piece to number.
        target_vocabulary: of the target side, where the layout keeps two.
        settings: the content of ``tokenizer_config.json``.
    """

    def __init__(
        self,
        source: bytes,
        target: bytes,
        vocabulary: Mapping[str, int],
        target_vocabulary: Mapping[str, int] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self._models = {"source.spm": source, "target.spm": target}
        self.vocabulary = dict(vocabulary)
        self.target_vocabulary = self.vocabulary if target_vocabulary is None else dict(target_vocabulary)
        for name, words in (("vocab.json", self.vocabulary), ("target_vocab.json", self.target_vocabulary)):
            check_vocabulary(words, name, ("</s>", "<unk>"))
        self.settings = dict(settings or {})
        self._separate = target_vocabulary is not None
        self._pieces = {number: piece for piece, number in self.target_vocabulary.items()}
        self.source_spm = loaded_pieces(source, "source.spm")
        self.target_spm = loaded_pieces(target, "target.spm")

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        settings = read_optional_json(folder / "tokenizer_config.json")
        models = []
        for name in ("source.spm", "target.spm"):
            try:
                models.append(read_pieces(folder / name))
            except FileNotFoundError:
                raise CheckpointError(
                    f"no {name} in {folder}; expected source.spm, target.spm and vocab.json beside the "
                    "weights; fetch the model again"
                ) from None
        second = folder / "target_vocab.json"
        separate = settings.get("separate_vocabs") or (
            second.is_file() and not config.get("share_encoder_decoder_embeddings", True)
        )
        processor = cls(
            *models,
            read_json(folder / "vocab.json"),
            read_json(second) if separate else None,
            settings,
        )
        processor._check_sizes(config)
        return processor

    def _check_sizes(self, config: Mapping[str, Any]) -> None:
        size = config.get("vocab_size")
        sides = [("vocab.json", self.vocabulary, size)]
        if self._separate:
            target_size = config.get("decoder_vocab_size") or size
            sides.append(("target_vocab.json", self.target_vocabulary, target_size))
        for name, words, most in sides:
            if most is not None and max(words.values()) >= most:
                raise CheckpointError(
                    f"{name} numbers its pieces up to {max(words.values())} and config.json has "
                    f"vocab_size={most}; expected every number below it; the two are not of one model"
                )

    def save(self, folder: Path) -> None:
        for name, content in self._models.items():
            (folder / name).write_bytes(content)
        (folder / "vocab.json").write_text(json.dumps(self.vocabulary, ensure_ascii=False), encoding="utf-8")
        settings = {"tokenizer_class": "MarianTokenizer", **self.settings}
        if self._separate:
            settings["separate_vocabs"] = True
            (folder / "target_vocab.json").write_text(
                json.dumps(self.target_vocabulary, ensure_ascii=False), encoding="utf-8"
            )
        write_json(folder / "tokenizer_config.json", settings)

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """Codes of the target languages that ``>>xx<<`` chooses; empty for a model of one pair."""
        return tuple(word[2:-2] for word in self.vocabulary if word.startswith(">>") and word.endswith("<<"))

    def source_of(self, wanted: str | None) -> str:
        """The code of the language that is read; empty where the checkpoint names none.

        Raises:
            OptionError: the checkpoint says that it reads another.
        """
        return self._only("source", wanted)

    def target_of(self, wanted: str | None) -> str:
        """The code of the language that is written, where there are several; else as :meth:`source_of`.

        Raises:
            OptionError: it is not one of the model's, or none is chosen.
        """
        if not self.languages:
            return self._only("target", wanted)
        if wanted is None:
            raise OptionError(
                f"this model translates into {len(self.languages)} languages and none is chosen; "
                f"give target=, e.g. {self.languages[0]!r}"
            )
        return code_of(wanted, self.languages, "target")

    def tagged(self, text: str, wanted: str | None) -> tuple[str, str]:
        """The target's code, as wanted or from the text's own ``>>code<<``, and the text without it."""
        return tagged(text, wanted, self.languages, self.target_of)

    def opening(self, text: str) -> Opening:
        """Nothing but the checkpoint's own start: the language stands in the source."""
        return Opening(None, ())

    def _only(self, side: str, wanted: str | None) -> str:
        known = str(self.settings.get(f"{side}_lang") or "")
        # Codes of three letters name groups of languages, too.
        if wanted is not None and len(known) == 2 and iso(wanted) != iso(known):
            raise OptionError(
                f"{side}={wanted!r}, and this model's {side} is {known!r} ({display_name(known)}); leave it "
                "out, or take a model of the pair that is meant"
            )
        return known or (iso(wanted) if wanted else "")

    @property
    def eos(self) -> int:
        return self.vocabulary["</s>"]

    def encode(self, text: str, source: str = "") -> list[int]:
        """Source text to token numbers, the end token included."""
        return [self._number(piece) for piece in self.source_pieces(text)]

    def source_pieces(self, text: str, source: str = "") -> list[str]:
        """Source text to pieces, the language token first and the end token last."""
        head: list[str] = []
        end = text.find("<<")
        if text.startswith(">>") and end > 0:
            head, text = [text[: end + 2]], text[end + 2 :]
        return [*head, *self.source_spm.encode(text, out_type=str), "</s>"]

    def _number(self, piece: str) -> int:
        return self.vocabulary.get(piece, self.vocabulary["<unk>"])

    def encode_target(self, text: str, target: str = "") -> list[int]:
        """Target text to token numbers, the end token included."""
        unknown = self.target_vocabulary["<unk>"]
        pieces = self.target_spm.encode(text, out_type=str)
        return [self.target_vocabulary.get(piece, unknown) for piece in [*pieces, "</s>"]]

    def encoder(
        self, sampling: float, seed: int, source: str | None = None, target: str | None = None
    ) -> SubwordEncoder:
        """An encoder for training that cuts words anew by ``seed``; ``sampling=0`` takes the best cut."""
        return SubwordEncoder(self, sampling, seed)

    def target_pieces(self, tokens: Sequence[int]) -> list[str]:
        """Token numbers to pieces, up to the end token and without it."""
        pieces = []
        for token in tokens:
            piece = self._pieces.get(int(token), "<unk>")
            if piece in ("</s>", "<pad>"):
                break
            pieces.append(piece)
        return pieces

    def decode(self, tokens: Sequence[int]) -> str:
        """Target token numbers to text; special tokens are left out."""
        pieces = [piece for piece in self.target_pieces(tokens) if piece != "<unk>"]
        return str(self.target_spm.decode_pieces(pieces)).replace(SPACE, " ").strip()


class SubwordEncoder:
    """Encodes with subword regularization: see :class:`sixarts_translation.subwords.UnigramSampler`.

    Args:
        processor: whose tokenizers and vocabularies are used.
        sampling: the smoothing exponent alpha; 0 always takes the best cut.
        seed: of the draws.

    Attributes:
        start: the decoder's first token, where it is not the checkpoint's own.
    """

    start: int | None = None

    def __init__(self, processor: MarianProcessor, sampling: float, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._source = _cutter(processor.source_spm, sampling), processor.vocabulary
        self._target = _cutter(processor.target_spm, sampling), processor.target_vocabulary

    def source(self, text: str) -> list[int]:
        """Source text to token numbers, the end token included."""
        return self._encode(text, *self._source)

    def target(self, text: str) -> list[int]:
        """Target text to token numbers, the end token included."""
        return self._encode(text, *self._target)

    def _encode(self, text: str, cut: Any, vocabulary: Mapping[str, int]) -> list[int]:
        unknown = vocabulary["<unk>"]
        return [vocabulary.get(piece, unknown) for piece in [*cut(text, self._random), "</s>"]]


def _cutter(model: Any, sampling: float) -> Any:
    if sampling:
        return UnigramSampler(model, sampling).pieces
    return lambda text, _: model.encode(text, out_type=str)


def padded(rows: Sequence[Sequence[int]], fill: int, length: int) -> np.ndarray:
    """Rows of token numbers as one int32 array ``[len(rows), length]``."""
    array = np.full((len(rows), length), fill, "int32")
    for place, row in enumerate(rows):
        array[place, : len(row)] = row
    return array
