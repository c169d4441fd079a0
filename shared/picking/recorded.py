"""The final responses of an evolution that has ended, as its record tells of them, so that they can be picked anew.

The answers and the base response are kept whole. Of the other ones, texts, rewards and how they ended stand in events
and calls. What does not stand there: responses that ended in a round that a limit cut short, parts of the reward, and
whether a response without an answer had thought to its end (it is taken as one that had not).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from shared.picking.answer import picked
from shared.picking.final import BASE
from shared.records.attempts import Attempt
from shared.records.events import CycleFinished, Event, RoundFinished
from shared.records.evolution import Choice, EvolutionRequest, Fallback, FinishReason, Record
from shared.records.tools import Tool, ToolCall
from shared.text.json_schemas import follows
from shared.text.tool_turns import calls_as_text, with_calls


@dataclass(frozen=True)
class RecordedCalls:
    """What a response calls, and the same as text."""

    calls: tuple[ToolCall, ...] = ()
    canonical: str = ""


@dataclass(frozen=True)
class RecordedResponse:
    """A response: text and calls, and what was thought before."""

    whole_text: str
    finish: FinishReason
    valid: bool = True
    called: RecordedCalls = RecordedCalls()
    reasoning: str = ""


@dataclass(frozen=True)
class RecordedFinal:
    """A final response, with what was said of it by its reward. The base response's cycle is 0."""

    cycle: int
    state: int
    response: RecordedResponse
    reward: float | None
    abstained: str = ""
    breaks: str = ""
    components: Mapping[str, float] = field(default_factory=dict)


def finals_of(record: Record, events: Sequence[Event], attempts: Sequence[Attempt]) -> tuple[RecordedFinal, ...]:
    """Those of an evolution that has ended, in the order in which the search found them; none without a result."""
    if record.result is None:
        return ()
    tools = record.request.tool_use.tools
    found = {(final.cycle, final.state): final for final in _told(events, _finishes(attempts), tools)}
    kept = [*record.result.choices, *([record.result.base] if record.result.base else [])]
    for final in map(_kept, kept):
        found[final.cycle, final.state] = final
    return tuple(found[place] for place in sorted(found))


def answer_among(
    finals: Sequence[RecordedFinal], events: Sequence[Event], request: EvolutionRequest
) -> tuple[RecordedFinal, Fallback | None]:
    """Which of the final responses, one at least, answers by their rewards, and why it is the base response although
    another one came first, if it is."""
    text, reasoning = _settled(events)
    keeping = [
        final
        for final in finals
        if not text or (final.response.whole_text.startswith(text) and final.response.reasoning == reasoning)
    ]
    ordered, why = picked(
        keeping or finals, request.search.final_beta, request.seed, request.sampling.format is not None
    )
    return ordered[0], why


def _settled(events: Sequence[Event]) -> tuple[str, str]:
    rounds = [event for event in events if isinstance(event, RoundFinished) and event.settled]
    return rounds[-1].settled_answer if rounds else ("", "")


def _kept(choice: Choice) -> RecordedFinal:
    calls = RecordedCalls(choice.tool_calls, calls_as_text(choice.tool_calls))
    text = with_calls(choice.text, choice.tool_calls)
    response = RecordedResponse(text, choice.finish_reason, choice.valid, calls, choice.reasoning)
    place = (0, BASE) if choice.state is None else (choice.cycle, choice.state)
    return RecordedFinal(*place, response, choice.reward, choice.abstained, choice.breaks, choice.components)


def _told(
    events: Sequence[Event], finishes: Mapping[tuple[int, int, int], FinishReason], tools: Sequence[Tool]
) -> Iterator[RecordedFinal]:
    """Of each cycle the responses after its last round: all that were not dropped, or, where the cycle did not end,
    those that are complete. That rule is the core's, `services.orchestrator.core.transitions`.
    """
    ends = {event.cycle: event.rewards for event in events if isinstance(event, CycleFinished)}
    ended_by: dict[int, dict[int, FinishReason]] = {}
    last: dict[int, RoundFinished] = {}
    for event in events:
        if not isinstance(event, RoundFinished):
            continue
        last[event.cycle] = event
        by_state = ended_by.setdefault(event.cycle, {})
        for state in range(len(event.texts)):
            if (at := (event.cycle, event.round, state)) in finishes:
                by_state[state] = finishes[at]
        before = dict(by_state)
        by_state.update({item.state: before.get(item.donor, "stop") for item in event.replacements})
    for event in last.values():
        for state, origin in enumerate(_origins(event)):
            text, finish = event.texts[origin], ended_by[event.cycle].get(state, "stop")
            reasoning = event.reasoning[origin] if event.reasoning else ""
            empty = not (text or reasoning)
            if state in event.dropped or not event.finished[state]:
                continue
            if empty and (finish == "length" or event.cycle not in ends):
                continue
            rewards = ends.get(event.cycle)
            reward = event.rewards[origin] if rewards is None else rewards[state]
            if rewards is None and reward is None:
                continue
            response = replace(_response(text, finish, tools), reasoning=reasoning)
            if reasoning and not text:
                response = replace(response, valid=False)
            yield RecordedFinal(
                event.cycle,
                state,
                response,
                reward,
                event.abstained[origin] if event.abstained else "",
                event.breaks[origin] if event.breaks else "",
            )


def _origins(event: RoundFinished) -> list[int]:
    """Whose response each state has after a round."""
    origins = list(range(len(event.texts)))
    for item in event.replacements:
        origins[item.state] = item.donor
    return origins


def _finishes(attempts: Sequence[Attempt]) -> dict[tuple[int, int, int], FinishReason]:
    """How the piece ended that a state (the last index) decoded in a round of a cycle."""
    return {
        (call.cycle, call.round, part.state): "stop" if part.finish == "stop" else "length"
        for attempt in attempts
        for call in attempt.calls
        if call.stage == "generation"
        for part in call.parts
        if part.finish
    }


def _response(text: str, finish: FinishReason, tools: Sequence[Tool]) -> RecordedResponse:
    """A response of its text, in which calls are the last lines, each in its canonical form."""
    by_name = {tool.name: tool for tool in tools}
    lines = text.split("\n") if tools else []
    calls: list[ToolCall] = []
    while lines and (call := _call(lines[-1])) and call.name in by_name:
        calls.insert(0, call)
        lines.pop()
    if not calls:
        return RecordedResponse(text, finish)
    valid = all(follows(by_name[call.name].parameters, call.arguments) for call in calls)
    return RecordedResponse(text, finish, valid, RecordedCalls(tuple(calls), calls_as_text(calls)))


def _call(line: str) -> ToolCall | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or list(value) != ["name", "arguments"] or not isinstance(value["name"], str):
        return None
    return ToolCall(value["name"], json.dumps(value["arguments"], ensure_ascii=False))
