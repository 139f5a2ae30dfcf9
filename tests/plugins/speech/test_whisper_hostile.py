"""Whisper's files damaged or made to hurt their reader: what works, or a typed error."""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
import whisper_reference as reference
from hypothesis import given, settings

from hostile import mutated, mutated_json, within
from sixarts.errors import CheckpointError
from sixarts_speech.whisper_processor import WhisperProcessor
from sixarts_speech.whisper_settings import SpeechTokens

pytestmark = pytest.mark.quick

few = settings(max_examples=60, deadline=None, derandomize=True, database=None)
CONFIG = reference.configuration()


@functools.cache
def files() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as place:
        reference.write_processor(Path(place))
        return {path.name: path.read_bytes() for path in Path(place).iterdir()}


def attempt(name: str, data: bytes) -> None:
    """Reads a folder in which one file is this, and uses what was read."""
    with tempfile.TemporaryDirectory() as place, within():
        folder = Path(place)
        for other, content in (files() | {name: data}).items():
            (folder / other).write_bytes(content)
        try:
            processor = WhisperProcessor.from_folder(folder, CONFIG)
            settled = SpeechTokens.of({**CONFIG, **reference.generation()}, processor.tokens)
        except CheckpointError as error:
            assert len(str(error)) < 2000 and str(error).isprintable()
            return
        tokens = processor.tokens
        for text in ("", " the cat", "<|endoftext|> 猫 🙂\n", "x" * 500):
            ids = tokens.encode(text)
            assert all(0 <= token < CONFIG["vocab_size"] for token in ids)
            tokens.decode([*ids, settled.start, settled.end])
            tokens.words(ids, "en")
        processor.save(folder)


@pytest.mark.parametrize("name", ["vocab.json", "added_tokens.json", "preprocessor_config.json"])
def test_a_file_that_lies(name: str) -> None:
    content = json.loads(files()[name])

    @few
    @given(mutated_json(dict(list(content.items())[:80])))
    def check(data: bytes) -> None:
        attempt(name, data)

    check()


@few
@given(mutated(b"#version: 0.2\nt h\nth e\n\xc4\xa0 t\n"))
def test_merges_that_lie(data: bytes) -> None:
    attempt("merges.txt", data)


TOKENIZER: dict[str, Any] = {
    "added_tokens": [{"id": 60, "content": "<|endoftext|>", "special": True}],
    "normalizer": None,
    "pre_tokenizer": {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": True,
    },
    "post_processor": None,
    "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]},
}


@few
@given(mutated_json(TOKENIZER))
def test_a_tokenizer_that_lies(data: bytes) -> None:
    attempt("tokenizer.json", data)


@few
@given(mutated_json({"added_tokens_decoder": {"60": {"content": "<|x|>"}}, "add_prefix_space": False}))
def test_settings_that_lie(data: bytes) -> None:
    attempt("tokenizer_config.json", data)


@few
@given(mutated_json(reference.generation()))
def test_a_generation_that_lies(data: bytes) -> None:
    """Settings of generation are held against limits before anything is made of them."""
    with tempfile.TemporaryDirectory() as place, within():
        folder = Path(place)
        for name, content in files().items():
            (folder / name).write_bytes(content)
        tokens = WhisperProcessor.from_folder(folder, CONFIG).tokens
        (folder / "generation_config.json").write_bytes(data)
        from sixarts.readers.json_file import read_json

        try:
            found = SpeechTokens.of({**CONFIG, **read_json(folder / "generation_config.json")}, tokens)
        except CheckpointError as error:
            assert len(str(error)) < 2000 and str(error).isprintable()
            return
        numbers = [found.start, *found.languages.values(), *found.tasks.values(), found.end]
        numbers += [number for number in (found.no_times, found.previous) if number is not None]
        assert all(0 <= number < CONFIG["vocab_size"] for number in numbers)
