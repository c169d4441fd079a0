"""The short version of `make load`: a little load beyond capacity while a worker dies, on engines that are fast."""

import io

from rich.console import Console

from bench.load.figures import bars
from bench.load.run import LoadPlan, run

# A worker that dies is missed within two seconds instead of ten.
FAST = {
    "DARWIN_GENERATION_SIMULATED_STRETCH": "0.3",
    "DARWIN_ORCHESTRATOR_LEASE_S": "1",
    "DARWIN_ORCHESTRATOR_HEARTBEAT_S": "0.25",
    "DARWIN_ORCHESTRATOR_STALLED_S": "0.5",
    "DARWIN_ORCHESTRATOR_SWEEP_S": "0.25",
}


def test_no_accepted_search_fails_or_is_lost_while_a_worker_dies() -> None:
    plan = LoadPlan(seconds=2.5, rates=(2.0,), kill_every_s=1.5, capacity=4.0, env=FAST)
    [measured] = run(plan, Console(file=io.StringIO())).rates
    assert measured.kills >= 1
    assert sum(tenant.answered for tenant in measured.tenants.values()) > 5
    assert sum(tenant.tokens for tenant in measured.tenants.values()) > 100
    failed, lost, *_ = bars([measured])
    assert (failed.met, lost.met) == (True, True), measured.reasons
