"""Fights in surveillance video, told by how things move: a benchmark whose weights do not ship.

Run it as ``python tests/benchmarks/bench_fights.py FOLDER`` with ``fight_30.tar``, ``noFight_30.tar`` and
``videos.txt`` of Akti et al. 2019 ("Vision-based Fight Detection from Surveillance Cameras") in it.

Protocol: 60 clips of about two seconds, half of them fights. Five folds; all clips that were cut from one
source (a video's address in ``videos.txt``, or the data set that it names) are in one fold. A logistic
regression over 35 figures of motion is fitted on four folds and judged on the fifth; how strongly it is
held back is chosen on the four, by the same kind of folds. The deal is done five times with other seeds, and
the mean told. Exit code 1 when it is below the limit.

Figures: optical flow in cells of 8 × 8 pixels (Lucas and Kanade 1981), what the camera does taken off; of its
size, of its change from frame to frame (as in Hassner et al. 2012) and of the change in brightness, how high
they are in the quiet and in the busy cells, and how even over time; how much of the motion is in few
cells, and how much of it goes one way.
"""

from __future__ import annotations

import re
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sixarts.classification import wilson
from sixarts.media.video import read_video, sampled

LIMIT = 0.75
FOLDS, SEEDS = 5, 5
#: What the strength of the regression is chosen from; larger is freer.
STRENGTHS = (0.01, 0.1, 1.0, 10.0)
#: Frames a second, their width and height, and the side of a cell, in pixels.
RATE, SIZE, CELL = 15.0, (128, 96), 8
PERCENTILES = (50, 75, 90, 97, 100)
#: Share of the cells that count as busy.
BUSY = 0.1


def main(folder: str) -> int:
    """Prints the accuracy of each deal and their mean; returns the exit code."""
    place = Path(folder)
    sources = sources_of((place / "videos.txt").read_text(encoding="utf-8"))
    names, clips = zip(*clips_of(place), strict=True)
    figures = np.stack([figures_of(clip) for clip in clips])
    fights = np.array([name.startswith("fi") for name in names])
    groups = np.array([sources[name] for name in names])
    print(
        f"{len(names)} clips, {fights.sum()} fights, {len(set(groups))} sources, {figures.shape[1]} figures"
    )
    shares = []
    for seed in range(SEEDS):
        right = judged(figures, fights, groups, seed)
        shares.append(right.mean())
        low, high = wilson(int(right.sum()), len(right))
        print(
            f"deal {seed}: {right.sum()} of {len(right)} right, {right.mean():.3f} ({low:.3f} to {high:.3f})"
        )
    mean = float(np.mean(shares))
    print(f"mean {mean:.3f} (at least {LIMIT}; {min(shares):.3f} to {max(shares):.3f} by the deal)")
    return 0 if mean >= LIMIT else 1


def sources_of(text: str) -> dict[str, str]:
    """Name of a clip to what it was cut from, as ``videos.txt`` lists them.

    >>> sources_of("http://a\\nfi001: 0.1 - 0.2\\n\\nnofi002 - nofi003 : Some Dataset")
    {'fi001': 'http://a', 'nofi002': 'Some Dataset', 'nofi003': 'Some Dataset'}
    """
    found: dict[str, str] = {}
    source = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("http"):
            source = line
        elif several := re.match(r"(\D+)(\d+) - \D+(\d+) : (.*)", line):
            kind, first, last, name = several.groups()
            for number in range(int(first), int(last) + 1):
                found.setdefault(f"{kind}{number:03}", name)
        elif one := re.match(r"(\w+):", line):
            found[one[1]] = source
    return found


def clips_of(place: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Name and gray frames ``[t, height, width]`` of every clip."""
    for archive in ("fight_30.tar", "noFight_30.tar"):
        with tarfile.open(place / archive) as file:
            for entry in sorted(file.getmembers(), key=lambda entry: entry.name):
                data = file.extractfile(entry) if entry.isfile() else None
                if data is None:
                    continue
                frames = [
                    Image.fromarray(frame.image).convert("L").resize(SIZE, Image.Resampling.BOX)
                    for frame in sampled(read_video(data.read()), 1 / RATE)
                ]
                yield Path(entry.name).stem, np.stack([np.asarray(frame, "float32") for frame in frames])


def figures_of(frames: np.ndarray) -> np.ndarray:
    """What of a clip is looked at, ``[35]``."""
    flow, change = motion(frames)
    flow = flow - np.median(flow, axis=(1, 2), keepdims=True)
    speed = np.linalg.norm(flow, axis=-1)
    jerk = np.linalg.norm(np.diff(flow, axis=0), axis=-1)
    found = [
        np.log1p(10 * np.percentile(part, PERCENTILES))
        for series in (speed, jerk, change)
        for part in (series.mean(axis=0), series.std(axis=0))
    ]
    whole, where = speed.mean(axis=(1, 2)), speed.mean(axis=0)
    busy = np.argsort(-where.ravel())[: round(BUSY * where.size)]
    one_way = np.linalg.norm(flow.mean(axis=0), axis=-1) / (where + 1e-6)
    rough = jerk.mean(axis=0) / (where + 1e-6)
    others = [
        np.log1p(10 * whole.mean()),
        whole.std() / (whole.mean() + 1e-6),
        where.ravel()[busy].sum() / (where.sum() + 1e-6),
        one_way.ravel()[busy].mean(),
        rough.ravel()[busy].mean(),
    ]
    return np.concatenate([*found, others])


def motion(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Optical flow and change of brightness in each cell.

    Returns:
        Pixels a frame to the right and down ``[t - 1, rows, columns, 2]``; gray levels
        ``[t - 1, rows, columns]``.
    """
    soft = softened(softened(frames))
    step = np.diff(soft, axis=0)
    down, across = np.gradient((soft[1:] + soft[:-1]) / 2, axis=(1, 2))
    xx, yy, xy, xt, yt = (
        in_cells(product)
        for product in (across * across, down * down, across * down, across * step, down * step)
    )
    # Where there is nothing to see, nothing is seen to move.
    xx, yy = xx + 4 * CELL**2, yy + 4 * CELL**2
    scale = xx * yy - xy * xy
    flow = np.stack([(xy * yt - yy * xt) / scale, (xy * xt - xx * yt) / scale], axis=-1)
    return flow, in_cells(np.abs(step)) / CELL**2


def softened(frames: np.ndarray) -> np.ndarray:
    """Each pixel with its neighbors, one, two and one parts, in both directions."""
    for axis in (1, 2):
        edges = [(1, 1) if each == axis else (0, 0) for each in range(3)]
        low, middle, high = (
            np.take(np.pad(frames, edges, mode="edge"), range(at, at + frames.shape[axis]), axis=axis)
            for at in range(3)
        )
        frames = (low + 2 * middle + high) / 4
    return frames


def in_cells(values: np.ndarray) -> np.ndarray:
    """Sums over the cells of each frame."""
    count, height, width = values.shape
    return values.reshape(count, height // CELL, CELL, width // CELL, CELL).sum(axis=(2, 4))


def judged(figures: np.ndarray, fights: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    """Whether each clip was told right by a regression that did not see its source."""
    fold, right = folds(groups, seed), np.zeros(len(fights), bool)
    for number in range(FOLDS):
        seen = fold != number
        strength = chosen(figures[seen], fights[seen], groups[seen], seed)
        model = regression(strength).fit(figures[seen], fights[seen])
        right[~seen] = model.predict(figures[~seen]) == fights[~seen]
    return right


def chosen(figures: np.ndarray, fights: np.ndarray, groups: np.ndarray, seed: int) -> float:
    """The strength that tells most right over folds of what may be seen."""
    fold = folds(groups, seed + 1000)
    scores: dict[float, float] = {}
    for strength in STRENGTHS:
        told = np.zeros(len(fights), bool)
        for number in range(FOLDS):
            seen = fold != number
            told[~seen] = regression(strength).fit(figures[seen], fights[seen]).predict(figures[~seen])
        scores[strength] = float((told == fights).mean())
    return max(STRENGTHS, key=lambda strength: scores[strength])


def regression(strength: float) -> Pipeline:
    """Figures of like spread, and a logistic regression over them."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000))


def folds(groups: np.ndarray, seed: int) -> np.ndarray:
    """The fold of each clip: sources in random order, larger ones first, each to the fold that has least."""
    random, sizes, of = np.random.default_rng(seed), np.zeros(FOLDS), {}
    names = random.permutation(sorted(set(groups)))
    for name in sorted(names, key=lambda name: -(groups == name).sum()):
        of[name] = int(sizes.argmin())
        sizes[of[name]] += (groups == name).sum()
    return np.array([of[name] for name in groups])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
