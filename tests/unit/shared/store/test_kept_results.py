"""Results are kept without what their requests say, and read as they were."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.records.evolution import Choice, EvolutionRequest, Message, Result, Sampling, Seconds, Tokens
from shared.records.search import Search
from shared.store.kept_results import packed, unpacked

QUESTION = "Why is the sea salty, and why are rivers not?"
REQUEST = EvolutionRequest("darwin", (Message("user", QUESTION),), Sampling(9), Search(), 1)

instructions = st.just(QUESTION) | st.text(max_size=9).map(lambda more: QUESTION + more) | st.text(max_size=60)
rewards = st.floats(allow_nan=False, allow_infinity=False)
components = st.dictionaries(st.text(max_size=5), rewards, max_size=3)
choices = st.builds(
    Choice,
    text=st.text(max_size=9),
    finish_reason=st.sampled_from(("stop", "length")),
    completion_tokens=st.integers(0, 9),
    reward=st.none() | rewards,
    components=components,
    instruction=instructions,
    cycle=st.integers(0, 3),
    state=st.none() | st.integers(0, 3),
    abstained=st.sampled_from(("", "out_of_distribution")),
    breaks=st.sampled_from(("", "rules.brief")),
)


def whole(choice: Choice) -> Choice:
    """The choice with the one component that most have."""
    return choice if choice.reward is None else Choice(**vars(choice) | {"components": {"quality": choice.reward}})


@given(st.lists(choices | choices.map(whole), max_size=3), st.none() | choices)
def test_results_are_read_as_they_were(found: list[Choice], base: Choice | None) -> None:
    why = "empty" if len(found) % 2 else None
    result = Result(tuple(found), base, Tokens(prompt=1, kept=2), Seconds(total=0.5), rounds=3, fallback=why)  # type: ignore[arg-type]
    result = replace(result, wishes_withheld=("plain words",) * (len(found) // 2))
    assert unpacked(packed(result, REQUEST), REQUEST) == result


def test_what_the_request_says_is_not_kept_again() -> None:
    choice = Choice("salt", "stop", 2, 0.25, {"quality": 0.25}, QUESTION + " (briefly)", 1, 0)
    text = packed(Result((choice,), choice, Tokens(), Seconds(), 1), REQUEST)
    assert QUESTION[:9] not in text
    assert text.count("0.25") == 2


@pytest.mark.parametrize("change", [{"choices": 1}, {"choices": [{}]}, {"base": {"instruction": [1]}}, {"rounds": "x"}])
def test_what_is_no_result_is_refused(change: dict[str, Any]) -> None:
    result = Result((), None, Tokens(), Seconds(), 1)
    with pytest.raises(ValueError, match=r"(?i)result|values"):
        unpacked(json.dumps(json.loads(packed(result, REQUEST)) | change), REQUEST)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null"])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"result|JSON|EOF"):
        unpacked(text, REQUEST)
