"""The search: right against minimax, alone or in company, within its budget, the same each time."""

from __future__ import annotations

import time
import zlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixarts.errors import InputError, OptionError
from sixarts_game_ai.board_recipe import solved
from sixarts_game_ai.breakthrough import Breakthrough
from sixarts_game_ai.connect_four import ConnectFour
from sixarts_game_ai.descent import compiled
from sixarts_game_ai.evaluation import Evaluation, legal_softmax, softmax, uniform
from sixarts_game_ai.forest import GIVEN
from sixarts_game_ai.games import start_of
from sixarts_game_ai.ladder import openings
from sixarts_game_ai.search import Search, search
from sixarts_game_ai.search_settings import SearchSettings, halving
from sixarts_game_ai.searched import Proof

pytestmark = pytest.mark.quick


def noisy(positions: Sequence[Any]) -> Evaluation:
    """A network of sorts: what it says goes by the position alone, and means nothing."""
    rows = []
    for position in positions:
        draw = np.random.default_rng(zlib.crc32(repr((position.game, position.key())).encode()))
        rows.append(draw.normal(size=position.actions + 4))
    logits = np.array(rows, "float32")
    wdl = softmax(logits[:, -3:])
    return Evaluation(legal_softmax(logits[:, :-4], positions), np.tanh(logits[:, -4]) * 0.9, wdl)


@cache
def known(game: str) -> dict[Any, tuple[Any, int]]:
    return solved(start_of(game))


def worth(position: Any, action: int) -> int:
    """What a move is worth to who plays it, by minimax."""
    after = position.play(action)
    if after.finished:
        return round(after.value()) * (1 - 2 * position.player)
    return -known(position.game)[after.key()][1]


@pytest.mark.parametrize("evaluate", [uniform, noisy])
@pytest.mark.parametrize("root", ["puct", "gumbel"])
def test_proves_what_minimax_says(evaluate: Any, root: str) -> None:
    """Wherever the search proves a result, it is minimax's; late positions are all proven."""
    for game in ("tic_tac_toe", "hex(board_size=3)"):
        entries = list(known(game).values())
        picked = np.random.default_rng(0).choice(len(entries), 120, replace=False)
        late = 0
        for found, (position, value) in zip(
            search(
                [entries[i][0] for i in picked], evaluate, SearchSettings(simulations=400, lanes=4, root=root)
            ),
            [entries[i] for i in picked],
            strict=True,
        ):
            if found.proven is not None:
                assert found.proven.value == value
                assert worth(position, found.best) == value
            for action, proof in found.proofs.items():
                assert proof.value == worth(position, action)
            if len(position.moves()) <= 5:
                late += 1
                assert found.proven is not None
        assert late > 10


def plies(position: Any, value: int, memory: dict[Any, int]) -> int:
    """How soon the winner wins, when the loser holds out, by brute force."""
    key = position.key()
    if key not in memory:
        steps = []
        for action in position.moves():
            after = position.play(action)
            if worth(position, action) == value:
                steps.append(1 if after.finished else 1 + plies(after, -value, memory))
        memory[key] = min(steps) if value == 1 else max(steps)
    return memory[key]


def test_prefers_the_quickest_win_and_the_slowest_loss() -> None:
    entries = [(p, v) for p, v in known("tic_tac_toe").values() if v and len(p.moves()) <= 6]
    memory: dict[Any, int] = {}
    answers = search([p for p, _ in entries], noisy, SearchSettings(simulations=600, lanes=1, discount=0.95))
    for found, (position, value) in zip(answers, entries, strict=True):
        assert found.proven is not None
        assert found.proven.value == value
        assert found.proven.plies == plies(position, value, memory)
        assert len(found.variation) == found.proven.plies


def score(position: Any, memory: dict[Any, int]) -> int:
    """1000 less the plies to a win for the player to move, the same below zero for a loss, 0 for a draw."""
    key = position.key()
    if key not in memory:
        memory[key] = max(after_move(position, action, memory) for action in np.flatnonzero(position.legal()))
    return memory[key]


def after_move(position: Any, action: int, memory: dict[Any, int]) -> int:
    """The score of a move for who plays it, by brute force."""
    after = position.play(int(action))
    if after.finished:
        return 999 * round(after.value()) * (1 - 2 * position.player)
    found = -score(after, memory)
    return found - int(np.sign(found))


@pytest.mark.parametrize(("start", "plies"), [(ConnectFour.start(), 28), (Breakthrough.start(5, 3), 10)])
@pytest.mark.parametrize("lanes", [1, 8])
def test_looking_ahead_changes_no_result(start: Any, plies: int, lanes: int) -> None:
    """Where two plies are seen without the network, proofs are brute force's, to the ply."""
    memory: dict[Any, int] = {}
    random = np.random.default_rng(plies)
    roots: list[Any] = []
    while len(roots) < 20:
        position = start
        while not position.finished and len(position.history) < plies:
            position = position.play(int(random.choice(np.flatnonzero(position.legal()))))
        roots += [position] * (not position.finished)
    settings = SearchSettings(simulations=1000, lanes=lanes, discount=0.98)
    for found, position in zip(search(roots, noisy, settings), roots, strict=True):
        best = score(position, memory)
        assert found.proven == (int(np.sign(best)), 1000 - abs(best) if best else 0)
        assert after_move(position, found.best, memory) == best
        assert len(found.variation) == found.proven.plies or not best
        for action, proof in found.proofs.items():
            exact = after_move(position, action, memory)
            assert proof.value == np.sign(exact)
            # A move that is not the best may be known less well: its end comes so soon at the latest.
            assert proof.plies >= (1000 - abs(exact) if exact else 0)


def test_a_forced_move_keeps_its_tree() -> None:
    """A position with a single move worth a look was not shown to the network, and can be gone on from."""
    position = ConnectFour.start()
    for move in "172":
        position = position.play(int(move) - 1)
    (first,) = search([position], uniform, SearchSettings(simulations=800))
    for move in "73":
        position = position.play(int(move) - 1)
        tree = first.tree.after(int(move) - 1)
        assert tree is not None
        first = replace(first, tree=tree)
    assert first.tree.forest.count[first.tree.node] == 1
    before = first.tree.visits
    (second,) = search([position], uniform, SearchSettings(simulations=50), trees=[first.tree])
    assert second.tree.visits == before + 50
    assert (second.best + 1, len(second.actions)) == (4, 7)
    assert [str(proof) for proof in second.proofs.values()].count("loss in 2") >= 6


def test_wins_at_once_and_parries() -> None:
    for moves, best in (("112233", {4}), ("4142434", set()), ("121213", {1}), ("4455", {3, 6})):
        position = ConnectFour.start()
        for move in moves:
            if not position.finished:
                position = position.play(int(move) - 1)
        if position.finished:
            continue
        (found,) = search([position], uniform, SearchSettings(simulations=300))
        assert found.best + 1 in best
        assert found.proven is not None
        assert found.proven.value == 1
    # Three in a row, open at one end: it must be stopped there.
    position = ConnectFour.start()
    for move in "172737":
        position = position.play(int(move) - 1)
    for lanes in (1, 16):
        (found,) = search([position], noisy, SearchSettings(simulations=300, lanes=lanes))
        assert found.best + 1 in (4, 7)


@given(
    seed=st.integers(0, 50),
    lanes=st.sampled_from([1, 3, 16]),
    root=st.sampled_from(["puct", "gumbel"]),
    noise=st.booleans(),
)
@settings(max_examples=12, deadline=None)
def test_companions_change_nothing(seed: int, lanes: int, root: str, noise: bool) -> None:
    """Each root gets what it would get alone, and the same each time."""
    roots = openings(ConnectFour.start(), 5, 1 + seed % 12, seed)
    chosen = SearchSettings(
        simulations=90,
        lanes=lanes,
        root=root,
        gumbel_noise=float(noise),
        dirichlet=0.6 if noise and root == "puct" else None,
        together=False,
    )
    together, again = (search(roots, noisy, chosen, seed) for _ in range(2))
    alone = [search([root_], noisy, chosen, seed)[0] for root_ in reversed(roots)][::-1]
    for one, two, three in zip(together, again, alone, strict=True):
        for other in (two, three):
            assert one.actions.tolist() == other.actions.tolist()
            assert one.visits.tolist() == other.visits.tolist()
            assert (one.value, one.utility, one.variation) == (other.value, other.utility, other.variation)
            assert np.array_equal(one.policy, other.policy)


@given(simulations=st.integers(1, 150), lanes=st.integers(1, 20), root=st.sampled_from(["puct", "gumbel"]))
@settings(max_examples=25, deadline=None)
def test_budgets_are_kept(simulations: int, lanes: int, root: str) -> None:
    chosen = SearchSettings(simulations=simulations, lanes=lanes, root=root)
    for found in search([ConnectFour.start(), ConnectFour.start().play(3)], noisy, chosen):
        assert found.simulations == simulations
        assert found.visits.sum() == simulations
        assert np.isclose(found.policy.sum(), 1)
        assert np.isclose(found.wdl.sum(), 1)
        assert -1 <= found.value <= 1
        assert sorted(found.actions.tolist()) == list(range(7))


def test_seconds_and_stop() -> None:
    begun = time.perf_counter()
    (found,) = search([ConnectFour.start()], noisy, SearchSettings(simulations=10_000_000, seconds=0.2))
    assert 0 < found.simulations < 10_000_000
    assert time.perf_counter() - begun < 20
    rounds = iter(range(100))
    (found,) = search([ConnectFour.start()], noisy, SearchSettings(lanes=1), stop=lambda: next(rounds) >= 9)
    assert found.simulations == 10


def test_leaves_share_batches() -> None:
    """Lanes of one root and of several go to the network together."""
    sizes: list[int] = []

    def counted(positions: Sequence[Any]) -> Evaluation:
        sizes.append(len(positions))
        return noisy(positions)

    search([ConnectFour.start()], counted, SearchSettings(simulations=400, lanes=16))
    assert len(sizes) < 100
    assert max(sizes) <= 16
    sizes.clear()
    search(openings(ConnectFour.start(), 30, 3, 0), counted, SearchSettings(simulations=20, lanes=1))
    assert len(sizes) <= 21
    assert max(sizes) == 30


def test_trees_are_gone_on_from() -> None:
    start = ConnectFour.start()
    chosen = SearchSettings(simulations=300)
    (first,) = search([start], noisy, chosen)
    tree = first.tree.after(first.best)
    assert tree is not None
    before = tree.visits
    (second,) = search([start.play(first.best)], noisy, replace(chosen, simulations=50), trees=[tree])
    assert second.tree.visits == before + 50
    assert second.simulations == 50
    with pytest.raises(InputError, match="a tree of another position"):
        search([start], noisy, chosen, trees=[tree])
    assert first.tree.after(99) is None


def test_without_a_place_for_machine_code_it_is_compiled_anew() -> None:
    """Numba refuses to keep what comes from no file it can stand beside."""
    place: dict[str, Any] = {}
    exec("def double(x):\n    return 2 * x\n", place)
    assert compiled(place["double"])(21) == 42


def test_transpositions_share_nodes() -> None:
    chosen = SearchSettings(simulations=400, lanes=1)
    (shared,) = search([ConnectFour.start()], uniform, chosen)
    (apart,) = search([ConnectFour.start()], uniform, replace(chosen, transpositions=False))
    for found, several in ((shared, False), (apart, True)):
        keys = [position.key() for position in found.tree.forest.positions[GIVEN:]]
        assert (len(set(keys)) < len(keys)) == several


def test_wide_and_single_moves() -> None:
    """Games of many moves, and positions of one."""
    (found,) = search([start_of("chess")], noisy_hist, SearchSettings(simulations=60))
    assert found.visits.sum() == 60
    position = start_of("tic_tac_toe")
    for action in (0, 1, 2, 4, 3, 5, 7, 6):
        position = position.play(action)
    (found,) = search([position], noisy, SearchSettings(simulations=10))
    assert found.actions.tolist() == [8]
    assert found.proven == Proof(0, 0)


def noisy_hist(positions: Sequence[Any]) -> Evaluation:
    count = positions[0].actions
    return Evaluation(
        legal_softmax(np.zeros((len(positions), count), "float32"), positions),
        np.zeros(len(positions)),
        np.full((len(positions), 3), 1 / 3),
    )


@given(considered=st.integers(1, 40), simulations=st.integers(1, 300))
@settings(max_examples=60, deadline=None)
def test_halving_plans_every_simulation(considered: int, simulations: int) -> None:
    plan = halving(considered, simulations)
    assert len(plan) == simulations
    visits = [0] * considered
    # Whoever takes the first action with the wanted number of visits can always follow the plan.
    for wanted in plan:
        visits[visits.index(wanted)] += 1
    assert sum(visits) == simulations
    if simulations >= considered:
        assert min(visits) >= 1


def test_gumbel_finds_the_better_arm() -> None:
    """With few simulations, improved policies weigh values above priors (Danihelka et al. 2022)."""
    start = ConnectFour.start()

    def judge(positions: Sequence[Any]) -> Evaluation:
        # Whoever played column 1 first is well off; the prior knows nothing of it.
        first = np.array([bool(p.history) and p.history[0] == 0 for p in positions])
        sign = np.array([-1.0 if p.player else 1.0 for p in positions])
        value = np.where(first, 0.8, -0.2) * sign
        wdl = np.stack([(1 + value) / 2, 0 * value, (1 - value) / 2], axis=1)
        blank = np.zeros((len(positions), 7), "float32")
        return Evaluation(legal_softmax(blank, positions), value, wdl)

    (found,) = search([start], judge, SearchSettings(simulations=16, lanes=1, root="gumbel"))
    assert found.best == 0
    assert found.policy.argmax() == 0
    assert found.policy[0] > 0.5
    seeds = list(range(40))
    noisy_answers = search(
        [start] * 40,
        uniform,
        SearchSettings(simulations=8, lanes=1, root="gumbel", gumbel_noise=1.0),
        seeds,
    )
    assert len({answer.best for answer in noisy_answers}) > 3


def test_live_rounds_are_the_whole_search() -> None:
    chosen = SearchSettings(simulations=100)
    running = Search([ConnectFour.start()], noisy, chosen)
    while running.round():
        assert running.results()[0].visits.sum() == running.done[0]
    (whole,) = search([ConnectFour.start()], noisy, chosen)
    assert running.results()[0].visits.tolist() == whole.visits.tolist()


@pytest.mark.parametrize(
    "wrong",
    [
        {"simulations": 0},
        {"seconds": 0.0},
        {"seconds": -1.0},
        {"lanes": 0},
        {"discount": 0.0},
        {"discount": 1.5},
        {"root": "ucb"},
        {"virtual_loss": 2.0},
        {"dirichlet": 0.0},
        {"considered": 0},
        {"reduction": -1.0},
    ],
)
def test_bad_settings_are_named(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(OptionError, match=f"{name}=.*expected"):
        SearchSettings(**wrong)


def test_bad_roots() -> None:
    over = ConnectFour.start()
    for action in (0, 1, 0, 1, 0, 1, 0):
        over = over.play(action)
    with pytest.raises(InputError, match="not over"):
        search([over], uniform, SearchSettings())
    with pytest.raises(InputError, match="positions of one game"):
        search([ConnectFour.start(), start_of("tic_tac_toe")], uniform, SearchSettings())
