"""How responses that call tools are ranked beside those that do not."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from services.orchestrator.core.responses import NO_CALLS, Called, Response
from services.orchestrator.core.values import Final
from shared.picking.votes import ranked
from shared.records.tools import ToolCall


def text(number: int, reward: float | None) -> Final:
    return Final(1, number, "Why?", Response((1,), f"text {number}", "stop", called=NO_CALLS), reward, {})


def call(number: int, name: str, reward: float | None, valid: bool = True) -> Final:
    called = Called(True, (ToolCall(name, f'{{"n": {number}}}'),), f"{name}()", valid=valid)
    return Final(1, number, "Why?", Response((1,), "", "stop", called=called), reward, {})


def cut(number: int, reward: float | None) -> Final:
    """A response that ends within its first call."""
    return Final(1, number, "Why?", Response((1,), "<tool_call>", "length", called=Called(True)), reward, {})


REWARDS = st.sampled_from([-2.0, -1.0, 0.0, 0.5, 3.0])
SOME: st.SearchStrategy[float | None] = REWARDS | st.none()
KINDS = st.sampled_from(["text", "a", "b", "c", "wrong", "cut"])


@st.composite
def finals(draw: st.DrawFn, rewards: st.SearchStrategy[float | None] = SOME) -> list[Final]:
    made: list[Final] = []
    for number, kind in enumerate(draw(st.lists(KINDS, min_size=1, max_size=9))):
        reward = draw(rewards)
        match kind:
            case "text":
                made.append(text(number, reward))
            case "wrong":
                made.append(call(number, "a", reward, valid=False))
            case "cut":
                made.append(cut(number, reward))
            case name:
                made.append(call(number, name, reward))
    return made


def kind(final: Final) -> str:
    return final.response.called.canonical if final.response.called.calls else "text"


@given(finals())
def test_all_are_ranked_once(given_finals: list[Final]) -> None:
    assert sorted(f.state for f in ranked(given_finals)) == [f.state for f in given_finals]


@given(finals())
def test_what_is_not_valid_beats_nothing_that_is(given_finals: list[Final]) -> None:
    validity = [final.response.valid for final in ranked(given_finals)]
    assert validity == sorted(validity, reverse=True)


@given(st.lists(REWARDS | st.none(), min_size=1, max_size=9))
def test_texts_alone_are_ranked_by_reward_as_ever(rewards: list[float | None]) -> None:
    def descending(final: Final) -> float:
        return float("inf") if final.reward is None else -final.reward

    texts = [text(number, reward) for number, reward in enumerate(rewards)]
    assert ranked(texts) == sorted(texts, key=descending)


@given(finals())
def test_the_more_numerous_kind_comes_first_and_calls_where_there_are_as_many(given_finals: list[Final]) -> None:
    valid = [final for final in given_finals if final.response.valid]
    assume(valid)
    calls = [final for final in valid if final.response.called.calls]
    assert (ranked(given_finals)[0] in calls) == (2 * len(calls) >= len(valid))


@given(finals(rewards=st.just(0.5)))
def test_with_equal_rewards_it_is_a_majority_vote(given_finals: list[Final]) -> None:
    calls = [final for final in given_finals if final.response.valid and final.response.called.calls]
    sizes = [sum(kind(other) == kind(final) for other in calls) for final in ranked(calls)]
    assert sizes == sorted(sizes, reverse=True)


@given(finals())
def test_a_group_is_never_beaten_by_one_of_less_than_three_fifths_of_its_size(given_finals: list[Final]) -> None:
    calls = [final for final in given_finals if final.response.valid and final.response.called.calls]
    sizes = [sum(kind(final) == name for final in calls) for name in groups(ranked(calls))]
    assert all(before >= 0.6 * after for i, before in enumerate(sizes) for after in sizes[i:])


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=6, unique=True))
def test_with_equal_shares_rewards_decide(rewards: list[float]) -> None:
    calls = [call(number, f"tool {number}", reward) for number, reward in enumerate(rewards)]
    order = [final.reward for final in ranked(calls)]
    assert all(a >= b - 1e-9 for a, b in pairwise(order) if a is not None and b is not None)


@given(finals(rewards=REWARDS), st.floats(0.1, 10), st.floats(-5, 5))
def test_the_scale_of_rewards_does_not_matter(given_finals: list[Final], scale: float, shift: float) -> None:
    assume(len({kind(final) for final in given_finals}) <= 3)
    calls = [final for final in given_finals if final.response.called.calls and final.response.valid]
    moved = [call(f.state, f.response.called.calls[0].name, (f.reward or 0.0) * scale + shift) for f in calls]
    assert groups(ranked(moved)) == groups(ranked(calls)) or nearly_tied(calls)


def groups(order: Sequence[Final]) -> list[str]:
    return list(dict.fromkeys(map(kind, order)))


def nearly_tied(calls: Sequence[Final]) -> bool:
    """Whether two groups have the same rewards, so that rounding may decide which is first."""
    of = {name: sorted(f.reward or 0.0 for f in calls if kind(f) == name) for name in groups(calls)}
    return len({tuple(rewards) for rewards in of.values()}) < len(of)


def test_share_and_reward_together() -> None:
    assert kind(ranked([call(0, "a", 0.0), call(1, "a", 0.0), call(2, "b", 9.0)])[0]) == "a()"
    four, three = [call(i, "a", 0.0) for i in range(4)], [call(i, "b", 0.1) for i in range(4, 7)]
    assert kind(ranked([*four, *three])[0]) == "b()", "where shares are near each other, better rewards win"
    assert [f.state for f in ranked([call(0, "a", 0.0), call(1, "a", 1.0)])] == [1, 0]
    assert ranked([text(0, 9.0), call(1, "a", -1.0, valid=False), cut(2, 10.0)])[0].state == 0


def test_what_breaks_a_requirement_comes_after_what_does_not_and_before_what_is_not_valid() -> None:
    breaking = [replace(each, breaks="rules.brief") for each in (text(0, 9.0), call(1, "a", 9.0), call(2, "a", 8.0))]
    keeping = [text(3, 0.0), call(4, "b", -1.0)]
    order = ranked([cut(5, 9.0), *breaking, *keeping])
    assert [each.state for each in order] == [4, 3, 1, 2, 0, 5]
