"""Profiles that calls bring with them: each is loaded when it is first asked for, while others are served."""

import asyncio
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import NamedTuple

from cachetools import LRUCache

from services.reward.pool import Create, ScorerPool
from services.reward.weighted import Profile
from shared.errors import Unavailable

_KEPT = 1_000
_SOON_S = 0.25


class Built(NamedTuple):
    """A profile, and how the scorers of its components are made, by their keys."""

    profile: Profile
    scorers: Mapping[str, Create]


Build = Callable[[str, str], Built]
"""(name, YAML) → the profile; raises `InvalidRequest` where the YAML is none, and may block."""


class Versions:
    """What is known of profiles by the digest of their content. The content says all that is needed, so that nothing is
    kept here which a restart would lose."""

    def __init__(self, pool: ScorerPool, build: Build) -> None:
        self._pool, self._build = pool, build
        self._built: LRUCache[bytes, Built] = LRUCache(_KEPT)
        self._loading: dict[bytes, asyncio.Task[Built]] = {}

    async def get(self, name: str, content: str, *, only_loaded: bool = False) -> Profile:
        """The profile, its scorers loaded. Loading goes on where the caller leaves.

        Raises:
            Unavailable: with `only_loaded`, where it is not loaded yet; it is being loaded then.
            NotFound, Unsupported, InvalidRequest: it cannot be served.
            Overloaded: there is no memory for its models.
        """
        digest = blake2b(f"{name}\0{content}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
        built = self._built.get(digest)
        if built is not None and self._pool.holds(built.scorers):
            return built.profile
        task = self._loading.get(digest)
        if task is None:
            task = self._loading[digest] = asyncio.ensure_future(self._load(digest, name, content))
            task.add_done_callback(lambda done: self._ended(digest, done))
        await asyncio.wait({task}, timeout=_SOON_S if only_loaded else None)
        if not task.done():
            raise Unavailable(f"the models of the reward profile {name} are being loaded: come back later")
        return task.result().profile

    async def close(self) -> None:
        """Gives up what is being loaded."""
        tasks = tuple(self._loading.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _load(self, digest: bytes, name: str, content: str) -> Built:
        built = await asyncio.to_thread(self._build, name, content)
        await self._pool.load(built.scorers)
        self._built[digest] = built
        return built

    def _ended(self, digest: bytes, task: asyncio.Task[Built]) -> None:
        del self._loading[digest]
        if not task.cancelled():
            task.exception()  # whoever waits is told; nobody may
