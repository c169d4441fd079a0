"""From the body of a response to an `EvolutionRequest`: its own input, and the conversation that it goes on from."""

from dataclasses import replace

from services.gateway.api.conversation import ChatMessage, TextPart
from services.gateway.api.field_kinds import warnings_of
from services.gateway.api.field_names import renamed
from services.gateway.api.formats import JsonSchemaFormat, ResponseFormatBody
from services.gateway.api.openai_responses.requests import InputItem, ResponseCreate, TextFormatBody
from services.gateway.api.requests import AlignmentRequest
from services.gateway.api.validation import evolution_request
from services.gateway.config.settings import GatewaySettings
from services.gateway.evolutions.service import EvolutionService
from shared.errors import DarwinError, InvalidRequest, NotFound
from shared.records.evolution import MAX_MESSAGES, EvolutionRequest, Message, Record, ResponseOptions

_NAMES = {
    "messages": "input",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "response_format": "text.format",
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
    own = [await _message(item, index, evolutions, tenant) for index, item in enumerate(body.input)]
    if own[-1].role != "user" or not own[-1].content.strip():
        last = f"input.{len(own) - 1}"
        raise InvalidRequest(f"{last} must be a message of the user's that is not blank", field=last)
    before = await _before(body.previous_response_id, evolutions, tenant)
    system = [Message("system", body.instructions)] if body.instructions is not None else []
    messages = [*system, *before, *own]
    if len(messages) > MAX_MESSAGES:
        raise InvalidRequest(f"the conversation has {len(messages)} messages, at most {MAX_MESSAGES}", field="input")
    chat = AlignmentRequest(
        model=body.model,
        messages=[
            ChatMessage.model_construct(role=m.role, content=[TextPart.model_construct(type="text", text=m.content)])
            for m in messages
        ],
        temperature=body.temperature,
        top_p=body.top_p,
        max_tokens=body.max_output_tokens,
        user=body.user,
        metadata=body.metadata,
        response_format=_chat_format(body.text.format) if body.text and body.text.format else None,
        darwin=body.darwin,
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


async def _message(item: InputItem, index: int, evolutions: EvolutionService, tenant: str) -> Message:
    where = f"input.{index}"
    if item.type == "item_reference":
        return await _referenced(item, where, evolutions, tenant)
    if item.role is None:
        raise InvalidRequest(f"{where}.role is missing", field=f"{where}.role")
    if item.content is None:
        raise InvalidRequest(f"{where}.content is missing", field=f"{where}.content")
    for number, part in enumerate(item.content):
        name = "refusal" if part.type == "refusal" else "text"
        path = f"{where}.content.{number}"
        if getattr(part, name) is None:
            raise InvalidRequest(f"{path}.{name} is missing", field=f"{path}.{name}")
        other = "text" if name == "refusal" else "refusal"
        if getattr(part, other) is not None:
            raise InvalidRequest(
                f"{path}.{other} must be left out of a part of type {part.type}", field=f"{path}.{other}"
            )
        if part.type in ("output_text", "refusal") and item.role != "assistant":
            raise InvalidRequest(f"{path}.type must be input_text: only assistants answer", field=f"{path}.type")
    return Message("system" if item.role == "developer" else item.role, item.text)


async def _referenced(item: InputItem, where: str, evolutions: EvolutionService, tenant: str) -> Message:
    """The message that a response took (`msg_{response}_{number}`) or gave (`msg_{response}`)."""
    if item.id is None:
        raise InvalidRequest(f"{where}.id is missing", field=f"{where}.id")
    if item.content is not None or item.role is not None:
        raise InvalidRequest(f"{where} must hold type and id alone: it refers to a message", field=where)
    response, _, number = item.id.removeprefix("msg_").partition("_")
    try:
        record = await stored_response(evolutions, f"resp_{response}", tenant)
        if not number:
            return _answer(record, f"{where}.id")
        return own_messages(record)[int(number) if number.isdecimal() else len(record.request.messages)]
    except (NotFound, ValueError, IndexError):
        raise NotFound(f"Item with id '{item.id[:80]}' not found.", field=f"{where}.id") from None


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
    return [*record.request.messages[skipped:], _answer(record, "previous_response_id")]


def _answer(record: Record, field: str) -> Message:
    if record.result is None or not record.result.choices:
        raise InvalidRequest(f"the response that {field} names has no answer: it is {record.status}", field=field)
    return Message("assistant", record.result.choices[0].text)


def own_messages(record: Record) -> tuple[Message, ...]:
    """The messages that the call itself brought."""
    options = record.request.response
    return record.request.messages[-options.inputs :] if options else record.request.messages


def as_asked(error: DarwinError) -> DarwinError:
    """An error about a chat's fields as one about a response's."""
    return renamed(error, _NAMES)


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
