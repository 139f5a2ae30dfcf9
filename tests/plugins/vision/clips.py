"""Small clips to learn from: bars that move to the left or to the right, as arrays and as files."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import numpy as np
from PIL import Image

RATE = 10


def bars(way: str, seed: int, frames: int = 12, size: tuple[int, int] = (24, 32)) -> np.ndarray:
    """Light bars on a dark ground, ``[frames, height, width, 3]``, that move 1.5 pixels a frame."""
    random = np.random.default_rng(seed)
    speed = {"left": -1.5, "right": 1.5}[way]
    columns, begin, gap = np.arange(size[1]), random.uniform(0, 12), random.uniform(9, 13)
    light = np.array([np.sin(2 * np.pi * (columns - begin - speed * n) / gap) for n in range(frames)])
    pixels = (light[:, None, :, None] + 1) * 100 + random.integers(0, 40, (frames, *size, 1))
    return np.repeat(pixels, 3, axis=3).astype("uint8")


def movie(frames: np.ndarray, kind: str = "mp4", rate: int = RATE) -> bytes:
    """The clip as a file, by PyAV."""
    import av

    out = io.BytesIO()
    with av.open(out, "w", format={"mkv": "matroska"}.get(kind, kind)) as container:
        stream: Any = container.add_stream("mpeg4", rate=rate)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt, stream.bit_rate = "yuv420p", 2_000_000
        for number, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return out.getvalue()


def animation(frames: np.ndarray, kind: str, rate: int = RATE) -> bytes:
    """The clip as an animated GIF or WebP, by Pillow."""
    out = io.BytesIO()
    first, *others = map(Image.fromarray, frames)
    first.save(out, kind, save_all=True, append_images=others, duration=1000 // rate, loop=0, lossless=True)
    return out.getvalue()
