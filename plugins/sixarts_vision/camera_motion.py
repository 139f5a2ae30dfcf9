"""Clips of what cameras do, rendered out of photos: what the ``camera-motion`` starter learns from.

A virtual camera moves over a photo. Its path is that of the class, uneven as a hand's; what is not the
camera's motion (objects that pass, noise, light, compression, bars) is in all classes alike. The words are a
camera's: in a pan to the right the picture moves to the left.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

MOTIONS = ("static", "pan left", "pan right", "tilt up", "tilt down", "zoom in", "zoom out", "shake")
#: Directions over a photo, as signs of x (to the right) and y (down).
_WAYS = {"pan left": (-1, 0), "pan right": (1, 0), "tilt up": (0, -1), "tilt down": (0, 1)}
#: How much finer than asked a frame is drawn, and then averaged.
FINER = 2
#: Points of a path between two frames, over which a frame that is blurred by motion is averaged.
SHUTTER = 3


@dataclass(frozen=True)
class Path:
    """Where the camera looks, at each point of time, in parts of the frame's width.

    Attributes:
        x, y: the middle of what it sees ``[n]``, of the width it sees at the start.
        width: of what it sees ``[n]``, over that at the start.
        roll: in radians ``[n]``.
    """

    x: np.ndarray
    y: np.ndarray
    width: np.ndarray
    roll: np.ndarray


def rendered(
    photo: Image.Image,
    motion: str,
    random: np.random.Generator,
    things: Sequence[Image.Image] = (),
    frames: int = 12,
    size: tuple[int, int] = (48, 64),
    seconds: float = 1.5,
) -> np.ndarray:
    """A gray clip of a camera that moves over a photo, ``[frames, height, width, 1]``, ``uint8``.

    Args:
        photo: what it films.
        motion: one of :data:`MOTIONS`.
        random: everything else is drawn from it.
        things: pictures of which pieces pass before the camera.
        frames, size, seconds: of the clip.
    """
    height, width = size
    points = frames * SHUTTER
    path = path_of(motion, points, seconds, random)
    scene = _turned(photo, random).convert("L")
    view, start = _placed(path, scene.size, height / width, random)
    # Reduced first, so that a pixel that is drawn is about one of the photo's.
    factor = max(1, int(view * float(path.width.min()) / (width * FINER)))
    scene = scene.reduce(factor) if factor > 1 else scene
    scale, middle = view / factor, (start[0] / factor, start[1] / factor)
    blurred = random.random() < 0.5
    large = (width * FINER, height * FINER)
    passing = [_Thing.of(things, path, points, large, random) for _ in range(_count(things, random))]
    drawn = []
    for frame in range(frames):
        at = range(frame * SHUTTER, (frame + 1) * SHUTTER) if blurred else [frame * SHUTTER]
        layers = []
        for point in at:
            image = _looked(scene, path, point, scale, middle, large)
            for thing in passing:
                thing.paste(image, point)
            layers.append(np.asarray(image, "float32"))
        drawn.append(np.mean(layers, axis=0))
    return _filmed(np.stack(drawn), size, random)[..., None]


def path_of(motion: str, points: int, seconds: float, random: np.random.Generator) -> Path:
    """A path of one motion, with the unsteadiness that every path may have."""
    time = np.linspace(0, 1, points)
    x, y, zoom, roll = (np.zeros(points) for _ in range(4))
    if motion in _WAYS:
        across, down = _WAYS[motion]
        reach = float(np.exp(random.uniform(np.log(0.1), np.log(1.3))))
        if down:
            reach *= 0.7
        along = reach * _progress(time, random)
        aside = random.uniform(-0.2, 0.2) * along
        x, y = (across * along, aside) if across else (aside, down * along)
        zoom = random.uniform(-0.04, 0.04) * time
    elif motion.startswith("zoom"):
        reach = random.uniform(np.log(1.15), np.log(2.2))
        zoom = (-1 if motion == "zoom in" else 1) * reach * _progress(time, random)
        aim = random.uniform(-0.12, 0.12, 2)
        x, y = (part * (1 - np.exp(-np.abs(zoom))) for part in aim)
    elif motion == "shake":
        strength = float(np.exp(random.uniform(np.log(0.025), np.log(0.12))))
        x = strength * _wobble(time * seconds, random.uniform(1.5, 4.0), random)
        y = strength * random.uniform(0.4, 1.2) * _wobble(time * seconds, random.uniform(1.5, 4.0), random)
        roll = random.uniform(0, 0.05) * _wobble(time * seconds, random.uniform(1.0, 3.0), random)
    if random.random() < 0.6:  # held in a hand, not on a tripod
        strength = random.uniform(0, 0.008)
        x = x + strength * _wobble(time * seconds, random.uniform(0.5, 2.5), random)
        y = y + strength * _wobble(time * seconds, random.uniform(0.5, 2.5), random)
        roll = roll + random.uniform(0, 0.006) * _wobble(time * seconds, 1.0, random)
        drift = random.uniform(-0.02, 0.02, 2)
        x, y = x + drift[0] * time, y + drift[1] * time
    return Path(x, y, np.exp(zoom), roll)


def _progress(time: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """From 0 to 1, always forward: even, or with a start or an end within the clip."""
    speed = 1 + random.uniform(0, 0.9) * np.sin(
        2 * np.pi * (random.uniform(0.2, 1.2) * time + random.uniform(0, 1))
    )
    if random.random() < 0.3:
        begin, width = random.uniform(-0.2, 0.4), random.uniform(0.1, 0.3)
        speed = speed / (1 + np.exp(-(time - begin) / width * 4))
    if random.random() < 0.5:
        speed = speed[::-1]
    done = np.cumsum(speed)
    return np.asarray((done - done[0]) / (done[-1] - done[0]))


def _wobble(seconds: np.ndarray, rate: float, random: np.random.Generator) -> np.ndarray:
    """A trembling of about so many swings a second, of a mean square of 1, around 0."""
    waves = [
        random.normal() * np.sin(2 * np.pi * (rate * factor * seconds + random.uniform(0, 1)))
        for factor in (0.6, 1.0, 1.7)
    ]
    whole = np.sum(waves, axis=0)
    whole = whole - whole.mean()
    return np.asarray(whole / (np.sqrt((whole**2).mean()) + 1e-9))


def _turned(photo: Image.Image, random: np.random.Generator) -> Image.Image:
    """Mirrored or not, in both directions: more scenes than photos."""
    if random.random() < 0.5:
        photo = photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return photo.transpose(Image.Transpose.FLIP_TOP_BOTTOM) if random.random() < 0.3 else photo


def _placed(
    path: Path, size: tuple[int, int], shape: float, random: np.random.Generator
) -> tuple[float, tuple[float, float]]:
    """How many of the photo's pixels the frame is wide, and where it begins, so that the path stays inside.

    Args:
        path: of the camera.
        size: width and height of the photo.
        shape: height of a frame over its width.
    """
    half = path.width / 2 * (1 + np.abs(path.roll).max() * 2)
    left, right = (path.x - half).min(), (path.x + half).max()
    top, bottom = (path.y - half * shape).min(), (path.y + half * shape).max()
    largest = min(size[0] / (right - left), size[1] / (bottom - top))
    view = largest * random.uniform(0.45, 1.0)
    x = random.uniform(-left * view, size[0] - right * view)
    y = random.uniform(-top * view, size[1] - bottom * view)
    return view, (x, y)


def _looked(
    scene: Image.Image,
    path: Path,
    point: int,
    scale: float,
    middle: tuple[float, float],
    size: tuple[int, int],
) -> Image.Image:
    """What the camera sees at one point of its path."""
    width, height = size
    step = scale * path.width[point] / width
    cos, sin = step * np.cos(path.roll[point]), step * np.sin(path.roll[point])
    x = middle[0] + scale * path.x[point] - cos * width / 2 + sin * height / 2
    y = middle[1] + scale * path.y[point] - sin * width / 2 - cos * height / 2
    return scene.transform(
        size, Image.Transform.AFFINE, (cos, -sin, x, sin, cos, y), Image.Resampling.BILINEAR
    )


def _count(things: Sequence[Image.Image], random: np.random.Generator) -> int:
    return int(random.choice([0, 1, 2], p=[0.4, 0.4, 0.2])) if things else 0


@dataclass(frozen=True)
class _Thing:
    """Something that passes before the camera, on a way of its own."""

    image: Image.Image
    mask: Image.Image
    x: np.ndarray
    y: np.ndarray

    @classmethod
    def of(
        cls,
        things: Sequence[Image.Image],
        path: Path,
        points: int,
        size: tuple[int, int],
        random: np.random.Generator,
    ) -> _Thing:
        wide, tall = (max(6, int(side * random.uniform(0.15, 0.55))) for side in size)
        source = things[int(random.integers(len(things)))].convert("L")
        width, height = source.size
        part = random.uniform(0.4, 0.9)
        left, top = random.uniform(0, (1 - part) * width), random.uniform(0, (1 - part) * height)
        box = (left, top, left + part * width, top + part * height)
        image = source.resize((wide, tall), Image.Resampling.BILINEAR, box=box, reducing_gap=2)
        mask = Image.new("L", (wide, tall), 0)
        (ImageDraw.Draw(mask).ellipse if random.random() < 0.7 else ImageDraw.Draw(mask).rectangle)(
            (1, 1, wide - 2, tall - 2), fill=255
        )
        mask = mask.filter(ImageFilter.GaussianBlur(random.uniform(0.5, 3)))
        time = np.linspace(0, 1, points)
        moved = random.normal(0, 0.35, 2) * (random.random() < 0.8)
        tremble = random.uniform(0, 0.08) * (random.random() < 0.6)
        # What stands in the scene goes with it; what hangs on the camera, or is followed, does not.
        tied = float(random.random() < 0.6)
        begin = random.uniform(0.1, 0.9, 2)
        x = begin[0] + moved[0] * (time - 0.5) - tied * path.x + tremble * _wobble(time, 2.0, random)
        y = begin[1] + moved[1] * (time - 0.5) - tied * path.y + tremble * _wobble(time, 2.0, random)
        return cls(image, mask, x * size[0], y * size[1])

    def paste(self, image: Image.Image, point: int) -> None:
        """Puts it where it is at one point of time, to the whole pixel."""
        place = (
            round(self.x[point] - self.image.width / 2),
            round(self.y[point] - self.image.height / 2),
        )
        image.paste(self.image, place, self.mask)


def _filmed(drawn: np.ndarray, size: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    """What a camera and its file do to a clip ``[t, height, width]``: light, noise, compression, bars."""
    frames = len(drawn)
    light = random.uniform(-25, 25) + random.normal(0, 1.5, frames) * (random.random() < 0.4)
    if random.random() < 0.2:
        light = light + np.linspace(0, random.uniform(-50, 50), frames)
    drawn = (drawn - 128) * np.float32(random.uniform(0.5, 1.2)) + np.float32(128 + light)[:, None, None]
    noise = random.uniform(0, 8) * (random.random() < 0.7)
    if noise:
        drawn = drawn + np.float32(noise) * random.standard_normal(drawn.shape, "float32")
    quality = int(random.integers(15, 60)) if random.random() < 0.4 else 0
    softness = random.uniform(0.5, 1.5) if random.random() < 0.3 else 0.0
    found = []
    for image in drawn:
        frame = Image.fromarray(image.clip(0, 255).astype("uint8"))
        if softness:
            frame = frame.filter(ImageFilter.GaussianBlur(softness))
        if quality:
            out = io.BytesIO()
            frame.save(out, "JPEG", quality=quality)
            frame = Image.open(out)
        found.append(np.asarray(frame.resize(size[::-1], Image.Resampling.BOX)))
    clip = np.stack(found)
    if random.random() < 0.15:  # bars of another format
        bar = int(random.integers(1, size[0] // 6))
        if random.random() < 0.5:
            clip[:, :bar] = clip[:, -bar:] = 0
        else:
            clip[:, :, :bar] = clip[:, :, -bar:] = 0
    if random.random() < 0.15:  # a frame that was lost, and the one before it shown again
        lost = int(random.integers(1, frames))
        clip[lost] = clip[lost - 1]
    return clip
