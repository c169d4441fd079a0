"""What a machine's `OTEL_…` variables say that OpenTelemetry's library would not start with, taken away in time.

Such variables are often set for a whole cluster, for programs in every language. Darwin obeys what it can; the rest
costs a line in the log, never the service. The library reads some of them while it is imported, so this module imports
nothing of it, and `services` calls `settle` before anything else is imported.
"""

import logging
import os
import re
from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

PROTOCOLS = ("grpc", "http/protobuf")
_PROPAGATORS = {"tracecontext", "baggage"}
_SIGNAL = r"OTEL_EXPORTER_OTLP(_TRACES|_METRICS|_LOGS)?"
_BATCH, _QUEUE = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "OTEL_BSP_MAX_QUEUE_SIZE"
_DEFAULT_BATCH = 512

_said: list[str] = []


def settle() -> None:
    """Takes away what cannot be used from this process's environment, and so from that of its children.

    `log_warnings` then says what it was.
    """
    for name, reason in unusable(os.environ).items():
        del os.environ[name]
        if reason:
            _said.append(f"{name} is taken without effect: {reason}")


def log_warnings() -> None:
    """Logs what was taken away since the last call."""
    while _said:
        log.warning("%s", _said.pop(0))


def unusable(environment: Mapping[str, str]) -> dict[str, str]:
    """Names of variables that cannot be used, and why; an empty reason where they mean what holds without them."""
    found = {}
    for name, value in environment.items():
        if not name.startswith("OTEL_"):
            continue
        if not value.strip():
            found[name] = ""  # The standard says that an empty variable is as none.
            continue
        for pattern, reason in _RULES:
            if re.fullmatch(pattern, name) and (said := reason(value.strip().lower(), environment)) is not None:
                found[name] = said
    batch, queue = (_number(environment, name, found) for name in (_BATCH, _QUEUE))
    if queue is not None and (batch or _DEFAULT_BATCH) > queue:
        found[_QUEUE] = f"a queue holds at least a batch, of {batch or _DEFAULT_BATCH} ({_BATCH})"
    return found


def _number(environment: Mapping[str, str], name: str, but: Mapping[str, str]) -> int | None:
    return int(environment[name]) if name in environment and name not in but else None


def _propagators(value: str, _: Mapping[str, str]) -> str | None:
    if set(re.split(r"\s*,\s*", value)) <= _PROPAGATORS:
        return None
    return "traces are passed on by tracecontext and baggage"


def _protocol(value: str, _: Mapping[str, str]) -> str | None:
    return None if value in PROTOCOLS else f"the protocols are {' and '.join(PROTOCOLS)}; the latter is used"


def _compression(value: str, environment: Mapping[str, str]) -> str | None:
    by_grpc = any(re.fullmatch(f"{_SIGNAL}_PROTOCOL", name) and "grpc" in said for name, said in environment.items())
    if value == "none":
        return ""
    if value == "gzip" or (value == "deflate" and not by_grpc):
        return None
    return "gzip can be used; nothing is compressed"


def _whole(least: int) -> Callable[[str, Mapping[str, str]], str | None]:
    def reason(value: str, _: Mapping[str, str]) -> str | None:
        good = re.fullmatch(r"[0-9]{1,9}", value) and int(value) >= least
        return None if good else f"it must be a whole number, {least} or more; the default holds"

    return reason


def _exemplars(value: str, _: Mapping[str, str]) -> str | None:
    return None if value in ("trace_based", "always_on", "always_off") else "no such filter; trace_based is used"


def _provider(value: str, _: Mapping[str, str]) -> str | None:
    return "Darwin sets up OpenTelemetry itself"


_RULES: tuple[tuple[str, Callable[[str, Mapping[str, str]], str | None]], ...] = (
    ("OTEL_PROPAGATORS", _propagators),
    (f"{_SIGNAL}_PROTOCOL", _protocol),
    (f"{_SIGNAL}_COMPRESSION", _compression),
    ("OTEL_BSP_.*|OTEL_METRIC_EXPORT_.*", _whole(1)),
    ("OTEL_.*_LIMIT", _whole(0)),
    ("OTEL_METRICS_EXEMPLAR_FILTER", _exemplars),
    ("OTEL_PYTHON_(CONTEXT|TRACER_PROVIDER|METER_PROVIDER|LOGGER_PROVIDER)", _provider),
)
