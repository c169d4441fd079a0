"""Final responses read from recordings: those of the core, of which the core's answer is picked again."""

from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.orchestrator.core import answers
from services.orchestrator.core.values import Config, Effect, EvolutionState, Generated, Outcome
from shared.picking.recorded import RecordedFinal, answer_among, finals_of
from shared.records.attempts import Attempt, Call, StatePart
from shared.records.events import BaseScored, RoundFinished
from shared.records.evolution import EvolutionRequest, Message, Record, Result, Sampling, Seconds
from shared.records.search import Search
from shared.records.tools import Tool, ToolCall, ToolUse
from shared.text.tool_turns import with_calls
from tests.unit.orchestrator.strategies import INSTRUCTION, World, any_configs, configs


class Recorder(World):
    """Notes how pieces ended, as the orchestrator notes it in calls."""

    calls: list[Call]

    def perform(self, effect: Effect) -> list[Outcome]:
        found = super().perform(effect)
        for outcome in found:
            if isinstance(outcome, Generated):
                part = StatePart(outcome.state, 0.0, finish=outcome.finish)
                self.calls.append(Call("generation", "", outcome.cycle, outcome.round, 0.0, 0.0, (part,)))
        return found


def request(seed: int = 0, tools: tuple[Tool, ...] = (), **search: Any) -> EvolutionRequest:
    messages = (Message("user", INSTRUCTION),)
    return EvolutionRequest(
        "darwin", messages, Sampling(max_tokens=24), Search(**search), seed, tool_use=ToolUse(tools)
    )


def record_of(last: EvolutionState, config: Config) -> Record:
    counted = (answers.tokens(last), Seconds(), last.rounds, last.stopped_by, answers.fallback(last))
    result = Result(answers.choices(last, 1), answers.base(last), *counted)
    asked = request(last.seed, final_beta=config.final_beta)
    return Record("evo_1", 1, "succeeded", 0.0, asked, result=result)


def recorded(config: Config, seed: int, **chances: float) -> tuple[EvolutionState, Record, Recorder, list[Attempt]]:
    world = Recorder(seed, **chances)  # type: ignore[arg-type]
    world.calls = []
    last = world.run(config)[-1]
    return last, record_of(last, config), world, [Attempt("", 1, 0, 0, 0.0, 0.0, calls=tuple(world.calls))]


def told(finals: Iterator[Any]) -> list[tuple[Any, ...]]:
    """A response that a budget has cut is kept as one that ended by its length."""
    return [
        (final.cycle, final.state, final.response.whole_text, final.response.finish or "length", final.reward)
        for final in finals
    ]


@given(any_configs(), st.integers(0, 2**32))
def test_what_is_recorded_of_a_search_holds_its_final_responses_and_picks_its_answer(config: Config, seed: int) -> None:
    last, record, world, attempts = recorded(config, seed, full_probability=0.1)
    found = finals_of(record, world.events, attempts)
    assert set(told(iter(found))) <= set(told(iter(last.finals)))
    if last.stopped_by is not None:
        return
    assert told(iter(found)) == told(iter(last.finals))
    assert record.result
    answer, why = answer_among(found, world.events, record.request)
    assert (answer.response.whole_text, why) == (record.result.choices[0].text, record.result.fallback)


@given(configs(settling=True), st.integers(0, 2**32))
def test_what_was_settled_and_what_was_required_bind_whoever_picks_again(config: Config, seed: int) -> None:
    last, record, world, attempts = recorded(config, seed, abstain_probability=0.3, break_probability=0.3)
    if last.stopped_by is not None or not record.result:
        return
    answer, why = answer_among(finals_of(record, world.events, attempts), world.events, record.request)
    assert (answer.response.whole_text, why) == (record.result.choices[0].text, record.result.fallback)


TOOL = Tool("weather", parameters='{"type":"object","required":["city"]}')


def final_of(text: str, tools: tuple[Tool, ...]) -> RecordedFinal:
    """What is read of a response of a search that did not answer with it."""
    events = (
        BaseScored("base", 0.0, 1),
        RoundFinished(1, 1, (text,), (1.0,), (0,), (), (True,), 1),
    )
    seconds, tokens = Seconds(), answers.Tokens()
    result = Result((), None, tokens, seconds, 1)
    record = Record("evo_1", 1, "cancelled", 0.0, request(tools=tools), result=result)
    [final] = finals_of(record, events, ())
    return final


def test_calls_are_read_from_the_last_lines_of_a_response() -> None:
    calls = (ToolCall("weather", '{"city": "Rome"}'), ToolCall("weather", "{}"))
    text = with_calls("Let me see.", calls)
    final = final_of(text, (TOOL,))
    assert [call.name for call in final.response.called.calls] == ["weather", "weather"]
    assert text.endswith(final.response.called.canonical)
    assert not final.response.valid
    assert final_of(with_calls("", calls[:1]), (TOOL,)).response.valid
    assert final_of(text, ()).response.called.calls == ()
    assert final_of('{"name":"other","arguments":{}}', (TOOL,)).response.called.calls == ()


def test_without_a_result_there_are_no_final_responses() -> None:
    assert finals_of(Record("evo_1", 1, "running", 0.0, request()), (), ()) == ()
