"""Where calls go: what holds of any replicas, loads and keys."""

import subprocess
import sys
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from shared.rpc.balancing.choice import bound_of, choose, ranked

NAMES = tuple(f"10.0.{i // 7}.{i}:50051" for i in range(9))
KEYS = [f"evo_{i:032x}" for i in range(3000)]
names = st.lists(st.sampled_from(NAMES), min_size=1, unique=True).map(tuple)
loads = st.lists(st.integers(0, 300), min_size=len(NAMES), max_size=len(NAMES))
keys = st.text(min_size=1, max_size=40)


@given(names, keys)
def test_who_leaves_moves_only_its_own_keys_and_who_joins_takes_only_those(names: tuple[str, ...], key: str) -> None:
    order = ranked(key, names)
    assert sorted(order) == sorted(names)
    for left in names:
        fewer = tuple(name for name in names if name != left)
        assert ranked(key, fewer) == tuple(name for name in order if name != left)


@given(names, keys, st.randoms())
def test_the_order_in_which_they_are_known_does_not_matter(names: tuple[str, ...], key: str, random: object) -> None:
    shuffled = list(names)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert ranked(key, tuple(shuffled)) == ranked(key, names)


def test_every_process_chooses_alike() -> None:
    program = f"from shared.rpc.balancing.choice import ranked; print([ranked(key, {NAMES}) for key in {KEYS[:50]}])"
    told = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert told == {str([ranked(key, NAMES) for key in KEYS[:50]])}


def test_keys_spread_evenly() -> None:
    for rank in (0, 1):
        counts = Counter(ranked(key, NAMES)[rank] for key in KEYS)
        assert len(counts) == len(NAMES)
        mean = len(KEYS) / len(NAMES)
        assert all(0.8 * mean < count < 1.2 * mean for count in counts.values())


@given(loads, keys, st.integers(1, 64), st.floats(1.05, 4))
def test_no_replica_at_its_bound_takes_more(loads: list[int], key: str, added: int, factor: float) -> None:
    held = dict(zip(NAMES, loads, strict=True))
    chosen = choose(NAMES, held, added, key, factor)
    bound = bound_of(sum(loads) + added, len(NAMES), factor)
    assert held[chosen] < bound
    better = ranked(key, NAMES)[: ranked(key, NAMES).index(chosen)]
    assert all(held[name] >= bound for name in better)


def test_load_stays_within_the_bound_while_calls_come_and_end() -> None:
    """All of one key, which is the worst that can be: calls of one sequence each."""
    held = dict.fromkeys(NAMES, 0)
    for total in range(1, 400):
        held[choose(NAMES, held, 1, "evo_1")] += 1
        assert max(held.values()) <= bound_of(total, len(NAMES))
    assert held[ranked("evo_1", NAMES)[0]] == max(held.values()) > min(held.values())


@given(loads, st.integers(1, 64))
def test_without_a_key_the_least_loaded_takes_it(loads: list[int], added: int) -> None:
    held = dict(zip(NAMES, loads, strict=True))
    assert held[choose(NAMES, held, added)] == min(loads)


def test_ties_without_a_key_are_broken_at_random() -> None:
    assert {choose(NAMES, dict.fromkeys(NAMES, 3), 1) for _ in range(500)} == set(NAMES)
