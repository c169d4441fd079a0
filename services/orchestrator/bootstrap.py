"""The only place where the orchestrator's parts are built and connected."""

import asyncio
import contextlib
import gc
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_shutting_down

from services.orchestrator import metrics
from services.orchestrator.adapters.generation import GrpcGenerator
from services.orchestrator.adapters.mutation import GrpcMutator
from services.orchestrator.adapters.reward import GrpcScorer
from services.orchestrator.broker import celery_app
from services.orchestrator.pool import LoopThread, pool_on
from services.orchestrator.round_runner import RoundRunner
from services.orchestrator.settings import OrchestratorSettings
from services.orchestrator.span_export import SpanExport
from services.orchestrator.tasks import register
from shared.errors import Unavailable
from shared.pb.generation_pb2_grpc import GenerationServiceStub
from shared.pb.mutation_pb2_grpc import MutationServiceStub
from shared.pb.reward_pb2_grpc import RewardServiceStub
from shared.rpc.balancing import Replicas
from shared.rpc.tls import Transport
from shared.store.connection import connect_redis
from shared.store.evolutions import Store
from shared.store.presence import ORCHESTRATOR, Presence
from shared.store.queue import backlog
from shared.telemetry import tracing as telemetry
from shared.telemetry.tracing import Tracing

log = logging.getLogger(__name__)


class Worker:
    """A Celery worker with its loop, channels and store."""

    def __init__(self, settings: OrchestratorSettings, drain_s: float, tracing: Tracing) -> None:
        self._settings = settings
        self._drain_s = drain_s
        self._tracing = tracing
        self._loop = LoopThread()
        self._stages: dict[str, Replicas[Any]] = {}
        self.app: Celery = celery_app(settings.redis_url)
        self._loop.run(self._build())
        register(self.app, self._evolving.advance)

    def every(self, period_s: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Repeats `work` on the loop."""
        self._loop.start(_every(period_s, work))

    def run(self) -> None:
        """Works until SIGTERM or SIGINT, then lets rounds under way end, or leaves them to others after `drain_s`."""
        metrics.begin()
        # What is there by now stays: the collector need not look through it again.
        gc.freeze()
        self.every(self._settings.sweep_s, self._report_presence)
        self.every(self._settings.sweep_s, self._sweep)
        self.every(self._settings.sweep_s, self._measure_queue)
        worker_shutting_down.connect(self._stopping)
        setup_logging.connect(_quieten)
        worker = self.app.Worker(
            pool=pool_on(self._loop),
            concurrency=self._settings.concurrency,
            loglevel="WARNING",
            quiet=True,
            without_mingle=True,
            without_gossip=True,
            without_heartbeat=True,
        )
        try:
            worker.start()
        finally:
            self._loop.run(self._resources.aclose())
            self._loop.stop()

    async def _build(self) -> None:
        settings, transport, resources = self._settings, Transport(), contextlib.AsyncExitStack()
        self._store = store = Store(settings.redis_url, settings.record_ttl_s)
        resources.push_async_callback(store.close)
        self._redis = connect_redis(settings.redis_url, 8)
        resources.push_async_callback(self._redis.aclose)
        self._presence = Presence(settings.redis_url)
        resources.push_async_callback(self._presence.close)
        for stage, (address, stub) in {
            "mutation": (settings.mutation, MutationServiceStub),
            "generation": (settings.generation, GenerationServiceStub),
            "reward": (settings.reward, RewardServiceStub),
        }.items():
            replicas = Replicas(stage, address, stub, transport)
            self._stages[stage] = await resources.enter_async_context(replicas)
        self._evolving = RoundRunner(
            store,
            GrpcMutator(self._stages["mutation"]),
            GrpcGenerator(self._stages["generation"]),
            GrpcScorer(self._stages["reward"]),
            settings,
            saved=[SpanExport(self._tracing, store).saved],
        )
        self._resources = resources

    def _stopping(self, **_: object) -> None:
        self._loop.call_later(self._drain_s, self._evolving.interrupt)

    async def _sweep(self) -> None:
        for due in await self._evolving.stalled():
            with telemetry.use_context(due.trace, due.evolution_id):
                log.warning("%s stalled at version %d: sent again", due.evolution_id, due.version)
            await self._store.send(due.evolution_id, due.version)
            metrics.stalled()

    async def _measure_queue(self) -> None:
        metrics.queued(await backlog(self._redis), await self._store.active())

    async def _report_presence(self) -> None:
        found = await asyncio.gather(*(replicas.is_healthy() for replicas in self._stages.values()))
        alive = [stage for stage, up in zip(self._stages, found, strict=True) if up]
        await self._presence.report([ORCHESTRATOR, *alive])


def _quieten(**_: object) -> None:
    """Takes the place of Celery's own set-up, which would silence everybody else."""
    logging.getLogger("celery").setLevel(logging.WARNING)


async def _every(period_s: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Repeats `work`, whatever becomes of it."""
    away = False
    while True:
        try:
            await work()
            if away:
                log.warning("Redis is back")
            away = False
        except Unavailable as error:
            if not away:
                log.warning("%s", error.message)
            away = True
        except Exception:
            log.exception("a periodic task failed; it goes on")
        await asyncio.sleep(period_s)
