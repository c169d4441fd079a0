"""Who wrote which piece of a response. Pure: nothing is read or written here.

A state's text in a round begins with the text that it held after the round before, which is its own or its donor's:
so every piece can be followed back to the state that wrote it, and that state's mutant.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from cli.history.json_diff import same_characters
from cli.history.recording import SavedRecording, request_of
from services.gateway.api import responses
from services.orchestrator.adapters import outcome_json
from services.orchestrator.core.values import Generated
from shared.methods import METHODS
from shared.records.events import MutantAccepted, RoundFinished
from shared.records.evolution import MutantSource
from shared.records.turns import instruction_of


@dataclass(frozen=True)
class Instruction:
    """The instruction that a state of a cycle wrote under, and where that came from."""

    text: str
    operator: str
    source: MutantSource


@dataclass(frozen=True)
class WrittenPiece:
    """What one state wrote in one round; cycle and round are 0 and `state` None for the base response.

    `tokens` were sampled for it, None where the recording has no attempts.
    """

    cycle: int
    round: int
    state: int | None
    mutant: Instruction
    text: str
    tokens: int | None


def original(recording: SavedRecording) -> Instruction:
    """What the base response is written under, and every response of methods that do not mutate."""
    return Instruction(instruction_of(request_of(recording).messages), "", "original")


def population(recording: SavedRecording, cycle: int) -> dict[int, Instruction]:
    """What the states of a cycle write under, as far as mutants were accepted."""
    traits = METHODS[recording.method]
    if traits.searches and not traits.mutates:
        return dict.fromkeys(range(request_of(recording).search.mutants), original(recording))
    return {
        event.state: Instruction(event.text, event.operator, event.source)
        for event in recording.events
        if isinstance(event, MutantAccepted) and event.cycle == cycle
    }


def pieces(recording: SavedRecording, choice: responses.EvolutionChoice) -> tuple[WrittenPiece, ...]:
    """The pieces of a final response from its beginning on; together they are its text and its tokens."""
    if choice.state is None:
        return (WrittenPiece(0, 0, None, original(recording), choice.text, choice.completion_tokens),)
    known, tokens = population(recording, choice.cycle), _tokens(recording)
    found, begin = [], 0
    for round_, state, text in reversed(list(_written(recording, choice, choice.state))):
        end = max(begin, same_characters(text, choice.text))
        sampled = None if tokens is None else tokens[choice.cycle, round_, state]
        if sampled or end > begin:
            found.append(WrittenPiece(choice.cycle, round_, state, known[state], choice.text[begin:end], sampled))
        begin = end
    return tuple(found)


def _written(
    recording: SavedRecording, choice: responses.EvolutionChoice, state: int
) -> Iterator[tuple[int, int, str]]:
    """Rounds from the last to the first, each with the state that wrote in it and the text once it had.

    The last is the round that was under way when the search was stopped, in which nobody wrote where it was not.
    """
    rounds = [event for event in recording.events if isinstance(event, RoundFinished) and event.cycle == choice.cycle]
    yield len(rounds) + 1, state, choice.text
    for event in reversed(rounds):
        state = next((item.donor for item in event.replacements if item.state == state), state)
        yield event.round, state, event.texts[state]


def _tokens(recording: SavedRecording) -> Counter[tuple[int, int, int]] | None:
    """Tokens kept of what was sampled, by cycle, round and state; None where no attempts were recorded."""
    if not recording.attempts:
        return None
    outcomes = (outcome_json.load_outcome(value) for attempt in recording.attempts for value in attempt.outcomes)
    sampled: Counter[tuple[int, int, int]] = Counter()
    for outcome in outcomes:
        if isinstance(outcome, Generated):
            sampled[outcome.cycle, outcome.round, outcome.state] += outcome.kept_tokens
    return sampled
