"""The ``game-agent`` task: an observation to an action, and an environment to a policy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from sixarts.batching import Batch
from sixarts.card import Record
from sixarts.errors import InputError, OptionError, TrainingError
from sixarts.explanation import Explanation
from sixarts.result import Metrics
from sixarts.task import Task, check_options
from sixarts.training import History, Lesson
from sixarts_game_ai.action import Action, Episode
from sixarts_game_ai.agent_attribution import explained
from sixarts_game_ai.agent_options import AgentOptions, AgentTraining
from sixarts_game_ai.agent_processor import AgentProcessor, Spaces
from sixarts_game_ai.environments import Source, is_source, make, named
from sixarts_game_ai.episode_scores import FIGURES, bootstrapped, episode_metrics
from sixarts_game_ai.episodes import LONGEST, play
from sixarts_game_ai.filming import check_film
from sixarts_game_ai.lanes import LaneError
from sixarts_game_ai.playing import Player


@dataclass(frozen=True)
class Trial:
    """Episodes by which an agent is judged: where, with which settings, how many, and of which seeds."""

    source: Source
    settings: Mapping[str, Any]
    episodes: int
    seed: int


class GameAgent(Task):
    """Answers observations with :class:`Action`, and plays episodes.

    An observation is an array or a tuple, as the environment gives it; a list of them is many.

    Example::

        balance = sixarts.load("game-agent", environment="CartPole-v1")
        balance((0.01, -0.02, 0.03, 0.04)).action
        balance.run_episode(seed=1, render="cartpole.gif").total
    """

    Options = AgentOptions
    Training = AgentTraining
    model: Any

    # Answering.

    @property
    def sample(self) -> Any:
        """An observation that this model can read."""
        if self.model.built and (known := self.model.processor.sample) is not None:
            return tuple(known.tolist()) if known.ndim == 1 else known
        return super().sample

    def many(self, x: Any) -> Iterable[Any] | None:
        # JSON has no tuples: a list that is one observation is one.
        return None if isinstance(x, list) and self._is_one(x) else super().many(x)

    def _is_one(self, x: list[Any]) -> bool:
        shape = self.model.processor.spaces.shape if self.model.built else ()
        try:
            return bool(shape) and np.shape(x) == shape
        except ValueError:
            return False

    def check_options(self, options: Any) -> None:
        wanted = options.environment
        if wanted is not None and self.model.built and wanted != self.model.processor.environment:
            raise OptionError(
                f"environment={wanted!r} for a model of {self.model.processor.environment!r}; expected "
                "that, or "
                "another model; sixarts.models('game-agent') lists them, and fit(environment) makes one"
            )

    def check(self, x: Any, options: Any) -> None:
        self.model.processor.read(x)

    def prepare(self, pieces: Sequence[Any], options: Any) -> Batch:
        processor = self.model.processor
        return Batch(processor.arrays(np.stack([processor.read(piece) for piece in pieces])))

    def finish(self, outputs: Mapping[str, np.ndarray], batch: Batch, options: Any) -> list[Action]:
        return self.model.answers(outputs)

    def flops(self, x: Any, result: Any, options: Any) -> float | None:
        return float(self.model.flops())

    # Playing.

    def run_episode(
        self,
        environment: Source | None = None,
        *,
        seed: int | None = None,
        render: str | Path | None = None,
        drawn: bool = False,
        longest: int | None = None,
        **settings: Any,
    ) -> Episode:
        """One episode, from its beginning to its end.

        Args:
            environment: an id, or a function that makes one; the model's own by default.
            seed: of the environment, and of what the policy draws.
            render: file of a film of it, ``.mp4`` (the extra ``video``) or ``.gif``.
            drawn: whether actions are drawn from the policy; else the best are taken.
            longest: steps after which it is cut; 10,000 by default where the environment has no limit.
            **settings: of the environment, beside those that the model learned with.

        Raises:
            InputError: an environment of other spaces, or one that raised in the middle.
            OptionError: a film that cannot be written.
            UnknownName, MissingExtra: no such environment, or something that it needs is not installed.
        """
        film = check_film(render) if render is not None else None
        source, known = self._source(environment)
        player = Player(self.model, source, {**known, **settings})
        try:
            return player.episode(seed, film, drawn, longest or LONGEST)
        except LaneError as error:
            raise InputError(str(error)) from error

    def _source(self, environment: Source | None) -> tuple[Source, dict[str, Any]]:
        """The environment that is meant, and the settings that the model learned with."""
        processor: AgentProcessor = self.model.processor
        if environment is not None and environment != processor.environment:
            return environment, {}
        if not processor.environment or processor.environment.startswith("function "):
            raise OptionError(
                "a model of no environment that has an id; expected one; name it: run_episode(environment)"
            )
        return processor.environment, dict(processor.settings)

    # Learning.

    def fit(self, examples: Any, validation: Any = None, **options: Any) -> History:
        """Learning in an environment, or from examples of what somebody did.

        Args:
            examples: an environment's id or a function that makes one, to learn in; else pairs of observation
                and action, or the path of a file of them, whose behavior is learned.
            validation: pairs, to measure after each epoch.
            **options: see :class:`~sixarts_game_ai.agent_options.AgentTraining`: ``steps``, ``target``,
                ``lanes``, ``seed``, ``folder`` (a killed run with the same folder goes on where it was).

        Returns:
            The history, with ``plot()``: a :class:`~sixarts_game_ai.reinforcement.LearningCurve` of learning
            in an environment. The task answers with what it learned from then on.
        """
        if not is_source(examples):
            for name in ("learning_rate", "clip_norm"):
                options.setdefault(name, 1e-3 if name == "learning_rate" else 1.0)
            return super().fit(examples, validation, **options)
        if validation is not None:
            raise OptionError(
                "validation for learning in an environment, where episodes are judged; expected none; "
                "judged=20 is how many"
            )
        check_options(self.Training, options)
        return self.train(examples, self.Training(**options).of(self.model.family))

    def train(self, source: Source, training: AgentTraining) -> History:
        """Learning in an environment, with options that are complete; see :meth:`fit`."""
        from sixarts_game_ai.reinforcement import Run

        keras.utils.set_random_seed(training.seed)
        replaced = self._adapted(source, training)
        trained, self.card, self.record = self.record.trained, "", Record()
        run = Run(self.model, source, training)
        try:
            history = run.go(replaced)
        finally:
            self.model.stored_dtype = "float32"
        told = f"Learned in {named(source)}: {history}, seed {training.seed}."
        self.record.trained = [*trained, told]
        return history

    def _adapted(self, source: Source, training: AgentTraining) -> tuple[str, ...]:
        """A network for the environment's spaces, unless the one that is there fits them."""
        environment = make(source, **training.settings)
        name = named(source) if isinstance(source, str) else f"function {named(source)}"
        try:
            spaces = Spaces.of(environment, name)
            first = np.asarray(environment.reset(seed=0)[0])
        except Exception as error:
            raise TrainingError(
                f"{named(source)} raised {type(error).__name__} before its first step: {str(error)[:200]}"
            ) from error
        finally:
            environment.close()
        fits = self.model.built and replace(self.model.processor.spaces, names=(), parts=()) == replace(
            spaces, names=(), parts=()
        )
        processor = AgentProcessor(spaces, name, dict(training.settings), sample=first)
        if fits:
            known = self.model.processor
            self.model._processor = replace(
                processor,
                normalized=known.normalized,
                statistics=known.statistics,
                reward_scale=known.reward_scale,
            )
            return ()
        before = f", in the place of one for {self.model.processor.environment}" if self.model.built else ""
        self.model = self.model.build_for(processor)
        return (f"a network for {name}{before}",)

    # Learning from examples.

    def check_example(self, example: Any, options: Any) -> None:
        if not self.model.built:
            if not (isinstance(example, tuple | list) and len(example) == 2):
                raise InputError(f"{example!r:.60}; expected a pair (observation, action)")
            return
        super().check_example(example, options)
        self.model.processor.check_action(example[1])

    def adapt(self, examples: Sequence[Any], training: Any) -> tuple[str, ...]:
        """A network for the examples, where there is none yet."""
        if self.model.built:
            return ()
        processor = AgentProcessor(spaces_of(examples))
        for index, (observation, action) in enumerate(examples):
            try:
                processor.read(observation)
                processor.check_action(action)
            except InputError as error:
                raise InputError(f"example: {error.reason}", index) from None
        self.model = self.model.build_for(processor)
        return ("a network for the examples",)

    def learn(self, examples: Sequence[Any], training: Any, epoch: int) -> Iterable[Lesson]:
        return list(self._lessons(examples, training, epoch))

    def _lessons(self, examples: Sequence[Any], training: Any, epoch: int) -> Iterator[Lesson]:
        processor = self.model.processor
        order = np.random.default_rng([training.seed, epoch]).permutation(len(examples))
        for start in range(0, len(order), training.batch_size):
            rows = order[start : start + training.batch_size]
            # Rows are rounded up, with weight 0, so that few shapes compile.
            size = training.batch_size if len(order) > training.batch_size else len(rows)
            weights = (np.arange(size) < len(rows)).astype("float32")
            rows = np.resize(rows, size)
            seen = np.stack([processor.read(examples[row][0]) for row in rows])
            actions = processor.unacted(np.stack([examples[row][1] for row in rows]))
            taught = self.model.taught
            yield Lesson(processor.arrays(seen), {taught: actions}, {taught: weights})

    def loss(self, training: Any) -> Any:
        if self.model.processor.spaces.continuous:
            return {self.model.taught: keras.losses.MeanSquaredError()}
        return {self.model.taught: keras.losses.SparseCategoricalCrossentropy(from_logits=True)}

    def taught(self, training: Any) -> Any:
        """The output that names actions; an example says nothing of values."""
        network, name = self.model.network, self.model.taught
        return keras.Model(network.input, {name: network.output[name]}, name=f"{self.model.family}_taught")

    # Judging.

    def evaluate(
        self,
        examples: Any = None,
        *,
        episodes: int = 100,
        seed: int = 0,
        **options: Any,
    ) -> Metrics:
        """Returns of episodes, or how often the agent does what examples did, with 95 % intervals.

        Args:
            examples: an environment's id or a function that makes one, the model's own by default: episodes
                are played without noise, and their mean, median and interquartile mean are reported as
                rliable does (Agarwal et al. 2021). Or pairs of observation and action: the share of actions
                that are the same (numbered), or the mean squared error (continuous).
            episodes: how many, each of a seed of its own.
            seed: of their seeds.
            **options: as in a call, and ``dataset``, ``split`` and ``progress`` as for every task.
        """
        if examples is None or is_source(examples):
            if episodes < 1:
                raise OptionError(f"episodes={episodes!r}; expected 1 or more")
            examples = Trial(*self._source(examples), episodes, seed)
        return super().evaluate(examples, **options)

    def collect(self, examples: Any, kind: str) -> Any:
        return examples if isinstance(examples, Trial) else super().collect(examples, kind)

    def judge(self, examples: Any, options: Any, progress: bool | None) -> Metrics:
        if not isinstance(examples, Trial):
            return super().judge(examples, options, progress)
        try:
            found = play(
                self.model, examples.source, examples.episodes, [examples.seed, 0], examples.settings
            )
        except LaneError as error:
            raise InputError(str(error)) from error
        returns, lengths = [each.total for each in found], [each.length for each in found]
        return episode_metrics(returns, lengths, named(examples.source))

    def measure(self, results: Sequence[Any], targets: Sequence[Any], options: Any) -> Metrics:
        if self.model.processor.spaces.continuous:
            far = [
                float(np.mean((result.action - np.asarray(target)) ** 2))
                for result, target in zip(results, targets, strict=True)
            ]
            return Metrics(
                {"squared_error": bootstrapped(far, FIGURES["mean"])},
                "mean squared error of actions; bootstrap",
                len(far),
            )
        same = [float(result.action == target) for result, target in zip(results, targets, strict=True)]
        protocol = "share of examples whose action is the agent's best; bootstrap"
        return Metrics({"agreement": bootstrapped(same, FIGURES["mean"])}, protocol, len(same))

    # Explaining.

    def attribute(self, x: Any, method: str, target: Any, options: Any) -> Explanation:
        """What of the observation made the action.

        Args:
            target: ``"action"`` (the default) explains the best action's logit or value, or the first number
                of a continuous action; ``"value"`` the value.
        """
        return explained(self, x, method, target)


def spaces_of(examples: Sequence[Any]) -> Spaces:
    """Spaces that hold some examples."""
    observation, action = examples[0]
    try:
        seen = np.asarray(observation)
    except ValueError:
        seen = np.array(None)
    if seen.dtype.kind not in "biuf" or not seen.ndim:
        raise InputError(f"example: {observation!r:.60}; expected an observation, an array or a tuple", 0)
    dtype = {"b": "bool", "u": "uint8"}.get(seen.dtype.kind, "float32")
    if np.ndim(action):
        return Spaces(seen.shape, len(action), dtype=dtype, continuous=True)
    for index, (_, each) in enumerate(examples):
        if isinstance(each, bool) or not isinstance(each, int | np.integer) or each < 0:
            raise InputError(f"example: the action {each!r:.60}; expected a whole number from 0", index)
    return Spaces(seen.shape, max(int(each) for _, each in examples) + 1, dtype=dtype)
