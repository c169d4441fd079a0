"""Fields of vLLM's chat completions that Darwin has no use for: each takes what changes nothing, or is named."""

from typing import Annotated, Any

from pydantic import Field

from services.gateway.api.field_kinds import NotSupported, WithoutEffect
from services.gateway.api.field_types import Body, Text
from services.gateway.config.search_fields import WHOLE

_BY_ID = "tokens are not chosen by their ids here"
_NO_IDS = "answers are text, without token ids"
_NO_MEDIA = "messages are text"
_ONE_PLACE = "prefixes and experts stay within the engine"
_SHORTEN = "shorten the conversation yourself"


class VllmFields(Body):
    """Parameters of vLLM's, obeyed ones aside."""

    include_reasoning: bool | None = Field(
        default=None,
        description="Whether answers tell what a model that thinks first has thought (`reasoning_content`, and "
        "`reasoning`). Default: true.",
    )
    thinking_token_budget: Annotated[int | None, WHOLE, WithoutEffect()] = Field(
        default=None,
        description="Thoughts are bounded by `max_tokens`, of which they are a part; see reasoning_effort.",
    )
    priority: Annotated[int | None, WHOLE, WithoutEffect(0)] = Field(
        default=None, description="`service_tier` says whose searches begin first."
    )
    request_id: Annotated[Text | None, WithoutEffect()] = Field(
        default=None, description="The answer's headers have the call's id; metadata keeps one of yours."
    )
    session_id: Annotated[Text | None, WithoutEffect()] = Field(default=None, description="Use metadata.")
    spaces_between_special_tokens: Annotated[bool | None, WithoutEffect(True, False)] = Field(
        default=None, description="Answers hold no special tokens."
    )
    stream_interval: Annotated[int | None, Field(ge=1), WHOLE, WithoutEffect(1)] = Field(
        default=None, description="A stream's text comes in pieces of a few words."
    )

    add_special_tokens: Annotated[Any, NotSupported(False, why="the chat template writes them")] = None
    allowed_token_ids: Annotated[Any, NotSupported(why=_BY_ID)] = None
    bad_words: Annotated[Any, NotSupported([], why="words cannot be forbidden; ask in the conversation")] = None
    cache_salt: Annotated[Any, NotSupported(why="caches are apart for each tenant, not for each salt")] = None
    chat_template: Annotated[Any, NotSupported(why="the template is the model's own")] = None
    documents: Annotated[Any, NotSupported([], why="write them into the conversation")] = None
    ec_transfer_params: Annotated[Any, NotSupported({}, why=_ONE_PLACE)] = None
    include_stop_str_in_output: Annotated[Any, NotSupported(False, why="answers end before a stop string")] = None
    kv_transfer_params: Annotated[Any, NotSupported({}, why=_ONE_PLACE)] = None
    logprob_token_ids: Annotated[Any, NotSupported([], why=_BY_ID)] = None
    media_io_kwargs: Annotated[Any, NotSupported({}, why=_NO_MEDIA)] = None
    min_tokens: Annotated[Any, NotSupported(0, why="a response ends where the model ends it")] = None
    mm_payload: Annotated[Any, NotSupported("tensors", why=_NO_MEDIA)] = None
    mm_processor_kwargs: Annotated[Any, NotSupported({}, why=_NO_MEDIA)] = None
    prompt_logprobs: Annotated[Any, NotSupported(why="log probabilities of the conversation are not supported")] = None
    repetition_detection: Annotated[Any, NotSupported(why="the reward takes points from loops")] = None
    return_mm_kwargs: Annotated[Any, NotSupported(False, why=_NO_MEDIA)] = None
    return_prompt_text: Annotated[Any, NotSupported(False, why="answers do not repeat the conversation")] = None
    return_token_ids: Annotated[Any, NotSupported(False, why=_NO_IDS)] = None
    return_token_offsets: Annotated[Any, NotSupported(False, why=_NO_IDS)] = None
    return_tokens_as_token_ids: Annotated[Any, NotSupported(False, why=_NO_IDS)] = None
    routed_experts_prompt_start: Annotated[Any, NotSupported(0, why=_ONE_PLACE)] = None
    stop_token_ids: Annotated[Any, NotSupported([], why="responses end at the strings of stop")] = None
    truncate_prompt_tokens: Annotated[Any, NotSupported(why=_SHORTEN)] = None
    truncation_side: Annotated[Any, NotSupported(why=_SHORTEN)] = None
    vllm_xargs: Annotated[Any, NotSupported({}, why="they are for engines alone")] = None
    watermarking: Annotated[Any, NotSupported(False, why="answers hold no watermark")] = None
