"""Base classes of settings, where their values come from, and how a wrong one is reported."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Self

import pydantic_settings
from pydantic import AliasChoices, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SecretsSettingsSource, SettingsConfigDict

from shared.errors import DarwinError
from shared.redis_address import servers

SECRETS_DIR = "DARWIN_SECRETS_DIR"

_MOST_SHARDS = 256


class SettingsError(Exception):
    """A setting cannot be used. The message says what to change, and holds no secret."""


class DarwinSettings(BaseSettings):
    """The base of all settings. They are read once, when a process starts, and are frozen.

    A value comes from its `DARWIN_…` variable or else from a file in the folder `DARWIN_SECRETS_DIR`, named like the
    variable in lower case, as Kubernetes mounts secrets. Errors never show a value.
    """

    model_config = SettingsConfigDict(env_prefix="DARWIN_", frozen=True, extra="ignore", hide_input_in_errors=True)

    fixed: ClassVar[tuple[str, ...]] = ()
    """Names that were settings once: who still sets one is told that it has no effect."""

    @model_validator(mode="after")
    def _no_limits_of_its_own(self) -> Self:
        for name in self.fixed:
            variable = f"{self.model_config['env_prefix']}{name}".upper()
            if variable in os.environ:
                raise ValueError(
                    f"{variable} can no longer be set: a stage takes what gateways accept (shared/records/limits.py). "
                    "Unset it, and set the gateway's limits to be stricter"
                )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        folder = os.environ.get(SECRETS_DIR)
        if not folder:
            return init_settings, env_settings
        if not Path(folder).is_dir():
            raise SettingsError(f"{SECRETS_DIR}: no such folder: {folder}")
        return init_settings, env_settings, SecretsSettingsSource(settings_cls, folder)


class StoreSettings(DarwinSettings):
    """Settings of processes that keep evolutions in Redis."""

    redis_shards: int | None = Field(
        default=None,
        validation_alias=AliasChoices("DARWIN_REDIS_SHARDS", "redis_shards"),
        description="over how many shards evolutions are spread; one for each URL where it is not set",
    )
    redis_url: str = Field(
        default="redis://127.0.0.1:6379/0", validation_alias=AliasChoices("DARWIN_REDIS_URL", "redis_url")
    )
    record_ttl_s: int = Field(
        default=86_400,
        ge=1,
        validation_alias=AliasChoices("DARWIN_RECORD_TTL_S", "record_ttl_s"),
        description="how long an ended evolution can be read",
    )

    @field_validator("redis_shards", mode="before")
    @classmethod
    def _reads_as_number_of_shards(cls, given: object) -> int | None:
        text = "" if given is None else str(given).strip()
        if text and not (re.fullmatch(r"[0-9]{1,9}", text) and 1 <= int(text) <= _MOST_SHARDS):
            raise ValueError(
                f"must be a whole number from 1 to {_MOST_SHARDS}, of the shards that evolutions are spread over; left "
                "out, each server of DARWIN_REDIS_URL has one"
            )
        return int(text) if text else None

    @field_validator("redis_url")
    @classmethod
    def _reads_as_redis_url(cls, url: str, info: ValidationInfo) -> str:
        # Where the number of shards is wrong, a URL is not blamed for it.
        servers(url, info.data.get("redis_shards", _MOST_SHARDS))
        return url


@contextmanager
def refusing(process: str) -> Iterator[None]:
    """Turns errors of settings into exit code 1 and one line per problem, for a process that starts inside."""
    try:
        yield
    except ValidationError as error:
        raise SystemExit("\n".join(f"{process}: {reason}" for reason in reasons(error))) from None
    except (SettingsError, pydantic_settings.SettingsError, DarwinError) as error:
        raise SystemExit(f"{process}: {error}") from None


def reasons(error: ValidationError) -> list[str]:
    """One line for each problem: the setting, and what is wrong with it, without its value."""
    found = []
    for detail in error.errors(include_input=False, include_context=False, include_url=False):
        where, said = ".".join(map(str, detail["loc"])), detail["msg"].removeprefix("Value error, ")
        found.append(f"{where}: {said}" if where else said)
    return found
