"""The faults, as data: what is done, from when recovery is counted, and how long it may take."""

import resource
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.chaos import flood, shard_faults
from tests.chaos.operators import STRUCK, Changing
from tests.chaos.scene import Scene
from tests.chaos.storage import Layout

WORKER_S, SERVICE_S = 15.0, 10.0
_AWAY_S = 2.0
_FLOOD = 100

Inflict = Callable[[Scene], float]
"""Does the deed; returns the moment (Unix seconds) from which recovery counts."""


@dataclass(frozen=True)
class Fault:
    """`resumes_s`: how soon some evolution moves on; `victim`: each that this worker held, and not only the first.

    `decodes`: whether anything can be decoded until the moment that `inflict` returns. `unfailing`: no attempt at a
    round may fail, though each would be made again. `replicas`: of generation and reward. `strikes`: how often a round
    of one evolution may have to be decoded again. `layout`: where evolutions lie; where a server of several is struck,
    each evolution of its shards has to move on, and not only the first. `late`: callers that come while it is away.
    `misses`: further bars that are not met once all has ended.
    """

    name: str
    recovers: str
    inflict: Inflict
    resumes_s: float = SERVICE_S
    victim: str = ""
    decodes: bool = True
    workers: int = 2
    proxied: bool = False
    replicas: int = 1
    gateways: int = 1
    unfailing: bool = False
    strikes: int = 1
    layout: Layout = "one"
    late: int = 0
    misses: Callable[[Scene], list[str]] = lambda scene: []


def _killed(name: str) -> Inflict:
    def inflict(scene: Scene) -> float:
        scene.stack.kill(name)
        return scene.start_again(name, _AWAY_S)

    return inflict


def _at_once(inflict: Inflict) -> Inflict:
    """Recovery counts from the deed: nobody waits for its end."""

    def struck(scene: Scene) -> float:
        began = time.time()
        inflict(scene)
        return began

    return struck


def _worker_killed(scene: Scene) -> float:
    scene.stack.kill("orchestrator")
    return time.time()


def _only_worker_killed(scene: Scene) -> float:
    scene.stack.kill("orchestrator")
    died = time.time()
    scene.start_again("orchestrator", _AWAY_S)
    return died


def _terminated(name: str) -> Inflict:
    def inflict(scene: Scene) -> float:
        scene.exit_codes[name] = scene.stack.terminate(name)
        return scene.start_again(name, 0)

    return inflict


def _frozen(name: str, seconds: float) -> Inflict:
    def inflict(scene: Scene) -> float:
        began = time.time()
        scene.stack.signal(name, signal.SIGSTOP)
        time.sleep(seconds)
        scene.stack.signal(name, signal.SIGCONT)
        return began if name == "orchestrator" else time.time()

    return inflict


def _slow(caller: str, callee: str) -> Inflict:
    def inflict(scene: Scene) -> float:
        for proxy in scene.network.between(caller, callee):
            proxy.latency_s = 0.05
        return time.time()

    return inflict


def _reset(caller: str, callee: str) -> Inflict:
    def inflict(scene: Scene) -> float:
        for proxy in scene.network.between(caller, callee):
            proxy.reset_share = 0.5
        scene.network.reset(caller, callee)
        time.sleep(3)
        scene.network.heal()
        return time.time()

    return inflict


def _cut(caller: str, callee: str, seconds: float) -> Inflict:
    def inflict(scene: Scene) -> float:
        for proxy in scene.network.between(caller, callee):
            proxy.stalled = True
        time.sleep(seconds)
        scene.network.heal()
        return time.time()

    return inflict


def _disk_full(scene: Scene) -> float:
    """No file of the server may grow past a few more kilobytes; it ends, and comes back once there is room."""
    pid = scene.stack.pids["redis"]
    largest = max(path.stat().st_size for path in Path(f"{scene.stack.folder}/redis").rglob("*") if path.is_file())
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (largest + 4096, hard))
    give_up = time.monotonic() + 20
    while "redis" not in scene.stack.ended:
        if time.monotonic() > give_up:
            raise TimeoutError("the server goes on without a disk")
        time.sleep(0.05)
    return scene.start_again("redis", _AWAY_S)


def _messages_again(scene: Scene) -> float:
    began = time.time()
    while time.time() < began + 5:
        for evolution_id in scene.unfinished():
            scene.send(evolution_id, times=3)
        time.sleep(0.25)
    return began


def _two_holders(scene: Scene) -> float:
    """Takes each evolution's lease away while its round runs, and sends the message that lets another worker begin."""
    began = time.time()
    for evolution_id in scene.unfinished():
        shard = scene.shards.of(evolution_id)
        if shard.redis.delete(shard.keys.lease(evolution_id)):
            scene.send(evolution_id)
    return began


def _flooded(scene: Scene) -> float:
    """While one tenant has more waiting than places, a worker is killed, and then Redis."""
    flood.begin(scene, _FLOOD)
    scene.stack.kill("orchestrator")
    flood.begin(scene, _FLOOD)
    if not flood.waiting(scene):
        raise TimeoutError("the flood was over before anything struck")
    scene.stack.kill("redis")
    scene.start_again("redis", _AWAY_S)
    return scene.start_again("orchestrator", 0)


CHANGING = Changing()
_EDGES = (
    ("client", "gateway"),
    ("gateway", "redis"),
    ("orchestrator", "redis"),
    ("orchestrator", "mutation"),
    ("orchestrator", "generation"),
    ("orchestrator", "reward"),
    ("mutation", "generation"),
)
_OF_SHARDS: tuple[tuple[str, str, Inflict, Layout], ...] = (
    ("kill server of two", "its searches wait, others go on", shard_faults.other_killed, "two"),
    ("kill first server of two", "its searches wait, others go on", shard_faults.first_killed, "two"),
    ("kill node of cluster", "its searches wait, others go on", shard_faults.other_killed, "cluster"),
    ("kill first shard's node", "its searches wait, others go on", shard_faults.first_killed, "cluster"),
    ("failover in cluster", "a replica is promoted", shard_faults.failed_over, "cluster"),
)
_STAGES = ("generation", "reward", "mutation")
_ALL = (*_STAGES, "orchestrator", "gateway", "redis")

FAULTS = (
    Fault("kill worker", "the other worker takes over", _worker_killed, WORKER_S, victim="orchestrator"),
    Fault(
        "kill only worker",
        "it takes its rounds up again",
        _only_worker_killed,
        WORKER_S,
        victim="orchestrator",
        workers=1,
    ),
    *(Fault(f"kill {name}", "calls wait", _killed(name), decodes=name != "generation") for name in _STAGES),
    Fault("kill gateway", "streams go on without a gap", _killed("gateway")),
    Fault("kill redis", "nothing acknowledged is lost", _killed("redis")),
    *(Fault(f"term {name}", "it drains: exit 0, no error", _terminated(name)) for name in _ALL),
    *(Fault(f"freeze {name}", "calls wait", _frozen(name, 30), decodes=name != "generation") for name in _STAGES),
    Fault("freeze redis", "rounds go on, saves wait", _frozen("redis", 10)),
    Fault("freeze worker", "its lease passes on", _frozen("orchestrator", 30), WORKER_S, victim="orchestrator"),
    *(Fault(f"slow {a}-{b}", "50 ms each way", _slow(a, b), proxied=True) for a, b in _EDGES),
    *(Fault(f"reset {a}-{b}", "calls are made again", _reset(a, b), proxied=True) for a, b in _EDGES),
    *(Fault(f"cut {a}-{b}", "silence for 8 s", _cut(a, b, 8), proxied=True) for a, b in _EDGES),
    *(
        Fault(f"{verb} of two {name}", "the other takes over", _at_once(inflict), replicas=2, unfailing=True)
        for verb, name, inflict in (
            ("kill one", "generation", _killed("generation")),
            ("kill one", "reward", _killed("reward")),
            ("term one", "generation", _terminated("generation-2")),
            ("freeze one", "generation", _frozen("generation", 30)),
        )
    ),
    Fault("disk full", "redis ends itself, nothing is lost", _disk_full),
    Fault("message thrice", "one round each", _messages_again),
    Fault("flood", "each tenant's go on, counters are right", _flooded, WORKER_S, strikes=2, misses=flood.misses),
    Fault("two holders", "one of them saves", _two_holders, WORKER_S),
    Fault(
        "profiles change",
        "what was acknowledged holds",
        CHANGING.inflict,
        replicas=2,
        gateways=2,
        strikes=len(STRUCK),
        misses=CHANGING.misses,
    ),
    *(
        Fault(name, recovers, inflict, WORKER_S, layout=layout, late=8)
        for name, recovers, inflict, layout in _OF_SHARDS
    ),
)
