"""How certain the model was stays with the tokens: through pieces, replacement, the record and the reward's call."""

import json
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orchestrator.adapters import codec, outcome_json
from services.orchestrator.adapters.generation import GrpcGenerator, _caller_field
from services.orchestrator.adapters.packing import NOTHING_WRITTEN, pack
from services.orchestrator.adapters.reward import GrpcScorer
from services.orchestrator.core import machine
from services.orchestrator.core.responses import Response
from services.orchestrator.core.values import BASE, Config, Generate, Generated, Score, ScoreTogether
from services.orchestrator.journal import Journal
from shared.errors import Internal
from shared.pb import generation_pb2 as gpb
from shared.pb import reward_pb2 as rpb
from shared.records.evolution import EvolutionRequest
from tests.unit.orchestrator.strategies import World, any_configs, configs, copied_finals, survived
from tests.unit.orchestrator.test_adapters import REQUEST
from tests.unit.orchestrator.test_packing import saved_in_parts

CERTAIN = replace(REQUEST, self_certainty=True)
seeds = st.integers(0, 2**32)


def certainty_of(token_ids: Sequence[int]) -> float:
    """Sums of such quarters are exact."""
    return sum(token / 4 for token in token_ids)


@dataclass
class Certain(World):
    """The model's certainty of a token tells which token it is."""

    def _generated(self, effect: Generate, rng: random.Random) -> Generated:
        outcome = super()._generated(effect, rng)
        return replace(outcome, certainty=certainty_of(outcome.token_ids))


@settings(max_examples=25)
@given(configs(), seeds, st.booleans())
def test_every_response_has_that_of_its_own_tokens_and_is_scored_with_their_mean(
    config: Config, seed: int, relative: bool
) -> None:
    for evolution in Certain(seed).run(replace(config, relative=relative)):
        responses = {index: state.response for index, state in evolution.states()}
        finals = {(final.cycle, final.state): final.response for final in evolution.finals}
        for response in (*responses.values(), *finals.values()):
            assert response.certainty == certainty_of(response.token_ids)
        for effect in machine.next_effects(evolution):
            scores = (
                effect.scores if isinstance(effect, ScoreTogether) else [effect] if isinstance(effect, Score) else []
            )
            for score in scores:
                here = score.cycle == evolution.cycle or score.state == BASE
                ids = (responses[score.state] if here else finals[score.cycle, score.state]).token_ids
                assert score.self_certainty == (certainty_of(ids) / len(ids) if ids else 0.0)


def test_a_response_that_is_copied_brings_its_own() -> None:
    copied = copied_finals(Certain(3, end_probability=0.0), tokens=12)
    assert copied
    assert all(response.self_certainty == certainty_of(response.token_ids) / 12 for response in copied)


@settings(max_examples=25)
@given(any_configs(), seeds, st.booleans())
def test_it_survives_being_saved_in_parts(config: Config, seed: int, cold: bool) -> None:
    for saved, evolution in saved_in_parts(Certain(seed).run(config, random.Random(seed)), cold=cold):
        known = any(state.latest.certainty for _, state in evolution.states())
        assert json.loads(saved.head)["schema"] == 5 or not known
        assert codec.load(codec.dump(evolution)) == evolution


@settings(max_examples=25)
@given(configs(), seeds)
def test_outcomes_survive_json_and_the_parts_of_a_piece_add_up(config: Config, seed: int) -> None:
    world = Certain(seed)
    for evolution in world.run(config):
        for effect in () if evolution.finished else machine.next_effects(evolution):
            for outcome in world.perform(effect):
                assert survived(outcome) == outcome


def test_a_piece_that_was_told_in_parts_is_kept_as_one() -> None:
    journal, first = Journal(), Generated(1, 1, 0, (5,), "a", "a", "length", 1, partial=True, certainty=1.25)
    journal.applied(first)
    journal.applied(replace(first, token_ids=(6, 7), text="abc", scored_text="abc", partial=False, certainty=3.25))
    [outcome] = journal.outcomes
    assert isinstance(outcome, Generated)
    assert (len(outcome.token_ids), outcome.certainty) == (3, 4.5)


@settings(max_examples=25)
@given(any_configs(), seeds)
def test_where_nobody_asked_the_version_before_reads_what_is_kept(config: Config, seed: int) -> None:
    """It knows no such field, nor a schema beyond the fourth."""
    for evolution in World(seed).run(config, random.Random(seed)):
        assert "certainty" not in codec.dump(evolution)
        saved, _ = pack(evolution, NOTHING_WRITTEN)
        assert json.loads(saved.head)["schema"] <= 4
        rows = [row for part in saved.parts for row in json.loads(part).get("responses", ())]
        assert all(len(row) <= 9 for row in rows)
    assert "certainty" not in outcome_json.dump_outcome(Generated(1, 1, 0, (1,), "a", "a", "stop", 1))


class Calls:
    """Both services, in as far as they are told, or tell, how certain the model was."""

    def __init__(self, *results: gpb.GenerateResult) -> None:
        self.results = results
        self.asked: list[bool] = []
        self.scored: list[list[float | None]] = []

    async def call(self, begin: Any, weight: int, timeout_s: float, key: str) -> Any:
        return begin(self)

    async def stream(self, begin: Any, weight: Any, timeout_s: float, key: str) -> AsyncIterator[Any]:
        self.asked.append(begin(self))
        yield gpb.GenerateResponse(results=self.results)

    def Generate(self, request: gpb.GenerateRequest) -> bool:  # noqa: N802  # the wire's name
        return bool(request.sampling.self_certainty)

    def Score(self, request: rpb.ScoreRequest) -> rpb.ScoreResponse:  # noqa: N802  # the wire's name
        candidates = request.candidates
        self.scored.append([each.self_certainty if each.HasField("self_certainty") else None for each in candidates])
        return rpb.ScoreResponse(scores=[rpb.ScoreResponse.Score(id=each.id, reward=1.0) for each in candidates])


async def decoded(calls: Calls, request: EvolutionRequest) -> list[Generated]:
    effect = Generate(1, 1, 0, "Hello", (), 8, 0, 1)
    return [each async for each in GrpcGenerator(calls).generate([effect], request, 5)]  # type: ignore[arg-type]


async def test_generation_is_asked_where_the_profile_reads_it_and_must_tell() -> None:
    result = gpb.GenerateResult(id="0", token_ids=[5, 6], finish_reason=gpb.FINISH_REASON_LENGTH, self_certainty=2.5)
    calls = Calls(result)
    assert [each.certainty for each in await decoded(calls, CERTAIN)] == [2.5]
    result.ClearField("self_certainty")
    silent = Calls(result)
    assert [each.certainty for each in await decoded(silent, REQUEST)] == [0.0]
    with pytest.raises(Internal, match="of an earlier version, tells no self-certainty"):
        await decoded(silent, CERTAIN)
    assert (calls.asked, silent.asked) == ([True], [False, True])
    assert _caller_field("sampling.self_certainty", CERTAIN) == "darwin.profile"


async def test_the_reward_is_told_of_it_where_its_profile_reads_it() -> None:
    calls = Calls()
    effects = [Score(1, 1, 0, "Hi", False, self_certainty=1.5), Score(1, 1, 1, "", False, self_certainty=0.0)]
    for request in (CERTAIN, REQUEST):
        assert len([each async for each in GrpcScorer(calls).score(effects, request, 5)]) == 2  # type: ignore[arg-type]
    # Nobody knows it of an answer that only was recorded.
    judged = [Score(1, 1, 0, "Hi", final=True)]
    assert [each async for each in GrpcScorer(calls).score(judged, CERTAIN, 5)]  # type: ignore[arg-type]
    assert calls.scored == [[1.5, 0.0], [None, None], [None]]


def test_the_mean_is_defined_before_the_first_token() -> None:
    assert Response().self_certainty == 0.0
    assert Response(token_ids=(1, 2, 3, 4), certainty=6.0).self_certainty == 1.5
