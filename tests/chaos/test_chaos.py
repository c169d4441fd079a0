"""The short version of `make chaos`: simulated models, short leases, a fault of each kind, several to one load."""

from collections.abc import Iterator

import pytest

from tests.chaos.equality import compare
from tests.chaos.faults import FAULTS, Fault
from tests.chaos.in_turn import in_turn
from tests.chaos.scene import Scene, simulated
from tests.chaos.trial import run

TRIALS = (
    ("kill worker",),
    ("kill gateway", "message thrice", "two holders", "flood"),
    ("term orchestrator", "term generation", "kill generation"),
)
OF_TWO = ("kill one of two generation", "kill one of two reward", "term one of two generation")


# Evolutions of twenty seconds, in which three or four faults are got over even where processes start slowly. Leases are
# short, but not so short that a worker on a busy machine loses one.
LOAD = simulated(
    tokens_per_second=20,
    max_tokens=400,
    DARWIN_GENERATION_SIMULATED_RESPONSE_TOKENS="0",
    DARWIN_ORCHESTRATOR_LEASE_S="3",
    DARWIN_ORCHESTRATOR_HEARTBEAT_S="0.5",
    DARWIN_ORCHESTRATOR_STALLED_S="1.5",
)


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with Scene(LOAD, proxied=False) as scene:
        yield scene


@pytest.fixture(scope="module")
def scene_of_two() -> Iterator[Scene]:
    with Scene(LOAD, proxied=False, replicas=2, gateways=2) as scene:
        yield scene


def trial(*names: str) -> Fault:
    by_name = {fault.name: fault for fault in FAULTS}
    return in_turn([by_name[name] for name in names]) if len(names) > 1 else by_name[names[0]]


@pytest.mark.parametrize("names", TRIALS, ids=", ".join)
def test_every_accepted_evolution_ends_once(scene: Scene, names: tuple[str, ...]) -> None:
    row = run(trial(*names), scene, lambda doing: None)
    assert row.passed, row


def test_another_replica_takes_over_and_no_attempt_fails(scene_of_two: Scene) -> None:
    row = run(trial(*OF_TWO), scene_of_two, lambda doing: None)
    assert row.passed, row


def test_what_operators_were_told_of_a_profile_holds_whatever_dies(scene_of_two: Scene) -> None:
    fault = trial("profiles change")
    scene_of_two.prepare(fault.workers)
    fault.inflict(scene_of_two)
    assert fault.misses(scene_of_two) == []


@pytest.mark.parametrize("method", ["darwin", "replacement-only"])
def test_a_killed_search_ends_as_an_undisturbed_one(scene: Scene, method: str) -> None:
    assert compare(scene, method) == []
