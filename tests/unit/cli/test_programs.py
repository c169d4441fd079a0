"""What the processes of a stack with several replicas are told."""

from pathlib import Path

import pytest

from cli.stack import StackSettings
from cli.stack.programs import STAGES, programs


def test_callers_know_every_replica_and_each_has_its_own_address(tmp_path: Path) -> None:
    settings = StackSettings(replicas={"generation": 3, "reward": 2}, workers=2)
    names = [name for stage in STAGES for name in settings.names(stage)]
    assert names == ["generation", "generation-2", "generation-3", "reward", "reward-2", "mutation"]
    addresses = {name: f"127.0.0.1:{15_000 + i}" for i, name in enumerate(("redis", "gateway", *names))}
    told = {program.name: program.env for program in programs(settings, addresses, tmp_path)}
    assert set(told) == {"redis", "gateway", "orchestrator", "orchestrator-2", *names}
    generation = ",".join(addresses[name] for name in names[:3])
    for worker in ("orchestrator", "orchestrator-2"):
        assert told[worker]["DARWIN_ORCHESTRATOR_GENERATION"] == generation
        assert told[worker]["DARWIN_ORCHESTRATOR_REWARD"] == ",".join(addresses[name] for name in names[3:5])
        assert told[worker]["DARWIN_ORCHESTRATOR_MUTATION"] == addresses["mutation"]
    assert told["mutation"]["DARWIN_MUTATION_GENERATION"] == told["reward"]["DARWIN_REWARD_GENERATION"] == generation
    for name in names[:3]:
        assert told[name]["DARWIN_GENERATION_LISTEN"] == addresses[name]


@pytest.mark.parametrize("replicas", [{"gateway": 2}, {"generation": 0}])
def test_what_cannot_be_is_refused(replicas: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="stages are generation, reward, mutation"):
        StackSettings(replicas=replicas)
