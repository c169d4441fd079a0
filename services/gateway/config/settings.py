"""The settings of the gateway, read from `DARWIN_GATEWAY_…` variables."""

import ipaddress
import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from services.gateway.config.model_entry import MAX_MODEL_NAME, ModelEntry
from services.gateway.config.networks import Networks
from services.gateway.config.origins import Origins
from services.gateway.config.price_settings import PriceSettings
from shared.methods import METHODS
from shared.process.urls import url_problem
from shared.records.limits import MAX_BODY_BYTES, MAX_CONVERSATION_CHARACTERS, MAX_LOGPROBS, MAX_NEW_TOKENS
from shared.records.search import LEAST_DEADLINE_MS, MOST_DEADLINE_MS

# Headers that every client may send.
_NO_IDENTITY = frozenset(("authorization", "host", "cookie", "content-type", "content-length", "idempotency-key"))

ENCODER = "all-minilm-l6-v2"
"""The name of the encoder that the mutation service has where its settings name none."""


class GatewaySettings(PriceSettings):
    """Settings of the gateway. Times are in seconds."""

    model_config = SettingsConfigDict(
        env_prefix="DARWIN_GATEWAY_", frozen=True, extra="ignore", validate_by_name=True, validate_by_alias=True
    )

    listen: str = Field(
        default="127.0.0.1:8080", pattern=r"^(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+):\d{1,5}$", description="host:port"
    )
    keys: Literal["required", "off"] = Field(
        default="off", description="whether callers need an API key; without, only this machine can be one"
    )
    models: Annotated[dict[str, ModelEntry], NoDecode] = Field(
        default_factory=dict, description="further model names, as a JSON object of name -> ModelEntry"
    )
    default_model: str = Field(default="", description="answers under a name that nobody knows; empty: none does")
    default_max_tokens: int = Field(default=512, ge=1)
    max_max_tokens: int = Field(default=4096, ge=1, le=MAX_NEW_TOKENS)
    max_body_bytes: int = Field(default=1024 * 1024, ge=1024, le=MAX_BODY_BYTES)
    max_body_seconds: float = Field(default=30.0, gt=0, description="within which a body must have arrived")
    max_conversation_characters: int = Field(default=200_000, ge=1, le=MAX_CONVERSATION_CHARACTERS)
    max_history_tokens: int = Field(
        default=8_000_000, ge=1, description="tokens of partial responses that the events of one search may hold"
    )
    max_logprobs: int = Field(
        default=300_000,
        ge=1,
        le=MAX_LOGPROBS,
        description="log probabilities that one search may record, over all its responses",
    )
    max_active: int = Field(default=10_000, ge=1, description="searches queued or running at a time")
    max_active_per_key: int = Field(default=1_000, ge=1, description="the same, of one API key that sets none itself")
    max_wait_s: float = Field(default=540.0, gt=0, description="how long a call that does not stream waits")
    default_deadline_ms: int | None = Field(
        default=None,
        ge=LEAST_DEADLINE_MS,
        le=MOST_DEADLINE_MS,
        description="deadline of a search whose request names none; none: no deadline",
    )
    trust_traceparent: bool = Field(
        default=False,
        description="whether a call goes on with the trace that its traceparent names, sampled as that says; otherwise "
        "it has a trace of its own, which is linked to that one",
    )
    keepalive_s: int = Field(default=15, ge=1, description="between comments on a silent event stream")
    trace_url: str = Field(
        default="", max_length=2000, description="where a trace is seen; {trace_id} stands for its id; http or https"
    )

    mutation: str = Field(
        default="",
        description="address of the mutation service, whose encoder answers /v1/embeddings; empty: it does not",
    )
    reward: str = Field(
        default="",
        description="address of the reward service, for reward profiles that are managed by /v1/profiles; empty: its "
        "files are all there are",
    )
    embeddings_url: str = Field(
        default="",
        description="an OpenAI-compatible endpoint that answers /v1/embeddings instead, such as http://host:8000/v1",
    )
    embeddings_key: SecretStr | None = Field(default=None, description="the endpoint's key, where it wants one")
    embeddings_model: str = Field(
        default="",
        max_length=MAX_MODEL_NAME,
        description=f"the name of the model that embeds: of the encoder ({ENCODER}), or at the endpoint",
    )
    embeddings_names: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="further names of the model that embeds, separated by commas"
    )

    cors_origins: Origins = Field(
        default=(),
        description="the sites whose web pages may call, such as https://chat.example.org; separated by commas, or a "
        "list in JSON; * for every site, only where keys are required",
    )

    identity_header: str = Field(
        default="",
        pattern=r"^([A-Za-z0-9-]{1,64})?$",
        description="the header in which a proxy says who calls, such as x-forwarded-email; empty: none does",
    )
    trusted_proxies: Networks = Field(
        default=(),
        description="addresses of the proxies that may say so, such as 10.0.0.0/8; separated by commas, or JSON",
    )
    identity_key: str = Field(
        default="",
        pattern=r"^([0-9a-f]{12})?$",
        description="id of the API key whose terms everybody has whom such a proxy names; empty: no limits",
    )

    @property
    def embedding_names(self) -> tuple[str, ...]:
        """The names of the model that embeds, its own first; empty where nothing embeds here."""
        if not (self.mutation or self.embeddings_url):
            return ()
        return (self.embeddings_model or ENCODER, *self.embeddings_names)

    def known_name(self, name: str) -> str | None:
        """The method or model that a request's `model` stands for; None where there is none.

        Client programs put a provider before a model's name (`openai/darwin`), so a name that is not known is looked up
        without what stands before its first slash, then its second, and so on. What then is still unknown is the
        deployment's default model, unless it is the model that embeds.
        """
        known, own = {*METHODS, *self.models}, self.embedding_names
        for rest in _without_providers(name):
            if rest in known:
                return rest
            if rest in own:
                return None
        return self.default_model or None

    def known_embedding_name(self, name: str) -> str | None:
        """The name of the model that embeds which a request's `model` stands for; None where there is none.

        It is looked up as those of searches are. What is unknown everywhere is the model's own name, where this
        deployment has a default model.
        """
        searches, own = {*METHODS, *self.models}, self.embedding_names
        for rest in _without_providers(name):
            if rest in own:
                return rest
            if rest in searches:
                return None
        return own[0] if own and self.default_model else None

    @property
    def host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])

    @field_validator("listen")
    @classmethod
    def _has_a_port(cls, listen: str) -> str:
        if int(listen.rpartition(":")[2]) > 65535:
            raise ValueError("its port must be at most 65535")
        return listen

    @field_validator("models", mode="before")
    @classmethod
    def _parsed(cls, models: Any) -> Any:
        if not isinstance(models, str):
            return models
        try:
            return json.loads(models or "{}")
        except ValueError as error:
            raise ValueError(f"it must be a JSON object of names and entries: {error}") from None

    @field_validator("models")
    @classmethod
    def _leaves_methods_alone(cls, models: dict[str, ModelEntry]) -> dict[str, ModelEntry]:
        for name in models:
            if name in METHODS:
                raise ValueError(f"{name} is a method's own name and always means that method: choose another")
            if not 0 < len(name) <= MAX_MODEL_NAME or not name.isprintable():
                raise ValueError(f"a name is 1 to {MAX_MODEL_NAME} printable characters")
        return models

    @field_validator("embeddings_url")
    @classmethod
    def _reads_as_endpoint(cls, url: str) -> str:
        if url and (problem := url_problem(url, "/v1", "DARWIN_GATEWAY_EMBEDDINGS_KEY")):
            raise ValueError(problem)
        return url

    @field_validator("embeddings_key")
    @classmethod
    def _fits_a_header(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and not all("!" <= character <= "~" for character in key.get_secret_value()):
            raise ValueError("must be printable ASCII without spaces")
        return key

    @field_validator("embeddings_names", mode="before")
    @classmethod
    def _split(cls, names: object) -> object:
        return tuple(name.strip() for name in names.split(",") if name.strip()) if isinstance(names, str) else names

    @field_validator("trace_url")
    @classmethod
    def _names_the_trace(cls, url: str) -> str:
        if url and not (url.startswith(("http://", "https://")) and "{trace_id}" in url):
            raise ValueError("it must begin with http:// or https:// and hold {trace_id}")
        return url

    @model_validator(mode="after")
    def _stays_local(self) -> Self:
        if self.keys == "off" and not loopback(self.host):
            raise ValueError(
                f"listen={self.listen} can be reached from other machines, and nobody is asked for a key: listen on "
                "127.0.0.1, or set DARWIN_GATEWAY_KEYS=required and hand out keys made by `darwin keys add`"
            )
        return self

    @model_validator(mode="after")
    def _default_model_is_known(self) -> Self:
        if self.default_model and self.default_model not in METHODS and self.default_model not in self.models:
            raise ValueError(f"default_model must be one of {', '.join([*METHODS, *self.models])}")
        return self

    @model_validator(mode="after")
    def _embedding_names_are_its_own(self) -> Self:
        if self.embeddings_url and not self.embeddings_model:
            raise ValueError("embeddings_url needs embeddings_model, the model's name there")
        for name in (self.embeddings_model, *self.embeddings_names):
            if name in METHODS or name in self.models:
                raise ValueError(f"{name} is the name of a model that answers chats: choose another for embeddings")
            if len(name) > MAX_MODEL_NAME or not name.isprintable():
                raise ValueError(f"a name is 1 to {MAX_MODEL_NAME} printable characters")
        return self

    @model_validator(mode="after")
    def _default_fits(self) -> Self:
        if self.default_max_tokens > self.max_max_tokens:
            raise ValueError("default_max_tokens must not exceed max_max_tokens")
        return self

    @model_validator(mode="after")
    def _identities_are_trusted(self) -> Self:
        if bool(self.identity_header) != bool(self.trusted_proxies):
            raise ValueError(
                "identity_header and trusted_proxies belong together: the one names the header, the other the proxies "
                "whose word is taken for it"
            )
        if self.identity_key and not self.identity_header:
            raise ValueError("identity_key needs identity_header")
        if self.identity_header and self.keys == "off":
            raise ValueError("identity_header needs DARWIN_GATEWAY_KEYS=required: without, nobody is asked who calls")
        if self.identity_header.lower() in _NO_IDENTITY:
            raise ValueError(f"identity_header={self.identity_header} has another meaning: choose a header of its own")
        return self

    @model_validator(mode="after")
    def _opens_to_all_only_with_keys(self) -> Self:
        if "*" in self.cors_origins and self.keys == "off":
            raise ValueError(
                "cors_origins=* would let every web page that is open on this machine start and read searches: name "
                "the origins, or set DARWIN_GATEWAY_KEYS=required"
            )
        return self


def loopback(host: str) -> bool:
    """Whether a host's name or address means this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _without_providers(name: str) -> Iterator[str]:
    """A name, then without what stands before its first slash, its second, and so on."""
    parts = name.split("/")
    return ("/".join(parts[begin:]) for begin in range(len(parts)))
