"""The stack under trial, and what a fault can do to it."""

import time
from collections.abc import Set
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Self

import redis

from cli.stack import Stack, StackSettings
from shared.store.queue import message
from shared.store.shards import Shards
from tests.chaos.proxy import Network
from tests.chaos.storage import Layout, apart, own

_WORKERS = 2


@dataclass(frozen=True)
class Load:
    """What is in flight when a fault strikes: so many evolutions, of `body`."""

    settings: StackSettings
    evolutions: int
    chats: int
    body: dict[str, Any]


def simulated(tokens_per_second: float = 20, max_tokens: int = 160, **env: str) -> Load:
    """Evolutions of five to fifteen seconds."""
    speed = {"DARWIN_GENERATION_SIMULATED_TOKENS_PER_SECOND": str(tokens_per_second)}
    return Load(StackSettings.simulated({**speed, **env}), 20, 4, _body(max_tokens, 20))


def embedded(engine: str) -> Load:
    """The real models, as slow as they are."""
    return Load(StackSettings(engine=engine, env={"DARWIN_MUTATION_AUTO_SHARE": "1"}), 20, 4, _body(60, 15))


def _body(max_tokens: int, period: int) -> dict[str, Any]:
    messages = [{"role": "user", "content": "Tell a new colleague how tides come about, with one example."}]
    return {"messages": messages, "max_tokens": max_tokens, "darwin": {"preset": "paper", "period": period}}


class Scene:
    """A stack with two workers, so many `gateways`, and so many `replicas` of generation and reward, with or without a
    network between its processes that can misbehave, whose evolutions lie as `layout` says.

    A fault notes here the `exit_codes` of what it ended, and the shards whose server it `struck`.
    """

    def __init__(
        self, load: Load, *, proxied: bool, replicas: int = 1, gateways: int = 1, layout: Layout = "one"
    ) -> None:
        self.load = load
        self._gateways = gateways
        self._layout: Layout = layout
        self._replicas = {"generation": replicas, "reward": replicas}
        self._exit = ExitStack()
        self._proxied = proxied
        self.exit_codes: dict[str, int] = {}
        self.struck: Set[int] = frozenset()

    def __enter__(self) -> Self:
        with ExitStack() as entered:
            settings = replace(self.load.settings, workers=_WORKERS, gateways=self._gateways, replicas=self._replicas)
            self.network = entered.enter_context(Network())
            if self._proxied:
                settings = replace(settings, route=self.network.route)
            if self._layout != "one":
                self.storage = entered.enter_context(apart(self._layout))
                settings = replace(settings, env={**settings.env, **self.storage.env})
            self.stack = entered.enter_context(Stack(settings))
            # Straight to the server: what is observed must not pass the network under trial.
            client = redis.Redis.from_url(self.stack.redis_url, decode_responses=True, socket_timeout=60)
            self.redis = entered.enter_context(client)
            if self._layout == "one":
                self.storage = own(self.redis)
            self._exit = entered.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    @property
    def shards(self) -> Shards:
        """With clients that wait for answers."""
        return self.storage.shards

    @property
    def workers(self) -> list[str]:
        return sorted(name for name in self.stack.pids if name.startswith("orchestrator"))

    def prepare(self, workers: int) -> None:
        """Everything runs, with so many workers."""
        self.repair()
        for name in self.workers[workers:]:
            self.stack.terminate(name)

    def repair(self) -> None:
        """Undoes every fault."""
        self.network.heal()
        self.exit_codes, self.struck = {}, frozenset()
        self.storage.repair()
        self.revive()

    def revive(self) -> None:
        """Starts again what has ended."""
        ended = self.stack.ended
        for name in ended:
            self.stack.restart(name)
        self.stack.await_ready(*ended)

    def start_again(self, name: str, away_s: float) -> float:
        """After `away_s` more seconds; the moment at which it is ready."""
        time.sleep(away_s)
        self.stack.restart(name)
        self.stack.await_ready(name)
        return time.time()

    def unfinished(self, but: Set[int] = frozenset()) -> list[str]:
        """Evolutions of every shard, or of all but some."""
        shards = [shard for shard in self.shards if shard.number not in but]
        return [str(each) for shard in shards for each in shard.redis.zrange(shard.keys.active, 0, -1)]

    def version(self, evolution_id: str) -> int:
        shard = self.shards.of(evolution_id)
        return int(shard.redis.hget(shard.keys.record(evolution_id), "version") or 0)

    def send(self, evolution_id: str, times: int = 1) -> None:
        """The message for the round that follows its present version."""
        version, shard = self.version(evolution_id), self.shards.of(evolution_id)
        for _ in range(times):
            shard.redis.lpush(shard.keys.queue, message(evolution_id, version))
