"""The port to the reward service, which alone knows whether a profile can be served."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol


class ProfileFiles(NamedTuple):
    """The YAML of the reward service's own files by their profiles' names, and the name of its default; the names of
    those that are `relative`: their rewards compare responses."""

    contents: Mapping[str, str]
    default: str
    relative: frozenset[str] = frozenset()


class RewardModels(Protocol):
    """What is asked of the reward service. Every method raises `Unavailable` where no replica of it answers."""

    async def files(self) -> ProfileFiles: ...

    async def check(self, reference: str, content: str, *, tenants: bool) -> bool:
        """Loads a profile at one replica, and has it score a response; `tenants` says that it is a tenant's own.
        Returns whether its rewards compare responses.

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
