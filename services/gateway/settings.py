"""What can be set about the gateway, from `DARWIN_GATEWAY_…` variables."""

import ipaddress
from typing import Self

from pydantic import AliasChoices, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class GatewaySettings(BaseSettings):
    """Settings of the gateway. Times are in seconds."""

    model_config = SettingsConfigDict(
        env_prefix="DARWIN_GATEWAY_", frozen=True, extra="ignore", validate_by_name=True, validate_by_alias=True
    )

    listen: str = Field(
        default="127.0.0.1:8080", pattern=r"^(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+):\d{1,5}$", description="host:port"
    )
    allow_remote: bool = Field(default=False, description="whether `listen` may be reached from other machines")
    redis_url: str = Field(
        default="redis://127.0.0.1:6379/0", validation_alias=AliasChoices("DARWIN_REDIS_URL", "redis_url")
    )
    record_ttl_s: int = Field(
        default=86_400,
        ge=1,
        validation_alias=AliasChoices("DARWIN_RECORD_TTL_S", "record_ttl_s"),
        description="how long a finished evolution can be read",
    )
    default_max_tokens: int = Field(default=512, ge=1)
    max_max_tokens: int = Field(default=4096, ge=1)
    max_body_bytes: int = Field(default=1024 * 1024, ge=1024)
    max_wait_s: float = Field(default=600.0, gt=0, description="how long a call that does not stream waits")
    max_concurrent: int = Field(default=1000, ge=1, description="calls under /v1 at a time; each may hold a connection")
    keepalive_s: int = Field(default=15, ge=1, description="between comments on a silent event stream")

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

    @model_validator(mode="after")
    def _stays_local(self) -> Self:
        if not self.allow_remote and not _loopback(self.host):
            raise ValueError(
                f"listen={self.listen} can be reached from other machines, and nothing asks them for a key: "
                "listen on 127.0.0.1, or set DARWIN_GATEWAY_ALLOW_REMOTE=true behind something that does"
            )
        return self

    @model_validator(mode="after")
    def _default_fits(self) -> Self:
        if self.default_max_tokens > self.max_max_tokens:
            raise ValueError("default_max_tokens must not exceed max_max_tokens")
        return self


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
