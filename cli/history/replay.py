"""Runs a recorded evolution through the core again: does it decide today what it decided then?

The core is given the recorded outcomes, one by one, and the events that it makes are compared with the recorded ones.
Attempts that failed or paused kept their outcomes, so each attempt goes on where the one before it stood.
Pure: nothing is read or written here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from pydantic import TypeAdapter

from cli.history.json_diff import NOTHING, first_difference
from cli.history.recording import NotARecording, SavedRecording, request_of
from services.gateway.api import responses, serializers
from services.orchestrator.adapters import outcome_json
from services.orchestrator.core import answers, machine
from services.orchestrator.core.presets import config_for
from services.orchestrator.core.values import EvolutionState, Outcome, UnexpectedOutcome
from shared.errors import InvalidRequest
from shared.records.attempts import Attempt
from shared.records.events import Accepted, Ended, Event
from shared.records.evolution import Choice, EvolutionRequest, Failure, Sampling
from shared.records.turns import instruction_of

_EVENT: TypeAdapter[Event] = TypeAdapter(Event)


@dataclass(frozen=True)
class Difference:
    """The first thing that is not as it was recorded.

    `attempt` is the version that the attempt made, None for what follows the last one; `cycle` and `round` are where it
    was. `field` is a path, such as `round.finished.rewards[2]`; the two values are JSON, or `NOTHING`.
    """

    attempt: int | None
    cycle: int
    round: int
    field: str
    recorded: Any
    replayed: Any


@dataclass(frozen=True)
class Replay:
    """`decisions` are the core's events that were the same; `unfinished` says that the evolution had not ended."""

    decisions: int
    unfinished: bool
    difference: Difference | None


def replay(recording: SavedRecording) -> Replay:
    """Replays up to the first difference, or all there is.

    Raises:
        NotARecording: it does not hold what a replay needs.
    """
    found = _replay(recording, rescore=False)
    if found.difference is None:
        return found
    # Earlier versions scored responses that had ended in every round, as the paper's code does.
    older = _replay(recording, rescore=True)
    if older.difference is None:
        return older
    if budget := _overspent(recording):
        reason = f"it spent more than its {budget}: a version recorded it that kept to budgets between rounds only"
        raise NotARecording(f"evolution {recording.id} cannot be replayed: {reason}")
    return found


def _overspent(recording: SavedRecording) -> str | None:
    """The budget that was exceeded, which this version does only where there are fewer tokens than sequences."""
    search, outcomes = request_of(recording).search, [it for attempt in recording.attempts for it in attempt.outcomes]
    tokens = sum(it.get("generated_tokens", 0) for it in outcomes)
    if search.max_generated_tokens and tokens > max(search.max_generated_tokens, 2 * search.mutants + 1):
        return "max_generated_tokens"
    calls = sum(it["kind"] == "Scored" for it in outcomes)
    return "max_reward_calls" if search.max_reward_calls and calls > search.max_reward_calls else None


def _replay(recording: SavedRecording, rescore: bool) -> Replay:
    rerun = _Rerun(recording, rescore)
    difference: Difference | None = None
    try:
        for number, attempt in enumerate(recording.attempts, 1):
            rerun.follow(attempt, number)
        rerun.conclude()
    except _Differs as found:
        difference = found.difference
    return Replay(rerun.decisions, not recording.ended, difference)


class _Differs(Exception):
    def __init__(self, difference: Difference) -> None:
        super().__init__(difference.field)
        self.difference = difference


class _Rerun:
    """The core, and how much of the recording it has confirmed. Every method raises `_Differs` where it does not."""

    def __init__(self, recording: SavedRecording, rescore: bool) -> None:
        _check(recording)
        request = request_of(recording)
        try:
            config = replace(config_for(request), rescore=rescore)
        except InvalidRequest as error:
            raise NotARecording(f"its settings are impossible: {error.message}") from None
        self._recording = recording
        self._request = request
        self._evolution, self._begun = machine.begin(config, instruction_of(request.messages), request.seed)
        self._events = [event for event in recording.events if not isinstance(event, Accepted | Ended)]
        self._at: tuple[int | None, int, int] = (None, 0, 0)
        self.decisions = 0

    def follow(self, attempt: Attempt, number: int) -> None:
        """Gives the core the outcomes of an attempt, the `number`th."""
        self._at = (attempt.version, attempt.cycle, attempt.round)
        self._compare("version", attempt.version, number)
        if not (attempt.round or attempt.outcomes):  # ended before its round began
            return
        self._compare("cycle", attempt.cycle, self._evolution.cycle)
        self._compare("round", attempt.round, self._evolution.round)
        self._check_events(self._begun)
        self._begun = ()
        for index, value in enumerate(attempt.outcomes):
            outcome = _outcome(value, self._evolution, self._events, f"outcome {index} of attempt {attempt.version}")
            self._apply(outcome, f"outcomes[{index}]", value)

    def conclude(self) -> None:
        """Compares what there was at the end."""
        recording, evolution = self._recording, self._evolution
        self._at = (None, evolution.cycle, evolution.round)
        self._compare("version", recording.version, len(recording.attempts))
        if self.decisions < len(self._events):
            self._differ("event", _json(self._events[self.decisions]), NOTHING)
        if not recording.ended:
            return
        self._compare("evolution.ended", *map(_json, (recording.events[-1], _end(recording))))
        if recording.result is None:
            if recording.status != "failed":
                self._differ("result", NOTHING, _answer(evolution, self._request))
        elif not evolution.finished:
            self._differ("result", "an answer", _open(evolution))
        else:
            recorded = recording.result.model_dump(mode="json", exclude={"seconds"})
            self._compare("result", recorded, _answer(evolution, self._request))

    def _apply(self, outcome: Outcome, field: str, recorded: Any) -> None:
        try:
            evolution, events = machine.apply(self._evolution, outcome)
        except UnexpectedOutcome:
            self._differ(field, recorded, _open(self._evolution))
        self._check_events(events)
        self._evolution = evolution

    def _check_events(self, events: Iterable[Event]) -> None:
        for event in events:
            if self.decisions == len(self._events):
                self._differ("event", NOTHING, _json(event))
            recorded = self._events[self.decisions]
            if recorded.type != event.type:
                self._differ("event", _json(recorded), _json(event))
            self._compare(event.type, _json(recorded), _json(event))
            self.decisions += 1

    def _compare(self, field: str, recorded: Any, replayed: Any) -> None:
        if found := first_difference(recorded, replayed, field):
            self._differ(*found)

    def _differ(self, field: str, recorded: Any, replayed: Any) -> NoReturn:
        raise _Differs(Difference(*self._at, field, recorded, replayed))


def _check(recording: SavedRecording) -> None:
    if not recording.attempts:
        reason = "it was recorded before attempts were" if recording.ended else "it has not begun"
        raise NotARecording(f"evolution {recording.id} has no attempts to replay: {reason}")
    if recording.attempts[0].version > 1:
        raise NotARecording(f"the attempts before version {recording.attempts[0].version} are missing")


def _outcome(value: Any, evolution: EvolutionState, events: Sequence[Event], where: str) -> Outcome:
    try:
        outcome = outcome_json.load_outcome(value, evolution, events)
    except ValueError as error:
        raise NotARecording(f"{where} cannot be read: {error}") from None
    if unknown := value.keys() - outcome_json.dump_outcome(outcome).keys() - outcome_json.SHORTENING:
        raise NotARecording(f"{where} has {sorted(unknown)[0]}, which is not known here: a newer version wrote it")
    return outcome


def _end(recording: SavedRecording) -> Ended:
    """The last event of an evolution that ended as its resource says."""
    stopped_by = recording.result.stopped_by if recording.result else None
    error = Failure(**recording.error.model_dump()) if recording.error else None
    return Ended(recording.status, stopped_by, error)


def _answer(evolution: EvolutionState, request: EvolutionRequest) -> dict[str, Any]:
    """What `resources.EvolutionResult` says of it, times apart."""
    base, tokens = answers.base(evolution), answers.tokens(evolution)
    return {
        "choices": [_choice(choice, request.sampling) for choice in answers.choices(evolution, request.n)],
        "base": _choice(base, request.sampling) if base else None,
        "prompt_tokens": tokens.prompt,
        "tokens": {name: getattr(tokens, name) for name in responses.StageTokens.model_fields},
        "rounds": evolution.rounds,
        "stopped_by": evolution.stopped_by,
        "fallback": answers.fallback(evolution),
        **({"wishes_withheld": list(evolution.wishes_withheld)} if evolution.wishes_withheld else {}),
    }


def _choice(choice: Choice, sampling: Sampling) -> dict[str, Any]:
    return serializers.evolution_choice(choice, sampling).model_dump(mode="json")


def _open(evolution: EvolutionState) -> list[str]:
    """What the core asks for, in words."""
    return [" ".join(map(str, effect.key)) for effect in machine.next_effects(evolution)]


def _json(event: Event) -> Any:
    return _EVENT.dump_python(event, mode="json")
