"""Small random models of many languages: published files, the published networks and tokenizers.

Imports PyTorch; runs in the tests' own process only. Our side is in ``reference``.
"""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from reference import TEXT

EOS, PAD = 2, 1
#: The layouts, each with the languages that its tests translate between.
LAYOUTS = {
    "m2m100": ("m2m_100", "en", "fr"),
    "nllb": ("m2m_100", "eng_Latn", "fra_Latn"),
    "mbart": ("mbart", "en_XX", "ro_RO"),
    "mbart50": ("mbart", "en_XX", "fr_XX"),
}
CLASSES = {"nllb": "NllbTokenizer", "mbart": "MBartTokenizer", "mbart50": "MBart50Tokenizer"}


@functools.cache
def pieces(model_type: str = "unigram") -> bytes:
    """A serialized SentencePiece model, as fairseq trained them."""
    import sentencepiece

    words = TEXT.split()
    random = np.random.default_rng(1)
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(random.choice(words, 9)) for _ in range(300)]),
        model_writer=out,
        vocab_size=130,
        hard_vocab_limit=False,
        model_type=model_type,
        minloglevel=2,
        num_threads=1,
    )
    return out.getvalue()


def write_tokenizer(folder: Path, layout: str) -> int:
    """The tokenizer's files as a layout publishes them; gives the size of its vocabulary."""
    import sentencepiece

    from sixarts_translation.published_languages import LANGUAGES

    model = pieces("unigram" if "mbart" in layout else "bpe")
    (folder / "sentencepiece.bpe.model").write_bytes(model)
    spm = sentencepiece.SentencePieceProcessor(model_proto=model)
    settings: dict[str, Any] = {"tokenizer_class": CLASSES.get(layout, "M2M100Tokenizer")}
    if layout == "m2m100":
        words = ["<s>", "<pad>", "</s>", "<unk>"]
        words += [spm.id_to_piece(i) for i in range(3, spm.get_piece_size())]
        (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
        # Eight made-up words stand after the languages.
        size = len(words) + len(LANGUAGES["m2m100"]) + 8
    else:
        size = spm.get_piece_size() + 1 + len(LANGUAGES[CLASSES[layout]]) + 1
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return size


def configuration(layout: str, size: int, **changes: Any) -> dict[str, Any]:
    """A small ``config.json``."""
    return {
        "vocab_size": size,
        "d_model": 16,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 24,
        "decoder_ffn_dim": 20,
        "max_position_embeddings": 64,
        "scale_embedding": True,
        "dropout": 0.0,
        "attention_dropout": 0.0,
        **changes,
    }


def saved(folder: Path, layout: str, seed: int = 0, **changes: Any) -> Any:
    """Writes a foreign checkpoint with its tokenizer, and returns the published network of it."""
    import torch
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    size = write_tokenizer(folder, layout)
    name = {"m2m_100": "M2M100", "mbart": "MBart"}[LAYOUTS[layout][0]]
    config = getattr(transformers, f"{name}Config")(**configuration(layout, size, **changes))
    model = getattr(transformers, f"{name}ForConditionalGeneration")(config).eval()
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, weight in model.named_parameters():
            if weight.dim() == 2:
                weight.copy_(torch.randn(weight.shape, generator=random) * 1.6 * weight.shape[1] ** -0.5)
            else:
                weight.copy_(torch.randn(weight.shape, generator=random) * 0.2 + ("norm.weight" in key))
        if name == "MBart":
            bias = model.final_logits_bias
            bias.copy_(torch.randn(bias.shape, generator=random) * 0.7)
            bias[:, EOS] += 2.0
    model.save_pretrained(folder)
    return model


def published_tokenizer(folder: Path, layout: str, place: Path) -> Any:
    """The published tokenizer of a folder, for the layout's two languages; it is saved to ``place``."""
    import transformers

    _, source, target = LAYOUTS[layout]
    kind = getattr(transformers, CLASSES.get(layout, "M2M100Tokenizer"))
    kind.from_pretrained(folder).save_pretrained(place)
    if layout == "nllb":
        _with_languages(place / "tokenizer.json")
    return kind.from_pretrained(place, src_lang=source, tgt_lang=target)


def _with_languages(path: Path) -> None:
    """Puts in the languages, where the published file has them.

    ``transformers`` 5.23 leaves them out when it converts SentencePiece's file, and reads them as unknown.
    """
    from sixarts_translation.published_languages import LANGUAGES

    content = json.loads(path.read_text(encoding="utf-8"))
    mask = content["added_tokens"].pop()
    words = [*LANGUAGES["NllbTokenizer"], mask["content"]]
    content["added_tokens"] += [
        {**mask, "id": mask["id"] + place, "content": word, "normalized": False, "lstrip": False}
        for place, word in enumerate(words)
    ]
    path.write_text(json.dumps(content), encoding="utf-8")


def generated(
    model: Any, inputs: Mapping[str, np.ndarray], search: Mapping[str, Any], beams: int
) -> dict[str, np.ndarray]:
    """The published network's sequences ``[b, k, n]`` and scores."""
    import torch
    from transformers import GenerationConfig

    settings = {"pad_token_id": PAD, "eos_token_id": EOS, "decoder_start_token_id": EOS, "max_length": 20}
    model.generation_config = GenerationConfig(
        **settings | search,
        num_beams=beams,
        num_return_sequences=beams,
        return_dict_in_generate=True,
        output_scores=beams > 1,
    )
    with torch.no_grad():
        out = model.generate(**{name: torch.tensor(a).long() for name, a in inputs.items()})
    rows = len(inputs["input_ids"])
    found = {"tokens": out.sequences.numpy().reshape(rows, beams, -1)}
    if beams > 1:
        found["scores"] = out.sequences_scores.numpy().reshape(rows, beams)
    return found


def padded(rows: Sequence[Sequence[int]]) -> dict[str, np.ndarray]:
    """Rows of tokens as a batch."""
    length = max(map(len, rows))
    ids = np.full((len(rows), length), PAD, "int32")
    for place, row in enumerate(rows):
        ids[place, : len(row)] = row
    return {"input_ids": ids, "attention_mask": (ids != PAD).astype("int32")}
