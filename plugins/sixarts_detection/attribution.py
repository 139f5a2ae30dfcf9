"""Why a detection is there, and why it has its label: what of the picture made each of the two.

Sources: Petsiuk et al. 2021 (D-RISE: how like the box is what is still found when a part is hidden), Zeiler
and Fergus 2014 (occlusion), Sundararajan et al. 2017 (integrated gradients).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from sixarts.errors import InputError, OptionError, nearest
from sixarts.explanation import Attribution
from sixarts.media.heatmap import CELLS, Heatmap, summed
from sixarts.media.images import thumbnail
from sixarts.media.video import is_video
from sixarts_detection import views
from sixarts_detection.boxes import corners, overlaps
from sixarts_detection.decoding import decoded
from sixarts_detection.learning import scores_of

#: Longest side of the picture in an explanation.
PICTURE = 512
#: Rows and columns of what occlusion hides, one after another.
HIDDEN = 12
#: Pictures with something hidden that go through the network together.
TOGETHER = 16

Arrays = Mapping[str, np.ndarray]


class Aim(NamedTuple):
    """The detection that is explained.

    Attributes:
        box: left, top, right, bottom, as shares of the picture.
        candidate: which of the network's candidates it is.
        kind: the number of its class.
        name: what it is called.
    """

    box: np.ndarray
    candidate: int
    kind: int
    name: str


def explained(task: Any, x: Any, method: str, target: Any, options: Any) -> Heatmap:
    """A row for why it is there and, where there are several classes, one for why it has its label."""
    if is_video(x):
        raise InputError("a video; expected a picture; explain one of its frames")
    model, view = task.model, views.whole(x)
    picture = view.read()
    arrays = model.processor.arrays([picture])
    aim = _aim(model, arrays, view, target, options)
    if method == "integrated_gradients" and not model.steady:
        raise OptionError(
            f"integrated_gradients follows one candidate, and {model.family} chooses its candidates anew for "
            "each picture; expected method='occlusion'"
        )
    rows, said = METHODS[method](model, arrays, aim)
    seen = model.processor.target(*picture.shape[:2])
    # Only the picture itself is drawn, not the rest of its canvas.
    rows = [row[: _part(seen[0], row, arrays, 0), : _part(seen[1], row, arrays, 1)] for row in rows]
    cells = [_cells(row, said) for row in rows]
    small = thumbnail(picture, PICTURE)
    labels = (f"{aim.name} is there", f"it is {task.model.processor.labels[aim.kind]}")[: len(rows)]
    return Heatmap(
        method=method,
        target=aim.name,
        input_labels=tuple(
            f"row {row + 1}, column {column + 1}" for row, column in np.ndindex(*cells[0].shape)
        ),
        target_labels=labels,
        values=np.stack([cell.ravel() for cell in cells]),
        answer=aim.name,
        grid=(cells[0].shape[0], cells[0].shape[1]),
        region=(0.0, 0.0, float(small.shape[0]), float(small.shape[1])),
        picture=_framed(small, aim.box),
        **said,
    )


def _aim(model: Any, arrays: Arrays, view: Any, target: Any, options: Any) -> Aim:
    outputs = model(arrays)
    found = decoded(model, outputs, 0, view, options)
    labels = model.processor.labels
    if not len(found.scores):
        if target is not None:
            raise OptionError(f"target={target!r}, and nothing was found; give a lower threshold")
        # Nothing is sure: what comes nearest is explained.
        scores = scores_of(model, outputs["logits"][0])
        candidate, kind = np.unravel_index(scores.argmax(), scores.shape)
        box = corners(outputs["boxes"][0][candidate])
        return Aim(box, int(candidate), int(kind), f"{labels[kind]} (below the threshold)")
    place = _place(target, [labels[number] for number in found.classes])
    height, width = view.size
    return Aim(
        found.boxes[place] / [width, height, width, height],
        int(found.candidates[place]),
        int(found.classes[place]),
        f"{labels[found.classes[place]]} {place}",
    )


def _place(target: Any, names: list[str]) -> int:
    """The number of the detection that ``target`` means."""
    if target is None:
        return 0
    if isinstance(target, str) and not target.isdecimal():
        if target not in names:
            near = nearest(target, names) or sorted(set(names))
            raise OptionError(f"target={target!r}; expected a number or a label found: {', '.join(near)}")
        return names.index(target)
    if isinstance(target, bool) or not isinstance(target, int | str | np.integer):
        raise OptionError(f"target={target!r}; expected a number from 0, or a label")
    if not 0 <= int(target) < len(names):
        raise OptionError(f"target={target!r}; expected 0 to {len(names) - 1}, or a label")
    return int(target)


def occlusion(model: Any, arrays: Arrays, aim: Aim) -> tuple[list[np.ndarray], dict[str, Any]]:
    """How much of the detection is lost when a part is painted in the mean color."""
    pixels = arrays[model.cut]
    extent = arrays["extent"][0] if "extent" in arrays else pixels.shape[1:3]
    down, across = (np.linspace(0, length, HIDDEN + 1).astype(int) for length in extent)
    hidden = np.repeat(pixels, 1 + HIDDEN * HIDDEN, axis=0)
    for number, (row, column) in enumerate(np.ndindex(HIDDEN, HIDDEN), 1):
        hidden[number, down[row] : down[row + 1], across[column] : across[column + 1]] = 0
    there, called = [], []
    for start in range(0, len(hidden), TOGETHER):
        part = hidden[start : start + TOGETHER]
        # The last batch is filled up, so that it compiles nothing new.
        filled = np.concatenate([part, np.repeat(part[-1:], TOGETHER - len(part), axis=0)])
        others = {
            name: np.repeat(array, TOGETHER, axis=0) for name, array in arrays.items() if name != model.cut
        }
        outputs = model({model.cut: filled, **others})
        for row in range(len(part)):
            scores = scores_of(model, outputs["logits"][row])
            like = overlaps(aim.box[None], corners(outputs["boxes"][row]))[0]
            there.append(float((like * scores.max(axis=-1)).max()))
            at = scores[int((like * scores[:, aim.kind]).argmax())]
            called.append(float(at[aim.kind] / max(at.sum(), 1e-12)))
    found = [
        np.array(values) for values in ((there, called) if len(model.processor.labels) > 1 else (there,))
    ]
    full = np.zeros(pixels.shape[1:3])
    rows = []
    for values in found:
        lost = full.copy()
        for number, (row, column) in enumerate(np.ndindex(HIDDEN, HIDDEN), 1):
            lost[down[row] : down[row + 1], across[column] : across[column + 1]] = values[0] - values[number]
        rows.append(lost)
    return rows, {"signed": True, "unit": "score lost without it"}


def integrated_gradients(model: Any, arrays: Arrays, aim: Aim) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Each pixel's part of the candidate's logit, and of its lead over the other classes."""
    kept: dict[str, Any] = vars(model).setdefault("_attributions", {})
    if "box" not in kept:
        kept["box"] = Attribution(model, _score)
    kinds = (0, 1) if len(model.processor.labels) > 1 else (0,)
    places = [(aim.candidate, aim.kind, kind) for kind in kinds]
    values, totals = kept["box"].integrated_gradients(arrays, np.zeros_like(arrays[model.cut]), places)
    return list(values), {"signed": True, "totals": totals, "unit": "logit"}


METHODS: dict[str, Callable[..., tuple[list[np.ndarray], dict[str, Any]]]] = {
    "occlusion": occlusion,
    "integrated_gradients": integrated_gradients,
}


def _score(outputs: Any, place: Any) -> Any:
    """The logit of a class at a candidate, or its lead over the mean of the others."""
    logits = ops.take(outputs["logits"], place[0], axis=1)
    own = ops.take(logits, place[1], axis=-1)
    others = (ops.sum(logits, axis=-1) - own) / max(int(logits.shape[-1]) - 1, 1)
    return own - ops.cast(place[2], own.dtype) * others


def _part(seen: int, row: np.ndarray, arrays: Arrays, axis: int) -> int:
    """How many of a map's rows or columns show the picture."""
    canvas = arrays["pixel_values"].shape[1 + axis]
    return max(round(row.shape[axis] * seen / canvas), 1)


def _cells(values: np.ndarray, said: Mapping[str, Any]) -> np.ndarray:
    """Attributions add up; of maps, the mean of a cell is told."""
    cells = summed(np.asarray(values, "float64"), CELLS)
    return cells if said.get("totals") is not None else cells / summed(np.ones(values.shape), CELLS)


def _framed(picture: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The picture with the box that is explained."""
    from PIL import Image, ImageDraw

    image = Image.fromarray(picture)
    left, right = sorted(float(end) * image.width for end in box[0::2])
    top, bottom = sorted(float(end) * image.height for end in box[1::2])
    ImageDraw.Draw(image).rectangle((left, top, right, bottom), outline="white", width=2)
    return np.asarray(image)
