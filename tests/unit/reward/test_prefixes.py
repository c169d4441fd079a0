import torch

from services.reward.prefixes import ComputedResponse, Prefixes, common_prefix


def response(*tokens: int, size: int = 10) -> ComputedResponse:
    return ComputedResponse(tokens, torch.zeros(size, dtype=torch.uint8), tuple(float(token) for token in tokens))


def test_common_prefix() -> None:
    assert common_prefix((), (1,)) == 0
    assert common_prefix((1, 2), (1, 2, 3)) == 2
    assert common_prefix((1, 2, 9), (1, 2, 3)) == 2
    assert common_prefix((5,), (1,)) == 0


def test_the_longest_shared_prefix_of_the_same_conversation_is_found() -> None:
    kept = Prefixes(1000)
    near, far = response(1, 2, 3, 9), response(1, 7)
    kept.put(b"a", near)
    kept.put(b"a", far)
    kept.put(b"b", response(1, 2, 3, 4))
    found = kept.longest(b"a", (1, 2, 3, 4))
    assert found is not None
    assert found[0] is near
    assert found[1] == 3
    assert kept.longest(b"c", (1, 2)) is None


def test_a_continued_response_replaces_its_beginning() -> None:
    kept = Prefixes(1000)
    kept.put(b"a", response())
    kept.put(b"a", response(1, 2))
    kept.put(b"a", response(1, 5))
    kept.put(b"a", response(1, 2, 3))
    assert kept.size == 20
    found = kept.longest(b"a", (1, 5, 6))
    assert found is not None
    assert (found[0].tokens, found[1]) == ((1, 5), 2)


def test_memory_is_bounded_and_an_evicted_conversation_unknown() -> None:
    kept = Prefixes(25)
    kept.put(b"a", response(1))
    kept.put(b"b", response(1))
    kept.put(b"c", response(1))
    assert kept.size == 20
    assert kept.longest(b"a", (1,)) is None
    assert kept.longest(b"c", (1,)) is not None
