import pytest

from cli.evaluation.run import EvolutionFailed, turn_of


def test_a_response_that_is_not_among_the_choices_fails_the_turn_and_not_the_evaluation() -> None:
    choice = {"text": "a", "reward": 1.0, "completion_tokens": 3, "instruction": "Why?"}
    tokens = {"generated": 6, "mutation": 0, "kept": 3, "discarded": 3}
    document = {
        "id": "evo_1",
        "model": "best-of-n",
        "result": {
            "choices": [choice],
            "base": choice,
            "tokens": tokens,
            "prompt_tokens": 1,
            "seconds": {},
            "rounds": 1,
        },
        "events": [{"type": "round.finished", "texts": ["a"]}],
    }
    assert [candidate.text for candidate in turn_of(document, "Why?", 0.0).candidates] == ["a", "a"]
    document |= {"method": "best-of-n", "model": "gpt-4o"}
    assert len(turn_of(document, "Why?", 0.0).candidates) == 2
    document["events"] = [{"type": "round.finished", "texts": ["b"]}]
    with pytest.raises(EvolutionFailed, match="evo_1: 1 of its responses"):
        turn_of(document, "Why?", 0.0)
    document["events"] = [{"type": "round.finished", "texts": ["a"]}]
    document["result"] = {**document["result"], "stopped_by": "error"}  # type: ignore[dict-item]
    with pytest.raises(EvolutionFailed, match="cut short by an error"):
        turn_of(document, "Why?", 0.0)
