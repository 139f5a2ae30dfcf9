"""The ``pathology-classification`` task: a picture, or a whole slide, to what it says of a disease.

Pictures of patients are private: no message, log, cache, card or answer holds a pixel of one.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from keras import layers

from sixarts.batching import Batch, rows_bucket
from sixarts.classification import Lessons
from sixarts.errors import InputError, OptionError
from sixarts.explanation import Explanation
from sixarts.labeled import numbered
from sixarts.media.image_task import ImageTask
from sixarts.media.images import check_image, image_size, read_image
from sixarts.media.sources import path_of
from sixarts.model import read_optional_json, write_json
from sixarts.result import Metrics
from sixarts.training import History, Lesson
from sixarts_diagnosis.acquisition import Acquisition
from sixarts_diagnosis.clinical_metrics import measured
from sixarts_diagnosis.familiarity import Familiarity
from sixarts_diagnosis.image_diagnosis import ImageDiagnosis
from sixarts_diagnosis.mlp_ensemble import MemberCrossentropy
from sixarts_diagnosis.pathology_options import PathologyOptions, PathologyTraining
from sixarts_diagnosis.picture_features import familiar, seen
from sixarts_diagnosis.reliability import KEY, Reliability, disease_of, held_aside
from sixarts_diagnosis.slide_answers import TileAnswer, joined, pooled
from sixarts_diagnosis.slides import check_scan, is_scan, open_slide
from sixarts_diagnosis.tile_processor import read_tiles
from sixarts_diagnosis.tiles import Tile, TileFeatures, tiles

#: Where a model folder keeps what calibration measured.
FILE = "reliability.json"
#: Pictures that are looked at together outside of a call.
TOGETHER = 32
#: Most cases learned from that familiarity is measured on.
MEASURED = 2000


class PathologyTask(ImageTask):
    """Answers pictures with :class:`ImageDiagnosis`, and whole slides with :class:`SlideDiagnosis`.

    A picture is a path, bytes, a ``data:`` URI, a Pillow image or an array; a folder or a glob pattern stands
    for all the pictures in it. A slide is the path of a scanner's file; with ``tile=``, any picture is cut
    like one. A model that pools tiles (``attention_mil``) takes what :meth:`features` gives.

    Example::

        diagnose = sixarts.load("pathology-classification")
        diagnose("chest.png").probability
    """

    Options = PathologyOptions
    Training = PathologyTraining
    #: What calibration measured; and which of two labels is the disease.
    _reliability = Reliability()
    _disease = ""

    # From a picture to an answer.

    @property
    def pools(self) -> bool:
        """Whether the model takes the tiles of a slide together, in place of pictures."""
        return bool(getattr(self.model, "pools_tiles", False))

    @property
    def reliability(self) -> Reliability:
        """What calibration measured of the model; nothing where it never was."""
        return self._reliability

    def check(self, x: Any, options: Any) -> None:
        if self.pools:
            self.model.processor.check(x)
        elif is_scan(x):
            check_scan(x)
        elif not isinstance(x, Tile):
            check_image(x)
            if options.tile and min(image_size(x)) < options.tile:
                tall, wide = image_size(x)
                raise InputError(
                    f"a picture of {tall} × {wide} pixels with tile={options.tile}; expected a tile at "
                    "least; choose a smaller tile="
                )

    def check_example(self, example: Any, options: Any) -> None:
        if self.pools and not self.model.built and isinstance(example, tuple | list) and len(example) == 2:
            # A new model takes its width from the examples.
            read_tiles(example[0])
            self.check_label(example[1])
            return
        super().check_example(example, options)

    def many(self, x: Any) -> Iterable[Any] | None:
        return super().many(x) if not is_scan(x) else None

    def pieces(self, x: Any, options: Any) -> Generator[Any, Any, None]:
        if self.pools or not self._is_cut(x, options):
            yield x
            return
        pixels = self._network_side()
        # The slide stays open for as long as a tile of it is waiting to be read.
        slide = open_slide(x)
        yield from tiles(slide, options.tile or pixels, pixels, options.tissue, path_of(x))

    def _is_cut(self, x: Any, options: Any) -> bool:
        return is_scan(x) or (bool(options.tile) and not isinstance(x, Tile))

    def _network_side(self) -> int:
        """Side of what the network's processor gives."""
        return int(max(self.model.processor_size()))

    def read(self, piece: Any) -> Any:
        if self.pools:
            return self.model.processor.read(piece)
        return piece.read() if isinstance(piece, Tile) else read_image(piece)

    def context(self, piece: Any, read: Any) -> Any:
        return piece if isinstance(piece, Tile | TileFeatures) else path_of(piece)

    def answer(self, batch: Batch, options: Any) -> Mapping[str, np.ndarray]:
        return seen(self.model, batch.arrays)

    def finish(self, outputs: Mapping[str, np.ndarray], batch: Batch, options: Any) -> list[Any]:
        labels, features = self.model.processor.labels, familiar(self.model, batch.arrays, outputs)
        found = self._reliability.diagnoses(outputs["logits"], labels, self._disease_of(), features)
        chances = self._reliability.calibration(outputs["logits"])
        answers: list[Any] = []
        for row, (diagnosis, context) in enumerate(zip(found, batch.context, strict=True)):
            if isinstance(context, Tile):
                answers.append(TileAnswer(context, chances[row], diagnosis.distance))
            elif isinstance(context, TileFeatures):
                answers.append(pooled(diagnosis, context, outputs["attention"][row]))
            else:
                answers.append(ImageDiagnosis(**vars(diagnosis), source=context))
        return answers

    def join(self, results: Sequence[Any], x: Any, options: Any) -> Any:
        if not isinstance(results[0], TileAnswer):
            return results[0]
        return joined(results, self.model.processor.labels, self._disease_of())

    def features(self, x: Any, **options: Any) -> TileFeatures:
        """What the network sees in each tile of a slide: what ``attention_mil`` learns from and answers.

        Args:
            x: a slide, or a picture with ``tile=``.
            **options: as in a call.

        Raises:
            InputError: what cannot be cut; a model whose features nobody can take out.
        """
        chosen = self.chosen(**options)
        if self.pools or not self._is_cut(x, chosen):
            raise InputError(
                "one picture, or a model that pools tiles; expected a slide, or a picture with tile=, and a "
                "model for pictures"
            )
        self.check(x, chosen)
        features, cut = [], []
        for batch in _batched(self.pieces(x, chosen), chosen.batch_size):
            arrays = self.prepare(batch, chosen).filled(rows_bucket(len(batch), chosen.batch_size)).arrays
            outputs = seen(self.model, arrays)
            if "features" not in outputs:
                raise InputError(f"the {self.model.family} family tells no features; expected another family")
            features.append(outputs["features"][: len(batch)].reshape(len(batch), -1))
            cut += batch
        places = np.array([(tile.top, tile.left) for tile in cut])
        return TileFeatures(np.concatenate(features).astype("float32"), places, cut[0].grid)

    def _disease_of(self) -> str:
        return self._disease or disease_of(self.model.processor.labels)

    # Learning.

    def fit(self, examples: Any, validation: Any = None, **options: Any) -> History:
        """Learns from pictures and their labels, and calibrates on a part of them that it holds aside.

        A network that has learned before keeps its batch norms as they are.

        Args:
            examples: pairs of picture and label; a folder with a folder for each label; a file of pairs.
            validation: the same, to measure after each epoch.
            **options: see :class:`PathologyTraining`.
        """
        if isinstance(examples, str | Path):
            examples = self.read_examples(examples)
        examples = list(examples)
        history = super().fit(examples, validation, **options)
        training = self.Training(**options)
        self._disease = self._stated(training.disease)
        if history.stopped != "interrupted":
            aside = self._aside(examples, training)
            learned = [pair for pair, held in zip(examples, aside, strict=True) if not held]
            kept = [pair for pair, held in zip(examples, aside, strict=True) if held]
            self._measure(kept, learned, training)
            self.record.trained[-1:] = [f"{self.record.trained[-1]} Then: {self._reliability}."]
        return history

    def calibrate(self, examples: Any, prevalence: float | None = None, **options: Any) -> Reliability:
        """Calibrates probabilities and sets anew, on cases of your own that the network has not learned from.

        What is familiar stays as ``fit`` measured it.

        Args:
            examples: as for ``fit``.
            prevalence: share of those whom the model will be asked about that have the disease, where it is
                not that of the examples: probabilities are moved to it (Saerens, Latinne and Decaestecker
                2002). Sets keep the coverage that they have among cases like the examples.
            **options: ``coverage``, ``sets`` and ``disease`` of :class:`PathologyTraining`.

        Raises:
            OptionError: a prevalence that is no share, or for more than two labels.
        """
        if prevalence is not None and not (0 < prevalence < 1 and len(self.model.processor.labels) == 2):
            raise OptionError(f"prevalence={prevalence!r}; expected a share, for a model of two labels")
        training = self.Training(**options)
        found = self.collect(examples, "example")
        if training.disease:
            self._disease = self._stated(training.disease)
        familiarity = self._reliability.familiarity
        self._measure(found, (), training)
        self._reliability = replace(self._reliability, familiarity=familiarity)
        if prevalence is not None:
            place = self.model.processor.labels.index(self._disease_of())
            share = np.mean([label == self._disease_of() for _, label in found])
            moved = np.log(prevalence / (1 - prevalence)) - np.log(share / (1 - share))
            usual = self._reliability.calibration
            shifted = replace(usual, shift=float(usual.shift + (moved if place else -moved)))
            self._reliability = replace(self._reliability, calibration=shifted)
        return self._reliability

    def _stated(self, disease: str) -> str:
        labels = self.model.processor.labels
        if disease and disease not in labels:
            raise OptionError(f"disease={disease!r}; expected one of {', '.join(labels[:20])}")
        return disease

    def _aside(self, examples: Sequence[Any], training: Any) -> np.ndarray:
        """Which examples are held aside."""
        labels = sorted({label for _, label in examples})
        numbers = np.array([labels.index(label) for _, label in examples])
        return held_aside(numbers, training.calibration, training.seed)

    def _measure(self, aside: Sequence[Any], learned: Sequence[Any], training: Any) -> None:
        """Measures calibration and sets on some examples, and on others what is familiar."""
        labels, near = self.model.processor.labels, None
        if len(learned):
            chosen = np.random.default_rng(training.seed).permutation(len(learned))[:MEASURED]
            near = self._looked([learned[place] for place in np.sort(chosen)])[1]
        if len(aside):
            logits, _ = self._looked(aside)
            numbers = np.array([numbered(labels, {label})[label] for _, label in aside])
            self._reliability = Reliability.measured(
                logits.astype("float64"),
                numbers,
                near,
                coverage=training.coverage,
                sets=training.sets,
                quantile=training.familiar,
            )
        else:
            place = None if near is None else Familiarity.of(near, training.familiar)
            self._reliability = Reliability(familiarity=place)

    def _looked(self, examples: Sequence[Any]) -> tuple[np.ndarray, np.ndarray | None]:
        """Logits of examples, and the features by which they are familiar, in constant memory."""
        logits, features = [], []
        for start in range(0, len(examples), TOGETHER):
            part = examples[start : start + TOGETHER]
            batch = Batch(self.arrays([self.read(x) for x, _ in part]))
            outputs = seen(self.model, batch.filled(TOGETHER).arrays)
            outputs = {name: array[: len(part)] for name, array in outputs.items()}
            logits.append(outputs["logits"])
            features.append(familiar(self.model, batch.arrays, outputs))
        known = [each for each in features if each is not None]
        return np.concatenate(logits), np.concatenate(known) if known else None

    def adapt(self, examples: Sequence[tuple[Any, str]], training: Any) -> tuple[str, ...]:
        if self.pools:
            self.model = self.model.sized_for(read_tiles(examples[0][0]).shape[1])
        learned_before = self.model.built
        replaced = super().adapt(examples, training)
        if learned_before:
            # A trained network keeps its norms, as transfer learning does: a few pictures of one batch have
            # other statistics than all those that it learned from.
            for layer in self.model.network.layers:
                layer.trainable = layer.trainable and not isinstance(layer, layers.BatchNormalization)
        # What was measured is of another network from here on.
        self._reliability, self._disease = Reliability(), ""
        return replaced

    def taught(self, training: Any) -> Any:
        members = getattr(self.model, "training_network", None)
        return members() if members else self.model.network

    def learn(self, examples: Sequence[tuple[Any, str]], training: Any, epoch: int) -> Iterable[Lesson]:
        aside = self._aside(examples, training)
        kept = [pair for pair, held in zip(examples, aside, strict=True) if not held]
        numbers = numbered(self.model.processor.labels, (label for _, label in examples))
        return BalancedLessons(self, kept, numbers, training, epoch)

    def judging(self, training: Any) -> Any:
        still: dict[str, Any] = dict.fromkeys(("shift", "rotate", "zoom", "contrast", "brightness"), 0.0)
        return replace(training, **still, orientation="fixed", calibration=0.0)

    def augment(self, arrays: dict[str, np.ndarray], training: Any, epoch: int, number: int) -> Any:
        if self.pools or training.changes == Acquisition():
            return arrays
        pixels = training.changes(arrays[self.model.cut], (training.seed, epoch, number))
        return {**arrays, self.model.cut: pixels}

    def loss(self, training: Any) -> Any:
        return {"logits": MemberCrossentropy(training.label_smoothing)}

    def measure(self, results: Sequence[Any], targets: Sequence[str], options: Any) -> Metrics:
        """What a clinician asks, with bootstrap intervals."""
        return measured(results, targets)

    # Explaining.

    def attribute(self, x: Any, method: str, target: Any, options: Any) -> Explanation:
        """What of a picture, or which tiles of a slide, made it this label.

        Args:
            target: a label; the answer by default.

        Raises:
            InputError: a slide whose tiles are judged one by one: its answer is a map already.
        """
        if self.pools:
            from sixarts_diagnosis.tile_attribution import attribute

            return attribute(self, x, method, target, options)
        if self._is_cut(x, options):
            raise InputError(
                "a slide, whose answer is a map of its tiles already; expected one picture, or a tile of it; "
                "see the answer's plot()"
            )
        return super().attribute(x, method, target, options)

    def flops(self, x: Any, result: Any, options: Any) -> float | None:
        return None if self.pools or self._is_cut(x, options) else super().flops(x, result, options)

    # Files.

    def save_extras(self, folder: Path) -> None:
        if self._reliability != Reliability() or self._disease:
            write_json(folder / FILE, {KEY: self._reliability.to_config(), "disease": self._disease})

    def read_extras(self, folder: Path) -> None:
        said = read_optional_json(folder / FILE)
        labels = self.model.processor.labels
        self._reliability = Reliability.from_config(said, len(labels))
        disease = said.get("disease", "")
        self._disease = disease if disease in labels else ""


class BalancedLessons(Lessons):
    """Batches in which the labels count alike, where training says so."""

    @cached_property
    def shares(self) -> np.ndarray:
        """How much an example of each label counts; 1 in the mean."""
        counts = np.bincount([self.numbers[label] for _, label in self.examples], minlength=len(self.numbers))
        return np.asarray(len(self.examples) / np.maximum(counts, 1) / max((counts > 0).sum(), 1))

    def __getitem__(self, place: Any) -> Lesson:  # type: ignore[override]
        lesson = super().__getitem__(place)
        if not self.training.balance:
            return lesson
        weights = lesson.weights["logits"] * self.shares[lesson.targets["logits"]]
        return lesson._replace(weights={"logits": weights.astype("float32")})


def _batched(pieces: Iterable[Any], count: int) -> Iterable[list[Any]]:
    batch: list[Any] = []
    for piece in pieces:
        batch.append(piece)
        if len(batch) == count:
            yield batch
            batch = []
    if batch:
        yield batch
