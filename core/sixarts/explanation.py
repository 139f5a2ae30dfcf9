"""Explanations: what of the input made what of the answer.

Methods that need no more than a network live here; a task says what its inputs, targets and labels are.
Each method has its own sanity check in ``sixarts.testing``.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sixarts.result import Result


@dataclass(frozen=True)
class Explanation(Result):
    """Values of each input part for each part of the answer.

    Attributes:
        method: how they were found, e.g. ``"integrated_gradients"``.
        target: what was explained.
        input_labels: the input's parts, ``s`` of them.
        target_labels: the answer's parts, ``t`` of them.
        values: ``[t, s]``; a row tells what made that part of the answer.
        signed: whether a value may count against the answer.
        totals: what each row should add up to, where the method promises a sum; else ``None``.
        answer: the answer that was explained.
        unit: of the values, in words.
    """

    method: str
    target: str
    input_labels: tuple[str, ...]
    target_labels: tuple[str, ...]
    values: np.ndarray
    signed: bool = False
    totals: np.ndarray | None = field(default=None, repr=False)
    answer: str = ""
    unit: str = ""

    def __str__(self) -> str:
        best = np.abs(self.values).argmax(axis=1)
        made = ", ".join(
            f"{target} ← {self.input_labels[place]}"
            for target, place in zip(self.target_labels, best, strict=True)
        )
        return f"{self.method}: {made}"

    def plot(self) -> Any:
        """The values as a matrix: the answer's parts down, the input's parts across.

        Characters that no installed font can draw are shown as their code points; :meth:`to_html` shows
        them as they are on every machine.
        """
        from matplotlib.figure import Figure

        from sixarts.pictures import drawable, fonts_for

        down, across = drawable(self.target_labels), drawable(self.input_labels)
        size = (2.2 + 0.42 * len(across), 1.6 + 0.36 * len(down))
        figure = Figure(figsize=(max(size[0], 4.0), max(size[1], 2.4)), layout="constrained")
        axes = figure.add_subplot()
        high = float(np.abs(self.values).max()) or 1.0
        image = axes.imshow(
            self.values,
            cmap="RdBu_r" if self.signed else "Blues",
            vmin=-high if self.signed else 0.0,
            vmax=high,
            aspect="auto",
        )
        fonts = fonts_for([*down, *across]) or ["DejaVu Sans"]
        axes.set_xticks(
            range(len(across)), across, rotation=45, ha="right", rotation_mode="anchor", family=fonts
        )
        axes.set_yticks(range(len(down)), down, family=fonts)
        axes.set(xlabel="source", ylabel="answer", title=self.method.replace("_", " "))
        axes.spines[:].set_visible(False)
        figure.colorbar(image, ax=axes, label=self.unit, shrink=0.8)
        return figure

    def to_html(self) -> str:
        """The matrix as an HTML table in the page's own fonts, darker where the value is larger."""
        high = float(np.abs(self.values).max()) or 1.0
        head = "".join(f"<th scope='col'>{html.escape(label)}</th>" for label in self.input_labels)
        rows = "".join(
            f"<tr><th scope='row'>{html.escape(label)}</th>"
            + "".join(_cell(value, high) for value in row)
            + "</tr>"
            for label, row in zip(self.target_labels, self.values, strict=True)
        )
        caption = html.escape(f"{self.method.replace('_', ' ')}: {self.unit}".rstrip(": "))
        return (
            "<div class='sixarts-explanation' style='overflow-x:auto'>"
            "<table style='border-collapse:collapse;font-size:14px'>"
            f"<caption style='text-align:left;padding:4px 0'>{caption}</caption>"
            f"<thead><tr><td></td>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        )

    def _repr_html_(self) -> str:
        return self.to_html()


def _cell(value: float, high: float) -> str:
    share = abs(float(value)) / high
    color = "37,99,235" if value >= 0 else "220,38,38"
    ink = "#fff" if share > 0.55 else "inherit"
    return (
        f"<td title='{float(value):.4f}' style='background:rgba({color},{share:.2f});color:{ink};"
        f"padding:4px 8px;text-align:center;min-width:2.2em'>{float(value):.2f}</td>"
    )


# Gradients.

Scalar = Callable[[Any], Any]


def gradients(function: Scalar, point: Any) -> Any:
    """The gradient of ``sum(function(point))`` at ``point``, on the active backend."""
    import keras

    return _GRADIENTS[keras.config.backend()](function, point)


def _by_tensorflow(function: Scalar, point: Any) -> Any:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(point)
        total = tf.reduce_sum(function(point))
    return tape.gradient(total, point)


def _by_jax(function: Scalar, point: Any) -> Any:
    import jax

    return jax.grad(lambda value: function(value).sum())(point)


def _by_torch(function: Scalar, point: Any) -> Any:
    import torch

    # Compiled functions run without gradients; here they are what is wanted.
    with torch.enable_grad():
        leaf = point.detach().requires_grad_(True)
        return torch.autograd.grad(function(leaf).sum(), leaf)[0]


_GRADIENTS = {"tensorflow": _by_tensorflow, "jax": _by_jax, "torch": _by_torch}


#: Points of each stretch of a path that is integrated; they go through the network together.
NODES = 64
MOST_STRETCHES = 32


class Attribution:
    """Gradients of a model's output with respect to where it embeds its input.

    The network is cut at ``model.embedded``: ``keras.Model([embedded, *other inputs], outputs)``.

    Args:
        model: with ``embedded`` and ``cut``.
        score: outputs and the place that is explained (an integer array) to one number a row.
    """

    def __init__(self, model: Any, score: Callable[[Mapping[str, Any], Any], Any]) -> None:
        import keras

        from sixarts.compiled import Compiled

        network = model.network
        inputs = {tensor.name: tensor for tensor in network.inputs}
        cut = inputs.pop(model.cut)
        above = keras.Model([model.embedded, *inputs.values()], network.output)
        below = keras.Model(cut, model.embedded)

        def scored(point: Any, rest: Mapping[str, Any], place: Any) -> Any:
            return score(above([point, *(rest[name] for name in inputs)], training=False), place)

        self.cut = model.cut
        self._embed = Compiled(
            lambda value: below(value, training=False), model.variables, model.device, model.fused
        )
        self._score = Compiled(scored, model.variables, model.device, model.fused)
        self._slope = Compiled(
            lambda point, rest, place: gradients(lambda value: scored(value, rest, place), point),
            model.variables,
            model.device,
            model.fused,
        )

    def integrated_gradients(
        self, arrays: Mapping[str, np.ndarray], baseline: np.ndarray, places: Sequence[Any]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Integrated gradients (Sundararajan et al. 2017) along the straight line from a baseline.

        The path is cut into stretches, each integrated by Gauss–Legendre quadrature, and into twice as many
        until the attributions add up to within 1 % (:data:`MOST_STRETCHES` at most).

        Args:
            arrays: the network's inputs, one row each; ``cut`` among them.
            baseline: what stands for "nothing" in the place of ``arrays[cut]``, of the same shape.
            places: what is explained, one after another; numbers, or tuples of them, that ``score`` knows.

        Returns:
            Attributions ``[len(places), s]``, and what each should add up to ``[len(places)]``: the score at
            the input minus the score at the baseline.
        """
        from sixarts.compiled import to_numpy

        rest = {name: array for name, array in arrays.items() if name != self.cut}
        many = {name: np.repeat(array, NODES, axis=0) for name, array in rest.items()}
        start, end = (to_numpy(self._embed(value)) for value in (baseline, arrays[self.cut]))
        values, totals = [], []
        for place in places:
            at = np.asarray(place, "int32")
            total = float(to_numpy(self._score(end, rest, at))[0] - to_numpy(self._score(start, rest, at))[0])
            stretches = 1
            while True:
                found = sum(
                    self._stretch(start, end, many, at, part / stretches, (part + 1) / stretches)
                    for part in range(stretches)
                )
                near = abs(float(np.sum(found)) - total) <= max(0.01 * abs(total), 1e-4)
                if near or stretches >= MOST_STRETCHES:
                    break
                stretches *= 2
            values.append(found)
            totals.append(total)
        return np.asarray(values), np.asarray(totals)

    def _stretch(
        self, start: np.ndarray, end: np.ndarray, many: Any, at: np.ndarray, low: float, high: float
    ) -> np.ndarray:
        """The part of the integral between two shares of the path, summed over the width, ``[s]``."""
        from sixarts.compiled import to_numpy

        nodes, weights = np.polynomial.legendre.leggauss(NODES)
        shares = low + (high - low) * (nodes + 1) / 2
        path = start + shares.astype("float32").reshape(-1, *([1] * (end.ndim - 1))) * (end - start)
        slope = to_numpy(self._slope(path, many, at)).astype("float64")
        mean = np.tensordot(weights / 2 * (high - low), slope, axes=1)
        return np.asarray(((end - start)[0] * mean).sum(axis=-1))

    def score(self, arrays: Mapping[str, np.ndarray], place: Any) -> np.ndarray:
        """The score of each row."""
        from sixarts.compiled import to_numpy

        rest = {name: array for name, array in arrays.items() if name != self.cut}
        point = to_numpy(self._embed(arrays[self.cut]))
        return np.asarray(to_numpy(self._score(point, rest, np.asarray(place, "int32"))))
