"""The port to the reward service, which alone knows whether a profile can be served."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from shared.records.profiles import Wishes


class ProfileFiles(NamedTuple):
    """The YAML of the reward service's own files by their profiles' names, the name of its default, and the wishes of
    those that have any.
    """

    contents: Mapping[str, str]
    default: str
    wishes: Mapping[str, Wishes] = {}  # nobody changes it


class RewardModels(Protocol):
    """What is asked of the reward service. Every method raises `Unavailable` where no replica of it answers."""

    async def files(self) -> ProfileFiles: ...

    async def check(self, reference: str, content: str, *, tenants: bool) -> Wishes:
        """Loads a profile at one replica, has it score a response, and gives its wishes; `tenants` says that it is a
        tenant's own.

        Raises:
            InvalidRequest: it cannot be served; the message says what to change.
            Overloaded: there is no memory for its models.
            DeadlineExceeded: its models took too long to load.
        """
        ...

    async def load(self, reference: str, content: str) -> None:
        """Loads a profile at every replica that serves, and returns once all have it; raises as `check` does."""
        ...

    async def close(self) -> None: ...
