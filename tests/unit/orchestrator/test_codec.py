import json
from dataclasses import replace
from typing import Any

import pytest

from services.orchestrator.adapters import codec, outcome_json
from services.orchestrator.core import machine
from services.orchestrator.core.presets import config_for
from services.orchestrator.core.values import EvolutionState, Generated
from shared.records.evolution import EvolutionRequest, Message, Sampling
from shared.records.limits import MAX_NEW_TOKENS
from shared.records.search import PRESETS

STORED = {
    "archive_candidates",
    "cycles",
    "lookahead",
    "max_generated_tokens",
    "max_reward_calls",
    "max_tokens",
    "mutants",
    "mutate",
    "period",
    "replace",
    "survivors",
}
"""The settings that a stored evolution has had from the beginning."""


def begun(**changes: Any) -> EvolutionState:
    request = EvolutionRequest("darwin", (Message("user", "Hi"),), Sampling(200), PRESETS["paper"], seed=1)
    evolution, _ = machine.begin(config_for(request), "Hi", 1)
    return replace(evolution, config=replace(evolution.config, **changes))


def test_states_hold_the_settings_that_the_core_acts_on() -> None:
    stored = json.loads(codec.dump(begun(deadline_ms=5_000)))
    assert stored["config"].keys() >= STORED
    assert not stored["config"].keys() & {"mutation", "deadline_ms", "selection"}
    assert codec.load(json.dumps(stored)) == begun(mutation="auto", deadline_ms=None)


def test_another_rule_is_kept() -> None:
    evolution = begun(selection="pessimism", beta=0.5)
    stored = json.loads(codec.dump(evolution))["config"]
    assert (stored["selection"], stored["beta"]) == ("pessimism", 0.5)
    assert codec.load(codec.dump(evolution)) == replace(evolution, config=replace(evolution.config, mutation="auto"))


def test_a_state_in_one_piece_has_nothing_that_earlier_versions_do_not_know() -> None:
    stored = json.loads(codec.dump(begun()))
    assert not stored["config"].keys() & {"beta", "final_beta", "shrink"}
    assert not {"abstained", "dropped"} & stored["base"].keys()


def test_outcomes_keep_the_number_of_their_tokens() -> None:
    outcome = Generated(1, 2, 0, (11, 12, 13), "a b c", "a b c d", "length", 4)
    dumped = outcome_json.dump_outcome(outcome)
    assert dumped["token_ids"] == 3
    assert outcome_json.load_outcome(dumped) == replace(outcome, token_ids=(0, 0, 0))
    assert outcome_json.dump_outcome(outcome_json.load_outcome(dumped)) == dumped
    assert outcome_json.load_outcome(dumped | {"token_ids": [11, 12, 13]}) == outcome, "as earlier versions wrote it"


@pytest.mark.parametrize("number", [-1, MAX_NEW_TOKENS + 1, "3", None])
def test_numbers_of_tokens_that_cannot_be(number: Any) -> None:
    dumped = outcome_json.dump_outcome(Generated(1, 2, 0, (11,), "a", "a", "length", 1))
    with pytest.raises(ValueError, match=r"token_ids|tokens"):
        outcome_json.load_outcome(dumped | {"token_ids": number})


def test_outcomes_have_what_is_new_of_their_texts() -> None:
    evolution = begun()
    base = replace(evolution.base, response=replace(evolution.base.response, text="One two"))
    evolution = replace(evolution, base=base)
    continued = Generated(1, 2, -1, (0, 0), "One two three", "One two three four", "length", 3)
    again = replace(continued, text="One two three five", scored_text="One two three five")
    elsewhere = Generated(1, 2, 0, (0,), "Other", "else", "length", 1)
    first, second, third = outcome_json.dump_outcomes([continued, again, elsewhere], evolution)
    assert (first["text"], first["scored_text"], second["text"], third["text"]) == (" three", " four", " five", "Other")
    assert outcome_json.load_outcome(first, evolution) == continued
    assert outcome_json.load_outcome(third, evolution) == elsewhere
    grown = replace(evolution, base=replace(base, response=replace(base.response, text="One two three")))
    assert outcome_json.load_outcome(second, grown) == again
    with pytest.raises(ValueError, match="not there"):
        outcome_json.load_outcome(second, evolution)
