"""The recognizers that ``bench_speech.py`` compares, each in a process of its own: ours on a backend,
``transformers`` on PyTorch, faster-whisper on CTranslate2. All read the same random weights.

Lengths are forced, since random weights never stop by themselves: the end token is suppressed on every side.
"""

from __future__ import annotations

import functools
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

THREADS = 2
#: Widths and depths of the published sizes.
SIZES = {
    "tiny": {"d_model": 384, "layers": 4, "heads": 6},
    "base": {"d_model": 512, "layers": 6, "heads": 8},
}
#: As the multilingual checkpoints number their tokens.
EOS, SOT, EN, TRANSLATE, TRANSCRIBE, NO_TIMES = 50257, 50258, 50259, 50358, 50359, 50363
WORDS = 51865
PROMPT = [SOT, EN, TRANSCRIBE, NO_TIMES]


# The weights, and the sound.


def write_model(folder: str, size: str) -> None:
    """Random weights of a published size, with a tokenizer, in the layout that is published."""
    import torch
    from transformers import (
        GenerationConfig,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
    )
    from transformers.models.whisper.tokenization_whisper import LANGUAGES, WhisperTokenizer

    sizes, place = SIZES[size], Path(folder)
    inner = 4 * sizes["d_model"]
    torch.manual_seed(0)
    config = WhisperConfig(
        vocab_size=WORDS,
        d_model=sizes["d_model"],
        encoder_layers=sizes["layers"],
        decoder_layers=sizes["layers"],
        encoder_attention_heads=sizes["heads"],
        decoder_attention_heads=sizes["heads"],
        encoder_ffn_dim=inner,
        decoder_ffn_dim=inner,
        pad_token_id=EOS,
        bos_token_id=EOS,
        eos_token_id=EOS,
        decoder_start_token_id=SOT,
        begin_suppress_tokens=None,
    )
    model = WhisperForConditionalGeneration(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1 and "embed_positions" not in name:
                weight.normal_(0.0, weight[0].numel() ** -0.5)
    codes = list(LANGUAGES)[:99]
    names = ["<|endoftext|>", "<|startoftranscript|>", *(f"<|{code}|>" for code in codes)]
    names += ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>"]
    names += ["<|notimestamps|>"]
    model.generation_config = GenerationConfig(
        is_multilingual=True,
        lang_to_id={f"<|{code}|>": EN + number for number, code in enumerate(codes)},
        task_to_id={"translate": TRANSLATE, "transcribe": TRANSCRIBE},
        no_timestamps_token_id=NO_TIMES,
        decoder_start_token_id=SOT,
        pad_token_id=EOS,
        bos_token_id=EOS,
        eos_token_id=EOS,
        max_length=448,
        alignment_heads=[[sizes["layers"] - 1, 0]],
    )
    model.save_pretrained(place)
    # Every number that the network may write is a piece, as in a published vocabulary.
    letters = {chr(33 + number): number for number in range(94)}
    vocabulary = letters | {f"w{number}": number for number in range(94, EOS)}
    tokenizer = WhisperTokenizer(vocab=vocabulary, merges=[])
    tokenizer.add_tokens(names, special_tokens=True)
    tokenizer.add_tokens([f"<|{tick * 0.02:.2f}|>" for tick in range(1501)])
    tokenizer.save_pretrained(place)
    WhisperFeatureExtractor().save_pretrained(place)
    (place / "preprocessor_config.json").write_text(json.dumps({"feature_size": 80}))


def sound(seconds: float = 30.0) -> np.ndarray:
    """Noise that comes and goes, as speech does, at 16 kHz."""
    count = int(seconds * 16_000)
    swell = np.abs(np.sin(np.arange(count) / 3_000)).astype("float32")
    return np.random.default_rng(0).standard_normal(count).astype("float32") * swell * 0.1


def timed(call: Any) -> tuple[float, Any]:
    begin = time.perf_counter()
    answer = call()
    return time.perf_counter() - begin, answer


# Ours.


@functools.cache
def ours(folder: str) -> Any:
    """The model, as anybody's folder is read."""
    from sixarts.device import Device
    from sixarts_speech.whisper import Whisper

    return Whisper.from_folder(Path(folder), Device.of("cpu"))


def ours_generate(folder: str, beams: int, length: int) -> tuple[float, list[int]]:
    """Seconds from features to ``length`` new tokens, and the tokens."""
    from dataclasses import replace

    from sixarts_speech.whisper_decoding import Decoding

    model = ours(folder)
    features = model.processor.features.window(sound())[None]
    how = Decoding(language="en", times=False, beams=beams)
    search = replace(model.recognizer.search(how, 0.0), min_length=len(PROMPT) + length + 1)
    prompt, most = np.array([PROMPT], "int32"), np.array([length], "int32")

    def run() -> Any:
        inputs = {"offsets": np.zeros(1, "int32"), "heard": model.recognizer.hear(features)}
        return model.generator(inputs, search, start=prompt, most=most)["tokens"]

    seconds, tokens = timed(run)
    return seconds, tokens[0, 0, len(PROMPT) :].tolist()


def ours_features(folder: str, repeats: int) -> float:
    """Seconds of turning half a minute into features."""
    mel, samples = ours(folder).processor.features, sound()
    return timed(lambda: [mel.window(samples) for _ in range(repeats)])[0] / repeats


def ours_long(folder: str, seconds: float) -> tuple[float, float, int]:
    """Seconds and the peak of memory (MB) of a sound of some length, with 20 tokens a window, and windows."""
    import resource

    from sixarts_speech.whisper_decoding import Decoding
    from sixarts_speech.whisper_features import Frames
    from sixarts_speech.whisper_longform import Listening

    model = ours(folder)
    second = sound(1.0)
    blocks = (second for _ in range(int(seconds)))
    frames = Frames(model.processor.features, blocks)
    listening = Listening(model.speech, model.longest, 0.01, language="en", times=False)
    how = Decoding(language="en", times=False, max_new_tokens=20)
    begin, windows, heard = time.perf_counter(), 0, None
    steps = listening.passages(frames)
    while True:
        try:
            window = next(steps) if heard is None else steps.send(heard)
        except StopIteration:
            break
        (heard,) = model.recognizer.recognize(window.features[None], how)
        windows += 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return time.perf_counter() - begin, peak, windows


# transformers.


@functools.cache
def transformers(folder: str) -> Any:
    import torch
    from transformers import WhisperForConditionalGeneration

    torch.set_num_threads(THREADS)
    return WhisperForConditionalGeneration.from_pretrained(folder).eval()


def transformers_generate(folder: str, beams: int, length: int) -> tuple[float, list[int]]:
    """The same by ``transformers``."""
    import torch

    model = transformers(folder)
    features = torch.from_numpy(_features())
    with torch.no_grad():
        seconds, tokens = timed(
            lambda: model.generate(
                features,
                language="en",
                task="transcribe",
                num_beams=beams,
                min_new_tokens=length,
                max_new_tokens=length,
                suppress_tokens=[EOS],
                force_unique_generate_call=True,
            )
        )
    return seconds, tokens[0].tolist()[-length:]


def transformers_features(folder: str, repeats: int) -> float:
    from transformers import WhisperFeatureExtractor

    extractor, samples = WhisperFeatureExtractor(), sound()
    run = functools.partial(extractor, samples, sampling_rate=16_000, return_tensors="np")
    return timed(lambda: [run() for _ in range(repeats)])[0] / repeats


@functools.cache
def _features() -> np.ndarray:
    """Features ``[1, 80, 3000]``."""
    from transformers import WhisperFeatureExtractor

    found = WhisperFeatureExtractor()(sound(), sampling_rate=16_000, return_tensors="np")
    return np.asarray(found["input_features"])


# faster-whisper.


@functools.cache
def faster_whisper(folder: str) -> Any:
    from ctranslate2.converters import TransformersConverter
    from faster_whisper import WhisperModel

    place = f"{folder}/ctranslate2"
    if not Path(place).exists():
        TransformersConverter(folder, copy_files=["tokenizer.json", "preprocessor_config.json"]).convert(
            place
        )
    return WhisperModel(place, device="cpu", compute_type="float32", cpu_threads=THREADS)


def faster_whisper_generate(folder: str, beams: int, length: int) -> tuple[float, list[int]]:
    """The same by faster-whisper's engine."""
    import ctranslate2

    model = faster_whisper(folder).model
    features = ctranslate2.StorageView.from_array(np.ascontiguousarray(_features()))

    def run() -> Any:
        return model.generate(
            model.encode(features),
            [PROMPT],
            beam_size=beams,
            max_length=2 * length,  # half of it is what it writes at most
            suppress_tokens=[EOS],
            suppress_blank=False,
        )

    seconds, found = timed(run)
    return seconds, found[0].sequences_ids[0]
