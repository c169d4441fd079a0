"""Whole recordings: an evolution with its events, and what each attempt at a round did.

Pure: `cli.history.sources` says where they come from.
"""

from collections.abc import Iterator
from dataclasses import fields
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from services.gateway.api import responses
from services.gateway.api.message_bodies import EvolutionMessage
from shared.process.settings import reasons
from shared.records.attempts import Attempt
from shared.records.events import Event
from shared.records.evolution import TERMINAL, EvolutionRequest, Message, Sampling
from shared.records.search import Search
from shared.records.tools import Tool, ToolCall, ToolUse

# Every recording has these; what came later is at its default where a recording lacks it.
_FIRST = {"cycles", "mutants", "period", "survivors", "lookahead", "mutation"}
_FIRST |= {"max_generated_tokens", "max_reward_calls", "deadline_ms"}


class NotARecording(Exception):
    """Something else, or something that this version cannot read; the message says where and why."""


class SavedRecording(responses.Evolution):
    """As `GET /v1/evolutions/{id}/recording` and `darwin align --json` give it.

    Evolutions that were recorded before attempts were have none, and no version; older ones give the method as `model`.
    """

    trace_id: str | None = None
    version: int = 0
    events: tuple[Annotated[Event, Field(discriminator="type")], ...] = Field(min_length=1)
    attempts: tuple[Attempt, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _names_the_method(cls, document: Any) -> Any:
        if isinstance(document, dict) and "method" not in document and "model" in document:
            return document | {"method": document["model"]}
        return document

    @property
    def ended(self) -> bool:
        return self.status in TERMINAL


def parse(document: Any, where: str) -> SavedRecording:
    """The recording that the document, which came from `where`, holds.

    Raises:
        NotARecording: it holds none, or has fields nobody knows here, which might have changed the search.
    """
    try:
        recording = SavedRecording.model_validate(_with_later_settings(document))
    except ValidationError as error:
        raise NotARecording(f"{where} is no recording of an evolution: {reasons(error)[0]}") from None
    known = recording.model_dump(mode="json", include={"settings", "events", "attempts"})
    for name in known.keys() & document.keys():
        for unknown in _unknown(document[name], known[name], name):
            raise NotARecording(f"{where} has {unknown}, which is not known here: a newer version may have written it")
    return recording


def _with_later_settings(document: Any) -> Any:
    """The document with the settings that earlier versions did not have, which searched as these are by default."""
    if not (isinstance(document, dict) and isinstance(document.get("settings"), dict)):
        return document
    later = {name: value for name, value in vars(Search()).items() if name not in _FIRST}
    return document | {"settings": later | document["settings"]}


def _unknown(given: Any, known: Any, path: str) -> Iterator[str]:
    """Paths of fields that were given and not understood."""
    if isinstance(given, dict) and isinstance(known, dict):
        for name, value in given.items():
            if name in known:
                yield from _unknown(value, known[name], f"{path}.{name}")
            else:
                yield f"{path}.{name}"
    elif isinstance(given, list) and isinstance(known, list):
        for index, (value, other) in enumerate(zip(given, known, strict=True)):
            yield from _unknown(value, other, f"{path}[{index}]")


def request_of(recording: SavedRecording) -> EvolutionRequest:
    """What was asked for, as it was frozen at acceptance; of the tenant nothing is recorded."""
    given = recording.settings.model_dump()
    sampling = {field.name: given[field.name] for field in fields(Sampling) if field.name in given}
    return EvolutionRequest(
        method=recording.method,
        model=recording.model,
        messages=tuple(_message(message) for message in recording.messages),
        sampling=Sampling(**sampling | {"stop": tuple(given["stop"])}),
        search=Search(**{field.name: given[field.name] for field in fields(Search)}),
        seed=recording.settings.seed,
        seeded=recording.settings.seeded,
        n=recording.settings.n,
        profile=recording.settings.profile,
        profile_owner=recording.settings.profile_owner,
        wishes=recording.settings.wishes,
        user=recording.user,
        metadata=recording.metadata,
        warnings=tuple(recording.warnings),
        template_arguments=recording.settings.template_arguments,
        reasoning_effort=recording.settings.reasoning_effort,
        include_reasoning=recording.settings.include_reasoning,
        relative_rewards=recording.settings.relative_rewards,
        self_certainty=recording.settings.self_certainty,
        tool_use=ToolUse(
            tuple(Tool(**tool.model_dump()) for tool in recording.tools),
            choice=recording.tool_choice,
            name=recording.demanded_tool,
            parallel=recording.parallel_tool_calls,
        ),
    )


def _message(message: EvolutionMessage) -> Message:
    calls = tuple(ToolCall(**call.model_dump()) for call in message.tool_calls)
    return Message(message.role, message.content, calls, message.tool_call_id, message.reasoning)
