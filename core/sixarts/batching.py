"""Many inputs through one model: bucketed shapes, micro-batches, results in order, constant memory.

Shapes are rounded up to a few sizes, since every new one compiles anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from sixarts.errors import InputError

#: Sizes that the lengths of sequences are rounded up to.
LENGTHS = (16, 32, 64, 128, 256, 512, 1024)
#: Batches that a stream holds at most.
WINDOW = 8
#: Finer ones for training, where a compile is paid once for many epochs.
TRAINING_LENGTHS = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024)


def bucket(size: int, sizes: Sequence[int] = LENGTHS) -> int:
    """The smallest of ``sizes`` that holds ``size``; beyond the last, ``size`` itself.

    >>> bucket(17), bucket(16), bucket(5000)
    (32, 16, 5000)
    """
    return next((step for step in sizes if size <= step), size)


def rows_bucket(rows: int, most: int) -> int:
    """Rows rounded up to a power of two, and to no more than ``most``.

    >>> [rows_bucket(n, 24) for n in (1, 3, 9, 20)]
    [1, 4, 16, 24]
    """
    return min(1 << max(rows - 1, 0).bit_length(), most)


@dataclass(frozen=True)
class Batch:
    """What ``Task.prepare`` makes of some pieces.

    Attributes:
        arrays: the model's inputs, each with one row a piece.
        context: one entry a row, for ``finish``: image size, offsets, layout.
    """

    arrays: Mapping[str, np.ndarray]
    context: Sequence[Any] = ()

    def filled(self, rows: int) -> Batch:
        """The batch with its last row repeated until there are ``rows``; the context stays."""
        have = len(next(iter(self.arrays.values())))
        if have >= rows:
            return self
        return Batch(
            {
                name: np.concatenate([array, np.repeat(array[-1:], rows - have, axis=0)])
                for name, array in self.arrays.items()
            },
            self.context,
        )


class Round(tuple[Any, ...]):
    """Pieces that a sequential task yields at once: they share batches, and it is sent a list of results.

    The sections of a document are one, and the summaries of those the next.
    """


class Engine(Protocol):
    """The part of a task that :func:`stream` drives."""

    @property
    def sequential(self) -> bool: ...

    def check(self, x: Any, options: Any) -> None: ...
    def pieces(self, x: Any, options: Any) -> Generator[Any, Any, None]: ...
    def size(self, piece: Any) -> int: ...
    def shape(self, piece: Any) -> Hashable: ...
    def prepare(self, pieces: Sequence[Any], options: Any) -> Any: ...
    def answer_batch(self, batch: Any, options: Any) -> list[Any]: ...
    def join(self, results: Sequence[Any], x: Any, options: Any) -> Any: ...


@dataclass
class _Slot:
    """One input on its way."""

    index: int
    x: Any
    pieces: Generator[Any, Any, None] | None = None
    results: list[Any] = field(default_factory=list)
    waiting: int = 0
    asked: Any = None
    cutting: bool = False
    failure: InputError | None = None

    @property
    def done(self) -> bool:
        return self.waiting == 0 and not self.cutting


def stream(
    engine: Engine,
    inputs: Iterable[Any],
    options: Any,
    batch_size: int,
    failed: Callable[[InputError], Any],
    *,
    single: bool = False,
    checked: bool = False,
) -> Iterator[Any]:
    """Results of ``inputs``, in order.

    Pieces of several inputs share batches where they are of one shape, sorted by size so that little is
    padded. At most a window of eight batches is held, in inputs as in pieces, since an input may have none,
    or more than memory holds; the first window is one batch, so that the first results come soon. Within a
    window each batch is prepared (files decoded, texts cut into tokens) while the one before it is answered.

    Args:
        engine: the task.
        inputs: anything iterable, longer than memory if need be.
        options: handed to the engine.
        batch_size: pieces in a batch.
        failed: what stands in the place of an input that cannot be answered; may raise.
        single: whether the input came alone, so that messages name no index.
        checked: whether the inputs were checked already.
    """
    slots: deque[_Slot] = deque()
    queue: list[tuple[_Slot, int, Any]] = []
    source = enumerate(inputs)
    window, ended = batch_size, False
    unreadable: InputError | None = None
    while True:
        # What is done is given before more is read: the source may be a person who types.
        while slots and slots[0].done:
            yield _closed(engine, slots.popleft(), options, failed, single)
        if len(queue) < window and slots and slots[-1].cutting:
            _cut(slots[-1], queue)
            continue
        if not ended and len(queue) < window and len(slots) < batch_size * WINDOW:
            try:
                index, x = next(source, (0, _END))
            except InputError as error:
                # The source itself is broken, e.g. a line that is not UTF-8: what came before is answered.
                unreadable, x = error, _END
            if x is _END:
                ended = True
            else:
                slots.append(_opened(engine, index, x, options, queue, checked))
            continue
        if not queue:
            if unreadable is not None:
                raise unreadable
            return
        taken, queue = queue[:window], queue[window:]
        taken.sort(key=lambda item: engine.size(item[2]))
        chunks = _chunks(engine, taken, batch_size)
        for chunk, results in _answered(engine, chunks, options):
            for (slot, place, _), result in zip(chunk, results, strict=True):
                _deliver(engine, slot, place, result, queue)
        window = min(window * 2, batch_size * WINDOW)


def _opened(engine: Engine, index: int, x: Any, options: Any, queue: list[Any], checked: bool) -> _Slot:
    slot = _Slot(index, x)
    try:
        if not checked:
            engine.check(x, options)
        slot.pieces = engine.pieces(x, options)
        if engine.sequential:
            _enqueue(slot, next(slot.pieces, _END), queue)
        else:
            slot.cutting = True
    except InputError as error:
        slot.failure = error
    return slot


def _cut(slot: _Slot, queue: list[Any]) -> None:
    """Takes the next piece of an input whose pieces do not wait for each other's results."""
    assert slot.pieces is not None
    try:
        piece = _END if slot.failure else next(slot.pieces, _END)
    except InputError as error:
        # Pieces of it that already wait are answered and dropped: the input as a whole failed.
        slot.failure, piece = error, _END
    slot.cutting = piece is not _END
    _enqueue(slot, piece, queue)


_END: Any = object()


def _enqueue(slot: _Slot, piece: Any, queue: list[Any]) -> None:
    if piece is _END:
        return
    slot.asked = piece
    for each in piece if isinstance(piece, Round) else (piece,):
        queue.append((slot, len(slot.results), each))
        slot.results.append(None)
        slot.waiting += 1


def _chunks(engine: Engine, taken: Sequence[Any], batch_size: int) -> list[Sequence[Any]]:
    """Batches of pieces of one shape each."""
    alike: dict[Hashable, list[Any]] = {}
    for item in taken:
        alike.setdefault(engine.shape(item[2]), []).append(item)
    return [
        group[start : start + batch_size]
        for group in alike.values()
        for start in range(0, len(group), batch_size)
    ]


def _answered(
    engine: Engine, chunks: Sequence[Sequence[Any]], options: Any
) -> Iterator[tuple[Sequence[Any], list[Any]]]:
    """Each batch with its results; the next one is made ready meanwhile."""
    if len(chunks) == 1:
        yield chunks[0], _answers(engine, chunks[0], options)
        return
    with ThreadPoolExecutor(1, "sixarts-ready") as ahead:
        waiting = ahead.submit(engine.prepare, _pieces(chunks[0]), options)
        for chunk, after in zip(chunks, [*chunks[1:], None], strict=True):
            made = waiting
            if after is not None:
                waiting = ahead.submit(engine.prepare, _pieces(after), options)
            yield chunk, _answers(engine, chunk, options, made.result)


def _pieces(chunk: Sequence[Any]) -> list[Any]:
    return [piece for _, _, piece in chunk]


def _answers(
    engine: Engine, chunk: Sequence[Any], options: Any, made: Callable[[], Any] | None = None
) -> list[Any]:
    """Results of a batch; when one of its pieces cannot be answered, the others still are."""
    try:
        return engine.answer_batch(made() if made else engine.prepare(_pieces(chunk), options), options)
    except InputError as error:
        if len(chunk) == 1:
            return [error]
        return [_answers(engine, [item], options)[0] for item in chunk]


def _deliver(engine: Engine, slot: _Slot, place: int, result: Any, queue: list[Any]) -> None:
    slot.waiting -= 1
    if isinstance(result, InputError):
        slot.failure = slot.failure or result
        return
    slot.results[place] = result
    if engine.sequential and slot.pieces is not None and slot.failure is None and not slot.waiting:
        told = slot.results[-len(slot.asked) :] if isinstance(slot.asked, Round) else result
        try:
            _enqueue(slot, slot.pieces.send(told), queue)
        except StopIteration:
            return
        except InputError as error:
            slot.failure = error


def _closed(
    engine: Engine, slot: _Slot, options: Any, failed: Callable[[InputError], Any], single: bool
) -> Any:
    if slot.failure is None:
        return engine.join(slot.results, slot.x, options)
    return failed(InputError(slot.failure.reason, None if single else slot.index))


def shuffled(sizes: Sequence[int], batch_size: int, seed: int, epoch: int) -> list[tuple[int, list[int]]]:
    """Indices in batches of like size, shuffled anew each epoch.

    Args:
        sizes: of each example, e.g. its number of tokens.
        batch_size: examples a batch; the last of each bucket may be smaller.
        seed, epoch: the same two give the same batches.

    Returns:
        The bucket's size and the indices, for each batch.
    """
    random = np.random.default_rng([seed, epoch])
    groups: dict[int, list[int]] = {}
    for index in random.permutation(len(sizes)):
        groups.setdefault(bucket(sizes[index], TRAINING_LENGTHS), []).append(int(index))
    batches = [
        (size, group[start : start + batch_size])
        for size, group in sorted(groups.items())
        for start in range(0, len(group), batch_size)
    ]
    return [batches[place] for place in random.permutation(len(batches))]
