from hypothesis import given
from hypothesis import strategies as st

from services.reward.lru import Lru


def test_what_was_used_longest_ago_goes_first() -> None:
    kept: Lru[str, int] = Lru(2)
    kept.put("a", 1)
    kept.put("b", 2)
    kept.get("a")
    assert kept.put("c", 3) == ["b"]
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (1, None, 3)


def test_what_alone_is_too_big_is_not_kept() -> None:
    kept: Lru[str, int] = Lru(2)
    kept.put("a", 1)
    assert kept.put("b", 2, cost=3) == ["a", "b"]
    assert len(kept) == kept.cost == 0


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4))), st.integers(0, 8))
def test_the_cost_is_the_sum_of_what_is_kept_and_within_capacity(puts: list[tuple[int, int]], capacity: int) -> None:
    kept: Lru[int, int] = Lru(capacity)
    for key, cost in puts:
        kept.put(key, cost, cost)
        assert kept.cost <= capacity
        assert kept.cost == sum(kept.get(key) or 0 for key in range(6))
