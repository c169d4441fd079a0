"""The response bodies of the API, as /openapi.json documents them; errors have theirs in `edge.errors`."""

import operator
from collections.abc import Sized
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from services.gateway.api.evolution_settings import EvolutionSettings
from services.gateway.api.logprobs import ChoiceLogprobs
from services.gateway.api.message_bodies import (
    AnswerMessage,
    ChosenCall,
    ChunkDelta,
    EvolutionMessage,
    OfferedTool,
)
from services.gateway.api.progress import Progress
from shared.methods import Method
from shared.records.events import Event
from shared.records.evolution import Fallback, FinishReason, ServiceTier, Status, StoppedBy
from shared.records.tools import ToolChoice

_WARNINGS = "Which fields of the request were taken without effect, a sentence each; empty where there is none."
_STOPPED_BY = (
    "What ended the search early, if anything; `error`: something failed for good, and this is the best response until "
    "then."
)
_FALLBACK = (
    "Why the plain response to the original conversation is the answer although another one came first, if it is: that "
    "one's reward is not to be trusted, it is empty, or it breaks what the conversation demands of its form. With "
    "`requirement_broken`, no response keeps what the profile requires."
)
_WITHHELD = (
    "Wishes of the reward profile that no mutant told the language model, since the conversation demands otherwise, "
    "such as another length. The reward counts them all the same. Left out where there is none."
)

AnswerFinish = FinishReason | Literal["tool_calls", "function_call"]


def _is_none(value: object) -> bool:
    return value is None


def _is_empty(value: Sized) -> bool:
    return not value


def _is_auto(value: object) -> bool:
    return value == "auto"


class _Resource(BaseModel):
    model_config = ConfigDict(frozen=True)


class StageTokens(_Resource):
    """Tokens that the search cost, by stage."""

    mutation: int = Field(description="Sampled while rewriting instructions.")
    kept: int = Field(description="Sampled and part of some final response.")
    discarded: int = Field(description="Sampled and thrown away by replacement, lookahead or a budget.")
    generated: int = Field(description="mutation + kept + discarded.")
    reward: int = Field(description="Computed by reward models.")
    cached: int = Field(description="Prefix tokens that the generation engine did not recompute.")


class StageSeconds(_Resource):
    """Wall seconds during which a stage was busy; stages overlap."""

    mutation: float
    generation: float
    reward: float
    total: float = Field(description="Since acceptance.")


class _Indexed(_Resource):
    index: int


class _FinishedText(_Resource):
    text: str
    finish_reason: FinishReason
    completion_tokens: int


class _Origin(_Resource):
    reward: float | None
    components: dict[str, float] = Field(description="The reward's weighted parts.")
    instruction: str = Field(description="The instruction that the response was decoded under.")
    cycle: int
    state: int | None = Field(description="Null for the response to the original conversation.")


# The fields of a class follow those of its bases, of which the last one's come first.
class ScoredChoice(_Origin, _Indexed):
    """Where a choice came from, and its reward."""

    completion_tokens: int


class EvolutionChoice(_Origin, _FinishedText):
    """A final response."""

    tool_calls: list[ChosenCall] = Field(
        default=[], exclude_if=_is_empty, description="The calls that it holds; `text` is what stands beside them."
    )
    valid: bool = Field(
        default=True,
        exclude_if=bool,
        description="False where it ends within a call or a thought, or a call does not follow the schema of its tool.",
    )
    logprobs: ChoiceLogprobs | None = Field(default=None, exclude_if=_is_none)
    reasoning: str = Field(default="", exclude_if=_is_empty, description="What was thought before the text.")
    reasoning_tokens: int = Field(default=0, exclude_if=operator.not_, description="Of the completion's tokens.")
    abstained: str = Field(default="", exclude_if=_is_empty, description="Why its reward is not to be trusted.")
    breaks: str = Field(
        default="", exclude_if=_is_empty, description="The first requirement of the profile that it breaks."
    )


class SearchUsage(_Resource):
    """How the answer was found and what it cost; `usage.darwin`."""

    evolution_id: str
    method: Method
    reward: float | None = Field(description="Of the first choice.")
    base_reward: float | None = Field(description="Of the plain response to the original conversation.")
    choices: list[ScoredChoice]
    stopped_by: StoppedBy | None = Field(description=_STOPPED_BY)
    rounds: int
    tokens: StageTokens
    seconds: StageSeconds


class PromptTokensDetails(_Resource):
    """Parts of `prompt_tokens`."""

    cached_tokens: int = Field(
        description="Of the conversation's tokens, those that the engine did not compute again. A search decodes after "
        "the conversation many times and may reuse its tokens each time; here each counts once at most, and "
        "`darwin.tokens.cached` counts every reuse."
    )
    audio_tokens: Literal[0] = 0


class CompletionTokensDetails(_Resource):
    """Parts of `completion_tokens`; Darwin's responses have none of the others."""

    reasoning_tokens: int = Field(default=0, description="Of what was thought, the marks around it included.")
    audio_tokens: Literal[0] = 0
    accepted_prediction_tokens: Literal[0] = 0
    rejected_prediction_tokens: Literal[0] = 0


class Usage(_Resource):
    """Tokens as OpenAI counts them: of the conversation, and of the returned choices together."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails
    completion_tokens_details: CompletionTokensDetails = CompletionTokensDetails()
    cost: float | None = Field(
        default=None,
        exclude_if=_is_none,
        description="Of the whole search at this deployment's prices, in their currency; left out where it has none.",
    )
    darwin: SearchUsage


class ChatChoice(_Resource):
    """One of the best final responses."""

    index: int
    message: AnswerMessage
    finish_reason: AnswerFinish
    logprobs: ChoiceLogprobs | None = Field(default=None, description="Where `logprobs` asked for them.")


class EvolutionReference(_Resource):
    """Which evolution answers, and what of the request had no effect."""

    evolution_id: str
    trace_id: str | None = Field(description="W3C trace id under which every part of the search is traced.")
    stopped_by: StoppedBy | None = Field(default=None, description=_STOPPED_BY)
    fallback: Fallback | None = Field(default=None, exclude_if=_is_none, description=_FALLBACK)
    wishes_withheld: list[str] = Field(default=[], exclude_if=_is_empty, description=_WITHHELD)
    warnings: list[str] = Field(default=[], description=_WARNINGS)


class ChatCompletion(_Resource):
    """OpenAI's `chat.completion`."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str = Field(description="As the request named it; `usage.darwin.method` is the method.")
    choices: list[ChatChoice]
    service_tier: ServiceTier = Field(description="The tier in which the request was served.")
    usage: Usage
    darwin: EvolutionReference


class ChunkChoice(_Resource):
    """A choice's part in a chunk."""

    index: int
    delta: ChunkDelta
    finish_reason: AnswerFinish | None = None
    logprobs: ChoiceLogprobs | None = Field(default=None, description="Of the tokens of this piece of text.")


class ChatCompletionChunk(_Resource):
    """OpenAI's `chat.completion.chunk`: the `data` of each server-sent event, until `[DONE]`.

    The first chunk carries the role; chunks with an empty delta and `darwin` report progress, as the request's
    `darwin.progress` says; then follow thought, text and calls of each choice, in pieces, and its finish reason, and
    at last the usage if asked for. A failure is a last `data` of the form of `ErrorBody`, without `[DONE]`.
    """

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice] = Field(description="Empty in the chunk that carries usage.")
    service_tier: ServiceTier = Field(description="The tier in which the request is served.")
    usage: Usage | None = Field(default=None, exclude_if=_is_none)
    darwin: Event | Progress | EvolutionReference | None = Field(
        default=None,
        exclude_if=_is_none,
        description="The evolution's id in the first chunk, one of its events, or the numbers of one, in each progress "
        "chunk, its id and what stopped it beside each finish reason.",
    )


class EvolutionResult(_Resource):
    """What an evolution found."""

    choices: list[EvolutionChoice] = Field(description="The best distinct final responses, best first.")
    base: EvolutionChoice | None = Field(description="The plain response to the original conversation.")
    prompt_tokens: int
    tokens: StageTokens
    seconds: StageSeconds
    rounds: int
    stopped_by: StoppedBy | None = Field(description=_STOPPED_BY)
    fallback: Fallback | None = Field(default=None, description=_FALLBACK)
    wishes_withheld: list[str] = Field(default=[], exclude_if=_is_empty, description=_WITHHELD)


class EvolutionFailure(_Resource):
    """Why there is no answer. Callers who may read every tenant's evolutions also see what an attempt failed by whose
    search goes on or has an answer.
    """

    code: str = Field(description="Such as `Unavailable`.")
    message: str = Field(
        description="What is wrong with the request. Of what went wrong inside only the kind is told; operators, who "
        "may read every tenant's evolutions, read the rest under the evolution's id."
    )
    field: str | None = Field(description="Path of the offending field, where there is one.")


class Evolution(_Resource):
    """A search, from its acceptance to its answer. Times are Unix seconds."""

    id: str
    object: Literal["evolution"] = "evolution"
    trace_id: str | None = Field(description="W3C trace id under which every part of the search is traced.")
    status: Status
    model: str = Field(description="As the request named it.")
    method: Method
    created_at: float
    finished_at: float | None
    messages: list[EvolutionMessage]
    settings: EvolutionSettings
    user: str | None
    metadata: dict[str, str]
    tools: list[OfferedTool] = Field(default=[], exclude_if=_is_empty)
    tool_choice: ToolChoice = Field(default="auto", exclude_if=_is_auto)
    demanded_tool: str = Field(default="", exclude_if=_is_empty, description="The tool that `tool_choice` names.")
    parallel_tool_calls: bool = Field(default=True, exclude_if=bool)
    warnings: list[str] = Field(default=[], description=_WARNINGS)
    result: EvolutionResult | None
    error: EvolutionFailure | None
