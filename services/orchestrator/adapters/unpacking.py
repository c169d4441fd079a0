"""Reads what `packing` writes: an evolution of its head and of all parts that were written up to it."""

from collections.abc import Sequence
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from services.orchestrator.adapters.outcome_json import components_read
from services.orchestrator.adapters.packing import Written
from services.orchestrator.adapters.saved_parts import (
    HEAD,
    KNOWN,
    PART,
    PLAIN,
    Head,
    Part,
    ResponseDelta,
    SavedFinal,
    SavedStateRow,
)
from services.orchestrator.core.responses import NOTHING_SETTLED, Piece, Response, Settled
from services.orchestrator.core.spent import Spent
from services.orchestrator.core.values import Config, EvolutionState, Final, State
from shared.records.events import ArchiveEntry
from shared.records.evolution import SavedState
from shared.records.schema import UnknownSchema, of_another_version

_EMPTY = Response()
_CONFIG: TypeAdapter[Config] = TypeAdapter(Config)
T = TypeVar("T")


def unpack(saved: SavedState) -> tuple[EvolutionState, Written]:
    """The evolution, and what is written of it. Token ids that were not written are 0.

    Raises:
        UnknownSchema: another version of this program wrote it.
        ValueError: it is not what `pack` makes.
    """
    fields = from_json(saved.head)
    number = fields.pop("schema", None) if isinstance(fields, dict) else None
    if isinstance(number, int) and number not in KNOWN:
        raise UnknownSchema(f"its state is of schema {number}, which this worker does not know")
    try:
        head = HEAD.validate_python(fields, extra="forbid")
        parts = [PART.validate_json(part, extra="forbid") for part in saved.parts]
    except ValidationError as error:
        if of_another_version(error):
            raise UnknownSchema("its state has fields or values that this worker does not know") from error
        raise
    try:
        return _Unpacking(parts).evolution(head)
    except ValidationError as error:
        if of_another_version(error):
            raise UnknownSchema("its settings are some that this worker does not know") from error
        raise


class _Unpacking:
    """Every method raises `ValueError` where a part lacks what another refers to."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._texts: list[str] = []
        for text in (text for part in parts for text in part.texts):
            self._texts.append(text if isinstance(text, str) else _at(self._texts, text[0])[: text[1]] + text[2])
        self._responses: list[Response] = []
        for delta in (delta for part in parts for delta in part.responses):
            self._responses.append(self._continued(delta))
        self._finals = [self._final(final) for part in parts for final in part.finals]

    def evolution(self, head: Head) -> tuple[EvolutionState, Written]:
        first = _at(self._parts, 0)
        if first.config is None or first.seed is None:
            raise ValueError("its state lacks the settings")
        population = tuple(map(self._state, head.population))
        evolution = EvolutionState(
            config=_CONFIG.validate_python(first.config, extra="forbid"),
            instruction=_at(self._texts, 0),
            seed=first.seed,
            base=self._state(head.base),
            archive=tuple(ArchiveEntry(_at(self._texts, text), reward) for text, reward in head.archive),
            parent="" if head.parent is None else _at(self._texts, head.parent),
            population=population,
            settled=_settled(head, population),
            finals=tuple(_at(self._finals, index) for index in head.finals),
            spent=Spent(*head.spent),
            **{name: getattr(head, name) for name in PLAIN},
        )
        rows = (head.base, *head.population)
        held = {index for row in rows for index in (row.response, row.ahead) if index is not None and index >= 0}
        written = Written(
            {text: index for index, text in enumerate(self._texts)},
            {index: self._responses[index] for index in held},
            len(self._responses),
            {(final.cycle, final.state): (index, final) for index, final in enumerate(self._finals)},
            len(self._finals),
        )
        return evolution, written

    def _continued(self, delta: ResponseDelta) -> Response:
        before = self._response(delta.parent)
        ids, text, pieces, logprobs = delta.less
        kept, thought, reasoning_tokens, thinking = delta.thought or (0, "", 0, False)
        new_ids = (0,) * delta.token_ids if isinstance(delta.token_ids, int) else delta.token_ids
        return Response(
            token_ids=before.token_ids[: len(before.token_ids) - ids] + new_ids,
            text=before.text[: len(before.text) - text] + delta.text,
            finish=delta.finish,
            pieces=before.pieces[: len(before.pieces) - pieces] + tuple(Piece(*row) for row in delta.pieces),
            called=delta.called,
            logprobs=before.logprobs[: len(before.logprobs) - logprobs] + delta.logprobs,
            reasoning=before.reasoning[:kept] + thought,
            reasoning_tokens=reasoning_tokens,
            thinking=thinking,
            certainty=delta.certainty,
        )

    def _response(self, index: int) -> Response:
        return _EMPTY if index == -1 else _at(self._responses, index)

    def _final(self, saved: SavedFinal) -> Final:
        instruction, response = _at(self._texts, saved.instruction), self._response(saved.response)
        components = components_read(saved.components, saved.reward)
        scored = (saved.reward, components, saved.abstained, saved.breaks)
        return Final(saved.cycle, saved.state, instruction, response, *scored)

    def _state(self, row: SavedStateRow) -> State:
        response = self._response(row.response)
        text = response.whole_text
        return State(
            instruction=None if row.instruction is None else _at(self._texts, row.instruction),
            phase=row.phase,
            response=response,
            scored_text=text if row.scored is None else text[: row.scored[0]] + row.scored[1],
            reward=row.reward,
            components=components_read(row.components, row.reward),
            ahead=None if row.ahead is None else self._response(row.ahead),
            allowance=row.allowance,
            abstained=row.abstained,
            dropped=row.dropped,
            embedding=row.embedding,
            breaks=row.breaks,
        )


def _settled(head: Head, population: Sequence[State]) -> Settled:
    if head.settled is None:
        return NOTHING_SETTLED
    index, length = head.settled
    response = _at(population, index).response
    return Settled(response.text[:length], response.reasoning)


def _at(items: Sequence[T], index: int) -> T:
    if not 0 <= index < len(items):
        raise ValueError("its state refers to a part that is missing")
    return items[index]
