"""OpenAI's `response` and its parts, and how a record becomes one."""

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.gateway.api import outside, serializers
from services.gateway.api.openai_responses.outputs import OutputItem, output
from services.gateway.api.responses import EvolutionReference, SearchUsage
from services.gateway.config.settings import GatewaySettings
from shared.records.evolution import Choice, Record, ServiceTier
from shared.records.formats import ResponseFormat
from shared.records.tools import Tool, ToolChoice

ResponseStatus = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
_ERROR_CODES = {
    "InvalidRequest": "invalid_prompt",
    "ContextLengthExceeded": "invalid_prompt",
    "Unsupported": "invalid_prompt",
    "Overloaded": "rate_limit_exceeded",
}


def _is_none(value: object) -> bool:
    return value is None


class _Resource(BaseModel):
    model_config = ConfigDict(frozen=True)


class InputTokensDetails(_Resource):
    """Parts of `input_tokens`."""

    cached_tokens: int
    cache_write_tokens: Literal[0] = 0


class OutputTokensDetails(_Resource):
    """Parts of `output_tokens`."""

    reasoning_tokens: int = Field(default=0, description="Of what was thought, the marks around it included.")


class ResponseUsage(_Resource):
    """Tokens as OpenAI counts them: of the conversation and of the answer; `darwin` says what the search cost."""

    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: OutputTokensDetails = OutputTokensDetails()
    total_tokens: int
    darwin: SearchUsage


class DeletedResponse(_Resource):
    """What is left of a response that was deleted."""

    id: str
    object: Literal["response"] = "response"
    deleted: Literal[True] = True


class ResponseError(_Resource):
    """Why there is no answer."""

    code: Literal["server_error", "rate_limit_exceeded", "invalid_prompt"]
    message: str


class IncompleteDetails(_Resource):
    """Why the answer is not whole."""

    reason: Literal["max_output_tokens"] = "max_output_tokens"


class TextFormat(_Resource):
    """Plain text, a JSON object, or what follows a schema, which alone has a name and is strict."""

    type: Literal["text", "json_object", "json_schema"] = "text"
    name: str | None = Field(default=None, exclude_if=_is_none)
    schema_: dict[str, Any] | None = Field(default=None, serialization_alias="schema", exclude_if=_is_none)
    strict: bool | None = Field(default=None, exclude_if=_is_none)


class ResponseText(_Resource):
    """The form of the answer."""

    format: TextFormat


class OfferedFunction(_Resource):
    """A function that the model may call."""

    type: Literal["function"] = "function"
    name: str
    description: str | None
    parameters: dict[str, Any] | None
    strict: bool


class ChosenFunction(_Resource):
    """The function that the model must call."""

    type: Literal["function"] = "function"
    name: str


class ModelResponse(_Resource):
    """OpenAI's `response`. Times are Unix seconds."""

    id: str
    object: Literal["response"] = "response"
    created_at: float
    completed_at: float | None
    status: ResponseStatus
    background: bool
    error: ResponseError | None
    incomplete_details: IncompleteDetails | None
    instructions: str | None
    max_output_tokens: int | None
    metadata: dict[str, str]
    model: str = Field(description="As the request named it.")
    output: list[OutputItem]
    parallel_tool_calls: bool
    previous_response_id: str | None
    service_tier: ServiceTier
    store: bool
    temperature: float
    text: ResponseText
    tool_choice: ToolChoice | ChosenFunction
    tools: list[OfferedFunction]
    top_logprobs: int
    top_p: float
    truncation: Literal["disabled"] = "disabled"
    usage: ResponseUsage | None
    user: str | None
    darwin: EvolutionReference


def response_id(record: Record) -> str:
    """The id of the response that an evolution gives."""
    return "resp_" + record.id.removeprefix("evo_")


def response(record: Record, settings: GatewaySettings, status: ResponseStatus | None = None) -> ModelResponse:
    """The response as it stands; with `status`, as it was before its end."""
    request, options = record.request, record.request.response
    result = record.result if status is None else None
    choice = result.choices[0] if result and result.choices else None
    chat = serializers.usage(record, result, settings) if result and choice else None
    failure = outside.failure_of(record) if status is None else None
    return ModelResponse(
        id=response_id(record),
        created_at=float(int(record.created_at)),
        completed_at=record.finished_at if choice else None,
        status=status or _status(record, choice),
        background=bool(options and options.background),
        error=ResponseError(code=_ERROR_CODES.get(failure.code, "server_error"), message=failure.message)
        if failure
        else None,
        incomplete_details=IncompleteDetails() if choice and choice.finish_reason == "length" else None,
        instructions=options.instructions if options else None,
        max_output_tokens=options.max_output_tokens if options else None,
        metadata=request.metadata,
        model=serializers.model_of(record),
        output=output(record, choice) if choice else [],
        parallel_tool_calls=request.tool_use.parallel,
        previous_response_id=options.previous if options else None,
        service_tier=request.service_tier,
        store=options is None or options.stored,
        temperature=request.sampling.temperature,
        text=ResponseText(format=_format(request.sampling.format, options.format_name if options else None)),
        tool_choice=ChosenFunction(name=request.tool_use.name) if request.tool_use.name else request.tool_use.choice,
        tools=[_offered(tool) for tool in request.tool_use.tools],
        top_logprobs=request.sampling.logprobs or 0,
        top_p=request.sampling.top_p,
        usage=ResponseUsage(
            input_tokens=chat.prompt_tokens,
            input_tokens_details=InputTokensDetails(cached_tokens=chat.prompt_tokens_details.cached_tokens),
            output_tokens=choice.completion_tokens,
            output_tokens_details=OutputTokensDetails(reasoning_tokens=choice.reasoning_tokens),
            total_tokens=chat.prompt_tokens + choice.completion_tokens,
            darwin=chat.darwin,
        )
        if chat and choice
        else None,
        user=request.user,
        darwin=serializers.reference(record, result),
    )


def _format(wanted: ResponseFormat | None, name: str | None) -> TextFormat:
    if wanted is None:
        return TextFormat()
    if wanted.kind == "json_object":
        return TextFormat(type="json_object")
    return TextFormat(type="json_schema", name=name, schema_=json.loads(wanted.definition), strict=True)


def _offered(tool: Tool) -> OfferedFunction:
    return OfferedFunction(
        name=tool.name,
        description=tool.description or None,
        parameters=json.loads(tool.parameters) if tool.parameters else None,
        strict=tool.strict,
    )


def _status(record: Record, choice: Choice | None) -> ResponseStatus:
    match record.status:
        case "queued" | "failed" | "cancelled":
            return record.status
        case "running":
            return "in_progress"
    if choice is None:
        return "failed"
    return "incomplete" if choice.finish_reason == "length" else "completed"
