"""What every process is set up with, and how it stops: on SIGTERM or SIGINT."""

import asyncio
import signal
from pathlib import Path

from pydantic import Field

from shared.process.settings import DarwinSettings


class ProcessSettings(DarwinSettings):
    """Settings of any process, from `DARWIN_…` variables."""

    log_level: str = "INFO"
    ready_file: Path | None = Field(
        default=None, description="where to write what `shared.process.ready` says, once the ports are bound"
    )
    metrics_listen: str = Field(
        default="127.0.0.1:0",
        pattern=r"^(off|(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+):\d{1,5})$",
        description="where Prometheus reads, host:port (port 0: a free one); off: nowhere",
    )
    drain_seconds: float = Field(default=20.0, ge=0, description="how long calls in flight may end after SIGTERM")
    max_concurrent_rpcs: int = Field(default=1024, ge=1, description="gRPC calls served at once, health checks aside")
    max_call_seconds: float = Field(
        default=600.0, gt=0, description="deadline of gRPC calls without one, or a later one"
    )


def stop_event() -> asyncio.Event:
    """Returns an event that SIGTERM or SIGINT sets. Call it where the event loop runs."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def never() -> str:
    """Waits forever. It is the `failed` of a service that cannot fail by itself."""
    forever: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    return await forever
