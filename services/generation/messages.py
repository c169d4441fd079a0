"""Requests to the generation service and their results, as values; `servicer` converts them from and to protobuf."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from shared.records.evolution import Message
from shared.records.formats import ResponseFormat
from shared.records.logprobs import TokenLogprobs
from shared.records.template_inputs import NOTHING_ELSE, TemplateInputs
from shared.records.tools import ToolCall

SequenceFinish = Literal["length", "stop", "context"]
"""Why a response ended for now. "length": it can be continued. "stop": it is complete. "context": it was cut and cannot
be continued, because the model's context is full (where the response is empty, the prompt alone has filled it), or
because the engine cannot go on with it."""


@dataclass(frozen=True)
class SamplingOptions:
    """How tokens are sampled, the same for every sequence of a call. Temperature 0 is greedy; top_k 0 keeps every
    token.

    `stop` are the strings that end a response; `format` is what its text must be, None for anything. `logprobs` asks
    for the log probability of each token, and of so many of the likeliest in its place; None for neither.

    Before a token is sampled, its bias in `logit_bias`, by token id, is added to its logit. Then the logits of tokens
    that prompt or response hold are divided by `repetition_penalty` where positive, and multiplied by it where not.
    Then, of each token that the response holds, `presence_penalty` is subtracted, and `frequency_penalty` for each time
    that it does. That is vLLM's order. Tokens less likely than `min_p` times the likeliest are not sampled.
    With `ignore_eos` a response goes on past end-of-sequence tokens. `self_certainty` asks how certain the model was of
    each token.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    stop: tuple[str, ...] = ()
    format: ResponseFormat | None = None
    logprobs: int | None = None
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    min_p: float = 0.0
    ignore_eos: bool = False
    self_certainty: bool = False

    @property
    def alternatives(self) -> int | None:
        """Of how many of the likeliest tokens in the place of each an engine tells; None where it need not look at the
        distribution."""
        return 0 if self.logprobs is None and self.self_certainty else self.logprobs

    @property
    def shaping(self) -> tuple[str, ...]:
        """The names of the fields that not every engine can obey, and that have an effect."""
        return tuple(name for name in SHAPING if getattr(self, name) != _PLAIN[name])


SHAPING = (
    "presence_penalty",
    "frequency_penalty",
    "repetition_penalty",
    "logit_bias",
    "min_p",
    "ignore_eos",
)
"""The fields of `SamplingOptions` that not every engine can obey."""
_PLAIN = {name: getattr(SamplingOptions(), name) for name in SHAPING}


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

    Cached prefixes are shared with calls of the same `cache_salt` only. Chat templates are given the `inputs`, and
    calls of their tools are read. With `must_call`
    each response is a call of the tool `tool_name`, or of any where that is empty, and nothing else. Where calls are
    held to a form, because they are demanded or the response has a format, several come with `parallel_calls` only.
    With `partial_results` there are results of sequences under way, too. They are of the search `evolution`; where
    there are several endpoints they may be spread over `spread` of them. A lower `priority` is wanted earlier.
    """

    sequences: tuple[Sequence, ...]
    sampling: SamplingOptions = SamplingOptions()
    cache_salt: str = ""
    inputs: TemplateInputs = NOTHING_ELSE
    must_call: bool = False
    tool_name: str = ""
    parallel_calls: bool = False
    partial_results: bool = False
    evolution: str = ""
    spread: int = 1
    priority: int = 0


@dataclass(frozen=True)
class TokenUsage:
    """Tokens of the rendered conversation; tokens of it and of the given response that were cached; tokens sampled.

    `kept_tokens` of these are of the response's ids, None where that is their number: where ids merely stand for text,
    whoever sampled it counts otherwise.
    """

    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int
    kept_tokens: int | None = None


@dataclass(frozen=True)
class SequenceResult:
    """A sequence's continuation.

    `token_ids` are the ids added, without lookahead and without the end-of-sequence id; where a stop string ended
    the response they end with the token that completes it. `text` is the whole response so far, decoded from all of
    its ids without special tokens. It is cut before the first stop string and, unless the model has ended it, after its
    last whole character. `lookahead_text` is the same with the lookahead. `seconds` count from the call's arrival;
    for `queue_seconds` of them the engine let the sequence wait, None where the engine does not measure that.
    `tool_calls` are those that the whole response holds, and `content` the text beside them, "" where there are none.
    `calling` says that it has begun a call, within which it may end. `logprobs` are those of the `token_ids`, one each,
    where they were asked for, and so are `certainties`, see `Likelihoods`. A `partial` result is of a sequence under
    way; the `token_ids`, `logprobs`, `certainties` and usage of such ones and of the last one add up. `served_by` names
    the endpoint, where there are several. `reasoning` is what the model thought before, for which the first
    `reasoning_tokens` ids of the whole response stand; texts and calls are those of the answer behind it, of which
    there is none yet where it is `thinking`.
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
    logprobs: tuple[TokenLogprobs, ...] = ()
    partial: bool = False
    served_by: str = ""
    reasoning: str = ""
    reasoning_tokens: int = 0
    thinking: bool = False
    certainties: tuple[float, ...] = ()
