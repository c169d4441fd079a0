import torch

from services.reward.prefixes import ComputedPrompt, ComputedResponse, Prefixes, common_prefix


def response(*tokens: int, size: int = 10) -> ComputedResponse:
    return ComputedResponse(tokens, torch.zeros(size, dtype=torch.uint8), tuple(float(token) for token in tokens))


def prompt(size: int = 10) -> ComputedPrompt:
    return ComputedPrompt(torch.zeros(size, dtype=torch.uint8))


def keeping(capacity: int, *conversations: bytes) -> Prefixes:
    kept = Prefixes(capacity)
    for conversation in conversations:
        kept.put_prompt(conversation, prompt())
    return kept


def test_common_prefix() -> None:
    assert common_prefix((), (1,)) == 0
    assert common_prefix((1, 2), (1, 2, 3)) == 2
    assert common_prefix((1, 2, 9), (1, 2, 3)) == 2
    assert common_prefix((5,), (1,)) == 0


def test_the_longest_shared_prefix_of_the_same_conversation_is_found() -> None:
    kept = keeping(1000, b"a", b"b")
    near, far = response(1, 2, 3, 9), response(1, 7)
    kept.put(b"a", near)
    kept.put(b"a", far)
    kept.put(b"b", response(1, 2, 3, 4))
    found = kept.longest(b"a", (1, 2, 3, 4))
    assert found is not None
    assert found[0] is near
    assert found[1] == 3
    assert kept.longest(b"a", (9,)) is None
    assert kept.longest(b"c", (1, 2)) is None


def test_a_continued_response_replaces_its_beginning() -> None:
    kept = keeping(1000, b"a")
    kept.put(b"a", response(1, 2))
    kept.put(b"a", response(1, 5))
    kept.put(b"a", response(1, 2, 3))
    assert kept.size == 30
    found = kept.longest(b"a", (1, 5, 6))
    assert found is not None
    assert (found[0].tokens, found[1]) == ((1, 5), 2)


def test_memory_counts_a_prompt_once_and_is_bounded() -> None:
    kept = keeping(45, b"a", b"b")
    kept.put(b"a", response(1))
    kept.put(b"a", response(2))
    assert kept.size == 40
    kept.put(b"a", response(3))
    assert kept.size <= 45
    assert kept.prompt(b"a") is not None
    assert kept.longest(b"a", (3,)) is not None


def test_a_prompt_goes_together_with_its_responses_and_not_before_those_that_are_older() -> None:
    kept = keeping(45, b"a")
    kept.put(b"a", response(1))
    kept.put(b"a", response(2))
    kept.put_prompt(b"b", prompt())
    kept.put(b"b", response(1))
    assert kept.prompt(b"b") is not None
    kept.put_prompt(b"c", prompt(25))
    assert kept.prompt(b"a") is None
    assert kept.longest(b"a", (2,)) is None
    assert kept.size <= 45
    kept.put(b"a", response(2))
    assert kept.longest(b"a", (2,)) is None


def test_what_finds_no_room_is_not_kept() -> None:
    kept = keeping(25, b"a")
    kept.put_prompt(b"b", prompt(26))
    kept.put(b"a", response(1, size=16))
    assert kept.prompt(b"b") is None
    assert kept.prompt(b"a") is not None
    assert kept.longest(b"a", (1,)) is None
    kept.put(b"a", response(1, size=15))
    assert kept.longest(b"a", (1,)) is not None
