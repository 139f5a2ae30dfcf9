"""The ``game-strategy`` task: a position to the best move, found by search with a network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sixarts.batching import Batch
from sixarts.errors import InputError, OptionError, TrainingError
from sixarts.explanation import Explanation
from sixarts.result import Metrics
from sixarts.task import Task, check_options
from sixarts.training import Lesson
from sixarts_game_ai.evaluator import evaluator
from sixarts_game_ai.games import playable
from sixarts_game_ai.move import Move, move_of
from sixarts_game_ai.positions import read_position, readable
from sixarts_game_ai.search import Search, search
from sixarts_game_ai.searched import Searched
from sixarts_game_ai.strategy_options import StrategyOptions, StrategyTraining
from sixarts_game_ai.strategy_targets import Target, read_target


class StrategyTask(Task):
    """Answers positions with a :class:`~sixarts_game_ai.move.Move`.

    A list of numbers is one position; a list of texts, lists or mappings is many.

    Example::

        play = sixarts.load("game-strategy", game="connect_four")
        play("4455").action
        play(["4455", "44"], simulations=100)
    """

    Options = StrategyOptions
    Training = StrategyTraining
    #: Of signature ``board -> policy, value``.
    model: Any

    @classmethod
    def choosing(cls, options: Mapping[str, Any]) -> Mapping[str, Any]:
        game = options.get("game")
        if game is None:
            return options
        if not isinstance(game, str):
            raise OptionError(f"game={game!r}; expected a name such as 'connect_four'")
        name = playable(game)
        return {**options, "game": name if not name.startswith("go(") else "go"}

    # From an input to a search.

    def many(self, x: Any) -> Iterable[Any] | None:
        """A list of texts, lists or mappings is many inputs; a list of numbers is one position."""
        if isinstance(x, list) and not (x and all(isinstance(each, int | np.integer) for each in x)):
            return x
        return None

    def position(self, x: Any) -> Any:
        """The position that an input stands for, of this model's game, and not over.

        Raises:
            InputError: see :func:`sixarts_game_ai.positions.read_position`.
        """
        processor = self.model.processor
        position = readable(read_position(x, self.game), x)
        processor.check(position)
        return position

    @property
    def game(self) -> str:
        """The game that this model plays, or that a new one will learn."""
        if not self.model.built:
            return str(self.model.config.get("game", "go"))
        processor = self.model.processor
        return str(processor.game or processor.start().game)

    @property
    def sample(self) -> Any:
        if self.game == "connect_four":
            return self.spec.samples[0]
        own = self.model.processor if self.model.built else None
        return getattr(own, "sample", {"moves": ""})

    def check(self, x: Any, options: Any) -> None:
        self.position(x)

    def prepare(self, pieces: Sequence[Any], options: Any) -> Batch:
        """Positions as the network reads them; the context is what the search needs."""
        positions = [self.position(piece) for piece in pieces]
        return Batch(self.model.processor.arrays(positions), list(zip(pieces, positions, strict=True)))

    def answer_batch(self, batch: Batch, options: Any) -> list[Any]:
        """Searches the positions side by side."""
        found = self.search([position for _, position in batch.context], options)
        return [self.moved(each, x, options) for each, (x, _) in zip(found, batch.context, strict=True)]

    def search(self, positions: Sequence[Any], options: Any, trees: Any = None) -> list[Searched]:
        """What the search finds at positions.

        Args:
            positions: of one game, that are not over.
            options: of the call.
            trees: what earlier searches learned of each, or ``None``.
        """
        settings = options.settings(self.model.processor)
        return search(positions, self.evaluator(options), settings, options.seed, None, trees)

    def evaluator(self, options: Any) -> Any:
        """The network as the search asks it, for leaves of one root at a time: nothing else changes them."""
        return evaluator(self.model, options.lanes)

    def moved(self, found: Searched, x: Any, options: Any) -> Move:
        """What a search found of an input as an answer."""
        action = found.best
        if options.temperature:
            action = drawn(found, options.temperature, options.seed)
        said = getattr(self.model.processor, "told", None)
        extras = said(found) if said is not None else {}
        return move_of(found, action, _numbers(x), extras)

    def _lived(self, x: Any, chosen: Any) -> Iterator[Any]:
        """The move as the search deepens: at 8, 16, 32, … simulations, and at the end."""
        position = self.position(x)
        running = Search(
            [position], self.evaluator(chosen), chosen.settings(self.model.processor), chosen.seed
        )
        due = 8
        while running.round():
            if running.done[0] >= due:
                yield self.moved(running.results()[0], x, chosen)
                due *= 2
        yield self.moved(running.results()[0], x, chosen)

    def flops(self, x: Any, result: Any, options: Any) -> float | None:
        count = getattr(self.model, "flops", None)
        return float(count() * max(result.simulations, 1)) if count is not None else None

    # Learning.

    def check_example(self, example: Any, options: Any) -> None:
        if not (isinstance(example, tuple | list) and len(example) == 2):
            raise InputError(f"{str(example)[:60]!r}; expected a pair (position, target)")
        self.lesson(example)

    def lesson(self, example: Any) -> tuple[Any, Target]:
        """An example's position and target."""
        position = readable(read_position(example[0], self.game), example[0])
        return position, read_target(example[1], position)

    def adapt(self, examples: Sequence[Any], training: Any) -> tuple[str, ...]:
        return self.begin(None)

    def begin(self, game: str | None) -> tuple[str, ...]:
        """Builds the network of a new model for its game; tells what is new."""
        if not getattr(self.model, "learns", True):
            raise TrainingError(
                f"a model of family {self.model.family} is not trained here; expected one that learns by "
                "self-play: sixarts.new('game-strategy', family='alphazero', game=...)"
            )
        if self.model.built:
            return ()
        from sixarts_game_ai.board_processor import BoardProcessor
        from sixarts_game_ai.games import start_of

        config = self.model.config
        start = start_of(game or config["game"])
        self.model = self.model.build_for(BoardProcessor.of(start, config["discount"]))
        return (f"a network for {start.game}",)

    def learn(self, examples: Sequence[Any], training: Any, epoch: int) -> Iterable[Lesson]:
        from sixarts_game_ai.strategy_lessons import lessons

        read = [self.lesson(example) for example in examples]
        return lessons(
            self.model.processor, [each for each, _ in read], [each for _, each in read], training, epoch
        )

    def loss(self, training: Any) -> Any:
        from sixarts_game_ai.self_play_learner import losses

        return losses()

    def train(self, game: str | None = None, **options: Any) -> Any:
        """Learns by playing against itself, and goes on from what the model knows.

        Args:
            game: of a new model, e.g. ``"hex(board_size=5)"``; what it was made for when left out.
            **options: see :class:`~sixarts_game_ai.self_play_options.SelfPlayTraining`: ``iterations``,
                ``minutes``, ``games``, ``simulations``, ``folder`` (a killed run goes on there), ``ladder``.

        Returns:
            A :class:`~sixarts_game_ai.self_play_options.SelfPlayHistory`, with ``plot()``.
        """
        from sixarts_game_ai.games import start_of
        from sixarts_game_ai.ladder import Ladder
        from sixarts_game_ai.self_play_learning import reinforce
        from sixarts_game_ai.self_play_options import SelfPlayTraining

        check_options(SelfPlayTraining, options)
        training = SelfPlayTraining(**options)
        self.begin(playable(game) if game is not None else None)
        name = self.model.processor.game
        if game is not None and playable(game) != name:
            raise OptionError(f"game={game!r} for a model of {name}; expected that, or a new model")
        start = start_of(name)
        judge = Ladder(self.model, start, training) if training.ladder else None
        trained, self.card, self.record = self.record.trained, "", type(self.record)()
        history = reinforce(self.model, start, training, judge)
        self.model.stored_dtype = "float32"
        self.record.trained = [*trained, f"Self-play of {name}: {history}, seed {training.seed}."]
        return history

    # Judging and explaining.

    def measure(self, results: Sequence[Any], targets: Sequence[Any], options: Any) -> Metrics:
        from sixarts_game_ai.strategy_metrics import measured

        read = [read_target(t, move.board) for t, move in zip(targets, results, strict=True)]
        return measured(results, read, options)

    def attribute(self, x: Any, method: str, target: Any, options: Any) -> Explanation:
        """What the network looked at, or what the search looked at.

        Args:
            target: ``"move"`` (the chosen move, the default) or ``"value"``; a move for that move. The tree
                has ``"visits"``.
        """
        from sixarts_game_ai.strategy_explanation import explained

        return explained(self, x, method, target, options)

    def review(self, sgf: str | Path, **options: Any) -> Any:
        """A whole game of Go from an SGF file: how the chances went, and the moves that lost most."""
        from sixarts_game_ai.analysis import review

        return review(sgf, self.model, **options)

    @classmethod
    def read_document(cls, path: str | Path) -> tuple[Any, dict[str, Any]]:
        return Path(path), {}


def drawn(found: Searched, temperature: float, seed: int) -> int:
    """A move by its share of visits to the power of ``1 / temperature``; a proven win is always played."""
    if found.proven is not None and found.proven.value == 1:
        return found.best
    hopeful = [
        place
        for place, action in enumerate(found.actions.tolist())
        if found.visits[place] and found.proofs.get(action, (0,))[0] >= 0
    ]
    if not hopeful:
        return found.best
    logs = np.log(found.visits[hopeful].astype("float64")) / temperature
    shares = np.exp(logs - logs.max())
    random = np.random.default_rng([seed, *found.position.history])
    return int(found.actions[hopeful][random.choice(len(hopeful), p=shares / shares.sum())])


def _numbers(x: Any) -> bool:
    """Whether an input names moves by their numbers."""
    moves = x.get("moves") if isinstance(x, Mapping) else x
    return isinstance(moves, list | tuple | np.ndarray) and len(moves) > 0 and not isinstance(moves[0], str)
