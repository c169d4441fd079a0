from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FinishReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FINISH_REASON_UNSPECIFIED: _ClassVar[FinishReason]
    FINISH_REASON_LENGTH: _ClassVar[FinishReason]
    FINISH_REASON_STOP: _ClassVar[FinishReason]
    FINISH_REASON_CONTEXT: _ClassVar[FinishReason]
FINISH_REASON_UNSPECIFIED: FinishReason
FINISH_REASON_LENGTH: FinishReason
FINISH_REASON_STOP: FinishReason
FINISH_REASON_CONTEXT: FinishReason

class GenerateRequest(_message.Message):
    __slots__ = ("sequences", "sampling", "cache_salt", "now", "tools", "must_call", "tool_name", "parallel_calls", "template_arguments", "reasoning_effort", "conversation", "raw_prompt", "partial_results", "spread", "priority")
    class Message(_message.Message):
        __slots__ = ("role", "content", "tool_calls", "tool_call_id", "reasoning")
        ROLE_FIELD_NUMBER: _ClassVar[int]
        CONTENT_FIELD_NUMBER: _ClassVar[int]
        TOOL_CALLS_FIELD_NUMBER: _ClassVar[int]
        TOOL_CALL_ID_FIELD_NUMBER: _ClassVar[int]
        REASONING_FIELD_NUMBER: _ClassVar[int]
        role: str
        content: str
        tool_calls: _containers.RepeatedCompositeFieldContainer[ToolCall]
        tool_call_id: str
        reasoning: str
        def __init__(self, role: _Optional[str] = ..., content: _Optional[str] = ..., tool_calls: _Optional[_Iterable[_Union[ToolCall, _Mapping]]] = ..., tool_call_id: _Optional[str] = ..., reasoning: _Optional[str] = ...) -> None: ...
    class Tool(_message.Message):
        __slots__ = ("name", "description", "parameters", "strict")
        NAME_FIELD_NUMBER: _ClassVar[int]
        DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
        PARAMETERS_FIELD_NUMBER: _ClassVar[int]
        STRICT_FIELD_NUMBER: _ClassVar[int]
        name: str
        description: str
        parameters: str
        strict: bool
        def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., parameters: _Optional[str] = ..., strict: bool = ...) -> None: ...
    class RawPrompt(_message.Message):
        __slots__ = ("text", "token_ids")
        TEXT_FIELD_NUMBER: _ClassVar[int]
        TOKEN_IDS_FIELD_NUMBER: _ClassVar[int]
        text: str
        token_ids: _containers.RepeatedScalarFieldContainer[int]
        def __init__(self, text: _Optional[str] = ..., token_ids: _Optional[_Iterable[int]] = ...) -> None: ...
    class Sequence(_message.Message):
        __slots__ = ("id", "messages", "response_token_ids", "max_new_tokens", "lookahead_tokens", "seed", "to_be_continued", "raw_prompt", "instruction")
        ID_FIELD_NUMBER: _ClassVar[int]
        MESSAGES_FIELD_NUMBER: _ClassVar[int]
        RESPONSE_TOKEN_IDS_FIELD_NUMBER: _ClassVar[int]
        MAX_NEW_TOKENS_FIELD_NUMBER: _ClassVar[int]
        LOOKAHEAD_TOKENS_FIELD_NUMBER: _ClassVar[int]
        SEED_FIELD_NUMBER: _ClassVar[int]
        TO_BE_CONTINUED_FIELD_NUMBER: _ClassVar[int]
        RAW_PROMPT_FIELD_NUMBER: _ClassVar[int]
        INSTRUCTION_FIELD_NUMBER: _ClassVar[int]
        id: str
        messages: _containers.RepeatedCompositeFieldContainer[GenerateRequest.Message]
        response_token_ids: _containers.RepeatedScalarFieldContainer[int]
        max_new_tokens: int
        lookahead_tokens: int
        seed: int
        to_be_continued: bool
        raw_prompt: GenerateRequest.RawPrompt
        instruction: str
        def __init__(self, id: _Optional[str] = ..., messages: _Optional[_Iterable[_Union[GenerateRequest.Message, _Mapping]]] = ..., response_token_ids: _Optional[_Iterable[int]] = ..., max_new_tokens: _Optional[int] = ..., lookahead_tokens: _Optional[int] = ..., seed: _Optional[int] = ..., to_be_continued: bool = ..., raw_prompt: _Optional[_Union[GenerateRequest.RawPrompt, _Mapping]] = ..., instruction: _Optional[str] = ...) -> None: ...
    class Conversation(_message.Message):
        __slots__ = ("messages", "instruction")
        MESSAGES_FIELD_NUMBER: _ClassVar[int]
        INSTRUCTION_FIELD_NUMBER: _ClassVar[int]
        messages: _containers.RepeatedCompositeFieldContainer[GenerateRequest.Message]
        instruction: int
        def __init__(self, messages: _Optional[_Iterable[_Union[GenerateRequest.Message, _Mapping]]] = ..., instruction: _Optional[int] = ...) -> None: ...
    class Format(_message.Message):
        __slots__ = ("kind", "definition")
        class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
            __slots__ = ()
            KIND_UNSPECIFIED: _ClassVar[GenerateRequest.Format.Kind]
            KIND_JSON_OBJECT: _ClassVar[GenerateRequest.Format.Kind]
            KIND_JSON_SCHEMA: _ClassVar[GenerateRequest.Format.Kind]
            KIND_REGEX: _ClassVar[GenerateRequest.Format.Kind]
            KIND_CHOICE: _ClassVar[GenerateRequest.Format.Kind]
            KIND_GRAMMAR: _ClassVar[GenerateRequest.Format.Kind]
        KIND_UNSPECIFIED: GenerateRequest.Format.Kind
        KIND_JSON_OBJECT: GenerateRequest.Format.Kind
        KIND_JSON_SCHEMA: GenerateRequest.Format.Kind
        KIND_REGEX: GenerateRequest.Format.Kind
        KIND_CHOICE: GenerateRequest.Format.Kind
        KIND_GRAMMAR: GenerateRequest.Format.Kind
        KIND_FIELD_NUMBER: _ClassVar[int]
        DEFINITION_FIELD_NUMBER: _ClassVar[int]
        kind: GenerateRequest.Format.Kind
        definition: str
        def __init__(self, kind: _Optional[_Union[GenerateRequest.Format.Kind, str]] = ..., definition: _Optional[str] = ...) -> None: ...
    class Sampling(_message.Message):
        __slots__ = ("temperature", "top_p", "top_k", "stop", "json_schema", "format", "logprobs", "presence_penalty", "frequency_penalty", "repetition_penalty", "logit_bias", "min_p", "ignore_eos", "self_certainty")
        class LogitBiasEntry(_message.Message):
            __slots__ = ("key", "value")
            KEY_FIELD_NUMBER: _ClassVar[int]
            VALUE_FIELD_NUMBER: _ClassVar[int]
            key: int
            value: float
            def __init__(self, key: _Optional[int] = ..., value: _Optional[float] = ...) -> None: ...
        TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
        TOP_P_FIELD_NUMBER: _ClassVar[int]
        TOP_K_FIELD_NUMBER: _ClassVar[int]
        STOP_FIELD_NUMBER: _ClassVar[int]
        JSON_SCHEMA_FIELD_NUMBER: _ClassVar[int]
        FORMAT_FIELD_NUMBER: _ClassVar[int]
        LOGPROBS_FIELD_NUMBER: _ClassVar[int]
        PRESENCE_PENALTY_FIELD_NUMBER: _ClassVar[int]
        FREQUENCY_PENALTY_FIELD_NUMBER: _ClassVar[int]
        REPETITION_PENALTY_FIELD_NUMBER: _ClassVar[int]
        LOGIT_BIAS_FIELD_NUMBER: _ClassVar[int]
        MIN_P_FIELD_NUMBER: _ClassVar[int]
        IGNORE_EOS_FIELD_NUMBER: _ClassVar[int]
        SELF_CERTAINTY_FIELD_NUMBER: _ClassVar[int]
        temperature: float
        top_p: float
        top_k: int
        stop: _containers.RepeatedScalarFieldContainer[str]
        json_schema: str
        format: GenerateRequest.Format
        logprobs: int
        presence_penalty: float
        frequency_penalty: float
        repetition_penalty: float
        logit_bias: _containers.ScalarMap[int, float]
        min_p: float
        ignore_eos: bool
        self_certainty: bool
        def __init__(self, temperature: _Optional[float] = ..., top_p: _Optional[float] = ..., top_k: _Optional[int] = ..., stop: _Optional[_Iterable[str]] = ..., json_schema: _Optional[str] = ..., format: _Optional[_Union[GenerateRequest.Format, _Mapping]] = ..., logprobs: _Optional[int] = ..., presence_penalty: _Optional[float] = ..., frequency_penalty: _Optional[float] = ..., repetition_penalty: _Optional[float] = ..., logit_bias: _Optional[_Mapping[int, float]] = ..., min_p: _Optional[float] = ..., ignore_eos: bool = ..., self_certainty: bool = ...) -> None: ...
    SEQUENCES_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    CACHE_SALT_FIELD_NUMBER: _ClassVar[int]
    NOW_FIELD_NUMBER: _ClassVar[int]
    TOOLS_FIELD_NUMBER: _ClassVar[int]
    MUST_CALL_FIELD_NUMBER: _ClassVar[int]
    TOOL_NAME_FIELD_NUMBER: _ClassVar[int]
    PARALLEL_CALLS_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    REASONING_EFFORT_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    RAW_PROMPT_FIELD_NUMBER: _ClassVar[int]
    PARTIAL_RESULTS_FIELD_NUMBER: _ClassVar[int]
    SPREAD_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    sequences: _containers.RepeatedCompositeFieldContainer[GenerateRequest.Sequence]
    sampling: GenerateRequest.Sampling
    cache_salt: str
    now: float
    tools: _containers.RepeatedCompositeFieldContainer[GenerateRequest.Tool]
    must_call: bool
    tool_name: str
    parallel_calls: bool
    template_arguments: str
    reasoning_effort: str
    conversation: GenerateRequest.Conversation
    raw_prompt: GenerateRequest.RawPrompt
    partial_results: bool
    spread: int
    priority: int
    def __init__(self, sequences: _Optional[_Iterable[_Union[GenerateRequest.Sequence, _Mapping]]] = ..., sampling: _Optional[_Union[GenerateRequest.Sampling, _Mapping]] = ..., cache_salt: _Optional[str] = ..., now: _Optional[float] = ..., tools: _Optional[_Iterable[_Union[GenerateRequest.Tool, _Mapping]]] = ..., must_call: bool = ..., tool_name: _Optional[str] = ..., parallel_calls: bool = ..., template_arguments: _Optional[str] = ..., reasoning_effort: _Optional[str] = ..., conversation: _Optional[_Union[GenerateRequest.Conversation, _Mapping]] = ..., raw_prompt: _Optional[_Union[GenerateRequest.RawPrompt, _Mapping]] = ..., partial_results: bool = ..., spread: _Optional[int] = ..., priority: _Optional[int] = ...) -> None: ...

class ToolCall(_message.Message):
    __slots__ = ("name", "arguments", "id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    arguments: str
    id: str
    def __init__(self, name: _Optional[str] = ..., arguments: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class GenerateResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[GenerateResult]
    def __init__(self, results: _Optional[_Iterable[_Union[GenerateResult, _Mapping]]] = ...) -> None: ...

class GenerateResult(_message.Message):
    __slots__ = ("id", "token_ids", "text", "lookahead_text", "finish_reason", "usage", "seconds", "queue_seconds", "tool_calls", "content", "calling", "logprobs", "self_certainty", "partial", "served_by", "reasoning", "reasoning_tokens", "thinking")
    class Usage(_message.Message):
        __slots__ = ("prompt_tokens", "cached_tokens", "generated_tokens", "kept_tokens")
        PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
        CACHED_TOKENS_FIELD_NUMBER: _ClassVar[int]
        GENERATED_TOKENS_FIELD_NUMBER: _ClassVar[int]
        KEPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
        prompt_tokens: int
        cached_tokens: int
        generated_tokens: int
        kept_tokens: int
        def __init__(self, prompt_tokens: _Optional[int] = ..., cached_tokens: _Optional[int] = ..., generated_tokens: _Optional[int] = ..., kept_tokens: _Optional[int] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_IDS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    LOOKAHEAD_TEXT_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    TOOL_CALLS_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    CALLING_FIELD_NUMBER: _ClassVar[int]
    LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    SELF_CERTAINTY_FIELD_NUMBER: _ClassVar[int]
    PARTIAL_FIELD_NUMBER: _ClassVar[int]
    SERVED_BY_FIELD_NUMBER: _ClassVar[int]
    REASONING_FIELD_NUMBER: _ClassVar[int]
    REASONING_TOKENS_FIELD_NUMBER: _ClassVar[int]
    THINKING_FIELD_NUMBER: _ClassVar[int]
    id: str
    token_ids: _containers.RepeatedScalarFieldContainer[int]
    text: str
    lookahead_text: str
    finish_reason: FinishReason
    usage: GenerateResult.Usage
    seconds: float
    queue_seconds: float
    tool_calls: _containers.RepeatedCompositeFieldContainer[ToolCall]
    content: str
    calling: bool
    logprobs: _containers.RepeatedCompositeFieldContainer[TokenLogprobs]
    self_certainty: float
    partial: bool
    served_by: str
    reasoning: str
    reasoning_tokens: int
    thinking: bool
    def __init__(self, id: _Optional[str] = ..., token_ids: _Optional[_Iterable[int]] = ..., text: _Optional[str] = ..., lookahead_text: _Optional[str] = ..., finish_reason: _Optional[_Union[FinishReason, str]] = ..., usage: _Optional[_Union[GenerateResult.Usage, _Mapping]] = ..., seconds: _Optional[float] = ..., queue_seconds: _Optional[float] = ..., tool_calls: _Optional[_Iterable[_Union[ToolCall, _Mapping]]] = ..., content: _Optional[str] = ..., calling: bool = ..., logprobs: _Optional[_Iterable[_Union[TokenLogprobs, _Mapping]]] = ..., self_certainty: _Optional[float] = ..., partial: bool = ..., served_by: _Optional[str] = ..., reasoning: _Optional[str] = ..., reasoning_tokens: _Optional[int] = ..., thinking: bool = ...) -> None: ...

class TokenLogprobs(_message.Message):
    __slots__ = ("chosen", "top")
    class Token(_message.Message):
        __slots__ = ("text", "logprob", "special")
        TEXT_FIELD_NUMBER: _ClassVar[int]
        LOGPROB_FIELD_NUMBER: _ClassVar[int]
        SPECIAL_FIELD_NUMBER: _ClassVar[int]
        text: bytes
        logprob: float
        special: bool
        def __init__(self, text: _Optional[bytes] = ..., logprob: _Optional[float] = ..., special: bool = ...) -> None: ...
    CHOSEN_FIELD_NUMBER: _ClassVar[int]
    TOP_FIELD_NUMBER: _ClassVar[int]
    chosen: TokenLogprobs.Token
    top: _containers.RepeatedCompositeFieldContainer[TokenLogprobs.Token]
    def __init__(self, chosen: _Optional[_Union[TokenLogprobs.Token, _Mapping]] = ..., top: _Optional[_Iterable[_Union[TokenLogprobs.Token, _Mapping]]] = ...) -> None: ...

class DecodeRequest(_message.Message):
    __slots__ = ("token_ids",)
    TOKEN_IDS_FIELD_NUMBER: _ClassVar[int]
    token_ids: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, token_ids: _Optional[_Iterable[int]] = ...) -> None: ...

class DecodeResponse(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class GetModelRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetModelResponse(_message.Message):
    __slots__ = ("model", "engine", "context_length", "structured_output", "continues_formats", "tools", "logprobs", "template_variables", "lacks", "reasoning_open", "reasoning_close")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_LENGTH_FIELD_NUMBER: _ClassVar[int]
    STRUCTURED_OUTPUT_FIELD_NUMBER: _ClassVar[int]
    CONTINUES_FORMATS_FIELD_NUMBER: _ClassVar[int]
    TOOLS_FIELD_NUMBER: _ClassVar[int]
    LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_VARIABLES_FIELD_NUMBER: _ClassVar[int]
    LACKS_FIELD_NUMBER: _ClassVar[int]
    REASONING_OPEN_FIELD_NUMBER: _ClassVar[int]
    REASONING_CLOSE_FIELD_NUMBER: _ClassVar[int]
    model: str
    engine: str
    context_length: int
    structured_output: bool
    continues_formats: bool
    tools: bool
    logprobs: bool
    template_variables: _containers.RepeatedScalarFieldContainer[str]
    lacks: _containers.RepeatedScalarFieldContainer[str]
    reasoning_open: str
    reasoning_close: str
    def __init__(self, model: _Optional[str] = ..., engine: _Optional[str] = ..., context_length: _Optional[int] = ..., structured_output: bool = ..., continues_formats: bool = ..., tools: bool = ..., logprobs: bool = ..., template_variables: _Optional[_Iterable[str]] = ..., lacks: _Optional[_Iterable[str]] = ..., reasoning_open: _Optional[str] = ..., reasoning_close: _Optional[str] = ...) -> None: ...
