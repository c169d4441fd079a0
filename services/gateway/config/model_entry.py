"""What a further model name of a deployment stands for, as its settings declare it."""

from dataclasses import replace
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.gateway.config.search_fields import with_search_settings
from shared.errors import InvalidRequest
from shared.methods import METHODS, Method
from shared.records.profiles import NAME_PATTERN
from shared.records.search import PRESETS, Preset, Search
from shared.records.search_rules import check_search

MAX_MODEL_NAME = 256
PROFILE_PATTERN = rf"^({NAME_PATTERN}(@[1-9]\d{{0,5}})?)?$"
"""Reward profiles: a name, or name@version; the empty one is the deployment's default."""


class _EntryPart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


@with_search_settings(accepted=True)
class EntrySettings(_EntryPart):
    """Settings of the search, within the bounds that requests have."""


class ModelEntry(_EntryPart):
    """The method that answers under a name, and where a request's own settings of the search begin."""

    method: Method = "darwin"
    preset: Preset = "default"
    profile: str = Field(default="", pattern=PROFILE_PATTERN)
    settings: EntrySettings = EntrySettings()
    description: str = Field(default="", max_length=1000)

    @property
    def search(self) -> Search:
        """The preset's settings, with the entry's own in their place; a method that does not search has no cycles."""
        preset = PRESETS[self.preset]
        if not METHODS[self.method].searches:
            preset = replace(preset, cycles=0)
        return replace(preset, **self.settings.model_dump(exclude_unset=True))

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.search.cycles and not METHODS[self.method].searches:
            raise ValueError(f"{self.method} has no cycles: leave settings.cycles out")
        try:
            check_search(self.method, self.search, 1)
        except InvalidRequest as error:
            raise ValueError(error.message.replace("darwin.", "settings.")) from None
        return self
