"""The port to the reward service, which alone knows whether a profile can be served."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from shared.records.evolution import EvolutionRequest
from shared.records.profiles import Traits


class ProfileFiles(NamedTuple):
    """The YAML of the reward service's own files by their profiles' names, the name of its default, and what the files
    say of themselves."""

    contents: Mapping[str, str]
    default: str
    traits: Mapping[str, Traits] = {}  # nobody changes it


class LoadedProfile(NamedTuple):
    """A profile that `check` has loaded: its name or name@version, its YAML, and whether it is `relative`: its rewards
    compare responses."""

    reference: str
    content: str
    relative: bool = False


class Judged(NamedTuple):
    """What a profile says of a response: its reward, the parts of that, why it is not to be trusted, and the first
    requirement that the response breaks; both are empty where there is none."""

    reward: float
    components: Mapping[str, float]
    abstained: str = ""
    breaks: str = ""


class Judgement(NamedTuple):
    """What a profile says of responses, in their order, and how many tokens its models computed for that."""

    judged: list[Judged]
    tokens: int = 0


class RewardModels(Protocol):
    """What is asked of the reward service. Every method raises `Unavailable` where no replica of it answers."""

    async def files(self) -> ProfileFiles: ...

    async def check(self, reference: str, content: str, *, tenants: bool) -> Traits:
        """Loads a profile at one replica, has it score a response, and gives what the profile says of itself; `tenants`
        says that it is a tenant's own.

        Raises:
            InvalidRequest: it cannot be served; the message says what to change.
            Overloaded: there is no memory for its models.
            DeadlineExceeded: its models took too long to load.
        """
        ...

    async def load(self, reference: str, content: str) -> None:
        """Loads a profile at every replica that serves, and returns once all have it; raises as `check` does."""
        ...

    async def score(
        self, profile: LoadedProfile, request: EvolutionRequest, texts: Sequence[str], timeout_s: float
    ) -> Judgement:
        """What a profile says of complete responses to a request.

        Raises:
            InvalidRequest: they cannot be scored by it.
            DeadlineExceeded: it took longer than `timeout_s`.
        """
        ...

    async def close(self) -> None: ...
