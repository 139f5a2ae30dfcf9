"""Readers of strangers' files under a coverage-guided fuzzer (Atheris, over libFuzzer).

    python tests/fuzz/fuzz_readers.py manifest -max_total_time=60

takes one reader, any of libFuzzer's options, and a folder to keep what it finds. A reader that raises
anything but an error of ours, that asks for more memory than ``-rss_limit_mb``, or that takes longer than
``-timeout`` stops it with the input that did it. It needs ``pip install atheris``, and neither Keras nor a
network.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import atheris
import h5py

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / floor) for floor in ("hub", "core", "plugins")]

PLUGINS = ["kerashub", "translation", "recommendation", "diagnosis", "speech"]
with atheris.instrument_imports(
    include=["sixarts", "sixarts_hub", *(f"sixarts_{name}" for name in PLUGINS), "pickletools", "zipfile"]
):
    from sixarts.checkpoint import open_weights
    from sixarts.errors import CheckpointError, SixartsError
    from sixarts.layout import family_of, needed_files
    from sixarts.readers import archive, pickled  # noqa: F401
    from sixarts.readers.json_file import json_object, read_json
    from sixarts.readers.limits import check, check_transformer, search_limits
    from sixarts.readers.sentencepiece_file import check_vocabulary, loaded_pieces
    from sixarts.readers.tokenizer_file import JsonPieces
    from sixarts.spec import FamilySpec
    from sixarts_diagnosis import schema as diagnosis
    from sixarts_hub import Manifest, Reference
    from sixarts_hub.errors import BadReference, ManifestError, UnsafeFile
    from sixarts_hub.listing import File, Listing, checksum
    from sixarts_hub.strict_json import parse
    from sixarts_kerashub.weights_file import read_h5
    from sixarts_recommendation import schema_file
    from sixarts_recommendation.items import Items
    from sixarts_speech.language_model import ArpaModel
    from sixarts_speech.vocabulary import Vocabulary, tokens_of

# In memory where the system has such a folder, unless told where: a disk would be what is waited for.
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() and "TMPDIR" not in os.environ else None
PLACE = Path(tempfile.mkdtemp(prefix="sixarts-fuzz-", dir=MEMORY))
FAMILY = FamilySpec("marian", "text -> text", "m:M", ("marian",), ("MarianMTModel",), ("*.spm",))
#: Why the last input was not read.
refused: list[Exception] = []


@contextmanager
def refused_with(*errors: type[Exception]) -> Iterator[None]:
    """Takes errors of ours, if they can be printed."""
    refused.clear()
    try:
        yield
    except errors as error:
        refused.append(error)
        if len(str(error)) > 20_000:
            raise AssertionError(f"a message of {len(str(error))} characters") from error


def file(name: str, data: bytes) -> Path:
    (PLACE / name).write_bytes(data)
    return PLACE


def strict(data: bytes) -> None:
    """JSON of any kind."""
    with refused_with(ValueError):
        again = json.dumps(value := parse(data), ensure_ascii=False, allow_nan=False)
        assert parse(again.encode()) == value


def manifest(data: bytes) -> None:
    """``sixarts.json``."""
    with refused_with(ManifestError, UnsafeFile):
        found = Manifest.read(file("sixarts.json", data))
        (PLACE / "again").mkdir(exist_ok=True)
        found.write(PLACE / "again")
        assert Manifest.read(PLACE / "again") == found


def listing(data: bytes) -> None:
    """A listing in the cache."""
    with refused_with(ValueError):
        value = parse(data)
        if isinstance(value, dict) and isinstance(value.get("commit"), str):
            value["check"] = checksum(value["commit"], value.get("files"))
        found = Listing.from_dict(value)
        assert Listing.from_dict(found.to_dict()) == found


def reference(data: bytes) -> None:
    """What a person, or a lock, names a model by."""
    with refused_with(BadReference):
        found = Reference.parse(data.decode("utf-8", "replace"))
        assert Reference.parse(str(found)) == found


def safetensors(data: bytes) -> None:
    """``model.safetensors``."""
    _weights("model.safetensors", data)


def pytorch(data: bytes) -> None:
    """``pytorch_model.bin``, as a zip archive or in the older format."""
    _weights("pytorch_model.bin", data)


def pickle(data: bytes) -> None:
    """The program in it, alone."""
    with refused_with(CheckpointError, *pickled.MALFORMED):
        pickled.TensorUnpickler(io.BytesIO(data)).load()


def _weights(name: str, data: bytes) -> None:
    with refused_with(CheckpointError):
        folder = PLACE / name.replace(".", "-")
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
        weights = open_weights(folder)
        for known in weights:
            assert weights.read(known).nbytes <= len(data)


def keras(data: bytes) -> None:
    """``model.weights.h5``, as Keras writes it."""
    with refused_with(CheckpointError):
        found = read_h5(file("model.weights.h5", data) / "model.weights.h5")
        assert sum(stored.read().nbytes for stored in found.values()) <= len(data)


def config(data: bytes) -> None:
    """``config.json``: its family and its sizes."""
    with refused_with(SixartsError):
        found = read_json(file("config.json", data) / "config.json")
        check_transformer(TRANSFORMER | found)
        check(found, search_limits(11), optional=True)
        family_of([FAMILY], found)


def repository(data: bytes) -> None:
    """What a repository says of its own files: a manifest, or a configuration and an index of shards."""
    names = ("sixarts.json",) if data[:1] == b"{" else ("config.json", "model.safetensors.index.json")
    files = tuple(File(name, len(data), "sha256:" + "0" * 64) for name in names)
    contents = {
        "sixarts.json": data,
        "config.json": b'{"model_type": "marian"}',
        names[-1]: data.lstrip(b" "),
    }
    with refused_with(SixartsError):
        needed_files(Listing("0" * 40, files), contents.__getitem__, [FAMILY])


def vocabulary(data: bytes) -> None:
    """``vocab.json``."""
    with refused_with(CheckpointError):
        check_vocabulary(json_object(data, "vocab.json"), "vocab.json", ("</s>",))


def spm(data: bytes) -> None:
    """``source.spm``."""
    with refused_with(CheckpointError):
        model = loaded_pieces(data, "source.spm")
        model.decode_pieces(model.encode("I have a ﬁne dog. 我有一只狗。", out_type=str))


def tokenizer(data: bytes) -> None:
    """``tokenizer.json``."""
    with refused_with(CheckpointError):
        pieces = JsonPieces(data)
        pieces.decode(pieces.encode("I have a ﬁne dog. 我有一只狗。"))


def items(data: bytes) -> None:
    """``items.json``: a catalog."""
    with refused_with(SixartsError):
        found = Items.from_folder(file("items.json", data))
        (PLACE / "again").mkdir(exist_ok=True)
        found.save(PLACE / "again")
        again = Items.from_folder(PLACE / "again", len(found))
        assert (again.ids, again.categories) == (found.ids, found.categories)


def columns(data: bytes) -> None:
    """``schema.json`` of records with outcomes."""
    with refused_with(SixartsError):
        found = schema_file.schema_from(json_object(data, "schema.json"))
        assert schema_file.schema_from(json.loads(json.dumps(schema_file.stated(found)))) == found


def findings(data: bytes) -> None:
    """``schema.json`` of patients' records."""
    with refused_with(SixartsError):
        found = diagnosis.Schema.from_config(json_object(data, "schema.json"))
        assert diagnosis.Schema.from_config(json.loads(json.dumps(found.to_config()))) == found


def spelling(data: bytes) -> None:
    """``vocab.json`` of a network that is decoded by CTC."""
    with refused_with(SixartsError):
        found = Vocabulary(tokens_of(json_object(data, "vocab.json"), 8, "vocab.json"))
        found.text(found.numbers("a b"))


def arpa(data: bytes) -> None:
    """A model of words in the ARPA format."""
    with refused_with(SixartsError):
        found = ArpaModel.read(file("words.arpa", data) / "words.arpa")
        score, _ = found.score(found.start(), "a")
        assert score == score


TRANSFORMER: dict[str, Any] = {"d_model": 8, "max_position_embeddings": 16}
TRANSFORMER |= dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 2)
TOKENIZER: dict[str, Any] = {
    "added_tokens": [],
    "normalizer": {"type": "Replace", "pattern": {"String": "a"}, "content": "b"},
    "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "a+"}, "behavior": "Isolated", "invert": False},
    "post_processor": None,
    "decoder": {"type": "BPEDecoder", "suffix": "</w>"},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]},
}
SCHEMA: dict[str, Any] = {
    "target": "click",
    "labels": ["no", "yes"],
    "ignored": [],
    "columns": [
        {"name": "age", "kind": "numeric", "knots": [0, 1.5]},
        {"name": "tag", "kind": "multi", "values": ["x"], "buckets": 8, "most": 3},
    ],
}
READERS: dict[str, Callable[[bytes], None]] = {
    reader.__name__: reader
    for reader in (
        *(strict, manifest, listing, reference, safetensors, pytorch, pickle, keras),
        *(config, repository, vocabulary, spm, tokenizer),
        *(items, columns, findings, spelling, arpa),
    )
}


def seeds(name: str) -> list[bytes]:
    """Whole files to begin with, the smaller the better."""
    starter = ROOT / "plugins/sixarts_translation/starters/en-zh"
    known = {"size": 1, "digest": "sha256:" + "0" * 64}
    entry = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    header = json.dumps({"__metadata__": {}, "a": entry}).encode()
    # The dict {"a": tensor} as PyTorch writes it, one number large.
    program = (
        b"\x80\x02}X\x01\x00\x00\x00actorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\n"
        b"FloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQK\x00K\x01\x85K\x01\x85\x89ccollections\n"
        b"OrderedDict\n)RtRs."
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as zipped:
        zipped.writestr("a/data.pkl", program)
        zipped.writestr("a/byteorder", b"little")
        zipped.writestr("a/data/0", bytes(4))
    older = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}." + program
    older += b"\x80\x02]X\x01\x00\x00\x000a.\x01" + bytes(11)
    with h5py.File(h5 := io.BytesIO(), "w") as weights:
        weights["layers/dense/vars/0"] = [1.0, 2.0]
        weights["layers/dense"].attrs["name"] = "dense"
    small_spm = b"\x0a\x0e\x0a\x05<unk>\x15\x00\x00\x00\x00\x18\x02\x0a\x08\x0a\x01a\x15\x00\x00\x80\xbf"
    return {
        "strict": [b'{"a": [1, 2.5, null, "\\ud83d\\ude42"], "b": {"c": true}}'],
        "manifest": [(starter / "sixarts.json").read_bytes()],
        "listing": [json.dumps({"commit": "a", "files": {"a.json": known}}).encode()],
        "reference": [b"hf://me/model@main", b"starter/en-zh", b"s3://bucket/folder", b"./here"],
        "safetensors": [len(header).to_bytes(8, "little") + header + bytes(4)],
        "pytorch": [out.getvalue(), older],
        "pickle": [program],
        "keras": [h5.getvalue()],
        "config": [(starter / "config.json").read_bytes(), json.dumps({"model_type": "marian"}).encode()],
        "repository": [b'{"files": {"a.json": {}}}', b' {"weight_map": {"a": "model-1.safetensors"}}'],
        "vocabulary": [b'{"</s>": 0, "<unk>": 1}'],
        "tokenizer": [json.dumps(TOKENIZER).encode()],
        "items": [b'{"ids": ["a", 2], "titles": ["A", ""], "categories": {"x": [0]}, "counts": [3, 1]}'],
        "columns": [json.dumps(SCHEMA).encode()],
        "findings": [(ROOT / "plugins/sixarts_diagnosis/schemas/heart.json").read_bytes()],
        "spelling": [b'{"<pad>": 0, "|": 1, "a": 2, "b": 3}'],
        "arpa": [b"\\data\\\nngram 1=2\n\\1-grams:\n-1 <s> -0.3\n-1 a\n\\2-grams:\n-0.5 <s> a\n\\end\\\n"],
        "spm": [(starter / "target.spm").read_bytes(), small_spm],
    }[name]


def main() -> None:
    """Runs one reader; the first argument is its name."""
    # The fuzzer ends its process itself, so that another cleans up.
    if child := os.fork():
        try:
            raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        finally:
            shutil.rmtree(PLACE, ignore_errors=True)
    if len(sys.argv) < 2 or sys.argv[1] not in READERS:
        raise SystemExit(
            f"usage: {sys.argv[0]} {{{','.join(READERS)}}} [FOLDER] [-max_total_time=SECONDS ...]"
        )
    name = sys.argv.pop(1)
    corpus = PLACE / "seeds"
    corpus.mkdir()
    for number, seed in enumerate(seeds(name)):
        READERS[name](seed)
        assert not refused, f"the seed {number} is refused: {refused}"  # and would guide nothing
        (corpus / str(number)).write_bytes(seed)
    folders = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    atheris.Setup(
        [*sys.argv, *([] if folders else [tempfile.mkdtemp(dir=PLACE)]), str(corpus)], READERS[name]
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
