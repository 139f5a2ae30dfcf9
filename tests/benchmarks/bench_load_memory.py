"""Peak memory of ``load()`` over the bytes of the weights, for a folder of 300 MB, on each backend.

Run it as ``python tests/benchmarks/bench_load_memory.py [BACKEND…]``. It makes a ``marian`` folder of the
size of a published one, of random numbers, in a temporary place, and loads it in a fresh process a backend.
What is counted is the highest resident memory while ``load()`` runs, above that after importing the backend
and making its first variable, less pages of mapped files. Exit code 1 when a limit is broken.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

#: Most bytes of memory for each byte of weights.
LIMIT = 2.0
#: Sizes of the published `opus-mt` models: 74.6 million numbers.
SIZES = {
    "model_type": "marian",
    "vocab_size": 58101,
    "d_model": 512,
    "encoder_layers": 6,
    "decoder_layers": 6,
    "encoder_attention_heads": 8,
    "decoder_attention_heads": 8,
    "encoder_ffn_dim": 2048,
    "decoder_ffn_dim": 2048,
    "max_position_embeddings": 512,
    "activation_function": "swish",
    "scale_embedding": True,
}
BACKENDS = ("tensorflow", "jax", "torch")


def make_folder(folder: Path) -> int:
    """Writes the folder; returns the bytes of its weights file."""
    from sixarts.checkpoint import write_weights
    from sixarts_translation.vocabulary import train_pieces

    width, inner, size = SIZES["d_model"], SIZES["encoder_ffn_dim"], SIZES["vocab_size"]
    shapes: dict[str, tuple[int, ...]] = {
        "model.shared.weight": (size, width),
        "final_logits_bias": (1, size),
    }
    for side, blocks in (("encoder", ("self_attn",)), ("decoder", ("self_attn", "encoder_attn"))):
        for layer in range(SIZES[f"{side}_layers"]):
            prefix = f"model.{side}.layers.{layer}"
            norms = [f"{block}_layer_norm" for block in blocks] + ["final_layer_norm"]
            dense = {
                f"{block}.{name}_proj": (width, width) for block in blocks for name in ("q", "k", "v", "out")
            }
            dense |= {"fc1": (inner, width), "fc2": (width, inner)}
            for name, shape in dense.items():
                shapes |= {f"{prefix}.{name}.weight": shape, f"{prefix}.{name}.bias": shape[:1]}
            for name in norms:
                shapes |= {f"{prefix}.{name}.weight": (width,), f"{prefix}.{name}.bias": (width,)}
    random = np.random.default_rng(0)
    tensors = {name: 0.02 * random.standard_normal(shape, "float32") for name, shape in shapes.items()}
    write_weights(folder / "model.safetensors", tensors)
    (folder / "config.json").write_text(json.dumps(SIZES), encoding="utf-8")
    pieces = train_pieces((f"{number} words" for number in range(200)), 40, 0, "identity")
    for name in ("source.spm", "target.spm"):
        (folder / name).write_bytes(pieces)
    words = {"</s>": 0, "<unk>": 1, "a": 2, "<pad>": size - 1}
    (folder / "vocab.json").write_text(json.dumps(words), encoding="utf-8")
    return (folder / "model.safetensors").stat().st_size


def resident() -> int:
    """Bytes of anonymous resident memory of this process: all but mapped files."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise OSError("no RssAnon in /proc/self/status; this benchmark needs Linux")


def watched(run: Callable[[], Any], every: float = 0.002) -> tuple[Any, float, int, int]:
    """What a call gives, its seconds, and the bytes above the start of its peak and of its end.

    Args:
        run: imports what it needs.
        every: seconds from one look to the next.
    """
    import keras

    keras.Variable(np.zeros(4, "float32")) + 1  # a backend allocates its own state with its first use
    base, peak, done = resident(), 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.is_set():
            peak = max(peak, resident())
            time.sleep(every)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    begin = time.perf_counter()
    given = run()
    seconds = time.perf_counter() - begin
    done.set()
    watcher.join()
    kept = resident() - base
    return given, seconds, max(peak - base, kept), kept


def measure(folder: str) -> None:
    """The child's part: loads the folder and prints the peak above the start, in bytes."""
    import sixarts as sa

    task, seconds, peak, kept = watched(lambda: sa.load("translation", folder, device="cpu"))
    print(json.dumps({"peak": peak, "kept": kept, "seconds": seconds, "task": repr(task)}))


def main(backends: list[str]) -> int:
    """Prints each backend's ratio with its limit; returns the exit code."""
    broken = 0
    with tempfile.TemporaryDirectory(prefix="sixarts-load-") as place:
        weights = make_folder(Path(place))
        print(f"weights: {weights / 1e6:.0f} MB")
        for backend in backends or [name for name in BACKENDS if importlib.util.find_spec(name)]:
            done = subprocess.run(
                [sys.executable, __file__, "--measure", place],
                env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            )
            found = json.loads(done.stdout.splitlines()[-1])
            ratio = found["peak"] / weights
            broken += ratio > LIMIT
            verdict = "ok" if ratio <= LIMIT else "TOO MUCH"
            kept = found["kept"] / weights
            print(
                f"{backend:<11} peak {ratio:.2f}x of at most {LIMIT:.1f}x, {kept:.2f}x once loaded, "
                f"{found['seconds']:.1f} s  {verdict}"
            )
    return 1 if broken else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(sys.argv[2])
    else:
        sys.exit(main(sys.argv[1:]))
