"""A model folder: what is in it, how a flipped byte is noticed, and the golden answer.

Run it as ``python examples/hub_folder.py [FOLDER]``; the folder is a temporary one if none is given.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import sixarts as sa
from sixarts.folder import golden_difference
from sixarts_hub.manifest import Manifest, verify


def main(place: str | None = None) -> None:
    folder = Path(place or tempfile.mkdtemp(prefix="sixarts-folder-")) / "en-zh"
    translate = sa.load("translation")
    translate.save(folder)  # `translate.push("me/en-zh")` would publish the same folder

    manifest = Manifest.read(folder)  # sixarts.json
    print(f"{manifest.task} by {manifest.family}, weights in {manifest.dtype}")
    for name, file in manifest.files.items():
        print(f"  {name:<22}{file.size:>10,} bytes  sha256 {file.sha256[:12]}…")

    # The first sample input with this model's answer: whoever loads the folder can ask it again.
    golden = manifest.golden
    assert golden is not None
    print(f"golden: {golden['input']} → {golden['answer']['text']}")
    verify(folder, manifest)
    print(f"files match; golden answer differs in: {golden_difference(translate, golden) or 'nothing'}")

    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    try:
        sa.load("translation", folder)
    except sa.errors.Corrupt as error:
        print(f"one bit flipped: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
