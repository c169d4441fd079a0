"""What every process does the same way: logging and a clean stop on SIGTERM or SIGINT."""

import asyncio
import logging
import signal
from pathlib import Path

from pydantic import Field
from pythonjsonlogger.json import JsonFormatter

from shared.process.settings import DarwinSettings
from shared.telemetry.tracing import current_evolution_id, current_trace_id


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


class Ids(logging.Filter):
    """Adds what a line is about; lines about no evolution, or outside any trace, have empty ids."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.trace_id, record.evolution_id = current_trace_id(), current_evolution_id()
        return True


def json_formatter(service: str) -> logging.Formatter:
    """A JSON object a line: time (UTC), level, service, logger, message, the ids that `Ids` adds, and the traceback
    where there is one.
    """
    return JsonFormatter(
        ["levelname", "name", "message", "trace_id", "evolution_id"],
        rename_fields={"levelname": "level", "name": "logger", "exc_info": "exception"},
        static_fields={"service": service},
        timestamp="time",
        json_ensure_ascii=False,
    )


def configure_logging(service: str, level: str) -> None:
    """Logs go to standard error, warnings too, in the form of `json_formatter`."""
    handler = logging.StreamHandler()
    handler.addFilter(Ids())
    handler.setFormatter(json_formatter(service))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)


def stop_event() -> asyncio.Event:
    """An event set by SIGTERM or SIGINT; call it on the running loop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def never() -> str:
    """Waits forever: how a part that cannot fail by itself says so."""
    forever: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    return await forever
