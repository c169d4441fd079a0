"""Reward profiles that are managed: immutable numbered versions of each, which of them is promoted, and its history."""

import re
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, Self

from shared.errors import Conflict, InvalidRequest, NotFound
from shared.records.evolution import Record
from shared.records.rollouts import Canary, Shadow

MAX_CONTENT = 65_536
"""Characters of a profile's YAML."""
MAX_REASON = 500
"""Characters of why a profile was changed."""
MAX_PROFILES, MAX_VERSIONS, MAX_HISTORY = 200, 1_000, 1_000
"""Profiles of one owner, deleted ones among them; versions of a profile; changes of it that are remembered."""
SEED = "seed"
"""Who changed a profile that came from a file of the reward service."""
NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
"""Names of profiles."""

ChangeKind = Literal[
    "pushed",
    "promoted",
    "rolled_back",
    "deleted",
    "shadow_started",
    "shadow_ended",
    "canary_started",
    "canary_ended",
]

Wishes = tuple[str, ...]
"""What a profile rewards in plain words, for mutants to tell the language model."""


class Traits(NamedTuple):
    """What a profile's content says, as the reward service has read it: whether its rewards compare responses, what it
    wishes, and whether its rewards need the language model's self-certainty."""

    relative: bool = False
    wishes: Wishes = ()
    self_certainty: bool = False


PLAIN = Traits()
"""Those of most profiles."""


class Resolved(NamedTuple):
    """A version that a request names, as `name@version`, and its owner; as it was given, and no owner, where the reward
    service alone knows it. Where a canary has drawn which version that is, its id. The other fields are the version's
    traits."""

    reference: str
    owner: str | None
    canary: str | None = None
    relative: bool = False
    wishes: Wishes = ()
    self_certainty: bool = False


MAX_REFERENCE = 71
"""Characters of `name@version`."""

_REFERENCE = re.compile(rf"({NAME_PATTERN})(?:@([1-9]\d{{0,5}}))?")


@dataclass(frozen=True)
class ProfileVersion:
    """What was pushed: the profile as YAML, who pushed it, when (Unix seconds) and why. It never changes. `wishes` and
    `self_certainty` are the profile's `Traits`.
    """

    version: int
    content: str
    by: str
    at: float
    reason: str = ""
    wishes: Wishes = ()
    self_certainty: bool = False


@dataclass(frozen=True)
class ProfileChange:
    """A change of a profile: which version it was about, who made it, when (Unix seconds) and why."""

    kind: ChangeKind
    version: int
    by: str
    at: float
    reason: str = ""


@dataclass(frozen=True)
class ManagedProfile:
    """A profile of an owner: versions are 1 to `latest`; the name alone means the `promoted` one.

    `before` are the versions that were promoted earlier, the last of them last. A deleted profile keeps its versions,
    for evolutions that use one, and its numbers: what is pushed under its name later has the next. `relative` are the
    versions whose rewards compare responses, which mean something among these only.

    Beside the promoted version there may be a `shadow` and a `canary`. Where another one is promoted, the canary ends,
    and so does a shadow that is that one.
    """

    name: str
    latest: int
    promoted: int
    before: tuple[int, ...] = ()
    deleted: bool = False
    shadow: Shadow | None = None
    canary: Canary | None = None
    relative: tuple[int, ...] = ()

    def with_promoted(self, version: int) -> Self:
        """The profile with another version promoted.

        Raises:
            NotFound: there is no such version.
        """
        if not 1 <= version <= self.latest:
            raise unknown_profile(f"{self.name}@{version}")
        if version == self.promoted:
            return self
        return self._meaning(version, (*self.before, self.promoted)[-MAX_HISTORY:])

    def with_next(self, *, promote: bool, relative: bool = False) -> Self:
        """The profile with one version more, whose rewards may be `relative`.

        Raises:
            Conflict: it has as many as there may be.
        """
        if self.latest >= MAX_VERSIONS:
            raise Conflict(f"{self.name} has {MAX_VERSIONS} versions, which is the most: push under another name")
        more = replace(self, latest=self.latest + 1, deleted=False)
        if relative:
            more = replace(more, relative=(*more.relative, more.latest))
        if self.deleted:
            return replace(more, promoted=more.latest, before=())
        return more.with_promoted(more.latest) if promote else more

    def rolled_back(self, promoted: int) -> Self:
        """The profile as it was before the version `promoted` was promoted.

        Raises:
            Conflict: another one is promoted, or none was before.
        """
        if self.promoted != promoted:
            raise Conflict(f"{self.name}@{self.promoted} is promoted by now, not {self.name}@{promoted}: look again")
        if not self.before:
            raise Conflict(f"nothing was promoted before {self.name}@{promoted}: promote a version, or push one")
        return self._meaning(self.before[-1], self.before[:-1])

    def beside(self, version: int) -> int:
        """A version that may be tried beside the promoted one.

        Raises:
            NotFound: there is no such version.
            InvalidRequest: it is the promoted one.
        """
        if not 1 <= version <= self.latest:
            raise unknown_profile(f"{self.name}@{version}")
        if version == self.promoted:
            raise InvalidRequest(f"{self.name}@{version} is promoted: name another version", field="version")
        return version

    @property
    def in_use(self) -> tuple[int, ...]:
        """The versions that score anything by the profile's name: the promoted one, the shadow's and the canary's."""
        beside = [each.version for each in (self.shadow, self.canary) if each]
        return tuple(dict.fromkeys((self.promoted, *beside)))

    def resolved(self, owner: str, version: int | None, record: Record | None) -> Resolved | None:
        """What this profile of an owner is at a version, or by its name alone: under a canary, what is drawn for the
        `record`. None where it is deleted, or has no such version."""
        if self.deleted or (version or self.promoted) > self.latest:
            return None
        canary = self.canary if record and not version else None
        if record and canary and canary.takes(canary.unit_of(record)):
            version = canary.version
        number = version or self.promoted
        return Resolved(f"{self.name}@{number}", owner, canary.id if canary else None, number in self.relative)

    def without_rollouts(self) -> Self:
        """The profile with neither shadow nor canary."""
        return replace(self, shadow=None, canary=None)

    def _meaning(self, promoted: int, before: tuple[int, ...]) -> Self:
        shadow = self.shadow if self.shadow and self.shadow.version != promoted else None
        return replace(self, promoted=promoted, before=before, shadow=shadow, canary=None)


def split_reference(reference: str) -> tuple[str, int | None] | None:
    """The name and the version of `name@version`, no version of a name alone; None where it is neither."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        return None
    return match[1], int(match[2]) if match[2] else None


def name_of(reference: str) -> str:
    """The profile's name in a reference to it, whether or not that has a version."""
    return reference.partition("@")[0]


def unknown_profile(reference: str) -> NotFound:
    """The error for a profile that does not exist, or is another tenant's."""
    return NotFound(f"there is no reward profile '{reference[:MAX_REFERENCE]}'", field="profile")


def check_texts(content: str, reason: str) -> None:
    """Raises `InvalidRequest` where a profile's YAML, or why it is changed, is too long."""
    if len(content) > MAX_CONTENT:
        raise InvalidRequest(f"a profile has at most {MAX_CONTENT} characters, not {len(content)}", field="content")
    if len(reason) > MAX_REASON:
        raise InvalidRequest(f"a reason has at most {MAX_REASON} characters", field="reason")
