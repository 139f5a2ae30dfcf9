"""What a summarizer is asked at a time: sections of a document, and of the summaries of its sections.

A document that a model takes whole is its one section. A longer one is *mapped*: cut at sentence boundaries
into sections of about equal size, which are answered in shared batches; and *reduced*: what was found in them
is put together and read again, in as few sections as it fits, until there is one.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from sixarts_text.sentences import Document, Sentence, joined


@dataclass(frozen=True, eq=False)
class Section:
    """Some sentences that are read together.

    Attributes:
        document: which they are of, or of whose summaries.
        sentences: what is read.
        round: 0 for the document itself, 1 for what was found in its sections, and so on.
        number, of: which of how many sections of its round it is.
    """

    document: Document = field(repr=False)
    sentences: tuple[Sentence, ...] = field(repr=False)
    round: int
    number: int
    of: int

    @property
    def text(self) -> str:
        """The sentences as one text."""
        return joined([sentence.text for sentence in self.sentences])

    @property
    def span(self) -> tuple[int, int]:
        """The characters of the document that it is about."""
        return self.sentences[0].start, self.sentences[-1].end

    def __len__(self) -> int:
        return sum(len(sentence.text) for sentence in self.sentences)


def sections_of(
    document: Document, sentences: Sequence[Sentence], sizes: Sequence[int], room: int, turn: int
) -> list[Section]:
    """Sentences in as few sections as they fit into, of about the same size.

    Args:
        document: which they are of.
        sentences: in order.
        sizes: of each, none above ``room``.
        room: size of a section at most.
        turn: the round.
    """
    groups = packed(sizes, room)
    return [
        Section(document, tuple(sentences[first:last]), turn, number, len(groups))
        for number, (first, last) in enumerate(groups)
    ]


def packed(sizes: Sequence[int], room: int) -> list[tuple[int, int]]:
    """Where groups begin and end that fit into ``room``, each of about the same size.

    >>> packed([1] * 9, 4), packed([3, 3, 1], 4)
    ([(0, 3), (3, 6), (6, 9)], [(0, 1), (1, 3)])
    """
    count = -(-sum(sizes) // room)
    # Sizes may not divide evenly: one group more at a time, until all fit.
    for groups in itertools.count(max(count, 1)):
        goal = -(-sum(sizes) // groups)
        found, first, size = [], 0, 0
        for place, each in enumerate(sizes):
            if size and (size + each > room or size + each / 2 > goal):
                found.append((first, place))
                first, size = place, 0
            size += each
        found.append((first, len(sizes)))
        if len(found) <= groups or groups >= len(sizes):
            return found
    raise AssertionError("a group for each always fits")
