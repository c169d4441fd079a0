"""A worker of the tree that is first on the path, with simulated stages. Says now and then in a file what it has used.

Called with the file, and DARWIN_REDIS_URL.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from stages import SimulatedStages  # type: ignore[import-not-found]

from services.orchestrator import bootstrap
from services.orchestrator.settings import OrchestratorSettings
from shared.telemetry.tracing import start_tracing

_EVERY_S = 0.2


class _NoReplicas:
    """In the place of the channels to a stage."""

    def __init__(self, *_: Any) -> None: ...

    async def __aenter__(self) -> "_NoReplicas":
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def is_healthy(self) -> bool:
        return True


def main(told: Path) -> None:
    stages = SimulatedStages(1)
    for name in ("GrpcMutator", "GrpcGenerator", "GrpcScorer"):
        setattr(bootstrap, name, lambda _: stages)
    vars(bootstrap)["Replicas"] = _NoReplicas
    worker = bootstrap.Worker(OrchestratorSettings(), 1.0, start_tracing("orchestrator"))

    async def tell() -> None:
        used = {"cpu_s": time.process_time() - stages.cpu_s, "sampled": stages.sampled, "at": time.monotonic()}
        told.with_suffix(".new").write_text(json.dumps(used))
        told.with_suffix(".new").replace(told)

    worker.every(_EVERY_S, tell)
    worker.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
