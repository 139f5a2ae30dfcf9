"""The ``linear`` family: each n-gram has a weight for each class, and the weights of a text are added up.

What it answers can be read: ``weights_of(label)`` lists them. Sources: Wang and Manning 2012 ("Baselines and
Bigrams: Simple, Good Sentiment and Topic Classification") for n-grams weighted by naive Bayes' log-count
ratios, under logistic regression as in Mesnil et al. 2015.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import keras
import numpy as np
from keras import layers, ops

from sixarts.checkpoint import Target
from sixarts.compiled import to_numpy
from sixarts.errors import CheckpointError, TrainingError
from sixarts.labeled import LabeledModel, labels_of, naming
from sixarts.readers.limits import NAME, check, number, one_of, some, whole
from sixarts_text.logistic import bags, solved
from sixarts_text.ngrams import NgramProcessor

LIMITS = {
    "num_ngrams": whole(0, 2**22),
    "sizes": some(whole(1, 8), 2),
    "letters": some(whole(1, 32), 2),
    "least": whole(1, 2**20),
    "weighting": one_of("naive-bayes", "none"),
    "smoothing": number(1e-6, 1e6),
    "decay": number(0, 1e6),
    "letter_scale": number(0, 1e3),
    "model_type": NAME,
}


class Table(layers.Layer):  # type: ignore[misc]
    """What each n-gram of a text adds to each class, ``[b, n]`` to ``[b, n, classes]``; padding adds nothing.

    The weight that is learned is multiplied by one that is not: naive Bayes' ratio.

    Args:
        rows: n-grams, padding not counted.
        classes: classes.
        decay: of the squares of what is learned.
        initializer: of what is learned.
    """

    def __init__(self, rows: int, classes: int, decay: float, initializer: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rows, self.classes, self.decay, self.initializer = rows, classes, decay, initializer

    def build(self, shape: Any) -> None:
        size = (self.rows + 1, self.classes)
        self.ratio = self.add_weight(name="ratio", shape=size, initializer="ones", trainable=False)
        self.weight = self.add_weight(
            name="weight",
            shape=size,
            initializer=self.initializer,
            regularizer=keras.regularizers.L2(self.decay) if self.decay else None,
        )
        self.built = True

    def compute_output_spec(self, ids: Any) -> Any:
        return keras.KerasTensor((*ids.shape, self.classes), self.compute_dtype)

    def call(self, ids: Any) -> Any:
        rows = ops.take(self.weight, ids, axis=0) * ops.take(self.ratio, ids, axis=0)
        return ops.cast(rows, self.compute_dtype) * ops.cast(ids > 0, self.compute_dtype)[..., None]


class Linear(LabeledModel):
    """Sums of weights of n-grams.

    Settings: ``sizes``, the fewest and most words of an n-gram; ``letters``, the same of pieces of words,
    empty for none; ``least``, in how many texts such a piece occurs; ``letter_scale``, what their ratios are
    multiplied by, since they are many; ``weighting``, ``"naive-bayes"`` or ``"none"``; ``smoothing`` of the
    ratios; ``decay`` of the weights' squares.

    A new model's weights begin where logistic regression has its optimum; the epochs of ``fit`` go on from
    there, and change little.

    Example::

        sixarts.new("sentiment-analysis", family="linear").fit(examples, epochs=1)
    """

    family = "linear"
    processor_class = NgramProcessor
    cut = "input_ids"
    defaults: ClassVar[Mapping[str, Any]] = {
        "model_type": "linear",
        "architectures": ["LinearForSequenceClassification"],
        "num_ngrams": 0,
        "sizes": [1, 2],
        "letters": [],
        "least": 2,
        "letter_scale": 1.0,
        "weighting": "naive-bayes",
        "smoothing": 1.0,
        "decay": 1e-4,
    }
    settings = frozenset(defaults) | {"id2label", "label2id"}
    head = ("table.weight", "table.ratio", "bias")

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        full = {**cls.defaults, **config}
        check({name: value for name, value in full.items() if value != []}, LIMITS)
        for name in ("sizes", "letters"):
            if list(full[name]) != sorted(full[name]):
                raise CheckpointError(f"{name}={full[name]}; expected the fewest first")
        return full

    def build(self, initializer: str) -> keras.Model:
        c, labels = self.config, labels_of(self.config)
        ids = keras.Input((None,), dtype="int32", name="input_ids")
        self.table = Table(
            c["num_ngrams"], len(labels), c["decay"], "zeros", dtype=self.device.policy, name="table"
        )
        self.bias = Bias(len(labels), name="bias", dtype="float32")
        self.embedded = self.table(ids)
        return keras.Model({"input_ids": ids}, {"logits": self.bias(self.embedded)}, name="linear")

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        return {
            ("table.weight",): Target(self.table.weight),
            ("table.ratio",): Target(self.table.ratio),
            ("bias",): Target(self.bias.bias),
        }

    def processor_for(self, labels: Sequence[str]) -> Any:
        if self.built:
            return self.processor.relabeled(labels)
        raise TrainingError("a new linear model has no n-grams yet; call fit(examples) first")

    def learned_from(self, examples: Sequence[tuple[Any, str]]) -> Self:
        """A model of the n-grams of some texts, whose weights are those of the best logistic regression.

        Args:
            examples: texts (or pairs) and their classes.
        """
        c = self.config
        texts = [x if isinstance(x, str) else "\n".join(x) for x, _ in examples]
        labels = sorted({label for _, label in examples})
        processor = NgramProcessor.learned_from(texts, labels, c["sizes"], c["letters"], c["least"])
        config = self.configure(**{**c, **naming(labels), "num_ngrams": processor.size})
        made = type(self)(config, processor, self.device)
        number = {label: place for place, label in enumerate(labels)}
        made.solve(texts, np.array([number[label] for _, label in examples]))
        return made

    def solve(self, texts: Sequence[str], classes: np.ndarray) -> None:
        """Finds the ratios and weights for texts and the numbers of their classes."""
        c, count = self.config, len(self.processor.labels)
        seen = bags([next(self.processor.pieces(text)).places for text in texts], self.processor.size + 1)
        ratio = np.ones((seen.shape[1], count))
        if c["weighting"] == "naive-bayes":
            one = np.zeros((len(texts), count))
            one[np.arange(len(texts)), classes] = 1
            ratio = log_ratios(seen.T @ one, c["smoothing"])
        ratio *= self._scales()[:, None]
        weights, bias = solved(seen, ratio, classes, c["decay"])
        self.table.ratio.assign(ratio.astype("float32"))
        self.table.weight.assign(weights.astype("float32"))
        self.bias.bias.assign(bias.astype("float32"))

    def _scales(self) -> np.ndarray:
        scale = self.config["letter_scale"]
        return np.array([1.0, *(scale if n.startswith("#") else 1.0 for n in self.processor.ngrams)])

    def weights_of(self, label: str, top: int = 20) -> dict[str, float]:
        """The n-grams that count most for and against a class, with what they add to its log-odds.

        Args:
            label: a class.
            top: how many; those that count most, whichever way, the largest first.
        """
        labels = self.processor.labels
        if label not in labels:
            raise CheckpointError(f"label {label!r}; expected one of {', '.join(labels)}")
        whole = to_numpy(self.table.weight) * to_numpy(self.table.ratio)
        other = np.delete(whole, labels.index(label), axis=1).mean(axis=1)
        odds = whole[1:, labels.index(label)] - other[1:]
        best = np.argsort(-np.abs(odds), kind="stable")[:top]
        chosen = sorted(best.tolist(), key=lambda place: -odds[place])
        return {self.processor.ngrams[place]: float(odds[place]) for place in chosen}

    def flops(self, arrays: Mapping[str, np.ndarray]) -> float:
        """Operations for one row: a product and a sum for each n-gram and class."""
        return 2.0 * max(1, int((arrays["input_ids"] > 0).sum())) * len(self.processor.labels)

    def scaled(self, factor: float) -> None:
        """Multiplies every logit, by which probabilities are calibrated (Guo et al. 2017)."""
        for variable in (self.table.weight, self.bias.bias):
            variable.assign(to_numpy(variable) * factor)


class Bias(layers.Layer):  # type: ignore[misc]
    """Adds up what n-grams give ``[b, n, classes]``, and a bias."""

    def __init__(self, classes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.classes = classes

    def build(self, shape: Any) -> None:
        self.bias = self.add_weight(name="bias", shape=(self.classes,), initializer="zeros")
        self.built = True

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor((x.shape[0], self.classes), "float32")

    def call(self, x: Any) -> Any:
        return ops.sum(ops.cast(x, "float32"), axis=1) + self.bias


def log_ratios(seen: np.ndarray, smoothing: float) -> np.ndarray:
    """Naive Bayes' log-count ratios, of how many texts of each class have each n-gram ``[n, classes]``.

    Each class is held against all others together.

    >>> log_ratios(np.array([[0.0, 0.0], [3.0, 0.0]]), 1.0).round(3).tolist()
    [[-0.916, 0.916], [0.47, -0.47]]
    """
    inside = seen + smoothing
    outside = seen.sum(axis=1, keepdims=True) - seen + smoothing
    return np.asarray(np.log((inside / inside.sum(axis=0)) / (outside / outside.sum(axis=0))))
