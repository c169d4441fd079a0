"""One fault against a running stack: the load, the fault, the recovery, and the judgement."""

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.chaos import evidence
from tests.chaos.clients import COME_BACK, Caller, Told
from tests.chaos.evidence import Kept
from tests.chaos.faults import Fault
from tests.chaos.scene import Scene

Tell = Callable[[str], None]

_METHODS = ("darwin", "replacement-only")
# More than have to be in flight, for some end early.
_SPARE = 4
_START_S, _PATIENCE_S = 120.0, 300.0
_LATE_S = 1.0


@dataclass(frozen=True)
class Row:
    """What a fault did. `misses` are the bars that were not met.

    Seconds until one evolution moved on, and until each did that was in flight, that the victim held or that a server
    had which was struck: None where all ended meanwhile. `refused`: the kinds of answers that callers sat out.
    """

    fault: str
    recovers: str
    in_flight: int = 0
    accepted: int = 0
    succeeded: int = 0
    failed: int = 0
    lost: int = 0
    doubled: int = 0
    decoded_twice: int = 0
    failed_attempts: int = 0
    first_resumed_s: float | None = None
    all_resumed_s: float | None = None
    errors: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    exit_codes: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    misses: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.misses


def run(fault: Fault, scene: Scene, tell: Tell) -> Row:
    """Inflicts the fault once enough evolutions are under way, and waits for their ends."""
    began = time.time()
    scene.prepare(fault.workers)
    tag = uuid.uuid4().hex[:8]
    callers = _callers(scene, tag, range(scene.load.evolutions + _SPARE))
    late = _callers(scene, tag, range(len(callers), len(callers) + fault.late), after_s=_LATE_S)
    for caller in callers:
        caller.start()
    tell("waiting for evolutions to be under way")
    _await_under_way(scene)
    tell("inflicting")
    struck = time.time()
    for caller in late:
        caller.start()
    since = fault.inflict(scene)
    callers += late
    _await_ends(callers, tell)
    _await_all_ended(scene)
    told = [caller.told for caller in callers]
    codes = scene.exit_codes
    return _judged(fault, scene, tag, told, struck, since, codes, time.time() - began)


def _callers(scene: Scene, tag: str, numbers: range, after_s: float = 0.0) -> list[Caller]:
    """The first few of these wait for answers, the others follow events."""
    load = scene.load
    return [
        Caller(
            scene.stack.url,
            f"{tag}-{i}",
            {**load.body, "model": _METHODS[i % len(_METHODS)]},
            chat=i < numbers.start + load.chats,
            after_s=after_s,
        )
        for i in numbers
    ]


def _await_under_way(scene: Scene) -> None:
    """Enough are accepted and have not ended; a quarter have saved a round."""
    wanted = scene.load.evolutions
    give_up = time.monotonic() + _START_S
    while True:
        unfinished = scene.unfinished()
        if len(unfinished) >= wanted and sum(scene.version(one) > 0 for one in unfinished) >= wanted // 4:
            return
        if time.monotonic() > give_up:
            raise TimeoutError(f"{len(unfinished)} of {wanted} evolutions are under way after {_START_S:.0f} s")
        time.sleep(0.05)


def _await_ends(callers: Sequence[Caller], tell: Tell) -> None:
    give_up = time.monotonic() + _PATIENCE_S
    while (left := sum(caller.is_alive() for caller in callers)) and time.monotonic() < give_up:
        tell(f"{len(callers) - left} of {len(callers)} ended")
        time.sleep(0.1)
    for caller in callers:
        if caller.is_alive():
            caller.told.error = f"no end within {_PATIENCE_S:.0f} s"


def _await_all_ended(scene: Scene) -> None:
    """Until what a fault asked for has ended too."""
    give_up = time.monotonic() + _PATIENCE_S
    while scene.unfinished() and time.monotonic() < give_up:
        time.sleep(0.1)


def _judged(
    fault: Fault,
    scene: Scene,
    tag: str,
    told: Sequence[Told],
    struck: float,
    since: float,
    codes: dict[str, int],
    seconds: float,
) -> Row:
    kept = evidence.kept(scene.shards, tag)
    rounds = evidence.begun(scene.stack.folder)
    flying = [e for e in kept if e.record["created_at"] < struck < e.ended_at]
    hit = [e for e in flying if e.ended_at > since and fault.victim in ("", evidence.holder(e, rounds, struck))]
    if scene.struck:
        hit = [e for e in hit if scene.shards.of(e.id).number in scene.struck]
    resumed = sorted(evidence.resumed(e, rounds, since) for e in hit)
    away = (0.0, 0.0) if fault.decodes else (struck, since)
    statuses = [e.record["status"] for e in kept]
    acknowledged = {one.evolution_id for one in told if one.evolution_id}
    row = Row(
        fault=fault.name,
        recovers=fault.recovers,
        in_flight=len(flying),
        accepted=len(acknowledged | {e.id for e in kept}),
        succeeded=statuses.count("succeeded"),
        failed=statuses.count("failed") + statuses.count("cancelled"),
        lost=len(acknowledged - {e.id for e in kept}) + sum(not e.ended for e in kept),
        doubled=_doubled(kept, told),
        decoded_twice=max((evidence.decoded_twice(e, rounds, away) for e in kept), default=0),
        failed_attempts=sum(line.failed for line in rounds if line.evolution_id in {e.id for e in kept}),
        first_resumed_s=resumed[0] if resumed else None,
        all_resumed_s=resumed[-1] if resumed else None,
        errors=tuple(one.error for one in told if one.error),
        refused=tuple(sorted({answer for one in told for answer in one.refused})),
        exit_codes=codes,
        seconds=seconds,
        reasons=tuple(e.record["error"]["message"] for e in kept if e.record["error"]),
    )
    return Row(**{**vars(row), "misses": tuple(_misses(row, fault, scene))})


def _doubled(kept: Sequence[Kept], told: Sequence[Told]) -> int:
    """Evolutions with a doubled event, keys with two evolutions, streams that repeated or left out an event."""
    by_id = {evolution.id: [event for _, event in evolution.events] for evolution in kept}
    keys = [evolution.key for evolution in kept]
    streams = [one for one in told if one.events and one.evolution_id in by_id]
    return (
        sum(evolution.doubled for evolution in kept)
        + len(keys)
        - len(set(keys))
        + sum(one.events != by_id[one.evolution_id][: len(one.events)] for one in streams)
    )


def _misses(row: Row, fault: Fault, scene: Scene) -> list[str]:
    slowest = (row.all_resumed_s if fault.victim or scene.struck else row.first_resumed_s) or 0.0
    bars = {
        f"only {row.in_flight} in flight": row.in_flight < scene.load.evolutions,
        "lost": row.lost > 0,
        "doubled": row.doubled > 0,
        "failed": row.failed > 0,
        "not all succeeded": row.succeeded < row.accepted,
        "attempts failed": fault.unfailing and row.failed_attempts > 0,
        "decoded twice": row.decoded_twice > fault.strikes,
        f"resumed after {slowest:.1f} s": slowest > fault.resumes_s,
        "exit code": any(row.exit_codes.values()),
        "errors": bool(row.errors),
        f"told {', '.join(row.refused)}": bool(scene.struck) and not set(row.refused) <= {COME_BACK},
        "nothing was struck": bool(scene.struck) and row.all_resumed_s is None,
    }
    return [bar for bar, missed in bars.items() if missed] + fault.misses(scene)
