"""Several faults under one load."""

import time
from collections.abc import Sequence

from tests.chaos.faults import Fault
from tests.chaos.scene import Scene


def in_turn(faults: Sequence[Fault]) -> Fault:
    """One fault after another; each is got over within its own time before the next one strikes."""

    def inflict(scene: Scene) -> float:
        *first, last = faults
        for fault in first:
            _await_progress(scene, fault, fault.inflict(scene))
            scene.revive()
        if not scene.unfinished():
            raise TimeoutError(f"all evolutions ended before {last.name}")
        return last.inflict(scene)

    return Fault(
        name=", ".join(fault.name for fault in faults),
        recovers="as from each of them",
        inflict=inflict,
        resumes_s=max(fault.resumes_s for fault in faults),
        decodes=all(fault.decodes for fault in faults),
        replicas=faults[0].replicas,
        layout=faults[0].layout,
        unfailing=all(fault.unfailing for fault in faults),
        strikes=sum(fault.strikes for fault in faults),
        misses=lambda scene: [miss for fault in faults for miss in fault.misses(scene)],
    )


def _await_progress(scene: Scene, fault: Fault, since: float) -> None:
    """Until a round of any evolution is saved."""
    versions = {evolution_id: scene.version(evolution_id) for evolution_id in scene.unfinished()}
    if not versions:
        raise TimeoutError(f"all evolutions ended during {fault.name}")
    while all(scene.version(evolution_id) <= version for evolution_id, version in versions.items()):
        if time.time() > since + fault.resumes_s:
            raise TimeoutError(f"{fault.name}: nothing moved on within {fault.resumes_s:.0f} s")
        time.sleep(0.05)
