"""Items as the Responses API returns them: those of an answer, and those that a call brought."""

from collections.abc import Sequence
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from services.gateway.api.logprobs import text_of
from services.gateway.api.openai_responses.turns import answer_id, answer_items, is_thought, own_id, own_items
from shared.errors import InvalidRequest
from shared.records.evolution import Choice, Message, Record
from shared.records.logprobs import Alternative, TokenLogprobs, bytes_of

ItemStatus = Literal["in_progress", "completed", "incomplete"]


def _is_none(value: object) -> bool:
    return value is None


class _Resource(BaseModel):
    model_config = ConfigDict(frozen=True)


class OutputTopLogprob(_Resource):
    """A token, and how likely it was."""

    token: str = Field(description="Its text; bytes that are no whole character stand as \\xe2.")
    bytes: list[int] = Field(description="In UTF-8; empty where no text shows the token.")
    logprob: float = Field(description="Natural logarithm, at most 0.")

    @classmethod
    def of(cls, token: Alternative) -> Self:
        return cls(
            token=text_of(token), bytes=[] if token.special else list(bytes_of(token.token)), logprob=token.logprob
        )


class OutputLogprob(OutputTopLogprob):
    """A token of the answer's text, and the likeliest ones in its place."""

    top_logprobs: list[OutputTopLogprob]


class OutputText(_Resource):
    """The text of an answer."""

    type: Literal["output_text"] = "output_text"
    text: str
    annotations: list[Any] = Field(default=[], max_length=0)
    logprobs: list[OutputLogprob] = Field(
        default=[], description="Of the tokens that the text shows, where they were asked for and no tool is called."
    )


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


class ReasoningText(_Resource):
    """What was thought."""

    type: Literal["reasoning_text"] = "reasoning_text"
    text: str


class ReasoningItem(_Resource):
    """What was thought before the answer; a later call may hand it back."""

    id: str
    type: Literal["reasoning"] = "reasoning"
    status: ItemStatus
    summary: list[Any] = Field(default=[], max_length=0)
    content: list[ReasoningText]


OutputItem = ReasoningItem | OutputMessage | FunctionCall


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
    data: list[ReasoningItem | InputMessage | FunctionCall | FunctionCallOutput]
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
        else _reasoning(item, answer_id(record, item, number))
        if is_thought(item)
        else OutputMessage(
            id=answer_id(record, item, number),
            status="incomplete" if cut else "completed",
            content=[OutputText(text=item.content, logprobs=output_logprobs(answer_tokens(choice)))],
        )
        for number, item in enumerate(items)
    ]


def answer_tokens(choice: Choice) -> Sequence[TokenLogprobs]:
    """The tokens of an answer's text with their log probabilities; none beside calls, or where nobody asked."""
    return () if choice.tool_calls else choice.logprobs


def output_logprobs(tokens: Sequence[TokenLogprobs]) -> list[OutputLogprob]:
    """The tokens in the shape of the Responses API."""
    return [
        OutputLogprob(
            **dict(OutputTopLogprob.of(Alternative(*each[:3]))),
            top_logprobs=[OutputTopLogprob.of(other) for other in each.top],
        )
        for each in tokens
    ]


def begun(item: OutputItem) -> OutputItem:
    """The item before anything of its content is there."""
    nothing: dict[str, Any] = {"arguments": ""} if isinstance(item, FunctionCall) else {"content": []}
    return item.model_copy(update={"status": "in_progress", **nothing})


def message_begun(record: Record) -> OutputMessage:
    """The message of an answer that has begun to be told before its search has ended."""
    name = answer_id(record, Message("assistant", ""), 0)
    return OutputMessage(id=name, status="in_progress", content=[])


def reasoning_item(record: Record, thought: str) -> ReasoningItem:
    """The thought before an answer that has begun to be told before its search has ended."""
    item = Message("assistant", "", reasoning=thought)
    return _reasoning(item, answer_id(record, item, 0))


def _reasoning(item: Message, name: str) -> ReasoningItem:
    return ReasoningItem(id=name, status="completed", content=[ReasoningText(text=item.reasoning)])


def _call(item: Message, name: str) -> FunctionCall:
    [call] = item.tool_calls
    return FunctionCall(id=name, status="completed", call_id=call.id, name=call.name, arguments=call.arguments)


def _shown(item: Message, name: str) -> ReasoningItem | InputMessage | FunctionCall | FunctionCallOutput:
    match item.role:
        case "tool":
            return FunctionCallOutput(id=name, call_id=item.tool_call_id, output=item.content)
        case "assistant" if item.tool_calls:
            return _call(item, name)
        case "assistant" if is_thought(item):
            return _reasoning(item, name)
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
