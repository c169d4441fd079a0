"""What an OpenAI-compatible endpoint answers, as far as it is read; vLLM's additions are optional."""

from pydantic import BaseModel, Field


class Served(BaseModel):
    """One entry of `/models`."""

    id: str
    max_model_len: int | None = None


class Models(BaseModel):
    data: list[Served]


class Choice(BaseModel):
    """`stop_reason` is the stop string that ended the text, where the endpoint says so."""

    text: str
    finish_reason: str | None = None
    stop_reason: int | str | None = None
    token_ids: list[int] | None = None


class PromptTokens(BaseModel):
    cached_tokens: int | None = None


class Usage(BaseModel):
    prompt_tokens: int
    prompt_tokens_details: PromptTokens | None = None


class Metrics(BaseModel):
    """Milliseconds; the first token is counted from the first step."""

    queue_time_ms: float | None = None
    time_to_first_token_ms: float | None = None


class Error(BaseModel):
    """`param` is the field that is wrong; the message is not read."""

    type: str | None = None
    param: str | None = None


class Refusal(BaseModel):
    """The answer where the status is not 200."""

    error: Error


class Answer(BaseModel):
    """The answer of `/completions`."""

    choices: list[Choice] = Field(min_length=1)
    usage: Usage | None = None
    metrics: Metrics | None = None

    @property
    def cached_tokens(self) -> int:
        """Of the prompt; 0 where the endpoint does not say."""
        details = self.usage.prompt_tokens_details if self.usage else None
        return (details.cached_tokens or 0) if details else 0
