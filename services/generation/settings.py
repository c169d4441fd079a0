"""Settings of the generation service, from `DARWIN_GENERATION_…` variables."""

from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.models import EMBEDDED_LLM
from shared.settings import DarwinSettings

Dtype = Literal["bfloat16", "float16", "float32"]


class GenerationSettings(DarwinSettings):
    model_config = SettingsConfigDict(env_prefix="DARWIN_GENERATION_")

    listen: str = "127.0.0.1:50051"
    engine: Literal["auto", "vllm", "transformers", "simulated"] = Field(
        default="auto", description="auto: vllm where it is installed, else transformers"
    )
    model: str = Field(
        default=EMBEDDED_LLM, min_length=1, description="an embedded model's name, a folder or a Hugging Face id"
    )
    dtype: Dtype = "bfloat16"
    max_model_len: int = Field(default=4096, ge=16, description="context in tokens; never above the model's own")
    max_running: int = Field(default=64, ge=1, description="sequences decoded at once; further ones wait")
    kv_cache_gib: float | None = Field(
        default=None,
        gt=0,
        description="vllm's KV cache; unset: 1 on a CPU, what gpu_memory_utilization leaves on a GPU",
    )
    gpu_memory_utilization: float = Field(default=0.9, gt=0, le=1, description="share of the GPU that vllm takes")
    simulated_tokens_per_second: float = Field(default=0, ge=0, description="of each sequence; 0: no delay")
    simulated_response_tokens: int = Field(default=97, ge=0, description="mean length; 0: never ends by itself")
    simulated_latency: str = Field(
        default="",
        description="of continuous batching: cpu, or three numbers as bench.latency prints them; empty: none",
    )
    simulated_stretch: float = Field(default=1.0, gt=0, description="so many times as slow")
    simulated_cache_blocks: int = Field(default=0, ge=0, description="of 16 tokens that the prefix cache holds")
    max_sequences: int = Field(default=256, ge=1, description="in one call")
    max_new_tokens: int = Field(default=4096, ge=1, description="of one sequence in one call")
    max_lookahead_tokens: int = Field(default=512, ge=0)
    max_messages: int = Field(default=256, ge=1)
    max_conversation_characters: int = Field(default=400_000, ge=1)
