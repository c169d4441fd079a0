"""The stack under trial, and what a fault can do to it."""

import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Self

import redis

from cli.stack import Stack, StackSettings
from shared.store.queue import QUEUE, message
from tests.chaos.proxy import Network

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
    return Load(StackSettings(engine=engine), 20, 4, _body(60, 15))


def _body(max_tokens: int, period: int) -> dict[str, Any]:
    messages = [{"role": "user", "content": "Tell a new colleague how tides come about, with one example."}]
    return {"messages": messages, "max_tokens": max_tokens, "darwin": {"preset": "paper", "period": period}}


class Scene:
    """A stack with two workers and so many `replicas` of generation and reward, with or without a network between its
    processes that can misbehave.
    """

    def __init__(self, load: Load, *, proxied: bool, replicas: int = 1) -> None:
        self.load = load
        self._replicas = {"generation": replicas, "reward": replicas}
        self._exit = ExitStack()
        self._proxied = proxied
        self.exit_codes: dict[str, int] = {}

    def __enter__(self) -> Self:
        with ExitStack() as entered:
            settings = replace(self.load.settings, workers=_WORKERS, replicas=self._replicas)
            self.network = entered.enter_context(Network())
            if self._proxied:
                settings = replace(settings, route=self.network.route)
            self.stack = entered.enter_context(Stack(settings))
            # Straight to the server: what is observed must not pass the network under trial.
            client = redis.Redis.from_url(self.stack.redis_url, decode_responses=True, socket_timeout=60)
            self.redis = entered.enter_context(client)
            self._exit = entered.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

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
        self.exit_codes = {}
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

    def unfinished(self) -> list[str]:
        return [str(evolution_id) for evolution_id in self.redis.zrange("darwin:active", 0, -1)]

    def version(self, evolution_id: str) -> int:
        return int(self.redis.hget(record_key(evolution_id), "version") or 0)

    def send(self, evolution_id: str, times: int = 1) -> None:
        """The message for the round that follows its present version."""
        version = self.version(evolution_id)
        for _ in range(times):
            self.redis.lpush(QUEUE, message(evolution_id, version))


def record_key(evolution_id: str) -> str:
    return f"darwin:evo:{{{evolution_id}}}"
