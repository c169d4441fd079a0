"""Reads evolutions beyond their answer: lists, recordings, preference pairs, differences."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import TypeAdapter

from services.gateway.api.evolution_routes import EvolutionId
from services.gateway.api.openapi import failures
from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.access import caller_of
from services.gateway.edge.middleware import set_evolution_id
from services.gateway.evolutions.service import EvolutionService
from services.gateway.inspector import recordings as out
from services.gateway.inspector.listing import ListQuery, read_page
from shared.errors import Conflict, NotFound
from shared.records.events import Event
from shared.records.evolution import TERMINAL, Record
from shared.records.history import RecordedEvolution
from shared.records.preferences import PairSelection, PreferencePair, step_pairs, whole_pairs
from shared.store.evolutions import Store
from shared.text.tool_turns import with_calls

PairUnit = Literal["whole", "steps"]

_EVENTS: TypeAdapter[list[Event]] = TypeAdapter(list[Event])
_PAIR_MAKERS: dict[PairUnit, Callable[[RecordedEvolution], Iterator[PreferencePair]]] = {
    "whole": whole_pairs,
    "steps": step_pairs,
}
_JSON_LINES = "application/jsonl"


class InspectionRoutes:
    """Routes that only read.

    A key for all tenants reads every tenant's evolutions; so does every caller where no keys are required.
    """

    def __init__(self, store: Store, evolutions: EvolutionService, settings: GatewaySettings) -> None:
        self._store = store
        self._evolutions = evolutions
        self._settings = settings
        self.router = APIRouter(tags=["evolutions"])
        one = "/v1/evolutions/{evolution_id}"
        self._add("/v1/evolutions", self.list_evolutions, "List evolutions", 400, 404)
        self._add(f"{one}/recording", self.recording, "Read all that was recorded", 404)
        self._add(
            f"{one}/pairs",
            self.pairs,
            "Read its preference pairs",
            *(400, 404, 409),
            response_class=Response,
            ok={"description": "One pair a line, as `darwin export` writes it.", "content": {_JSON_LINES: {}}},
        )
        self._add(f"{one}/diff", self.diff, "Compare answer and base response", 404)
        self._add("/v1/viewer", self.viewer, "Read what the inspector may show")

    def _add(
        self, path: str, route: Callable[..., Any], summary: str, *statuses: int, ok: Any = None, **options: Any
    ) -> None:
        responses = failures(401, *statuses, 421, 429, 500, 503) | ({200: ok} if ok else {})
        self.router.add_api_route(path, route, methods=["GET"], summary=summary, responses=responses, **options)

    async def list_evolutions(self, request: Request, query: Annotated[ListQuery, Query()]) -> out.EvolutionList:
        """Evolutions that have not expired, those last accepted first."""
        return await read_page(self._store, query, caller_of(request).readable_tenant)

    async def recording(self, request: Request, evolution_id: EvolutionId) -> out.Recording:
        """The evolution with its events and with what each task did; of one that runs, so far."""
        caller = caller_of(request)
        record, events, attempts = await self._evolutions.load_history(evolution_id, caller.readable_tenant)
        set_evolution_id(request, record.id)
        body = out.recording(record, events, attempts, caller.is_operator)
        # Returned as text, since FastAPI would validate the body again, and a recording is large.
        return Response(await asyncio.to_thread(body.model_dump_json), media_type="application/json")  # type: ignore[return-value]

    async def pairs(
        self,
        request: Request,
        evolution_id: EvolutionId,
        kind: Annotated[PairUnit, Query(description="Whole responses, or prefixes kept and replaced.")] = "whole",
    ) -> Response:
        """What the search preferred, to train on; nothing where it found nothing to prefer."""
        record, events, _ = await self._evolutions.load_history(evolution_id, caller_of(request).readable_tenant)
        set_evolution_id(request, record.id)
        if record.status not in TERMINAL:
            raise Conflict(f"evolution {record.id} is {record.status}: its pairs can be had once it has ended")
        return Response(
            await asyncio.to_thread(_pair_lines, record, events, _PAIR_MAKERS[kind]), media_type=_JSON_LINES
        )

    async def diff(self, request: Request, evolution_id: EvolutionId) -> out.AnswerDiff:
        """Base response and answer, word by word."""
        record = await self._evolutions.load(evolution_id, caller_of(request).readable_tenant)
        set_evolution_id(request, record.id)
        result = record.result
        if result is None or result.base is None or not result.choices:
            raise NotFound(f"evolution {record.id} has no answer and base response to compare")
        base, answer = (with_calls(choice.text, choice.tool_calls) for choice in (result.base, result.choices[0]))
        return await asyncio.to_thread(out.answer_diff, base, answer)

    async def viewer(self, request: Request) -> out.Viewer:
        """Whose evolutions the caller can read, and where traces are seen."""
        caller = caller_of(request)
        return out.Viewer(
            tenant=caller.tenant,
            all_tenants=caller.readable_tenant is None,
            profiles=caller.managed_profiles,
            trace_url=self._settings.trace_url or None,
        )


def _pair_lines(
    record: Record, events: list[Event], make_pairs: Callable[[RecordedEvolution], Iterator[PreferencePair]]
) -> str:
    selection = PairSelection()
    messages = [{"role": message.role, "content": message.content} for message in record.request.messages]
    document = {
        "id": record.id,
        "status": record.status,
        "messages": messages,
        "settings": {"profile": record.request.profile, "profile_owner": record.request.profile_owner},
        "events": _EVENTS.dump_python(events),
    }
    for pair in make_pairs(RecordedEvolution.model_validate(document)):
        selection.offer(pair)
    return "".join(json.dumps(pair.row(), ensure_ascii=False) + "\n" for pair in selection.kept)
