"""Items as the Responses API returns them: those of an answer, and those that a call brought."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.gateway.api.openai_responses.turns import answer_id, answer_items, own_id, own_items
from shared.errors import InvalidRequest
from shared.records.evolution import Choice, Message, Record

ItemStatus = Literal["in_progress", "completed", "incomplete"]


def _is_none(value: object) -> bool:
    return value is None


class _Resource(BaseModel):
    model_config = ConfigDict(frozen=True)


class OutputText(_Resource):
    """The text of an answer."""

    type: Literal["output_text"] = "output_text"
    text: str
    annotations: list[Any] = Field(default=[], max_length=0)
    logprobs: list[Any] = Field(default=[], max_length=0)


class OutputMessage(_Resource):
    """The answer; a later call may refer to it by its `id`."""

    id: str
    type: Literal["message"] = "message"
    role: Literal["assistant"] = "assistant"
    status: ItemStatus
    content: list[OutputText]


class FunctionCall(_Resource):
    """A call of one of the tools; its output names it by `call_id`, a later call may refer to it by its `id`."""

    id: str
    type: Literal["function_call"] = "function_call"
    status: ItemStatus
    call_id: str
    name: str
    arguments: str


OutputItem = OutputMessage | FunctionCall


class InputText(_Resource):
    """The text of a message that the call brought."""

    type: Literal["input_text", "output_text"]
    text: str
    annotations: list[Any] | None = Field(default=None, exclude_if=_is_none)


class InputMessage(_Resource):
    """A message that the call brought."""

    id: str
    type: Literal["message"] = "message"
    role: Literal["system", "user", "assistant"]
    status: Literal["completed"] = "completed"
    content: list[InputText]


class FunctionCallOutput(_Resource):
    """The output of a call, which the call brought."""

    id: str
    type: Literal["function_call_output"] = "function_call_output"
    status: Literal["completed"] = "completed"
    call_id: str
    output: str


class InputItemList(_Resource):
    """A page of the items that a call brought."""

    object: Literal["list"] = "list"
    data: list[InputMessage | FunctionCall | FunctionCallOutput]
    first_id: str | None
    last_id: str | None
    has_more: bool


def output(record: Record, choice: Choice) -> list[OutputItem]:
    """The items of an answer. What was cut is its text, unless there are calls, which are whole."""
    items = answer_items(record, choice)
    cut = choice.finish_reason == "length" and not choice.tool_calls
    return [
        _call(item, answer_id(record, item, number))
        if item.tool_calls
        else OutputMessage(
            id=answer_id(record, item, number),
            status="incomplete" if cut else "completed",
            content=[OutputText(text=item.content)],
        )
        for number, item in enumerate(items)
    ]


def begun(item: OutputItem) -> OutputItem:
    """The item before anything of its content is there."""
    nothing: dict[str, Any] = {"arguments": ""} if isinstance(item, FunctionCall) else {"content": []}
    return item.model_copy(update={"status": "in_progress", **nothing})


def _call(item: Message, name: str) -> FunctionCall:
    [call] = item.tool_calls
    return FunctionCall(id=name, status="completed", call_id=call.id, name=call.name, arguments=call.arguments)


def _shown(item: Message, name: str) -> InputMessage | FunctionCall | FunctionCallOutput:
    match item.role:
        case "tool":
            return FunctionCallOutput(id=name, call_id=item.tool_call_id, output=item.content)
        case "assistant" if item.tool_calls:
            return _call(item, name)
        case "assistant":
            text = InputText(type="output_text", text=item.content, annotations=[])
            return InputMessage(id=name, role=item.role, content=[text])
        case _:
            return InputMessage(id=name, role=item.role, content=[InputText(type="input_text", text=item.content)])


def input_items(record: Record, newest_first: bool, after: str | None, limit: int) -> InputItemList:
    """A page of the call's own items; `after` is the id of the last item of the page before.

    Raises:
        InvalidRequest: `after` is none of their ids.
    """
    items = [_shown(item, own_id(record, item, number)) for number, item in enumerate(own_items(record))]
    if newest_first:
        items.reverse()
    ids = [item.id for item in items]
    if after is not None and after not in ids:
        raise InvalidRequest(f"after must be the id of one of this response's items, not {after[:80]!r}", field="after")
    begin = 0 if after is None else ids.index(after) + 1
    page = items[begin : begin + limit]
    return InputItemList(
        data=page,
        first_id=page[0].id if page else None,
        last_id=page[-1].id if page else None,
        has_more=begin + limit < len(items),
    )
