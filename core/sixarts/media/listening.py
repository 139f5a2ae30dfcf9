"""What a network gives that writes down what is said, whichever plugin it is of.

A family that maps ``audio -> transcript`` is a :class:`Listener`: its model tells how it listens. What
differs by kind of network is there; sounds, options, figures and explanations are the task's.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from sixarts.batching import Batch
from sixarts.media.transcript import Transcript, Word
from sixarts.training import Lesson


class Listening(Protocol):
    """The steps of a call and of a lesson; see :class:`sixarts.task.Task` for those of the same names.

    One that can give ``word_gradients(samples, words)``, too, is explained by integrated gradients: values
    ``[words, t]``, seconds from one to the next, and what each row should add up to.
    """

    @property
    def model(self) -> Any:
        """The network; another one where :meth:`adapt` had to change it."""

    @property
    def rate(self) -> int:
        """Samples a second that it hears."""

    @property
    def sequential(self) -> bool:
        """Whether ``pieces`` needs each piece's result before it yields the next."""

    def check_options(self, options: Any) -> None:
        """Raises :class:`~sixarts.errors.OptionError` for what this network cannot follow."""

    # Answering.

    def pieces(self, x: Any, options: Any) -> Iterator[Any]: ...
    def size(self, piece: Any) -> int: ...
    def shape(self, piece: Any) -> Hashable: ...
    def prepare(self, pieces: Sequence[Any], options: Any) -> Batch: ...
    def answer(self, batch: Batch, options: Any) -> Mapping[str, np.ndarray]: ...
    def finish(self, outputs: Mapping[str, np.ndarray], batch: Batch, options: Any) -> list[Any]: ...
    def join(self, results: Sequence[Any], x: Any, options: Any) -> Transcript: ...

    # Explaining.

    @property
    def asking(self) -> Mapping[str, Any]:
        """Options with which an explanation asks for the answer that it explains."""

    def explainable(self, options: Any) -> float:
        """Seconds of the longest sound that is explained."""

    def word_scores(self, sounds: Sequence[np.ndarray], words: Sequence[Word], answer: Any) -> np.ndarray:
        """How probable each word is in each of some sounds, ``[sounds, words]``.

        Args:
            sounds: of one length.
            words: some of the answer's.
            answer: the transcript, with its words.
        """

    # Learning.

    def adapt(self, examples: Sequence[Any], training: Any) -> tuple[str, ...]: ...
    def learn(self, examples: Sequence[Any], training: Any, epoch: int) -> Iterable[Lesson]: ...
    def loss(self, training: Any) -> Any: ...


class Listener(Protocol):
    """A model that can be asked what was said."""

    def listening(self) -> Listening:
        """How it answers."""
