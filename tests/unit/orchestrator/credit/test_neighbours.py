"""That searching the tree finds what comparing with every point finds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orchestrator.credit.neighbours import Points, build, nearest, packed, unpacked


def points(seed: int, count: int = 600, width: int = 12) -> Points:
    """Unit vectors around a dozen topics."""
    rng = np.random.default_rng(seed)
    topics = rng.normal(size=(12, width))
    made = topics[rng.integers(12, size=count)] + 0.5 * rng.normal(size=(count, width))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def by_force(every: Points, query: Points, count: int) -> np.ndarray:
    return np.lexsort((np.arange(len(every)), -(every @ query)))[:count]


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 30), size=st.integers(1, 400))
def test_branch_and_bound_finds_what_brute_force_finds(seed: int, count: int, size: int) -> None:
    every, query = points(seed, size), points(seed + 1, 1)[0]
    tree = build(every, brute=0, leaf=8, branches=4)
    found = nearest(every, tree, query, count)
    assert every[found] @ query == pytest.approx(every[by_force(every, query, count)] @ query, abs=1e-5)
    assert len(set(found.tolist())) == min(count, size)


@pytest.mark.parametrize("seed", range(5))
def test_more_leaves_never_find_less_and_all_find_everything(seed: int) -> None:
    every, query = points(seed), points(seed + 100, 1)[0]
    tree = build(every, brute=0, leaf=16, branches=4)
    best = set(by_force(every, query, 20).tolist())
    found = [len(best & set(nearest(every, tree, query, 20, leaves).tolist())) for leaves in range(1, tree.leaves + 1)]
    assert tree.leaves > 20
    assert found == sorted(found)
    assert found[-1] == 20
    assert found[0] < 20


def test_every_point_is_in_one_leaf_and_within_its_clusters() -> None:
    every = points(3)

    def leaves(cluster):  # type: ignore[no-untyped-def]
        far = np.linalg.norm(every[cluster.members] - cluster.centre, axis=1)
        assert far.max() <= cluster.radius + 1e-5
        return [cluster] if not cluster.children else [each for child in cluster.children for each in leaves(child)]

    found = leaves(build(every, brute=0, leaf=16, branches=4))
    assert sorted(np.concatenate([leaf.members for leaf in found])) == list(range(len(every)))
    assert len(build(every).children) == 0


def test_equal_points_make_one_leaf() -> None:
    same = np.ones((300, 4), np.float32) / 2
    assert build(same, brute=0).leaves == 1
    assert nearest(same, build(same, brute=0), same[0], 3).tolist() == [0, 1, 2]


def test_vectors_are_kept_in_half_the_room() -> None:
    vector = points(1, 1)[0]
    text = packed(vector.astype("<f4").tobytes())
    assert len(text) == 32
    assert unpacked([text])[0] == pytest.approx(vector, abs=1e-3)
