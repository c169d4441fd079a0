"""What engines alone would do: the same core and engine on a clock that passes only while nothing is left to do."""

import asyncio
import selectors
from collections.abc import Callable
from typing import Any

from cachetools import cached

from bench.limit import DirectLanguageModel, DirectStages
from bench.scale.shape import STATES, EvolutionShape
from services.generation.bootstrap import build_engine, build_generator
from services.generation.settings import GenerationSettings
from services.generation.simulated_batch import latency_named
from services.mutation.fidelity import SimulatedFidelity
from services.mutation.mutator import InstructionMutator
from services.orchestrator.core import machine
from services.orchestrator.core.presets import config_for
from services.orchestrator.round import RoundExecution
from services.reward.bootstrap import build_rewarder
from services.reward.settings import RewardSettings
from shared.records.turns import instruction_of

_TIMEOUT_S = 1e6
# Of what is simulated, in evolutions each: a third to come to a steady state, the rest to measure.
_TURNS = 3
# Of one replica; more than fill its batch only wait.
_MOST = 24


class VirtualLoop(asyncio.SelectorEventLoop):
    """Jumps to the next timer where a real loop would wait; work in threads takes no time."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        return self.now

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:  # type: ignore[override]
        future = self.create_future()
        future.set_result(func(*args))
        return future


class _Jumping(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        self._loop.now += timeout or 0.0
        return super().select(0)


def rounds_per_second(settings: GenerationSettings, replicas: int, concurrent: int, shape: EvolutionShape) -> float:
    """With replicas as full as each other, but for one evolution, and nothing but engines taking time."""
    each, fuller = divmod(concurrent, replicas)
    rest = (replicas - fuller) * _of_one(settings, min(_MOST, each), shape) if each else 0.0
    return rest + (fuller * _of_one(settings, min(_MOST, each + 1), shape) if fuller else 0.0)


def _key(settings: GenerationSettings, evolutions: int, shape: EvolutionShape) -> tuple[str, int, EvolutionShape]:
    return settings.model_dump_json(), evolutions, shape


@cached({}, key=_key)
def _of_one(settings: GenerationSettings, evolutions: int, shape: EvolutionShape) -> float:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_one_replica(settings, evolutions, shape))


async def _one_replica(settings: GenerationSettings, evolutions: int, shape: EvolutionShape) -> float:
    stages, loop = await _stages(settings), asyncio.get_running_loop()
    latency = latency_named(settings.simulated_latency).stretched(settings.simulated_stretch)
    batch = min(settings.max_running, STATES * evolutions)
    lasts_s = shape.rounds * shape.period * latency.of_step(batch) * STATES * evolutions / batch
    ended: list[float] = []

    async def evolve(number: int) -> None:
        await asyncio.sleep(lasts_s * number / evolutions)
        for turn in range(_TURNS):
            request = shape.request(number + turn * evolutions)
            evolution, _ = machine.begin(config_for(request), instruction_of(request.messages), request.seed)
            while not evolution.finished:
                round_ = RoundExecution(evolution, (), request, stages, stages, stages, _TIMEOUT_S)
                await round_.run()
                evolution = round_.evolution
                ended.append(loop.time())

    await asyncio.gather(*map(evolve, range(evolutions)))
    # Beyond the middle of the last turn fewer and fewer run.
    steady = ended[len(ended) // _TURNS : -len(ended) // (2 * _TURNS)]
    return (len(steady) - 1) / (steady[-1] - steady[0])


async def _stages(settings: GenerationSettings) -> DirectStages:
    engine = build_engine(settings)
    await engine.start()
    generator = build_generator(engine, settings)
    rewarder = build_rewarder(RewardSettings(profiles="simulated"))
    await rewarder.start()
    model = DirectLanguageModel(generator, 0.3)
    mutator = InstructionMutator(model, SimulatedFidelity(), threshold=0.8, operators=(), max_tokens=96)
    return DirectStages(generator, mutator, rewarder)
