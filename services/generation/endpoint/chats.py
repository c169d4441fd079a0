"""Conversations as an endpoint's `/chat/completions` takes them, and how it continues an assistant's message.

Servers spell the latter in different ways, and most do not say whether they know one. So each is tried: a message that
breaks off within a word is continued where the reply begins with the rest of the word.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from shared.errors import Unsupported
from shared.records.evolution import Message
from shared.records.turns import prefill_of, without_prefill

Continues = Literal["auto", "no", "flags", "prefix", "partial", "implicit"]
"""How an endpoint continues a message: a name of `CONTINUATIONS`, not at all, or, for auto, as it is found out."""


@dataclass(frozen=True)
class Continuation:
    """What a request holds so that its last message is continued: fields of the body, and fields of that message."""

    body: Mapping[str, Any] = field(default_factory=dict)
    message: Mapping[str, Any] = field(default_factory=dict)


CONTINUATIONS: Mapping[str, Continuation] = MappingProxyType(
    {
        "flags": Continuation(body={"continue_final_message": True, "add_generation_prompt": False}),
        "prefix": Continuation(message={"prefix": True}),
        "partial": Continuation(message={"partial": True}),
        "implicit": Continuation(),
    }
)
"""The spellings, in the order in which they are tried: that of vLLM and SGLang, of DeepSeek and Mistral, of Moonshot
and Qwen, and of servers such as llama.cpp, Ollama and Anthropic's, which continue any last message of the assistant's.
"""

TRIAL_TOKENS = 8
"""So many tokens tell whether a message is continued: fewer than any of its beginnings below has, so that a reply that
holds a whole beginning repeats what was sent, and does not say it anew."""

_TRIALS = (
    (
        "Write the word butterfly eight times, with commas between.",
        "butterfly, butterfly, butterfly, butterfly, butterfly, butterfly, butter",
        "fly",
    ),
    ("Name the days of the week.", "Monday, Tuesday, Wednesday, Thursday, Friday, Satur", "day"),
)
"""A question, a beginning of its answer, and what must follow that: words that models of 135 M parameters complete."""


def chat_fields(messages: Sequence[Message], response: str, continuing: str | None) -> dict[str, Any]:
    """The fields of a request whose reply continues `response`, and before that the beginning of an answer that the
    conversation may end with; `continuing` is a name of `CONTINUATIONS`.

    Raises:
        Unsupported: there is something to continue, and the endpoint continues nothing.
    """
    said = [_message(each) for each in without_prefill(messages)]
    begun = prefill_of(messages) + response
    if not begun:
        return {"messages": said}
    if continuing is None:
        raise Unsupported(
            "the endpoint of this deployment continues no response: leave the beginning of the answer out, and use a "
            "method that decodes each response in one piece (sample, best-of-n or mutation-only)",
            field="messages",
        )
    way = CONTINUATIONS[continuing]
    return {"messages": [*said, {"role": "assistant", "content": begun, **way.message}], **way.body}


def _message(message: Message) -> dict[str, Any]:
    said: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        said["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        said["tool_call_id"] = message.tool_call_id
    return said


async def find_continuing(
    ask: Callable[[dict[str, Any]], Awaitable[str | None]], names: Iterable[str] = CONTINUATIONS
) -> tuple[str | None, bool]:
    """The first of these `CONTINUATIONS` by which the endpoint continues a message, None where there is none; and
    whether its replies begin with what they continue.

    `ask` sends such fields of a request and returns the reply's text, None where the request is refused. There are two
    requests at most for each name.
    """
    for name in names:
        for question, begun, rest in _TRIALS:
            reply = await ask(chat_fields((Message("user", question),), begun, name))
            if reply is None:
                break
            if reply.removeprefix(begun).startswith(rest):
                return name, reply.startswith(begun)
    return None, False
