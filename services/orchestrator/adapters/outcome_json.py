"""JSON for the outcomes that are applied to the evolution, which attempts hold.

Texts are not kept twice: those that events tell stand there only.
"""

from collections.abc import Sequence
from dataclasses import MISSING, fields
from itertools import zip_longest
from typing import Any

from pydantic import TypeAdapter

from services.orchestrator.core.responses import Response
from services.orchestrator.core.values import (
    BASE,
    EvolutionState,
    Generated,
    Mutated,
    MutationEnded,
    Outcome,
    Scored,
    ScoredTogether,
    Stopped,
)
from shared.records.events import BaseScored, Comparison, Event, MutantAccepted, RoundFinished
from shared.records.limits import MAX_NEW_TOKENS

_KINDS = (Mutated, MutationEnded, Generated, Scored, ScoredTogether, Stopped)
_NAMED: dict[str, TypeAdapter[Any]] = {kind.__name__: TypeAdapter(kind) for kind in _KINDS}
_DEFAULTS: dict[str, dict[str, Any]] = {
    kind.__name__: {
        each.name: each.default if each.default_factory is MISSING else each.default_factory() for each in fields(kind)
    }
    for kind in _KINDS
}
_OF_EVENTS = ("text", "operator", "source")
"""The fields of a mutant that its event has, too."""

SHORTENING = {"kept", "scored_kept", "reasoning_kept", "told"}
"""What an outcome has beside its fields where its texts begin where they are new, or stand in an event."""


def dump_outcome(outcome: Outcome) -> dict[str, Any]:
    """The outcome's name as `kind`, and its fields. Fields at their defaults are left out, as is `scored_text` where it
    equals `text`. Of `token_ids` it has the number: no decision depends on which they are.
    """
    name = type(outcome).__name__
    defaults = _DEFAULTS[name]
    value: dict[str, Any] = {key: field for key, field in vars(outcome).items() if field != defaults[key]}
    if isinstance(outcome, Generated):
        value["token_ids"] = len(outcome.token_ids)
        if outcome.scored_text == outcome.text:
            del value["scored_text"]
        if nested := value.keys() & {"called", "logprobs"}:
            value |= _NAMED[name].dump_python(outcome, mode="json", exclude_defaults=True, include=nested)
    elif isinstance(outcome, Scored):
        value |= {"components": components_kept(outcome.components, outcome.reward)} if outcome.components else {}
        if outcome.comparisons:
            value["comparisons"] = [tuple(vars(each).values()) for each in outcome.comparisons]
    elif isinstance(outcome, ScoredTogether):
        value["scores"] = [_without_kind(dump_outcome(each)) for each in outcome.scores]
    return {"kind": name, **value}


def dump_outcomes(
    outcomes: Sequence[Outcome], evolution: EvolutionState, events: Sequence[Event] = ()
) -> tuple[dict[str, Any], ...]:
    """Outcomes that are applied to the evolution, in this order, and led to the events.

    Of a text there is what is new: it has the first `kept` characters of what its state has before, and the scored text
    the first `scored_kept` of it; what was thought has the first `reasoning_kept` of that. Texts that an event tells
    are left out, and the outcome is `told`.
    """
    shortening = _Shortening(evolution, events)
    return tuple(map(shortening.shortened, outcomes))


class _Shortening:
    def __init__(self, evolution: EvolutionState, events: Sequence[Event]) -> None:
        self._texts = {index: state.latest.text for index, state in evolution.states()}
        self._thoughts = {index: state.latest.reasoning for index, state in evolution.states()}
        self._rounds = {
            (event.cycle, event.round): list(zip_longest(event.texts, event.reasoning, fillvalue=""))
            for event in events
            if isinstance(event, RoundFinished)
        }
        self._mutants = iter([event for event in events if isinstance(event, MutantAccepted)])
        self._base = next(((event.text, event.reasoning) for event in events if isinstance(event, BaseScored)), None)

    def shortened(self, outcome: Outcome) -> dict[str, Any]:
        value = dump_outcome(outcome)
        if isinstance(outcome, Mutated):
            event = next(self._mutants, None)
            if event and (event.text, event.operator, event.source) == (outcome.text, outcome.operator, outcome.source):
                value = {name: value[name] for name in value if name not in _OF_EVENTS} | {"told": True}
        elif isinstance(outcome, Generated):
            text, before = outcome.text, self._texts.get(outcome.state, "")
            thought, thought_before = outcome.reasoning, self._thoughts.get(outcome.state, "")
            self._texts[outcome.state], self._thoughts[outcome.state] = text, thought
            if "scored_text" in value and outcome.scored_text.startswith(text):
                value |= {"scored_text": outcome.scored_text[len(text) :], "scored_kept": len(text)}
            told = self._rounds.get((outcome.cycle, outcome.round), ())
            of_base = (self._base,) if outcome.state == BASE and not outcome.partial else ()
            both = (text, thought)
            if both in of_base or (0 <= outcome.state < len(told) and told[outcome.state] == both):
                value = {name: value[name] for name in value if name not in ("text", "reasoning")} | {"told": True}
                return value
            if before and text.startswith(before):
                value |= {"text": text[len(before) :], "kept": len(before)}
            if thought_before and thought.startswith(thought_before):
                value |= {"reasoning": thought[len(thought_before) :], "reasoning_kept": len(thought_before)}
        return value


def components_kept(components: dict[str, float], reward: float | None) -> dict[str, float] | str:
    """The components of a reward as they are kept: only the name of one that is all of it."""
    if len(components) == 1 and repr(*components.values()) == repr(reward):
        [name] = components
        return name
    return components


def components_read(kept: dict[str, float] | str, reward: float | None) -> dict[str, float]:
    """What `components_kept` was given.

    Raises:
        ValueError: there is a name of a component, and no reward.
    """
    if not isinstance(kept, str):
        return kept
    if reward is None:
        raise ValueError("a component without a reward")
    return {kept: reward}


def load_outcome(value: Any, evolution: EvolutionState | None = None, events: Sequence[Event] = ()) -> Outcome:
    """The outcome that was dumped, with 0 for each of its token ids, which earlier versions kept.

    Without the evolution that it is applied to, its texts begin where they are new. Those that events tell, whether of
    this evolution alone or of later ones, too, are empty without these.

    Raises:
        ValueError: `value` is not what it made.
    """
    if not isinstance(value, dict) or value.get("kind") not in _NAMED:
        raise ValueError("no outcome: it has no known kind")
    fields = {name: field for name, field in value.items() if name != "kind"}
    if fields.pop("told", False):
        fields |= _told(value, evolution, events)
    if value["kind"] == Generated.__name__:
        _lengthen(fields, evolution)
        if isinstance(number := fields.get("token_ids"), int):
            if not 0 <= number <= MAX_NEW_TOKENS:
                raise ValueError(f"{number} tokens in one piece")
            fields["token_ids"] = (0,) * number
    if value["kind"] == Scored.__name__:
        fields = _scored(fields)
    elif value["kind"] == ScoredTogether.__name__ and isinstance(fields.get("scores"), list):
        fields["scores"] = [_scored(each) for each in fields["scores"]]
    outcome: Outcome = _NAMED[value["kind"]].validate_python(fields)
    return outcome


def _without_kind(value: dict[str, Any]) -> dict[str, Any]:
    return {name: field for name, field in value.items() if name != "kind"}


def _scored(kept: Any) -> dict[str, Any]:
    """The fields of a score of what is kept of it."""
    if not isinstance(kept, dict):
        raise ValueError("a score that is no object")
    fields = dict(kept)
    if "components" in fields:
        fields["components"] = components_read(fields["components"], fields.get("reward"))
    if "comparisons" in fields:
        fields["comparisons"] = [_comparison(row) for row in fields["comparisons"]]
    return fields


def _comparison(row: Any) -> Comparison:
    component, first, second, preference = row
    return Comparison(component, first, second, preference)


def _told(value: dict[str, Any], evolution: EvolutionState | None, events: Sequence[Event]) -> dict[str, Any]:
    """What events tell of an outcome; an empty text where there are none."""
    if evolution is None or not events:
        return {"text": ""}
    cycle, state = value.get("cycle"), value.get("state")
    if value["kind"] == Mutated.__name__:
        state = next((i for i, each in enumerate(evolution.population) if each.instruction is None), None)
    for event in events:
        match event:
            case MutantAccepted() if value["kind"] == Mutated.__name__ and (event.cycle, event.state) == (cycle, state):
                return {name: getattr(event, name) for name in _OF_EVENTS}
            case BaseScored() if value["kind"] == Generated.__name__ and state == BASE:
                return {"text": event.text, "reasoning": event.reasoning}
            case RoundFinished() if (event.cycle, event.round) == (cycle, value.get("round")):
                if isinstance(state, int) and 0 <= state < len(event.texts):
                    thought = event.reasoning[state] if event.reasoning else ""
                    return {"text": event.texts[state], "reasoning": thought}
    raise ValueError("an outcome whose text no event tells")


def _lengthen(fields: dict[str, Any], evolution: EvolutionState | None) -> None:
    """Puts whole texts in the place of those that begin where they are new."""
    before = Response()
    if evolution is not None:
        states = (state for index, state in evolution.states() if index == fields.get("state"))
        before = next((state.latest for state in states), before)
    fields["text"] = text = _gone_on(fields, "text", "kept", before.text, evolution is not None)
    thought = _gone_on(fields, "reasoning", "reasoning_kept", before.reasoning, evolution is not None)
    fields |= {"reasoning": thought} if thought else {}
    scored_kept = fields.pop("scored_kept", 0)
    if not isinstance(scored_kept, int):
        raise ValueError("an outcome whose text is no text")
    scored = fields.get("scored_text")
    fields["scored_text"] = text if scored is None else text[:scored_kept] + scored if scored_kept else scored


def _gone_on(fields: dict[str, Any], name: str, kept_name: str, before: str, known: bool) -> str:
    """The whole text of a field, whose beginning is that of `before`, where that is `known`."""
    kept, text = fields.pop(kept_name, 0), fields.get(name, "")
    if not (isinstance(kept, int) and isinstance(text, str)):
        raise ValueError("an outcome whose text is no text")
    if not (kept and known):
        return text
    if not 0 <= kept <= len(before):
        raise ValueError("an outcome that goes on from a text that is not there")
    return before[:kept] + text
