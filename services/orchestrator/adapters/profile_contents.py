"""What the versions of managed reward profiles hold, which travels to the reward service with each call."""

from collections import OrderedDict

from shared.records.evolution import EvolutionRequest
from shared.records.profiles import split_reference
from shared.store.profiles import Profiles

_KEPT = 1_000


class ProfileContents:
    """Reads a version once, and remembers the last thousand: they never change."""

    def __init__(self, profiles: Profiles) -> None:
        self._profiles = profiles
        self._kept: OrderedDict[tuple[str, str], str] = OrderedDict()

    async def of(self, request: EvolutionRequest) -> str:
        """The YAML of the profile that an evolution began with; empty where that is a file of the reward service's.

        Raises:
            NotFound: there is no such version.
            Unavailable: Redis is away.
        """
        owner, split = request.profile_owner, split_reference(request.profile)
        if owner is None or split is None or split[1] is None:
            return ""
        key = owner, request.profile
        content = self._kept.get(key) or (await self._profiles.version(owner, split[0], split[1])).content
        self._kept[key] = content
        self._kept.move_to_end(key)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return content
