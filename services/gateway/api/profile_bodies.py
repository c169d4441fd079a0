"""The bodies of `/v1/profiles`."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.gateway.api.field_types import Body, Text
from services.gateway.api.rollout_bodies import ProfileCanary, ProfileShadow
from services.gateway.config.search_fields import WHOLE
from shared.records.profiles import MAX_CONTENT, MAX_REASON, MAX_VERSIONS, ChangeKind

_Version = Annotated[int, Field(ge=1, le=MAX_VERSIONS), WHOLE]
_Reason = Annotated[Text, Field(max_length=MAX_REASON, description="Why, for the profile's history.")]


class ProfilePush(Body):
    """A version to add."""

    content: Text = Field(
        min_length=1, max_length=MAX_CONTENT, description="The profile as YAML, as `darwin check` takes it."
    )
    reason: _Reason = ""
    promote: bool = Field(
        default=False, description="Whether the name means this version from now on; of a new name, it always does."
    )


class ProfilePromote(Body):
    """The version that the name is to mean."""

    version: _Version
    reason: _Reason = ""


class ProfileRollback(Body):
    """The version to roll back from."""

    version: _Version | None = Field(
        default=None, description="The one that is promoted; sent again, the call is refused then instead of repeated."
    )
    reason: _Reason = ""


class ProfileQuery(BaseModel):
    """Whose profiles."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tenant: str | None = Field(
        default=None,
        max_length=200,
        description="Whose own; left out, those that all tenants may use, and for who is no operator, its tenant's.",
    )


class VersionsQuery(ProfileQuery):
    """Which versions are listed."""

    before: int | None = Field(default=None, ge=2, le=MAX_VERSIONS + 1, description="Only versions below this one.")
    limit: int = Field(default=20, ge=1, le=100)


class ProfileDeleteQuery(ProfileQuery):
    """Which profile is deleted, and why."""

    reason: str = Field(default="", max_length=MAX_REASON)


class _Resource(BaseModel):
    model_config = ConfigDict(frozen=True)


class ProfileSummary(_Resource):
    """A reward profile: what its name means, and which versions there are."""

    name: str
    object: Literal["reward_profile"] = "reward_profile"
    tenant: str = Field(description="Whose it is; empty: all may use it.")
    promoted: int = Field(description="The version that the name alone means.")
    latest: int = Field(description="Versions are 1 to this one.")
    default: bool = Field(description="Whether requests that name no profile get it.")


class ProfileChanged(_Resource):
    """A change of a profile."""

    kind: ChangeKind
    version: int
    by: str
    at: float = Field(description="Unix seconds.")
    reason: str


class Profile(ProfileSummary):
    """A reward profile with the version that its name means, and its latest changes."""

    content: str = Field(description="The promoted version as YAML.")
    history: list[ProfileChanged] = Field(description="The latest 100 changes, the newest first.")
    shadow: ProfileShadow | None = Field(description="Null where no version scores beside the promoted one.")
    canary: ProfileCanary | None = Field(description="Null where all get the promoted version.")


class Version(_Resource):
    """A version of a reward profile, which never changes."""

    reference: str = Field(description="`name@version`, as requests may name it.")
    object: Literal["reward_profile.version"] = "reward_profile.version"
    version: int
    promoted: bool
    content: str = Field(description="As YAML.")
    by: str
    created_at: float = Field(description="Unix seconds.")
    reason: str


class ProfileList(_Resource):
    """Profiles by name."""

    object: Literal["list"] = "list"
    data: list[ProfileSummary]


class VersionList(_Resource):
    """Versions, the newest first."""

    object: Literal["list"] = "list"
    data: list[Version]
    has_more: bool


class ProfileDeleted(_Resource):
    """Nobody finds the profile from now on; evolutions that use a version of it go on with it."""

    name: str
    object: Literal["reward_profile.deleted"] = "reward_profile.deleted"
    deleted: Literal[True] = True
