"""Flite, the teacher of the starter voice: what it says, segment by segment, with its pitch and its sound.

Flite (Black and Lenzo 2001; Carnegie Mellon University, a license of the BSD kind) is asked through its own
library, which Debian's package ``libflite1`` installs. Recipes alone use it.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from sixarts.errors import MissingExtra

#: The voice that is asked for, of CMU Arctic's speaker slt (Kominek and Black 2004).
VOICE = "slt"
#: Its phones.
VOWELS = (
    "aa", "ae", "ah", "ao", "aw", "ax", "ay", "eh", "er", "ey", "ih", "iy", "ow", "oy", "uh", "uw",
)  # fmt: skip
CONSONANTS = (
    "b", "ch", "d", "dh", "f", "g", "hh", "jh", "k", "l", "m", "n", "ng", "p", "r", "s", "sh", "t", "th",
    "v", "w", "y", "z", "zh",
)  # fmt: skip
#: Flite's pitch is told every so many seconds.
STEP = 0.005
#: What is kept of each segment: its name, its syllable's stress, and what is written behind its word.
FEATURES = (
    b"name",
    b"R:SylStructure.parent.stress",
    b"R:SylStructure.parent.parent.R:Token.parent.punc",
)


class Segment(NamedTuple):
    """A phone as it was said.

    Attributes:
        phone: its name, e.g. ``"ax"``; ``"pau"`` for a pause.
        stressed: whether its syllable is.
        word: number of the word that it is of, from 0; -1 for a pause.
        mark: what is written behind that word, e.g. ``","``.
        end: seconds from the start.
    """

    phone: str
    stressed: bool
    word: int
    mark: str
    end: float


class Utterance(NamedTuple):
    """What was said.

    Attributes:
        words: as Flite reads them.
        segments: in order.
        pitch: fundamental frequency in Hz every :data:`STEP`, 0 where nothing sounds, ``[n]``.
        samples: ``[n]``, from -1 to 1.
        rate: samples a second.
    """

    words: tuple[str, ...]
    segments: tuple[Segment, ...]
    pitch: np.ndarray
    samples: np.ndarray
    rate: int


class _Wave(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_char_p),
        ("rate", ctypes.c_int),
        ("length", ctypes.c_int),
        ("channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    )


class _Track(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_char_p),
        ("length", ctypes.c_int),
        ("channels", ctypes.c_int),
        ("times", ctypes.POINTER(ctypes.c_float)),
        ("values", ctypes.POINTER(ctypes.POINTER(ctypes.c_float))),
    )


_P, _S = ctypes.c_void_p, ctypes.c_char_p
#: Function to what it gives and takes.
_FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "flite_init": (ctypes.c_int,),
    "flite_synth_text": (_P, _S, _P),
    "utt_relation": (_P, _P, _S),
    "utt_wave": (ctypes.POINTER(_Wave), _P),
    "path_to_item": (_P, _P, _S),
    "relation_head": (_P, _P),
    "item_next": (_P, _P),
    "ffeature_string": (_S, _P, _S),
    "ffeature_float": (ctypes.c_float, _P, _S),
    "feat_val": (_P, _P, _S),
    "val_track": (ctypes.POINTER(_Track), _P),
    "delete_utterance": (None, _P),
    "lex_lookup": (_P, _P, _S, _S, _P),
    "val_car": (_P, _P),
    "val_cdr": (_P, _P),
    "val_string": (_S, _P),
    "delete_val": (None, _P),
}


class _Flite(NamedTuple):
    call: dict[str, Any]
    voice: int
    lexicon: int


@functools.cache
def _flite() -> _Flite:
    """The library, its voice and its lexicon, once a process."""
    try:
        parts = [
            ctypes.CDLL(f"libflite{part}.so.1", ctypes.RTLD_GLOBAL)
            for part in ("", "_cmulex", "_usenglish", f"_cmu_us_{VOICE}")
        ]
    except OSError as error:
        raise MissingExtra(f"Flite's library is not installed ({error}); apt-get install libflite1") from None
    call = {}
    for name, (result, *takes) in _FUNCTIONS.items():
        function = getattr(parts[0], name)
        function.restype, function.argtypes = result, takes
        call[name] = function
    call["flite_init"]()
    made = {}
    for part, name in ((parts[3], f"register_cmu_us_{VOICE}"), (parts[1], "cmu_lex_init")):
        function = getattr(part, name)
        function.restype, function.argtypes = _P, ([_S] if name.startswith("register") else [])
        made[name] = function(None) if name.startswith("register") else function()
    voice, lexicon = made.values()
    return _Flite(call, voice, lexicon)


def said(text: str) -> Utterance:
    """What Flite makes of a text, at its own pace.

    Raises:
        MissingExtra: Flite's library is not installed.
    """
    flite = _flite()
    call = flite.call
    utterance = call["flite_synth_text"](text.encode("ascii", "ignore"), flite.voice)
    try:
        wave = call["utt_wave"](utterance).contents
        samples = np.ctypeslib.as_array(wave.samples, (wave.length,)).astype("float32") / 32768
        # The utterance's first field is its features.
        features = ctypes.cast(utterance, ctypes.POINTER(_P))[0]
        track = call["val_track"](call["feat_val"](features, b"param_track")).contents
        pitch = np.array([track.values[place][0] for place in range(track.length)], "float32")
        words: list[str] = []
        segments: list[Segment] = []
        last = None
        for item in _items(utterance, b"Segment"):
            word = call["path_to_item"](item, b"R:SylStructure.parent.parent")
            if word and word != last:
                words.append(call["ffeature_string"](word, b"name").decode())
                last = word
            phone, stress, mark = (call["ffeature_string"](item, name).decode() for name in FEATURES)
            number = len(words) - 1 if word else -1
            segments.append(Segment(phone, stress == "1", number, mark, call["ffeature_float"](item, b"end")))
        return Utterance(tuple(words), tuple(segments), pitch, samples, wave.rate)
    finally:
        call["delete_utterance"](utterance)


def pronounced(word: str) -> tuple[str, ...]:
    """Phones of a word by Flite's lexicon and rules, vowels with their stress: ``("hh", "ax0", "l")``."""
    flite = _flite()
    call = flite.call
    first = value = call["lex_lookup"](flite.lexicon, word.encode("ascii"), None, None)
    found: list[str] = []
    while value:
        phone = call["val_string"](call["val_car"](value)).decode()
        # Some entries leave out that a vowel has no stress.
        found.append(f"{phone}0" if phone in VOWELS else phone)
        value = call["val_cdr"](value)
    call["delete_val"](first)
    return tuple(found)


def _items(utterance: int, relation: bytes) -> Iterator[int]:
    call = _flite().call
    item = call["relation_head"](call["utt_relation"](utterance, relation))
    while item:
        yield item
        item = call["item_next"](item)
