"""One compiled function for each set of input shapes, with variables as arguments.

An eager small network costs ten times as much on JAX, and a closure over weights would bake them in: so
everything a model computes goes through :class:`Compiled`.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from sixarts.device import Device, backend

#: Bytes of compiled functions that are kept on disk, the longest unused going first.
COMPILED_BYTES = 2**30


class Compiled:
    """A function of arrays that reads Keras variables, compiled by the active backend.

    Args:
        function: takes and returns trees (dictionaries, tuples) of tensors; pure but for ``variables``.
        variables: every variable that ``function`` reads.
        device: where it runs; with several devices, arguments are split along their first axis.
        fused: whether TensorFlow compiles with XLA, too; its own convolutions are faster on a CPU.

    Example::

        double = Compiled(lambda x: x * 2, [], Device.of("cpu"))
        double(np.ones(3, "float32"))
    """

    def __init__(
        self,
        function: Callable[..., Any],
        variables: Sequence[Any],
        device: Device,
        fused: bool = True,
    ) -> None:
        self.variables = list(variables)
        self.device = device
        self._run = _COMPILERS[backend()](function, self.variables, fused)

    def __call__(self, *arguments: Any) -> Any:
        """Runs with trees of NumPy arrays or tensors; returns the backend's tensors."""
        with self.device.scope():
            return self._run(*_placed(arguments))


class Loop:
    """Repeats a step on a state for as long as another function says so, compiled by the active backend.

    Args:
        going: a state to whether there is another step.
        step: a state, and what stays the same, to the next state, of the same shapes.
        variables: every variable that ``step`` reads.
        device: where it runs.

    Example::

        add = Loop(lambda x: x[0] < 10, lambda x, y: x + y, [], Device.of("cpu"))
        add(np.zeros(1, "float32"), np.ones(1, "float32"))
    """

    def __init__(
        self,
        going: Callable[[Any], Any],
        step: Callable[..., Any],
        variables: Sequence[Any],
        device: Device,
    ) -> None:
        if backend() == "torch":
            self._run: Callable[..., Any] = _TracedLoop(going, step, device)
        else:

            def whole(state: Any, *rest: Any) -> Any:
                return keras.ops.while_loop(going, lambda now: (step(now, *rest),), (state,))[0]

            self._run = Compiled(whole, variables, device)

    def __call__(self, state: Any, *rest: Any) -> Any:
        """The last state; trees of NumPy arrays or tensors go in, the backend's tensors come out."""
        return self._run(state, *rest)


class _TracedLoop:
    """PyTorch's: the step is traced for each set of shapes, and Python drives it.

    Keras's layers and their checks, which are most of a small step's time, run once then. Variables are
    referred to, not copied: a later assignment is seen.
    """

    def __init__(self, going: Callable[[Any], Any], step: Callable[..., Any], device: Device) -> None:
        self.going, self.step, self.device = going, step, device
        self._traced: dict[Any, tuple[Callable[..., Any], Callable[..., Any]]] = {}

    def __call__(self, state: Any, *rest: Any) -> Any:
        import torch

        with self.device.scope(), torch.no_grad():
            state, rest = _placed((state, rest))
            if not bool(self.going(state)):
                return state
            key = _signature((state, rest))
            if key not in self._traced:
                self._traced[key] = self._trace(state, rest)
            once, run = self._traced[key]
            now = keras.tree.flatten(state)
            same = once(*keras.tree.flatten(rest))
            going: Any = True
            while going:
                going, *now = run(*now, *same)
            return keras.tree.pack_sequence_as(state, now)

    def _trace(self, state: Any, rest: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """What is computed once a call from ``rest``, and the step over the state and that."""
        # What is kept of them is their structure.
        shape, rest_shape = keras.tree.map_structure(lambda _: 0, (state, rest))
        count = len(keras.tree.flatten(state))

        def whole(*leaves: Any) -> list[Any]:
            before = keras.tree.pack_sequence_as(shape, leaves[:count])
            after = self.step(before, *keras.tree.pack_sequence_as(rest_shape, leaves[count:]))
            return [self.going(after), *keras.tree.flatten(after)]

        # The tracer tells inputs apart by what they are, so none may stand in two places.
        copies = keras.tree.map_structure(lambda leaf: leaf.clone(), (state, rest))
        try:
            from torch.fx.experimental.proxy_tensor import make_fx

            graph = make_fx(whole)(*keras.tree.flatten(copies))
        except Exception:
            # A step that looks at values cannot be traced, and runs as it is; so does one with a mistake in
            # it, which is then told without the tracer's words around it.
            return (lambda *fixed: fixed), whole
        graph.graph.eliminate_dead_code()
        return _split(graph, count)


def _split(graph: Any, count: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """A traced step, cut into what does not depend on its first ``count`` inputs, and the rest.

    Ranges, masks, and views of weights and memory are most of a small step's operations, and are the same at
    every step.

    Returns:
        A function of the inputs after the first ``count``, and one of those ``count`` and what that gives.
    """
    import torch

    calls = [node for node in graph.graph.nodes if node.op == "call_function"]
    if any(getattr(getattr(node.target, "_schema", None), "is_mutable", False) for node in calls):
        # What one step writes into, the next would find written.
        return (lambda *fixed: fixed), graph
    drawn = torch.Tag.nondeterministic_seeded
    inputs = [node for node in graph.graph.nodes if node.op == "placeholder"]
    same = set(inputs[count:])
    for node in graph.graph.nodes:
        if node.op == "get_attr" or (
            node.op == "call_function"
            and drawn not in getattr(node.target, "tags", ())
            and same.issuperset(node.all_input_nodes)
        ):
            same.add(node)
    used = [
        node for node in graph.graph.nodes if node in same and any(user not in same for user in node.users)
    ]
    first, then = torch.fx.Graph(), torch.fx.Graph()
    made: dict[Any, Any] = {}
    for node in graph.graph.nodes:
        if node in same:
            made[node] = first.node_copy(node, made.__getitem__)
    first.output([made[node] for node in used])
    made = {node: then.node_copy(node) for node in inputs[:count]}
    made |= {node: then.placeholder(node.name) for node in used}
    for node in graph.graph.nodes:
        if node not in same and node.op != "placeholder":
            made[node] = then.node_copy(node, made.__getitem__)
    once: Callable[..., Any] = torch.fx.GraphModule(graph, first)
    run: Callable[..., Any] = torch.fx.GraphModule(graph, then)
    return once, run


def to_numpy(tree: Any) -> Any:
    """A tree of tensors as NumPy arrays."""
    return keras.tree.map_structure(keras.ops.convert_to_numpy, tree)


def _placed(tree: Any) -> Any:
    distribution = keras.distribution.distribution()
    if distribution is None:
        return keras.tree.map_structure(
            lambda leaf: (
                keras.ops.convert_to_tensor(leaf) if isinstance(leaf, np.ndarray | np.generic) else leaf
            ),
            tree,
        )
    count = distribution.device_mesh.devices.size

    def place(leaf: Any) -> Any:
        if not isinstance(leaf, np.ndarray) or not leaf.ndim or leaf.shape[0] % count:
            return leaf
        layout = distribution.get_data_layout(leaf.shape)
        return keras.distribution.distribute_tensor(keras.ops.convert_to_tensor(leaf), layout)

    return keras.tree.map_structure(place, tree)


def _for_tensorflow(function: Callable[..., Any], variables: list[Any], fused: bool) -> Callable[..., Any]:
    import tensorflow as tf

    # Variables are resources here, passed by reference: a later assignment is seen.
    traced = tf.function(function, jit_compile=fused, autograph=False)
    # Each shape's own function is called: that costs half of the general call, and new shapes, which are
    # meant here, bring no warning.
    concrete: dict[Any, Callable[..., Any]] = {}

    def run(*arguments: Any) -> Any:
        key = _signature(arguments)
        if key not in concrete:
            concrete[key] = traced.get_concrete_function(*arguments)
        return concrete[key](*arguments)

    return run


def _signature(tree: Any) -> Any:
    """Structure, shapes and dtypes of a tree of tensors, to look a compiled function up by."""
    if isinstance(tree, Mapping):
        return tuple((name, _signature(tree[name])) for name in sorted(tree))
    if isinstance(tree, list | tuple):
        return tuple(map(_signature, tree))
    return (tuple(tree.shape), tree.dtype) if hasattr(tree, "shape") else tree


def _for_jax(function: Callable[..., Any], variables: list[Any], fused: bool) -> Callable[..., Any]:
    import jax

    def pure(values: list[Any], *arguments: Any) -> Any:
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return function(*arguments)

    _keep_what_jax_compiles()
    compiled = jax.jit(pure)
    return lambda *arguments: compiled([variable.value for variable in variables], *arguments)


@functools.cache
def _keep_what_jax_compiles() -> None:
    """Turns on JAX's persistent compilation cache, unless somebody chose a folder for it or turned it off.

    What took a second to compile is on this disk for the next process. JAX keys it by program, version and
    processor, and compiles anew what it cannot read. On a disk that cannot be written nothing is kept.
    """
    import jax

    if jax.config.jax_compilation_cache_dir is not None:
        return
    with contextlib.suppress(OSError, RuntimeError):  # the second where nobody has a home
        folder = Path(os.environ.get("SIXARTS_HOME") or "~/.cache/sixarts").expanduser() / "compiled"
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            jax.config.update("jax_compilation_cache_dir", str(folder.absolute()))
            jax.config.update("jax_compilation_cache_max_size", COMPILED_BYTES)


def _for_torch(function: Callable[..., Any], variables: list[Any], fused: bool) -> Callable[..., Any]:
    import torch

    def run(*arguments: Any) -> Any:
        with torch.no_grad():
            return function(*arguments)

    return run


_COMPILERS = {"tensorflow": _for_tensorflow, "jax": _for_jax, "torch": _for_torch}
