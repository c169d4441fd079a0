"""Log probabilities stay with their tokens: through pieces, replacement, the record and the answer."""

import random
from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from services.orchestrator.adapters import codec, outcome_json
from services.orchestrator.adapters.logprobs import logprobs_from_pb
from services.orchestrator.core import answers, machine
from services.orchestrator.core.responses import Called
from services.orchestrator.core.values import Config, Generate, Generated
from shared.pb import generation_pb2 as pb
from shared.records.logprobs import Alternative, TokenLogprobs
from shared.records.tools import ToolCall
from tests.unit.orchestrator.strategies import INSTRUCTION, World, configs, copied_finals, survived

seeds = st.integers(0, 2**32)


def of_token(token: int) -> TokenLogprobs:
    return TokenLogprobs(f"{token} ", -float(token), False, (Alternative(f"{token} ", -float(token)),))


@dataclass
class Telling(World):
    """Each token's log probability tells which token it is."""

    def _generated(self, effect: Generate, rng: random.Random) -> Generated:
        outcome = super()._generated(effect, rng)
        text = "".join(f"{token} " for token in effect.token_ids + outcome.token_ids)
        return replace(outcome, text=text, scored_text=text, logprobs=tuple(map(of_token, outcome.token_ids)))


@given(configs(), seeds)
def test_every_response_has_those_of_its_own_tokens(config: Config, seed: int) -> None:
    world = Telling(seed)
    for evolution in world.run(config):
        responses = [state.response for _, state in evolution.states()]
        for response in (*responses, *(final.response for final in evolution.finals)):
            assert response.logprobs == tuple(map(of_token, response.token_ids))
    for choice in answers.choices(evolution, 9):
        assert "".join(each.token for each in choice.logprobs) == choice.text


def test_a_response_that_is_copied_brings_its_own() -> None:
    copied = copied_finals(Telling(3, end_probability=0.0), tokens=12)
    assert copied
    assert all(response.logprobs == tuple(map(of_token, response.token_ids)) for response in copied)


@given(configs(), seeds)
def test_evolutions_and_outcomes_survive_json(config: Config, seed: int) -> None:
    world = Telling(seed)
    for evolution in world.run(config):
        assert codec.load(codec.dump(evolution)) == evolution
        if not evolution.finished:
            for outcome in (each for effect in machine.next_effects(evolution) for each in world.perform(effect)):
                assert survived(outcome) == outcome


def test_where_nobody_asked_nothing_is_recorded() -> None:
    config = Config(cycles=1, mutants=3, period=3, survivors=1, mutate=False, replace=True, max_tokens=6)
    for evolution in World(3).run(config):
        assert "logprobs" not in codec.dump(evolution)
    assert "logprobs" in codec.dump(Telling(3).run(config)[-1])
    assert "logprobs" not in outcome_json.dump_outcome(Generated(1, 1, 0, (1,), "a", "a", "stop", 1))


def test_a_response_that_calls_has_none_to_show() -> None:
    config = Config(cycles=0, mutants=0, period=4, survivors=1, mutate=False, replace=False, max_tokens=4)
    evolution, _ = machine.begin(config, INSTRUCTION, 1)
    called = Called(True, (ToolCall("weather", "{}"),), "call", "Hm.")
    outcome = Generated(0, 0, -1, (5, 6), "5 6 ", "5 6 ", "stop", 3, called=called, logprobs=(of_token(5), of_token(6)))
    evolution, _ = machine.apply(evolution, outcome)
    for effect in machine.next_effects(evolution):
        for scored in World(1).perform(effect):
            evolution, _ = machine.apply(evolution, scored)
    [choice] = answers.choices(evolution, 1)
    assert (choice.text, choice.logprobs) == ("Hm.", ())


def test_what_the_wire_says() -> None:
    token = pb.TokenLogprobs.Token
    message = pb.TokenLogprobs(
        chosen=token(text=b"\xe5\xb7", logprob=-0.1),
        top=[token(text=b" a", logprob=-0.05), token(text=b"</s>", logprob=-2.5, special=True)],
    )
    top = (Alternative(" a", -0.05), Alternative("</s>", -2.5, special=True))
    assert logprobs_from_pb(message) == TokenLogprobs("\xe5\xb7", -0.1, False, top)
