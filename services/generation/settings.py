"""Settings of the generation service, from `DARWIN_GENERATION_…` variables."""

from typing import Any, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from services.generation.endpoint.capabilities import FIELDS, Api, TokenMode
from services.generation.endpoint.chats import Continues
from services.generation.endpoint.hints import NAMES
from services.generation.endpoint.several import NamedEndpoint, read_endpoints
from services.generation.endpoint.url import key_problem, url_problem
from services.generation.engines import AUTO, AUTO_SUMMARY, EngineName
from services.generation.vllm_arguments import read_object
from shared.process.number_types import AUTO_DTYPE, DtypeSetting
from shared.process.settings import DarwinSettings
from shared.records.template_inputs import RESERVED_ARGUMENTS
from shared.text.embedded_models import EMBEDDED_LLM


class GenerationSettings(DarwinSettings):
    model_config = SettingsConfigDict(env_prefix="DARWIN_GENERATION_")
    fixed = ("max_sequences", "max_new_tokens", "max_lookahead_tokens", "max_messages", "max_conversation_characters")

    listen: str = "127.0.0.1:50051"
    engine: EngineName = Field(default=AUTO, description=f"auto: {AUTO_SUMMARY}")
    model: str = Field(
        default=EMBEDDED_LLM, min_length=1, description="an embedded model's name, a folder or a Hugging Face id"
    )
    endpoint: str = Field(default="", description="openai: the endpoint's URL, such as http://host:8000/v1")
    endpoints: str = Field(
        default="",
        description="openai: several endpoints instead, a JSON list of objects with name, url and, where they are "
        "needed, model, weight, key_env or key_file, api, continues, tokens and fields",
    )
    endpoint_key: SecretStr | None = Field(default=None, description="openai: the endpoint's key, where it wants one")
    endpoint_model: str = Field(default="", description="openai: the model's name there; unset: the only one it lists")
    endpoint_tokens: TokenMode = Field(
        default="auto",
        description="openai: whether continuations are given as exact ids or as text; auto: ids where it takes and "
        "returns them",
    )
    endpoint_api: Api = Field(
        default="auto",
        description="openai: whether it is asked by /completions or by /chat/completions; auto: by the former where it "
        "has them",
    )
    endpoint_continues: Continues = Field(
        default="auto",
        description="openai, by chats: how it continues a last message of the assistant's: flags "
        "(continue_final_message), prefix or partial (fields of the message), implicit, or no; auto: found out",
    )
    endpoint_fields: str = Field(
        default="auto",
        description=f"openai: which of {', '.join(FIELDS)} it supports, by commas; auto: those whose values it checks",
    )
    hints: str = Field(
        default="",
        description=f"openai: which of {', '.join(NAMES)} are sent with each request, by commas, for routers",
    )
    tool_parser: str = Field(
        default="auto",
        min_length=1,
        description="who reads calls of tools: hermes, mistral, llama3_json, response_template, one of vLLM's where it "
        "is installed, or none; auto: the first that reads what the chat template writes",
    )
    reasoning_parser: str = Field(
        default="auto",
        min_length=1,
        description="how thoughts are told from answers: think, mistral, gemma4 or another known pair of marks, one of "
        "vLLM's parsers where it is installed, or none; auto: by the marks that the chat template knows",
    )
    chat_template_arguments: dict[str, Any] = Field(
        default={},
        description="what the chat template is given with each request that says nothing else, as JSON: "
        '{"enable_thinking": false}',
    )
    dtype: DtypeSetting = Field(
        default="auto",
        description=f"{AUTO_DTYPE}; for quantised weights bfloat16, or float16 where they know no other",
    )
    endpoint_cache: Literal["apart", "shared"] = Field(
        default="apart",
        description="openai: apart: callers with an API key are refused where it does not support cache_salt; shared: "
        "all may share its prompt cache",
    )
    max_model_len: int = Field(default=4096, ge=16, description="context in tokens; never above the model's own")
    max_running: int = Field(default=64, ge=1, description="sequences decoded at once; further ones wait")
    kv_cache_gib: float | None = Field(
        default=None,
        gt=0,
        description="vllm's KV cache; unset: 1 on a CPU, what gpu_memory_utilization leaves on a GPU",
    )
    gpu_memory_utilization: float = Field(
        default=0.9,
        gt=0,
        le=1,
        description="share of the GPU that vllm takes, and finds free at its start, also with kv_cache_gib",
    )
    vllm_arguments: str = Field(
        default="",
        description="vllm: further arguments of its engine, a JSON object by vLLM's own names, such as quantization, "
        "revision and speculative_config",
    )
    tensor_parallel: int = Field(default=1, ge=1, description="GPUs over which vllm spreads each layer")
    simulated_tokens_per_second: float = Field(default=0, ge=0, description="of each sequence; 0: no delay")
    simulated_response_tokens: int = Field(default=97, ge=0, description="mean length; 0: never ends by itself")
    simulated_thinking_tokens: int = Field(
        default=0, ge=0, description="mean length of what is thought before each answer; 0: nothing is"
    )
    simulated_latency: str = Field(
        default="",
        description="of continuous batching: cpu, or three numbers as bench.latency prints them; empty: none",
    )
    simulated_stretch: float = Field(default=1.0, gt=0, description="so many times as slow")
    simulated_cache_blocks: int = Field(default=0, ge=0, description="of 16 tokens that the prefix cache holds")
    prompt_cache_bytes: int = Field(
        default=64 * 1024**2, ge=0, description="of prompts' token ids, kept for the rounds that come; 0: none are"
    )

    @property
    def trusted_fields(self) -> frozenset[str] | None:
        """The fields that the operator trusts the endpoint to support; None: it is probed for them."""
        if self.endpoint_fields.strip() == "auto":
            return None
        return frozenset(name.strip() for name in self.endpoint_fields.split(",")) - {""}

    @property
    def further_arguments(self) -> dict[str, Any]:
        """Those of vLLM's engine."""
        return read_object(self.vllm_arguments)

    @field_validator("vllm_arguments")
    @classmethod
    def _are_an_object(cls, text: str) -> str:
        read_object(text)
        return text

    @field_validator("chat_template_arguments")
    @classmethod
    def _are_the_templates(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        if reserved := ", ".join(sorted(RESERVED_ARGUMENTS & arguments.keys())):
            raise ValueError(f"may not hold {reserved}: leave it out")
        return arguments

    @property
    def hint_names(self) -> frozenset[str]:
        """The hints that are sent."""
        return frozenset(name.strip() for name in self.hints.split(",")) - {""}

    @field_validator("hints")
    @classmethod
    def _are_hints(cls, named: str) -> str:
        if {name.strip() for name in named.split(",")} - {"", *NAMES}:
            raise ValueError(f"takes {', '.join(NAMES)}, by commas")
        return named

    @property
    def named_endpoints(self) -> tuple[NamedEndpoint, ...]:
        """The several endpoints, none where there is one."""
        return read_endpoints(self.endpoints)

    @field_validator("endpoints")
    @classmethod
    def _reads_as_endpoints(cls, listed: str) -> str:
        read_endpoints(listed)
        return listed

    @field_validator("endpoint")
    @classmethod
    def _reads_as_endpoint(cls, url: str) -> str:
        if url and (problem := url_problem(url)):
            raise ValueError(problem)
        return url

    @field_validator("endpoint_key")
    @classmethod
    def _fits_a_header(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and (problem := key_problem(key.get_secret_value())):
            raise ValueError(problem)
        return key

    @model_validator(mode="after")
    def _endpoint_is_known(self) -> Self:
        if self.engine == "openai" and not (self.endpoint or self.endpoints):
            raise ValueError("the engine openai needs DARWIN_GENERATION_ENDPOINT, or DARWIN_GENERATION_ENDPOINTS")
        if self.endpoint and self.endpoints:
            raise ValueError("set DARWIN_GENERATION_ENDPOINT or DARWIN_GENERATION_ENDPOINTS, not both")
        if self.vllm_arguments and self.engine not in (AUTO, "vllm"):
            raise ValueError(f"vllm_arguments are for the engine vllm, and not for {self.engine}: unset them")
        unknown = (self.trusted_fields or frozenset()) - FIELDS.keys()
        if unknown:
            raise ValueError(f"endpoint_fields takes {', '.join(FIELDS)}, or auto")
        return self
