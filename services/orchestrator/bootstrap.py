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
from services.orchestrator.adapters.embedding import EmbeddingScorer, GrpcEncoder
from services.orchestrator.adapters.generation import GrpcGenerator
from services.orchestrator.adapters.mutation import GrpcMutator
from services.orchestrator.adapters.profile_contents import ProfileContents
from services.orchestrator.adapters.reward import GrpcScorer
from services.orchestrator.broker import BROKER_KEYS, celery_app, sharded_celery_app
from services.orchestrator.credit.keeper import CreditKeeper
from services.orchestrator.pool import LoopThread, pool_on
from services.orchestrator.rollouts import metrics as rollout_metrics
from services.orchestrator.rollouts.follower import RolloutFollower
from services.orchestrator.round_runner import RoundRunner
from services.orchestrator.settings import OrchestratorSettings
from services.orchestrator.shard_queues import ShardQueues
from services.orchestrator.span_export import SpanExport
from services.orchestrator.tasks import register
from shared.errors import DarwinError, Unavailable
from shared.methods import Ability
from shared.pb.generation_pb2_grpc import GenerationServiceStub
from shared.pb.mutation_pb2_grpc import MutationServiceStub
from shared.pb.reward_pb2_grpc import RewardServiceStub
from shared.process.settings import SettingsError
from shared.redis_address import servers
from shared.rpc.balancing import Replicas
from shared.rpc.tls import Transport
from shared.store.access import check_access
from shared.store.credit import CreditLog
from shared.store.evolutions import Store
from shared.store.presence import GENERATION, ORCHESTRATOR, Presence
from shared.store.rollouts import Rollouts
from shared.store.shards import Shards
from shared.telemetry import tracing
from shared.telemetry.tracing import Tracing

log = logging.getLogger(__name__)

# Seconds between two looks for searches that are to end although nobody performs them, at most.
_LOOK_S = 0.5
# Seconds that generation has to say what it can do.
_ASKED_S = 2.0
# New objects until the garbage collector looks for cycles among them.
_COLLECTED_AFTER = 20_000


class Worker:
    """A Celery worker with its event loop, its channels to the stages and its store.

    Raises:
        SettingsError: leases would run out before they are renewed.
    """

    def __init__(self, settings: OrchestratorSettings, drain_s: float, span_tracing: Tracing) -> None:
        if settings.lease_s < 2 * settings.heartbeat_s:
            raise SettingsError(
                "DARWIN_ORCHESTRATOR_LEASE_S must be twice DARWIN_ORCHESTRATOR_HEARTBEAT_S or more: "
                "leases that run out before they are renewed have rounds performed twice"
            )
        self._settings = settings
        self._drain_s = drain_s
        self._span_tracing = span_tracing
        self._loop = LoopThread()
        self._stages: dict[str, Replicas[Any]] = {}
        self._lacks: frozenset[Ability] = frozenset()
        self._loop.run(self._build())
        register(self.app, self._round_runner.advance)

    def every(self, period_s: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Runs `work` on the loop every `period_s` seconds, from now on."""
        self._loop.start(_repeat(period_s, work))

    def run(self) -> None:
        """Performs evolutions until SIGTERM or SIGINT. Rounds under way then have `drain_s` seconds to end, before they
        are interrupted; either way other workers go on with the evolutions.
        """
        metrics.begin()
        rollout_metrics.begin()
        # Objects that exist by now live as long as the process: the garbage collector need not look through them again.
        gc.freeze()
        # A round makes values by the thousand, without cycles: to look for some was a twentieth of what it cost.
        gc.set_threshold(_COLLECTED_AFTER)
        self.every(self._settings.sweep_s, self._report_presence)
        self.every(self._settings.sweep_s, self._sweep)
        self.every(min(_LOOK_S, self._settings.sweep_s), self._round_runner.conclude_due)
        self.every(self._settings.sweep_s, self._measure_queue)
        self._loop.start(self._follower.run())
        worker_shutting_down.connect(self._stop_rounds)
        setup_logging.connect(_set_up_celery_logging)
        worker = self.app.Worker(
            pool=pool_on(self._loop, self._round_runner.has_room),
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
        one = len(servers(settings.redis_url, settings.redis_shards)) == 1
        await check_access(settings.redis_url, settings.redis_shards, BROKER_KEYS if one else ())
        shards = Shards.connect(settings.redis_url, settings.redis_shards)
        resources.push_async_callback(shards.close)
        self._store = store = Store(shards, settings.record_ttl_s)
        resources.push_async_callback(store.close)
        self._presence = Presence(shards)
        if one:
            self.app: Celery = celery_app(settings.redis_url)
        else:
            queues = ShardQueues(shards, self._loop)
            resources.push_async_callback(queues.close)
            self.app = sharded_celery_app(queues)
        for stage, (address, stub) in {
            "mutation": (settings.mutation, MutationServiceStub),
            "generation": (settings.generation, GenerationServiceStub),
            "reward": (settings.reward, RewardServiceStub),
        }.items():
            replicas = Replicas(stage, address, stub, transport)
            self._stages[stage] = await resources.enter_async_context(replicas)
        self._generator = GrpcGenerator(self._stages[GENERATION])
        encoder = GrpcEncoder(self._stages["mutation"])
        credit = CreditKeeper(CreditLog(shards), store, encoder, settings)
        rollouts = Rollouts(shards)
        scorer = GrpcScorer(self._stages["reward"], ProfileContents(rollouts))
        self._follower = RolloutFollower(rollouts, store, scorer, lambda: self._round_runner.has_room())
        self._round_runner = RoundRunner(
            store,
            GrpcMutator(self._stages["mutation"], credit.credit_for),
            self._generator,
            EmbeddingScorer(scorer, encoder),
            settings,
            listeners=[SpanExport(self._span_tracing, store).on_saved, credit.on_saved, self._follower.on_saved],
        )
        self._resources = resources

    def _stop_rounds(self, **_: object) -> None:
        self._loop.call_later(0, self._round_runner.hand_back)
        self._loop.call_later(self._drain_s, self._round_runner.interrupt)

    async def _sweep(self) -> None:
        """Sends a message again for each evolution that is unfinished although nobody performs it, and fills the queue
        where no other step did.
        """
        await self._store.dispatch()
        await self._store.settle_left()
        for stalled in await self._store.resend_stalled(self._settings.stalled_s):
            with tracing.use_context(stalled.trace, stalled.evolution_id):
                log.warning("%s stalled at version %d: sent again", stalled.evolution_id, stalled.version)
            metrics.stalled()

    async def _measure_queue(self) -> None:
        waiting = await self._store.most_waiting()
        metrics.queued(await self._store.backlog(), await self._store.active(), waiting)

    async def _report_presence(self) -> None:
        found = await asyncio.gather(*(replicas.is_healthy() for replicas in self._stages.values()))
        alive = [stage for stage, up in zip(self._stages, found, strict=True) if up]
        if GENERATION in alive:
            # One that does not answer in time can do what it could.
            with contextlib.suppress(DarwinError):
                self._lacks = await self._generator.lacks(_ASKED_S)
        await self._presence.report([ORCHESTRATOR, *alive], sorted(self._lacks))


def _set_up_celery_logging(**_: object) -> None:
    """Replaces Celery's own set-up of logging, which would set up the loggers of the whole process."""
    logging.getLogger("celery").setLevel(logging.WARNING)


async def _repeat(period_s: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Runs `work` every `period_s` seconds. Its errors are logged; that Redis is away, only when it begins and ends."""
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
