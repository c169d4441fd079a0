from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ScoreRequest(_message.Message):
    __slots__ = ("messages", "candidates", "profile", "cache_salt", "json_values", "content", "only_loaded", "together")
    class Message(_message.Message):
        __slots__ = ("role", "content")
        ROLE_FIELD_NUMBER: _ClassVar[int]
        CONTENT_FIELD_NUMBER: _ClassVar[int]
        role: str
        content: str
        def __init__(self, role: _Optional[str] = ..., content: _Optional[str] = ...) -> None: ...
    class Candidate(_message.Message):
        __slots__ = ("id", "text", "partial", "self_certainty")
        ID_FIELD_NUMBER: _ClassVar[int]
        TEXT_FIELD_NUMBER: _ClassVar[int]
        PARTIAL_FIELD_NUMBER: _ClassVar[int]
        SELF_CERTAINTY_FIELD_NUMBER: _ClassVar[int]
        id: str
        text: str
        partial: bool
        self_certainty: float
        def __init__(self, id: _Optional[str] = ..., text: _Optional[str] = ..., partial: bool = ..., self_certainty: _Optional[float] = ...) -> None: ...
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    CACHE_SALT_FIELD_NUMBER: _ClassVar[int]
    JSON_VALUES_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    ONLY_LOADED_FIELD_NUMBER: _ClassVar[int]
    TOGETHER_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[ScoreRequest.Message]
    candidates: _containers.RepeatedCompositeFieldContainer[ScoreRequest.Candidate]
    profile: str
    cache_salt: str
    json_values: bool
    content: str
    only_loaded: bool
    together: bool
    def __init__(self, messages: _Optional[_Iterable[_Union[ScoreRequest.Message, _Mapping]]] = ..., candidates: _Optional[_Iterable[_Union[ScoreRequest.Candidate, _Mapping]]] = ..., profile: _Optional[str] = ..., cache_salt: _Optional[str] = ..., json_values: bool = ..., content: _Optional[str] = ..., only_loaded: bool = ..., together: bool = ...) -> None: ...

class ScoreResponse(_message.Message):
    __slots__ = ("scores", "profile", "usage", "comparisons")
    class Component(_message.Message):
        __slots__ = ("name", "weight", "value")
        NAME_FIELD_NUMBER: _ClassVar[int]
        WEIGHT_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        name: str
        weight: float
        value: float
        def __init__(self, name: _Optional[str] = ..., weight: _Optional[float] = ..., value: _Optional[float] = ...) -> None: ...
    class Score(_message.Message):
        __slots__ = ("id", "reward", "components", "abstained", "breaks")
        ID_FIELD_NUMBER: _ClassVar[int]
        REWARD_FIELD_NUMBER: _ClassVar[int]
        COMPONENTS_FIELD_NUMBER: _ClassVar[int]
        ABSTAINED_FIELD_NUMBER: _ClassVar[int]
        BREAKS_FIELD_NUMBER: _ClassVar[int]
        id: str
        reward: float
        components: _containers.RepeatedCompositeFieldContainer[ScoreResponse.Component]
        abstained: str
        breaks: str
        def __init__(self, id: _Optional[str] = ..., reward: _Optional[float] = ..., components: _Optional[_Iterable[_Union[ScoreResponse.Component, _Mapping]]] = ..., abstained: _Optional[str] = ..., breaks: _Optional[str] = ...) -> None: ...
    class Usage(_message.Message):
        __slots__ = ("computed_tokens", "cached_tokens")
        COMPUTED_TOKENS_FIELD_NUMBER: _ClassVar[int]
        CACHED_TOKENS_FIELD_NUMBER: _ClassVar[int]
        computed_tokens: int
        cached_tokens: int
        def __init__(self, computed_tokens: _Optional[int] = ..., cached_tokens: _Optional[int] = ...) -> None: ...
    class Comparison(_message.Message):
        __slots__ = ("component", "first", "second", "preference")
        COMPONENT_FIELD_NUMBER: _ClassVar[int]
        FIRST_FIELD_NUMBER: _ClassVar[int]
        SECOND_FIELD_NUMBER: _ClassVar[int]
        PREFERENCE_FIELD_NUMBER: _ClassVar[int]
        component: str
        first: int
        second: int
        preference: float
        def __init__(self, component: _Optional[str] = ..., first: _Optional[int] = ..., second: _Optional[int] = ..., preference: _Optional[float] = ...) -> None: ...
    SCORES_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    COMPARISONS_FIELD_NUMBER: _ClassVar[int]
    scores: _containers.RepeatedCompositeFieldContainer[ScoreResponse.Score]
    profile: str
    usage: ScoreResponse.Usage
    comparisons: _containers.RepeatedCompositeFieldContainer[ScoreResponse.Comparison]
    def __init__(self, scores: _Optional[_Iterable[_Union[ScoreResponse.Score, _Mapping]]] = ..., profile: _Optional[str] = ..., usage: _Optional[_Union[ScoreResponse.Usage, _Mapping]] = ..., comparisons: _Optional[_Iterable[_Union[ScoreResponse.Comparison, _Mapping]]] = ...) -> None: ...

class ListProfilesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListProfilesResponse(_message.Message):
    __slots__ = ("profiles", "default")
    class Profile(_message.Message):
        __slots__ = ("name", "description", "components", "content", "relative", "self_certainty", "wishes")
        NAME_FIELD_NUMBER: _ClassVar[int]
        DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
        COMPONENTS_FIELD_NUMBER: _ClassVar[int]
        CONTENT_FIELD_NUMBER: _ClassVar[int]
        RELATIVE_FIELD_NUMBER: _ClassVar[int]
        SELF_CERTAINTY_FIELD_NUMBER: _ClassVar[int]
        WISHES_FIELD_NUMBER: _ClassVar[int]
        name: str
        description: str
        components: _containers.RepeatedScalarFieldContainer[str]
        content: str
        relative: bool
        self_certainty: bool
        wishes: _containers.RepeatedScalarFieldContainer[str]
        def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., components: _Optional[_Iterable[str]] = ..., content: _Optional[str] = ..., relative: bool = ..., self_certainty: bool = ..., wishes: _Optional[_Iterable[str]] = ...) -> None: ...
    PROFILES_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_FIELD_NUMBER: _ClassVar[int]
    profiles: _containers.RepeatedCompositeFieldContainer[ListProfilesResponse.Profile]
    default: str
    def __init__(self, profiles: _Optional[_Iterable[_Union[ListProfilesResponse.Profile, _Mapping]]] = ..., default: _Optional[str] = ...) -> None: ...

class LoadProfileRequest(_message.Message):
    __slots__ = ("profile", "content", "tenants")
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    TENANTS_FIELD_NUMBER: _ClassVar[int]
    profile: str
    content: str
    tenants: bool
    def __init__(self, profile: _Optional[str] = ..., content: _Optional[str] = ..., tenants: bool = ...) -> None: ...

class LoadProfileResponse(_message.Message):
    __slots__ = ("components", "relative", "self_certainty", "wishes")
    COMPONENTS_FIELD_NUMBER: _ClassVar[int]
    RELATIVE_FIELD_NUMBER: _ClassVar[int]
    SELF_CERTAINTY_FIELD_NUMBER: _ClassVar[int]
    WISHES_FIELD_NUMBER: _ClassVar[int]
    components: _containers.RepeatedScalarFieldContainer[str]
    relative: bool
    self_certainty: bool
    wishes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, components: _Optional[_Iterable[str]] = ..., relative: bool = ..., self_certainty: bool = ..., wishes: _Optional[_Iterable[str]] = ...) -> None: ...
