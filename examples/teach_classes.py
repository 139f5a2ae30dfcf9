"""Teach the starter new classes, from a folder for each with its pictures.

Run it as ``python examples/teach_classes.py [FOLDER]``. Where there is no such folder, it draws disks, rings
and crosses there. A fifth of the pictures is held out, by a hash of their names, and measured. First the head
alone learns, on the features that the starter has; then the whole network.
"""

from __future__ import annotations

import random
import sys
import tempfile
import zlib
from pathlib import Path

from PIL import Image, ImageDraw

import sixarts as sa


def drawn(folder: Path, each: int = 30) -> Path:
    """A folder for each shape, with its pictures."""
    draw = random.Random(0)
    for shape in ("cross", "disk", "ring"):
        (folder / shape).mkdir(parents=True)
        for number in range(each):
            image = Image.new("RGB", (48, 48), tuple(draw.randrange(90) for _ in range(3)))
            pen, color = ImageDraw.Draw(image), tuple(draw.randrange(150, 256) for _ in range(3))
            left, top, size = draw.randrange(2, 14), draw.randrange(2, 14), draw.randrange(22, 32)
            box = (left, top, left + size, top + size)
            if shape == "disk":
                pen.ellipse(box, fill=color)
            elif shape == "ring":
                pen.ellipse(box, outline=color, width=5)
            else:
                pen.line(box, fill=color, width=5)
                pen.line((box[0], box[3], box[2], box[1]), fill=color, width=5)
            image.save(folder / shape / f"{number:03}.png")
    return folder


def main(folder: Path) -> None:
    classify = sa.load("image-classification")
    examples = classify.read_examples(folder)
    held_out = [pair for pair in examples if zlib.crc32(pair[0].name.encode()) % 5 == 0]
    learned = [pair for pair in examples if zlib.crc32(pair[0].name.encode()) % 5]
    history = classify.fit(learned, epochs=10, learning_rate=3e-3, freeze=True, flip=False)
    print(*history.replaced, f"{len(learned)} to learn from", sep="; ")
    print("the head alone:   ", classify.evaluate(held_out))
    classify.fit(learned, epochs=20, learning_rate=1e-3, schedule="linear", warmup=20, flip=False)
    print("the whole network:", classify.evaluate(held_out))
    print(classify(held_out[0][0]))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(sys.argv[1] if len(sys.argv) > 1 else temporary)
        main(place if any(place.glob("*/*")) else drawn(place))
