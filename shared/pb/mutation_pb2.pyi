from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MutateRequest(_message.Message):
    __slots__ = ("messages", "parent", "count", "exclude", "seed", "cache_salt", "mode", "form_fixed", "max_generated_tokens", "earned", "noise", "crossover", "refine", "wishes")
    class Mode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        MODE_UNSPECIFIED: _ClassVar[MutateRequest.Mode]
        MODE_MODEL: _ClassVar[MutateRequest.Mode]
        MODE_TEMPLATES: _ClassVar[MutateRequest.Mode]
    MODE_UNSPECIFIED: MutateRequest.Mode
    MODE_MODEL: MutateRequest.Mode
    MODE_TEMPLATES: MutateRequest.Mode
    class Message(_message.Message):
        __slots__ = ("role", "content")
        ROLE_FIELD_NUMBER: _ClassVar[int]
        CONTENT_FIELD_NUMBER: _ClassVar[int]
        role: str
        content: str
        def __init__(self, role: _Optional[str] = ..., content: _Optional[str] = ...) -> None: ...
    class Earned(_message.Message):
        __slots__ = ("mean", "weight")
        MEAN_FIELD_NUMBER: _ClassVar[int]
        WEIGHT_FIELD_NUMBER: _ClassVar[int]
        mean: float
        weight: float
        def __init__(self, mean: _Optional[float] = ..., weight: _Optional[float] = ...) -> None: ...
    class EarnedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: MutateRequest.Earned
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[MutateRequest.Earned, _Mapping]] = ...) -> None: ...
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    PARENT_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    CACHE_SALT_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    FORM_FIXED_FIELD_NUMBER: _ClassVar[int]
    MAX_GENERATED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    EARNED_FIELD_NUMBER: _ClassVar[int]
    NOISE_FIELD_NUMBER: _ClassVar[int]
    CROSSOVER_FIELD_NUMBER: _ClassVar[int]
    REFINE_FIELD_NUMBER: _ClassVar[int]
    WISHES_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[MutateRequest.Message]
    parent: str
    count: int
    exclude: _containers.RepeatedScalarFieldContainer[str]
    seed: int
    cache_salt: str
    mode: MutateRequest.Mode
    form_fixed: bool
    max_generated_tokens: int
    earned: _containers.MessageMap[str, MutateRequest.Earned]
    noise: float
    crossover: _containers.RepeatedScalarFieldContainer[str]
    refine: str
    wishes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, messages: _Optional[_Iterable[_Union[MutateRequest.Message, _Mapping]]] = ..., parent: _Optional[str] = ..., count: _Optional[int] = ..., exclude: _Optional[_Iterable[str]] = ..., seed: _Optional[int] = ..., cache_salt: _Optional[str] = ..., mode: _Optional[_Union[MutateRequest.Mode, str]] = ..., form_fixed: bool = ..., max_generated_tokens: _Optional[int] = ..., earned: _Optional[_Mapping[str, MutateRequest.Earned]] = ..., noise: _Optional[float] = ..., crossover: _Optional[_Iterable[str]] = ..., refine: _Optional[str] = ..., wishes: _Optional[_Iterable[str]] = ...) -> None: ...

class MutateEvent(_message.Message):
    __slots__ = ("mutant", "rejection", "summary", "generated_tokens")
    class Source(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        SOURCE_UNSPECIFIED: _ClassVar[MutateEvent.Source]
        SOURCE_MODEL: _ClassVar[MutateEvent.Source]
        SOURCE_TEMPLATE: _ClassVar[MutateEvent.Source]
        SOURCE_PARENT: _ClassVar[MutateEvent.Source]
    SOURCE_UNSPECIFIED: MutateEvent.Source
    SOURCE_MODEL: MutateEvent.Source
    SOURCE_TEMPLATE: MutateEvent.Source
    SOURCE_PARENT: MutateEvent.Source
    class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        REASON_UNSPECIFIED: _ClassVar[MutateEvent.Reason]
        REASON_EMPTY: _ClassVar[MutateEvent.Reason]
        REASON_PROMPT_EXAMPLE: _ClassVar[MutateEvent.Reason]
        REASON_DUPLICATE: _ClassVar[MutateEvent.Reason]
        REASON_TOO_SHORT: _ClassVar[MutateEvent.Reason]
        REASON_TOO_LONG: _ClassVar[MutateEvent.Reason]
        REASON_MEANING_LOST: _ClassVar[MutateEvent.Reason]
        REASON_MALFORMED: _ClassVar[MutateEvent.Reason]
    REASON_UNSPECIFIED: MutateEvent.Reason
    REASON_EMPTY: MutateEvent.Reason
    REASON_PROMPT_EXAMPLE: MutateEvent.Reason
    REASON_DUPLICATE: MutateEvent.Reason
    REASON_TOO_SHORT: MutateEvent.Reason
    REASON_TOO_LONG: MutateEvent.Reason
    REASON_MEANING_LOST: MutateEvent.Reason
    REASON_MALFORMED: MutateEvent.Reason
    class Mutant(_message.Message):
        __slots__ = ("text", "operator", "source", "similarity")
        TEXT_FIELD_NUMBER: _ClassVar[int]
        OPERATOR_FIELD_NUMBER: _ClassVar[int]
        SOURCE_FIELD_NUMBER: _ClassVar[int]
        SIMILARITY_FIELD_NUMBER: _ClassVar[int]
        text: str
        operator: str
        source: MutateEvent.Source
        similarity: float
        def __init__(self, text: _Optional[str] = ..., operator: _Optional[str] = ..., source: _Optional[_Union[MutateEvent.Source, str]] = ..., similarity: _Optional[float] = ...) -> None: ...
    class Rejection(_message.Message):
        __slots__ = ("text", "operator", "reason", "similarity")
        TEXT_FIELD_NUMBER: _ClassVar[int]
        OPERATOR_FIELD_NUMBER: _ClassVar[int]
        REASON_FIELD_NUMBER: _ClassVar[int]
        SIMILARITY_FIELD_NUMBER: _ClassVar[int]
        text: str
        operator: str
        reason: MutateEvent.Reason
        similarity: float
        def __init__(self, text: _Optional[str] = ..., operator: _Optional[str] = ..., reason: _Optional[_Union[MutateEvent.Reason, str]] = ..., similarity: _Optional[float] = ...) -> None: ...
    class Summary(_message.Message):
        __slots__ = ("prompt_tokens", "generated_tokens", "withheld")
        PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
        GENERATED_TOKENS_FIELD_NUMBER: _ClassVar[int]
        WITHHELD_FIELD_NUMBER: _ClassVar[int]
        prompt_tokens: int
        generated_tokens: int
        withheld: _containers.RepeatedScalarFieldContainer[str]
        def __init__(self, prompt_tokens: _Optional[int] = ..., generated_tokens: _Optional[int] = ..., withheld: _Optional[_Iterable[str]] = ...) -> None: ...
    MUTANT_FIELD_NUMBER: _ClassVar[int]
    REJECTION_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    GENERATED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    mutant: MutateEvent.Mutant
    rejection: MutateEvent.Rejection
    summary: MutateEvent.Summary
    generated_tokens: int
    def __init__(self, mutant: _Optional[_Union[MutateEvent.Mutant, _Mapping]] = ..., rejection: _Optional[_Union[MutateEvent.Rejection, _Mapping]] = ..., summary: _Optional[_Union[MutateEvent.Summary, _Mapping]] = ..., generated_tokens: _Optional[int] = ...) -> None: ...

class EmbedRequest(_message.Message):
    __slots__ = ("texts", "model", "dimensions", "cut")
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    CUT_FIELD_NUMBER: _ClassVar[int]
    texts: _containers.RepeatedScalarFieldContainer[str]
    model: str
    dimensions: int
    cut: bool
    def __init__(self, texts: _Optional[_Iterable[str]] = ..., model: _Optional[str] = ..., dimensions: _Optional[int] = ..., cut: bool = ...) -> None: ...

class EmbedResponse(_message.Message):
    __slots__ = ("embeddings", "model", "width")
    class Embedding(_message.Message):
        __slots__ = ("vector", "tokens")
        VECTOR_FIELD_NUMBER: _ClassVar[int]
        TOKENS_FIELD_NUMBER: _ClassVar[int]
        vector: bytes
        tokens: int
        def __init__(self, vector: _Optional[bytes] = ..., tokens: _Optional[int] = ...) -> None: ...
    EMBEDDINGS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    embeddings: _containers.RepeatedCompositeFieldContainer[EmbedResponse.Embedding]
    model: str
    width: int
    def __init__(self, embeddings: _Optional[_Iterable[_Union[EmbedResponse.Embedding, _Mapping]]] = ..., model: _Optional[str] = ..., width: _Optional[int] = ...) -> None: ...
