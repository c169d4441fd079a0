"""The ready file, in which a process writes its addresses and how its health is checked."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

HealthProbe = Literal["grpc", "http", "file"]


@dataclass(frozen=True)
class Ready:
    """What the ready file says.

    `address` is where the process serves (host:port, or unix:path), empty where it serves nothing. `metrics` is where
    Prometheus reads. `health` is how to check it: gRPC's health service, HTTP's /healthz, or the age of the file.
    """

    address: str
    pid: int
    metrics: str
    health: HealthProbe


def announce(ready_file: Path | None, address: str, metrics: str = "", *, health: HealthProbe = "grpc") -> None:
    """Writes the ready file, if one is named, in one step, so that a reader never sees half of it."""
    if ready_file is None:
        return
    partial = ready_file.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(Ready(address, os.getpid(), metrics, health))))
    partial.replace(ready_file)
