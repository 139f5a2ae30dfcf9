"""What the networks that spell by CTC share: a row of tokens' scores for every few hundredths of a second."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

import numpy as np

from sixarts.media.listening import Listening
from sixarts.model import Model
from sixarts_speech.vocabulary import Vocabulary


class CTCProcessor(Protocol):
    """What a CTC family's processor gives."""

    vocabulary: Vocabulary
    #: Samples a second that the network hears.
    rate: int

    def arrays(self, sounds: Sequence[np.ndarray], size: int) -> dict[str, np.ndarray]:
        """The network's inputs for some sounds ``[n]``, filled up to ``size`` samples."""
        ...


class CTCModel(Model):
    """A network over sound with an output ``logits`` ``[b, frames, tokens]``."""

    #: Samples from one frame to the next.
    stride: ClassVar[int] = 320

    @property
    def step(self) -> float:
        """Seconds from one position of the input that is ``cut`` to the next."""
        raise NotImplementedError

    def listening(self) -> Listening:
        from sixarts_speech.ctc_listening import CTCListening

        return CTCListening(self)

    def frames(self, samples: int) -> int:
        """How many frames a sound of so many samples has."""
        raise NotImplementedError

    def with_vocabulary(self, vocabulary: Vocabulary) -> Any:
        """A copy that spells with these tokens: a new head on what this network knows of sound."""
        raise NotImplementedError
