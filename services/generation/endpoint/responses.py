"""The responses of an OpenAI-compatible endpoint, as far as they are read.

All but the text is optional, and counts as absent where it cannot be read.
"""

from typing import Annotated, Any

from pydantic import AliasChoices, AliasPath, BaseModel, Field, ValidatorFunctionWrapHandler, WrapValidator


def _or_none(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(value)
    except ValueError:
        return None


_Readable = WrapValidator(_or_none)
ReadableInt = Annotated[int | None, _Readable]
ReadableFloat = Annotated[float | None, _Readable]
ReadableText = Annotated[str | None, _Readable]


class ServedModel(BaseModel):
    """One entry of `/models`; the context's length, in tokens, goes by several names."""

    id: str
    max_model_len: ReadableInt = Field(
        default=None,
        validation_alias=AliasChoices("max_model_len", "context_length", "max_context_length", "context_window"),
    )


class ListedModels(BaseModel):
    data: list[ServedModel]


class CompletionLogprobs(BaseModel):
    """Of each token its name, its log probability, and those of the likeliest by their names."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]


class CompletionChoice(BaseModel):
    """`text` is that of a completion, or the content of a chat's message. `stop_reason` is the stop string that ended
    it, where the endpoint says so."""

    text: ReadableText = Field(default=None, validation_alias=AliasChoices("text", AliasPath("message", "content")))
    finish_reason: ReadableText = None
    stop_reason: Annotated[int | str | None, _Readable] = Field(
        default=None, validation_alias=AliasChoices("stop_reason", "matched_stop")
    )
    token_ids: Annotated[list[int] | None, _Readable] = None
    logprobs: Annotated[CompletionLogprobs | None, _Readable] = None


class PromptTokensDetails(BaseModel):
    cached_tokens: ReadableInt = None


class CompletionUsage(BaseModel):
    prompt_tokens: ReadableInt = None
    completion_tokens: ReadableInt = None
    prompt_tokens_details: Annotated[PromptTokensDetails | None, _Readable] = None


class CompletionMetrics(BaseModel):
    """Times in milliseconds, as vLLM reports them; that of the first token counts from the first step."""

    queue_time_ms: ReadableFloat = None
    time_to_first_token_ms: ReadableFloat = None


class CompletionResponse(BaseModel):
    """The response of `/completions` or `/chat/completions`."""

    choices: list[CompletionChoice] = Field(min_length=1)
    usage: Annotated[CompletionUsage | None, _Readable] = None
    metrics: Annotated[CompletionMetrics | None, _Readable] = None

    @property
    def cached_tokens(self) -> int:
        """Tokens of the prompt that were cached; 0 where the endpoint reports none."""
        details = self.usage.prompt_tokens_details if self.usage else None
        return (details.cached_tokens or 0) if details else 0

    @property
    def prompt_tokens(self) -> int | None:
        return self.usage.prompt_tokens if self.usage else None

    @property
    def completion_tokens(self) -> int | None:
        return self.usage.completion_tokens if self.usage else None
