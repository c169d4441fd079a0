"""The evolution in parts that are written once each, and a small head that is written with every save.

What grows stands in parts: instructions, responses, complete responses. A response is written as what is new in it
against an earlier one, so that texts and token ids are written once, however often they are continued or copied. The
head holds numbers, and refers to what the parts hold by its index.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import to_json

from services.orchestrator.adapters.outcome_json import components_kept
from services.orchestrator.adapters.saved_parts import (
    LONGER_ROWS,
    PLAIN,
    SCHEMA,
    WITH_BREAKS,
    WITH_CERTAINTY,
    Head,
    ResponseDelta,
    SavedFinal,
    SavedStateRow,
)
from services.orchestrator.core.responses import Piece, Response
from services.orchestrator.core.values import Config, EvolutionState, Final, State
from shared.records.evolution import SavedState
from shared.records.telling import shared_length

_EMPTY = Response()
_CONFIG: TypeAdapter[Config] = TypeAdapter(Config)
# The mutation service acts on the first, the worker on the second, generation on the third: none is saved.
NOT_THE_CORES = {"mutation", "credit", "deadline_ms", "spread"}


@dataclass(frozen=True)
class Written:
    """What the parts hold that are written already, by index. `texts` and `finals` are all of theirs; `responses` are
    those of the `count` written ones that the evolution still holds.
    """

    texts: Mapping[str, int] = field(default_factory=dict)
    responses: Mapping[int, Response] = field(default_factory=dict)
    count: int = 0
    finals: Mapping[tuple[int, int], tuple[int, Final]] = field(default_factory=dict)
    final_count: int = 0


NOTHING_WRITTEN = Written()


def pack(evolution: EvolutionState, written: Written) -> tuple[SavedState, Written]:
    """The evolution as its head and the part that is new against what is `written`, and what is written with it."""
    packing = _Packing(evolution, written)
    state = packing.state()
    return state, packing.written()


class _Packing:
    """Collects what is new."""

    def __init__(self, evolution: EvolutionState, written: Written) -> None:
        self._evolution = evolution
        self._first = not written.texts
        self._texts, self._new_texts = dict(written.texts), list[str | tuple[int, int, str]]()
        self._count, self._new_responses = written.count, list[list[Any]]()
        self._known = dict(written.responses)
        self._indices = {id(response): index for index, response in written.responses.items()}
        self._held: dict[int, Response] = {}
        self._ends = {
            _where(response.pieces[-1]): index
            for index, response in written.responses.items()
            if response.pieces and not response.finished
        }
        self._finals, self._final_count = dict(written.finals), written.final_count
        self._new_finals: list[list[Any]] = []

    def state(self) -> SavedState:
        evolution = self._evolution
        plain = {name: value for name in PLAIN if (value := getattr(evolution, name)) != getattr(Head, name)}
        head = plain | {
            "schema": _schema(evolution),
            "spent": tuple(vars(evolution.spent).values()),
            "archive": [(self._text(entry.instruction), entry.reward) for entry in evolution.archive],
            "parent": self._text(evolution.parent) if evolution.parent else None,
            "base": self._row(evolution.base),
            "population": [self._row(state) for state in evolution.population],
            "finals": [self._final(final) for final in evolution.finals],
        }
        if evolution.settled.text:
            head["settled"] = _settled(evolution)
        part: dict[str, Any] = {"texts": self._new_texts, "responses": self._new_responses, "finals": self._new_finals}
        part = {name: value for name, value in part.items() if value}
        if self._first:
            config = _CONFIG.dump_python(evolution.config, exclude=NOT_THE_CORES, exclude_defaults=True)
            part |= {"config": config, "seed": evolution.seed}
        return SavedState(_json(head), (_json(part),) if part else ())

    def written(self) -> Written:
        return Written(self._texts, self._held, self._count, self._finals, self._final_count)

    def _text(self, text: str) -> int:
        if self._first and not self._texts:
            self._texts[self._evolution.instruction] = 0
            self._new_texts.append(self._evolution.instruction)
        index = self._texts.get(text)
        if index is None:
            before = self._texts.get(self._evolution.parent, 0)
            kept = shared_length(self._evolution.parent if before else self._evolution.instruction, text)
            index = self._texts[text] = len(self._texts)
            self._new_texts.append((before, kept, text[kept:]))
        return index

    def _row(self, state: State) -> list[Any]:
        text, scored = state.response.whole_text, None
        if state.scored_text != text:
            kept = shared_length(text, state.scored_text)
            scored = (kept, state.scored_text[kept:])
        return _trimmed(
            SavedStateRow(
                None if state.instruction is None else self._text(state.instruction),
                state.phase,
                self._response(state.response),
                state.reward,
                components_kept(state.components, state.reward),
                scored,
                None if state.ahead is None else self._response(state.ahead, ahead=True),
                state.allowance,
                state.abstained,
                state.dropped,
                state.embedding,
                state.breaks,
            )
        )

    def _response(self, response: Response, ahead: bool = False) -> int:
        index = self._indices.get(id(response))
        if index is None:
            if response == _EMPTY:
                return -1
            index, self._count = self._count, self._count + 1
            self._new_responses.append(self._delta(response, ahead))
            self._indices[id(response)] = index
        self._held[index] = response
        return index

    def _delta(self, response: Response, ahead: bool) -> list[Any]:
        ends = (_where(piece) for piece in reversed(response.pieces))
        parent = next((self._ends[end] for end in ends if end in self._ends), -1)
        before = self._known[parent] if parent >= 0 else _EMPTY
        ids = shared_length(before.token_ids, response.token_ids)
        text = shared_length(before.text, response.text)
        pieces = shared_length(before.pieces, response.pieces)
        logprobs = shared_length(before.logprobs, response.logprobs)
        less = (
            len(before.token_ids) - ids,
            len(before.text) - text,
            len(before.pieces) - pieces,
            len(before.logprobs) - logprobs,
        )
        new_ids = response.token_ids[ids:]
        return _trimmed(
            ResponseDelta(
                parent,
                response.text[text:],
                len(new_ids) if response.finished and not ahead else new_ids,
                tuple((*_where(each), each.tokens) for each in response.pieces[pieces:]),
                response.finish,
                less,
                response.called,
                response.logprobs[logprobs:],
                _thought(before, response),
                response.certainty,
            )
        )

    def _final(self, final: Final) -> int:
        index, known = self._finals.get((final.cycle, final.state), (-1, None))
        if known != final:
            index, self._final_count = self._final_count, self._final_count + 1
            self._finals[final.cycle, final.state] = (index, final)
            instruction, response = self._text(final.instruction), self._response(final.response)
            components = components_kept(final.components, final.reward)
            scored = (final.reward, components, final.abstained, final.breaks)
            saved = SavedFinal(final.cycle, final.state, instruction, response, *scored)
            self._new_finals.append(_trimmed(saved))
        return index


def _schema(evolution: EvolutionState) -> int:
    """The least number by which earlier versions know what they cannot read."""
    both: list[State | Final] = [*(state for _, state in evolution.states()), *evolution.finals]
    if any(each.response.certainty for each in both) or any(state.latest.certainty for _, state in evolution.states()):
        return WITH_CERTAINTY
    if any(each.breaks for each in both):
        return WITH_BREAKS
    longer = any(each.abstained for each in both)
    longer = longer or any(state.dropped or state.embedding for _, state in evolution.states())
    return LONGER_ROWS if longer else SCHEMA


def _json(value: dict[str, Any]) -> str:
    return to_json(value).decode()


def _trimmed(row: ResponseDelta | SavedFinal | SavedStateRow) -> list[Any]:
    """The row without the defaults at its end."""
    values = list(row)
    for default in reversed(row._field_defaults.values()):
        if values[-1] != default:
            break
        values.pop()
    return values


def _thought(before: Response, response: Response) -> tuple[int, str, int, bool] | None:
    if not (response.reasoning_tokens or response.thinking):
        return None
    kept = shared_length(before.reasoning, response.reasoning)
    return kept, response.reasoning[kept:], response.reasoning_tokens, response.thinking


def _settled(evolution: EvolutionState) -> tuple[int, int] | None:
    """Where what is settled stands: all that go on begin with it. None where a tokenizer's text has changed behind."""
    states = (i for i, state in enumerate(evolution.population) if evolution.settled.kept_by(state.response))
    state = next(states, None)
    return None if state is None else (state, len(evolution.settled.text))


def _where(piece: Piece) -> tuple[int, int, int, int]:
    """What stays of a piece while it grows."""
    return piece.cycle, piece.round, piece.state, piece.start
