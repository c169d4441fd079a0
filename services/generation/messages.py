"""Requests to the generation service and their results, as values; `servicer` converts them from and to protobuf."""

from dataclasses import dataclass
from typing import Literal

from shared.records.evolution import Message
from shared.records.formats import ResponseFormat
from shared.records.tools import Tool, ToolCall

SequenceFinish = Literal["length", "stop", "context"]
"""Why a response ended for now. "length": it can be continued. "stop": it is complete. "context": the model's context
is full, and where the response is empty, the prompt alone has filled it."""


@dataclass(frozen=True)
class SamplingOptions:
    """How tokens are sampled, the same for every sequence of a call. Temperature 0 is greedy; top_k 0 keeps every
    token.

    `stop` are the strings that end a response; `format` is what its text must be, None for anything.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    stop: tuple[str, ...] = ()
    format: ResponseFormat | None = None


@dataclass(frozen=True)
class RawPrompt:
    """A prompt that is continued as it stands, as a text or as token ids: one of the two is not empty."""

    text: str = ""
    token_ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Sequence:
    """A conversation, or a raw prompt and no conversation; the token ids of the response so far, and how many tokens
    to add.

    After those, `lookahead_tokens` more are decoded whose text is returned and whose ids are not. `to_be_continued`
    says that another call will ask for more of the response.
    """

    id: str
    messages: tuple[Message, ...]
    response_token_ids: tuple[int, ...] = ()
    max_new_tokens: int = 1
    lookahead_tokens: int = 0
    seed: int | None = None
    to_be_continued: bool = False
    raw_prompt: RawPrompt | None = None

    @property
    def characters(self) -> int:
        """The length of what is to be encoded."""
        return sum(len(each.content) for each in self.messages) + len(self.raw_prompt.text if self.raw_prompt else "")


@dataclass(frozen=True)
class GenerateRequest:
    """Sequences to continue, each with an id of its own.

    Cached prefixes are shared with calls of the same `cache_salt` only. A chat template takes `now`, in Unix seconds,
    for the time; 0 stands for the clock's. The model is told of the `tools`, and its calls are read. With `must_call`
    each response is a call of the tool `tool_name`, or of any where that is empty, and nothing else. Where calls are
    held to a form, because they are demanded or the response has a format, several come with `parallel_calls` only.
    """

    sequences: tuple[Sequence, ...]
    sampling: SamplingOptions = SamplingOptions()
    cache_salt: str = ""
    now: float = 0.0
    tools: tuple[Tool, ...] = ()
    must_call: bool = False
    tool_name: str = ""
    parallel_calls: bool = False


@dataclass(frozen=True)
class TokenUsage:
    """Tokens of the rendered conversation; tokens of it and of the given response that were cached; tokens sampled."""

    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int


@dataclass(frozen=True)
class SequenceResult:
    """A sequence's continuation.

    `token_ids` are the ids added, without lookahead and without the end-of-sequence id; where a stop string ended
    the response they end with the token that completes it. `text` is the whole response so far, decoded from all of
    its ids without special tokens. It is cut before the first stop string and, unless the model has ended it, after its
    last whole character. `lookahead_text` is the same with the lookahead. `seconds` count from the call's arrival;
    for `queue_seconds` of them the engine let the sequence wait, None where the engine does not measure that.
    `tool_calls` are those that the whole response holds, and `content` the text beside them, "" where there are none.
    `calling` says that it has begun a call, within which it may end.
    """

    id: str
    token_ids: tuple[int, ...]
    text: str
    lookahead_text: str
    finish: SequenceFinish
    usage: TokenUsage
    seconds: float
    queue_seconds: float | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    content: str = ""
    calling: bool = False
