"""From the body of a response to an `EvolutionRequest`: its own input, and the conversation that it goes on from."""

from collections.abc import Sequence
from dataclasses import replace

from services.gateway.api.conversation import ChatMessage, TextPart
from services.gateway.api.field_kinds import warnings_of
from services.gateway.api.field_names import renamed
from services.gateway.api.formats import JsonSchemaFormat, ResponseFormatBody
from services.gateway.api.openai_responses.items import InputItem, check_fields, message_of
from services.gateway.api.openai_responses.requests import LOGPROBS, ResponseCreate, TextFormatBody
from services.gateway.api.openai_responses.tools import chat_choice, chat_tools
from services.gateway.api.openai_responses.turns import (
    answer_id,
    answer_items,
    answer_turn,
    check_calls,
    own_id,
    own_items,
    turns_of,
)
from services.gateway.api.requests import AlignmentRequest
from services.gateway.api.tools import CalledFunction, CallOfTool
from services.gateway.api.validation import evolution_request
from services.gateway.config.settings import GatewaySettings
from services.gateway.evolutions.service import EvolutionService
from shared.errors import DarwinError, InvalidRequest, NotFound
from shared.records.evolution import Choice, EvolutionRequest, Message, Record, ResponseOptions
from shared.records.limits import MAX_MESSAGES

_NAMES = {
    "messages": "input",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "response_format": "text.format",
    "logprobs": "include",
    "reasoning_effort": "reasoning.effort",
}
_NOT_STORED = (
    "store: false keeps the response from being read back; its evolution is kept for as long as the deployment keeps "
    "records"
)


async def stored_response(evolutions: EvolutionService, response_id: str, tenant: str | None) -> Record:
    """The evolution that a response's id stands for.

    Raises:
        NotFound: there is none, it may not be read, or it was not stored; these look alike.
    """
    missing = NotFound(f"Response with id '{response_id[:80]}' not found.")
    if not response_id.startswith("resp_"):
        raise missing
    try:
        record = await evolutions.load("evo_" + response_id.removeprefix("resp_"), tenant)
    except NotFound:
        raise missing from None
    if record.request.response is None or not record.request.response.stored:
        raise missing
    return record


async def evolution_of(
    body: ResponseCreate, settings: GatewaySettings, evolutions: EvolutionService, tenant: str
) -> EvolutionRequest:
    """Everything the orchestrator needs, defaults filled in.

    Raises:
        InvalidRequest: fields contradict each other or a limit of this deployment; names the field to change.
        NotFound: `previous_response_id` or a reference names nothing that the caller may read.
    """
    _check(body)
    items = [await _item(item, f"input.{index}", evolutions, tenant) for index, item in enumerate(body.input)]
    before = await _before(body.previous_response_id, evolutions, tenant)
    check_calls(before, items)
    _check_last(items)
    own = turns_of(items)
    system = [Message("system", body.instructions)] if body.instructions is not None else []
    messages = [*system, *before, *own]
    if len(messages) > MAX_MESSAGES:
        raise InvalidRequest(f"the conversation has {len(messages)} messages, at most {MAX_MESSAGES}", field="input")
    chat = AlignmentRequest(
        model=body.model,
        messages=[_chat_message(message) for message in messages],
        temperature=body.temperature,
        top_p=body.top_p,
        max_tokens=body.max_output_tokens,
        user=body.user,
        metadata=body.metadata,
        tools=chat_tools(body.tools),
        tool_choice=chat_choice(body.tool_choice),
        parallel_tool_calls=body.parallel_tool_calls,
        response_format=_chat_format(body.text.format) if body.text and body.text.format else None,
        reasoning_effort=body.reasoning.effort if body.reasoning else None,
        logprobs=LOGPROBS in (body.include or ()),
        top_logprobs=body.top_logprobs,
        darwin=body.darwin,
        service_tier=body.service_tier,
    )
    try:
        request = evolution_request(chat, settings)
    except InvalidRequest as error:
        raise as_asked(error) from None
    wanted = request.sampling.format
    if wanted is not None:
        request = replace(request, sampling=replace(request.sampling, format=replace(wanted, field="text.format")))
    stored = body.store is not False
    return replace(
        request,
        warnings=warnings_of(body) + (() if stored else (_NOT_STORED,)),
        response=ResponseOptions(
            inputs=len(own),
            instructions=body.instructions,
            previous=body.previous_response_id,
            background=bool(body.background),
            stored=stored,
            max_output_tokens=body.max_output_tokens,
            format_name=body.text.format.name if body.text and body.text.format else None,
        ),
    )


def _check(body: ResponseCreate) -> None:
    if body.stream_options and not body.stream:
        raise InvalidRequest("stream_options needs stream: true", field="stream_options")
    if body.background and body.store is False:
        raise InvalidRequest("background needs store: true, or nobody could read the answer", field="background")
    if body.top_logprobs and LOGPROBS not in (body.include or ()):
        raise InvalidRequest(f'top_logprobs needs include: ["{LOGPROBS}"]', field="top_logprobs")


def _check_last(items: Sequence[Message]) -> None:
    """A response answers somebody, who said something."""
    last, field = items[-1], f"input.{len(items) - 1}"
    if last.role == "assistant":
        raise InvalidRequest(f"{field} must be a message of the user's, or the output of a call", field=field)
    if last.role == "user" and not last.content.strip():
        raise InvalidRequest(f"{field} must be a message that is not blank", field=field)


def _chat_message(message: Message) -> ChatMessage:
    calls = [
        CallOfTool.model_construct(
            id=call.id, function=CalledFunction.model_construct(name=call.name, arguments=call.arguments)
        )
        for call in message.tool_calls
    ]
    return ChatMessage.model_construct(
        role=message.role,
        content=[TextPart.model_construct(type="text", text=message.content)],
        reasoning_content=message.reasoning or None,
        tool_calls=calls or None,
        tool_call_id=message.tool_call_id or None,
    )


async def _item(item: InputItem, where: str, evolutions: EvolutionService, tenant: str) -> Message:
    if item.type != "item_reference":
        return message_of(item, where)
    check_fields(item, where)
    missing = NotFound(f"Item with id '{(item.id or '')[:80]}' not found.", field=f"{where}.id")
    _, _, rest = (item.id or "").partition("_")
    try:
        record = await stored_response(evolutions, f"resp_{rest.partition('_')[0]}", tenant)
    except NotFound:
        raise missing from None
    found = {own_id(record, each, number): each for number, each in enumerate(own_items(record))}
    if item.id not in found:
        answer = answer_items(record, _choice(record, f"{where}.id"))
        found = {answer_id(record, each, number): each for number, each in enumerate(answer)}
    if item.id not in found:
        raise missing
    return found[item.id]


async def _before(previous: str | None, evolutions: EvolutionService, tenant: str) -> list[Message]:
    """The conversation up to and with the answer of an earlier response, without its instructions."""
    if previous is None:
        return []
    try:
        record = await stored_response(evolutions, previous, tenant)
    except NotFound:
        raise NotFound(
            f"Previous response with id '{previous[:80]}' not found.", field="previous_response_id"
        ) from None
    options = record.request.response
    skipped = 1 if options and options.instructions is not None else 0
    return [*record.request.messages[skipped:], answer_turn(record, _choice(record, "previous_response_id"))]


def _choice(record: Record, field: str) -> Choice:
    if record.result is None or not record.result.choices:
        raise InvalidRequest(f"the response that {field} names has no answer: it is {record.status}", field=field)
    return record.result.choices[0]


def as_asked(error: DarwinError) -> DarwinError:
    """An error about a chat's fields as one about a response's, whose tools have one level less."""
    known = renamed(error, _NAMES)
    if known.field and known.field.startswith(("tools.", "tool_choice.")):
        flat = known.field.replace(".allowed_tools", "").replace(".function", "")
        return type(known)(known.message.replace(known.field, flat), field=flat)
    return known


def _chat_format(asked: TextFormatBody) -> ResponseFormatBody:
    """The format as chat completions take it.

    Raises:
        InvalidRequest: a JSON schema lacks its name or itself, or they are given with another type.
    """
    given = {"name": asked.name, "schema": asked.schema_}
    for field, value in given.items():
        if (value is not None) != (asked.type == "json_schema"):
            rule = "the type json_schema needs it" if value is None else "it goes with the type json_schema only"
            what = "is missing" if value is None else "must be left out"
            raise InvalidRequest(f"text.format.{field} {what}: {rule}", field=f"text.format.{field}")
    if asked.type != "json_schema":
        return ResponseFormatBody(type=asked.type)
    return ResponseFormatBody(
        type="json_schema", json_schema=JsonSchemaFormat(name=asked.name or "", schema=asked.schema_)
    )
