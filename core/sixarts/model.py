"""A model: a Keras network with its files, of one family, on one device.

A family writes a :class:`Processor` (NumPy only: what differs by checkpoint on the way in and out) and a
:class:`Model` (the network, and the names of its weights in the published layout).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import keras
import numpy as np

from sixarts.blank import blank_zeros
from sixarts.checkpoint import Target, Weights, assign, open_weights, write_weights
from sixarts.compiled import Compiled, to_numpy
from sixarts.device import Device
from sixarts.errors import CheckpointError, SixartsError, TrainingError
from sixarts.readers.json_file import read_json, read_optional_json, write_json
from sixarts.readers.limits import Limit, check, only

WEIGHTS = "model.safetensors"
CONFIG = "config.json"


class Processor:
    """Turns pieces into arrays and network outputs back; saved with the model. NumPy only."""

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        """Reads the files of the family's layout in ``folder``."""
        raise NotImplementedError

    def save(self, folder: Path) -> None:
        """Writes them."""
        raise NotImplementedError


class Model:
    """A network of one family. Subclasses write :meth:`build` and :meth:`targets`.

    Args:
        config: the content of ``config.json``.
        processor: of the same family; ``None`` for a model whose sizes the training data will decide.
        device: where it runs.
        initializer: of the network's weights; ``"zeros"`` when a checkpoint follows, to skip random draws.

    Attributes:
        network: the ``keras.Model`` that ``fit`` and ``explain`` use, with named inputs and outputs.
        embedded: the tensor of ``network`` where attribution cuts it.
        cut: the name of the network's input that ``embedded`` is made of.
        stored_dtype: the dtype in which weights are saved.
    """

    family: ClassVar[str]
    processor_class: ClassVar[type[Processor]]
    #: Weights of published files that the network does not need, as glob patterns.
    ignored: ClassVar[tuple[str, ...]] = ()
    #: Settings with their usual values, what each may be, and what ``config.json`` holds beside them.
    defaults: ClassVar[Mapping[str, Any]] = {}
    limits: ClassVar[Mapping[str, Limit]] = {}
    stated: ClassVar[frozenset[str]] = frozenset(("model_type", "architectures"))
    #: Names that ``sixarts.new`` may set in ``config.json``; none is checked where it is empty.
    settings: ClassVar[frozenset[str]] = frozenset()

    #: Whether TensorFlow compiles the network with XLA; see :class:`sixarts.compiled.Compiled`.
    fused: ClassVar[bool] = True

    embedded: Any = None
    cut: str = ""

    def __init__(
        self,
        config: Mapping[str, Any],
        processor: Processor | None,
        device: Device | None = None,
        initializer: str = "glorot_uniform",
    ) -> None:
        self.config = dict(config)
        self._processor = processor
        self.device = device or Device.of()
        self.stored_dtype = "float32"
        self._network: keras.Model | None = None
        self._predict: Compiled | None = None
        if processor is not None:
            with self.device.scope():
                self._network = self.build(initializer)

    # What a family writes.

    def build(self, initializer: str) -> keras.Model:
        """The network, every layer named; sets ``embedded`` and ``cut`` on the way."""
        raise NotImplementedError

    @classmethod
    def read_config(cls, folder: Path) -> dict[str, Any]:
        """The content of ``config.json``; a family whose layout tells it in several files joins them here."""
        return read_json(folder / CONFIG)

    @classmethod
    def open_weights(cls, folder: Path) -> Weights:
        """The folder's weights; a family whose layout keeps them in files of its own opens those here."""
        return open_weights(folder)

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        """Published weight names to variables.

        Args:
            names: those that the file has (empty when saving), for weights that a layout may leave out.
        """
        raise NotImplementedError

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        """A complete ``config.json`` for a new network, from the few values that a person states.

        By default that of a layout of one's own, which has no other names than ``defaults`` and ``stated``.
        """
        full = {"model_type": cls.family, "architectures": [cls.__name__], **cls.defaults, **config}
        only(full, {*cls.defaults, *cls.stated}, cls.family)
        check(full, cls.limits)
        return full

    def sized(self, processor: Processor) -> dict[str, Any]:
        """The configuration with the sizes that a new processor asks for, e.g. its vocabulary's."""
        return self.config

    # What everyone gets.

    @property
    def built(self) -> bool:
        """Whether the network is there; one from ``sixarts.new`` comes with its first ``fit``."""
        return self._network is not None

    @property
    def network(self) -> keras.Model:
        return self._there(self._network)

    @property
    def processor(self) -> Any:
        return self._there(self._processor)

    def _there(self, part: Any) -> Any:
        if part is None:
            raise TrainingError(
                f"this {self.family} model is new and has seen no data; call fit(examples) first"
            )
        return part

    def build_for(self, processor: Processor) -> Self:
        """A model of this configuration for a processor that was made from data."""
        return type(self)(self.configure(**self.sized(processor)), processor, self.device)

    @property
    def variables(self) -> list[Any]:
        """Every variable of the network."""
        return list(self.network.variables)

    @property
    def parameters(self) -> int:
        """How many trainable numbers the network has."""
        return int(sum(np.prod(variable.shape) for variable in self.network.trainable_variables))

    @classmethod
    def from_folder(cls, folder: Path, device: Device | None = None) -> Self:
        """Reads a model folder, its own or one in the published layout.

        Raises:
            CheckpointError: a file that is missing or unreadable; weights that do not fit, each named.
        """
        folder = Path(folder)
        config = cls.read_config(folder)
        weights = cls.open_weights(folder)
        with _told_as_unfit(folder, cls.family):
            full = cls.configure(**config)
            processor = cls.processor_class.from_folder(folder, full)
            with blank_zeros(weights.file_bytes):
                model = cls(full, processor, device, initializer="zeros")
            model.read_extras(folder)
        with model.device.scope():
            model.load_weights(weights)
        return model

    def load_weights(self, weights: Weights) -> None:
        """Fills the network strictly; see :func:`sixarts.checkpoint.assign`."""
        self.stored_dtype = assign(self.targets(frozenset(weights.keys())), weights, ignore=self.ignored)

    def read_extras(self, folder: Path) -> None:
        """Reads what a family keeps beside config, weights and processor, e.g. generation settings."""

    def save(self, folder: Path) -> None:
        """Writes config, weights (in ``stored_dtype``) and processor files."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / CONFIG, self.config)
        self.processor.save(folder)
        write_weights(folder / WEIGHTS, _Stored(self.targets(frozenset())), self.stored_dtype)

    def __call__(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The network's outputs for a batch, as NumPy arrays by name."""
        if self._predict is None:
            self._predict = Compiled(self.outputs, self.variables, self.device, self.fused)
        return dict(to_numpy(self._predict(dict(arrays))))

    def outputs(self, inputs: Mapping[str, Any]) -> Any:
        """What a call gives for a batch, tensors to tensors: by default what the network gives."""
        return self.network(inputs, training=False)

    def hidden_constants(self) -> list[str]:
        """Weights that some layer holds and the network does not list; always empty in a sound network."""
        listed = {id(variable) for variable in self.network.variables}
        return [
            f"{layer.name}: {variable.path}"
            for layer in self.network._flatten_layers()
            for variable in layer.variables
            if id(variable) not in listed
        ]


@contextlib.contextmanager
def _told_as_unfit(folder: Path, family: str) -> Iterator[None]:
    """Makes one error of ours of whatever a stranger's files do to a family's reading."""
    try:
        yield
    except SixartsError:
        raise
    except Exception as error:
        raise CheckpointError(
            f"{folder} makes no {family} model ({type(error).__name__}: {str(error)[:300]}); expected "
            "config.json and the processor's files as this family publishes them; fetch the model again, or "
            "choose another"
        ) from error


class _Stored(Mapping[str, np.ndarray]):
    """Variables under their published names, in the file's orientation, one read at a time."""

    def __init__(self, targets: Mapping[tuple[str, ...], Target]) -> None:
        self._targets = {names[0]: target for names, target in targets.items()}

    def __getitem__(self, name: str) -> np.ndarray:
        target = self._targets[name]
        return target.stored(np.asarray(keras.ops.convert_to_numpy(target.variable)))

    def __iter__(self) -> Iterator[str]:
        return iter(self._targets)

    def __len__(self) -> int:
        return len(self._targets)


__all__ = ["CheckpointError", "Model", "Processor", "read_json", "read_optional_json", "write_json"]
