"""wav2vec 2.0 and HuBERT as published, small and random, and ours in the same folder; run in workers, too."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

TOKENS = ("<pad>", "<s>", "</s>", "<unk>", "|", *"ABCDEFG'")
KINDS = {"wav2vec2": "Wav2Vec2", "hubert": "Hubert"}


def saved(place: Path, kind: str, config: Mapping[str, Any], seed: int, old_names: bool = False) -> Any:
    """A published model with random weights, saved as it is published."""
    import torch
    import transformers

    torch.manual_seed(seed)
    settings = getattr(transformers, f"{KINDS[kind]}Config")(
        vocab_size=len(TOKENS), initializer_range=0.3, mask_time_prob=0.0, **config
    )
    model = getattr(transformers, f"{KINDS[kind]}ForCTC")(settings).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            # Norms that do nothing would hide what is wrong with them.
            if "norm" in name or name.endswith("bias"):
                weight.add_(torch.randn_like(weight) * 0.2)
    place.mkdir()
    model.save_pretrained(place)
    (place / "vocab.json").write_text(json.dumps({token: n for n, token in enumerate(TOKENS)}))
    transformers.Wav2Vec2CTCTokenizer(str(place / "vocab.json")).save_pretrained(place)
    extractor(config).save_pretrained(place)
    if old_names:
        rename(place)
    return model


def rename(place: Path) -> None:
    """Names as PyTorch gave them before its parametrizations."""
    from safetensors.numpy import load_file, save_file

    weights = load_file(place / "model.safetensors")
    for new, old in (("original0", "weight_g"), ("original1", "weight_v")):
        (name,) = [name for name in weights if name.endswith(f"parametrizations.weight.{new}")]
        weights[name.replace(f"parametrizations.weight.{new}", old)] = weights.pop(name)
    save_file(weights, place / "model.safetensors")


def extractor(config: Mapping[str, Any]) -> Any:
    import transformers

    return transformers.Wav2Vec2FeatureExtractor(
        do_normalize=True, return_attention_mask=config.get("feat_extract_norm") == "layer"
    )


def published_logits(model: Any, config: Mapping[str, Any], sounds: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Each sound alone: where there is no mask, what fills a batch up would change the others."""
    import torch

    found = []
    for sound in sounds:
        inputs = extractor(config)(sound, sampling_rate=16_000, return_tensors="pt")
        with torch.no_grad():
            found.append(model(**inputs).logits[0].numpy())
    return found


def published_batch(model: Any, config: Mapping[str, Any], sounds: Sequence[np.ndarray]) -> np.ndarray:
    import torch

    inputs = extractor(config)(list(sounds), sampling_rate=16_000, return_tensors="pt", padding=True)
    with torch.no_grad():
        return np.asarray(model(**inputs).logits.numpy())


@lru_cache(maxsize=8)
def ours(place: Path) -> Any:
    from sixarts.plugins import resolve

    family = json.loads((place / "config.json").read_text())["model_type"]
    return resolve(f"sixarts_speech.wav2vec2:{KINDS[family]}").from_folder(place)


def logits(place: Path, sounds: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Ours, all sounds in one batch that is filled up; the frames of each."""
    model = ours(place)
    size = max(map(len, sounds)) + 700
    found = model(model.processor.arrays(list(sounds), size))["logits"]
    return [row[: model.frames(len(sound))] for row, sound in zip(found, sounds, strict=True)]
