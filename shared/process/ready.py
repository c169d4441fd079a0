"""The ready file: how a process tells whoever started it where it is, and how its health is asked for."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

Health = Literal["grpc", "http", "file"]


@dataclass(frozen=True)
class Ready:
    """`address` is where it serves (host:port, or unix:path), empty where it does not; `metrics` is where Prometheus
    reads. `health` says how to ask whether it is well: its gRPC health, HTTP's /healthz, or how old the file is.
    """

    address: str
    pid: int
    metrics: str
    health: Health


def announce(ready_file: Path | None, address: str, metrics: str = "", *, health: Health = "grpc") -> None:
    """Writes the ready file in one step, so that a reader never sees half of it."""
    if ready_file is None:
        return
    partial = ready_file.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(Ready(address, os.getpid(), metrics, health))))
    partial.replace(ready_file)
