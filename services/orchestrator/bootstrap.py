"""The only place where the orchestrator's parts are built and connected."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from celery import Celery

from services.orchestrator.adapters.generation import GrpcGenerator
from services.orchestrator.adapters.mutation import GrpcMutator
from services.orchestrator.adapters.reward import GrpcScorer
from services.orchestrator.evolving import Evolving
from services.orchestrator.settings import OrchestratorSettings
from services.orchestrator.tasks import register
from shared.errors import DarwinError
from shared.queue import celery_app, send_advance
from shared.rpc import connect
from shared.store import Store

log = logging.getLogger(__name__)
T = TypeVar("T")


class LoopThread:
    """An event loop in its own thread; gRPC channels and Redis connections of all tasks live on it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="loop", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine on the loop; blocks the calling thread until it ends."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Runs a coroutine on the loop in the background."""
        asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


class Worker:
    """A Celery worker with its loop, channels and store."""

    def __init__(self, settings: OrchestratorSettings) -> None:
        self._settings = settings
        self._loop = LoopThread()
        self.app: Celery = celery_app(settings.redis_url)
        self._evolving, self._resources = self._loop.run(self._build())
        register(self.app, lambda evolution_id, version: self._loop.run(self._evolving.advance(evolution_id, version)))

    def run(self) -> None:
        """Works until SIGTERM or SIGINT, then lets rounds under way end."""
        self._loop.start(self._sweep())
        worker = self.app.Worker(
            pool="threads",
            concurrency=self._settings.concurrency,
            loglevel="WARNING",
            without_mingle=True,
            without_gossip=True,
            without_heartbeat=True,
        )
        try:
            worker.start()
        finally:
            self._loop.run(self._resources.aclose())
            self._loop.stop()

    async def _build(self) -> tuple[Evolving, contextlib.AsyncExitStack]:
        settings, resources = self._settings, contextlib.AsyncExitStack()
        store = Store(settings.redis_url, settings.record_ttl_s)
        resources.push_async_callback(store.close)
        channels = [connect(address) for address in (settings.mutation, settings.generation, settings.reward)]
        for channel in channels:
            resources.push_async_callback(channel.close, None)
        mutator, generator, scorer = (
            GrpcMutator(channels[0]),
            GrpcGenerator(channels[1]),
            GrpcScorer(channels[2]),
        )
        return Evolving(store, mutator, generator, scorer, settings), resources

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self._settings.sweep_s)
            try:
                for due in await self._evolving.stalled():
                    log.warning("%s stalled at version %d: sent again", due.evolution_id, due.version)
                    await asyncio.to_thread(send_advance, self.app, due.evolution_id, due.version)
            except DarwinError as error:
                log.warning("sweep: %s", error.message)
