"""What can be known afterwards: records and events in Redis with their times, rounds begun in the workers' logs."""

import json
import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from shared.records.evolution import TERMINAL
from shared.records.telling import Told
from shared.store.kept_events import RawEvents
from shared.store.layout import EVENT, RECORD, StoredRecord, parsed_record
from shared.store.shards import Shards
from tests.chaos.clients import KEY

_MESSAGE = re.compile(r"(evo_\w+): (round from version|attempt) (\d+)(?: failed, (\d+) responses)?")


@dataclass(frozen=True)
class Kept:
    """An evolution as Redis holds it; events with the Unix second at which they were saved."""

    id: str
    record: dict[str, Any]
    events: tuple[tuple[float, dict[str, Any]], ...]

    @property
    def key(self) -> str:
        return str(self.record["request"]["metadata"].get(KEY, ""))

    @property
    def ended(self) -> bool:
        return self.record["status"] in TERMINAL

    @property
    def ended_at(self) -> float:
        return self.events[-1][0] if self.ended else float("inf")

    @property
    def doubled(self) -> bool:
        """Whether an event was saved twice, or something was saved after the end."""
        seen = Counter(_identity(event) for _, event in self.events)
        ends = [index for index, (_, event) in enumerate(self.events) if event["type"] == "evolution.ended"]
        return max(seen.values()) > 1 or (self.ended and ends != [len(self.events) - 1])


@dataclass(frozen=True)
class Begun:
    """A line of a worker's log: a round was begun, or (`failed`) an attempt of it failed, with `lost` pieces begun."""

    at: float
    evolution_id: str
    number: int
    failed: bool
    worker: str = ""
    lost: int = 0


def kept(shards: Shards, tag: str) -> list[Kept]:
    """Every evolution whose key begins with `tag`, on any shard."""
    found = []
    for shard in shards:
        for name in shard.redis.scan_iter(f"{shard.keys('evo:')}{{*}}", count=1000):
            stored = StoredRecord(*shard.redis.hmget(name, list(StoredRecord._fields)))
            if stored.body is None:
                continue
            evolution_id = name.rpartition("{")[2].removesuffix("}")
            record = RECORD.dump_python(parsed_record(evolution_id, stored), mode="json")
            told = Told()
            events = tuple(
                (int(each.id.split("-")[0]) / 1000, EVENT.dump_python(each.event, mode="json"))
                for entry in shard.redis.xrange(shard.keys.events(record["id"]))
                for each in RawEvents.of(entry).whole(told)
            )
            found.append(Kept(record["id"], record, events))
    return [evolution for evolution in found if evolution.key.startswith(tag)]


def begun(folder: Path) -> list[Begun]:
    """From the logs of all workers, in order of time."""
    return sorted((found for log in folder.glob("orchestrator*.log") for found in _read(log)), key=lambda one: one.at)


def last_begun(log: Path, evolution_id: str) -> float:
    """When the worker of this log began a round of the evolution last; 0 where it never did."""
    return max((one.at for one in _read(log) if one.evolution_id == evolution_id and not one.failed), default=0.0)


def _read(log: Path) -> list[Begun]:
    return [begun for line in log.read_text().splitlines() if (begun := _parsed(line, log.stem))]


def _parsed(line: str, worker: str) -> Begun | None:
    if not line.startswith("{") or (match := _MESSAGE.match((logged := json.loads(line))["message"])) is None:
        return None
    evolution_id, what, number, lost = match.groups()
    at = datetime.fromisoformat(logged["time"]).timestamp()
    return Begun(at, evolution_id, int(number), what == "attempt", worker, int(lost or 0))


def decoded_twice(evolution: Kept, rounds: list[Begun], away: tuple[float, float] = (0.0, 0.0)) -> int:
    """Rounds that were begun again from the same version, or after an attempt that failed.

    One that failed with no piece begun, or began and failed while generation was `away`, has nothing decoded again.
    """
    mine = [line for line in rounds if line.evolution_id == evolution.id]
    failed = sum(line.failed for line in mine)
    harmless = sum(
        following.failed and (following.lost == 0 or away[0] < line.at < following.at < away[1])
        for line, following in pairwise(mine)
        if not line.failed
    )
    begun = Counter(line.number for line in mine if not line.failed)
    return begun.total() - len(begun) + failed - harmless


def resumed(evolution: Kept, rounds: list[Begun], since: float) -> float:
    """Seconds from `since` to the first event that was saved, or round that was begun, after it."""
    moments = [at for at, _ in evolution.events]
    moments += [line.at for line in rounds if line.evolution_id == evolution.id and not line.failed]
    return min((at for at in moments if at >= since), default=float("inf")) - since


def holder(evolution: Kept, rounds: list[Begun], at: float) -> str:
    """The worker that had begun the evolution's last round at that moment; empty where none had."""
    workers = [line.worker for line in rounds if line.evolution_id == evolution.id and line.at <= at]
    return workers[-1] if workers else ""


def _identity(event: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(event.get(part) for part in ("type", "cycle", "round", "state"))
