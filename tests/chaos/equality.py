"""A search whose workers were killed in the middle of rounds ends as if nothing had happened."""

import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from cli.client import Client
from tests.chaos import evidence
from tests.chaos.clients import KEY
from tests.chaos.evidence import Kept
from tests.chaos.scene import Scene

# One whose base response is long, so that where it is cut is a matter of timing.
_SEED = 23
# What tells of when, by whom and for whom, not of what was found.
_OF_TIME = {
    *("id", "version", "attempts", "created_at", "accepted_at", "finished_at", "seconds"),
    *("metadata", "idempotency", "trace"),
}
# Tokens that reward models computed: what was scored before, by whomever, is not computed again.
_OF_CACHES = ("record.result.tokens.reward",)


def compare(scene: Scene, method: str) -> list[str]:
    """Where the records and events of an undisturbed and a killed run differ; a worker is killed in the first round,
    while the base response is ahead of its mutants, and another two rounds later.
    """
    undisturbed = _run(scene, method, kill_at=())
    killed = _run(scene, method, kill_at=(0, 2))
    scene.repair()
    return [
        *_differences("record", undisturbed.record, killed.record),
        *_differences("events", _decisions(undisturbed), _decisions(killed)),
    ]


def _run(scene: Scene, method: str, kill_at: Sequence[int]) -> Kept:
    key = uuid.uuid4().hex
    body = {**scene.load.body, "max_tokens": 80, "model": method, "seed": _SEED, "metadata": {KEY: key}}
    with Client(scene.stack.url) as client:
        evolution_id = client.start(body)["id"]
        for version in kill_at:
            while scene.version(evolution_id) < version:
                time.sleep(0.02)
            time.sleep(0.4)
            scene.repair()
            scene.stack.kill(_holder(scene, evolution_id))
        for _ in client.events(evolution_id):
            pass
    (evolution,) = evidence.kept(scene.shards, key)
    return evolution


def _decisions(evolution: Kept) -> list[dict[str, Any]]:
    """Every event in its order; that of the base response, which is decoded beside the rounds, last."""
    events = [event for _, event in evolution.events]
    return sorted(events, key=lambda event: event["type"] == "base.scored")


def _holder(scene: Scene, evolution_id: str) -> str:
    """The worker that began a round of this evolution last."""
    last = {log.stem: evidence.last_begun(log, evolution_id) for log in scene.stack.folder.glob("orchestrator*.log")}
    return max(last, key=lambda name: last[name])


def _differences(path: str, a: Any, b: Any) -> Iterator[str]:
    if isinstance(a, dict) and isinstance(b, dict):
        for name in sorted((a.keys() | b.keys()) - _OF_TIME):
            yield from _differences(f"{path}.{name}", a.get(name), b.get(name))
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for index, (one, other) in enumerate(zip(a, b, strict=True)):
            yield from _differences(f"{path}[{index}]", one, other)
    elif a != b and path not in _OF_CACHES:
        yield f"{path}: {a} ≠ {b}"
