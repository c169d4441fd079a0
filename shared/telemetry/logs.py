"""Logs: one JSON object a line on standard error, each with the ids of the trace and the evolution that it is about."""

import logging

from pythonjsonlogger.json import JsonFormatter

from shared.telemetry.tracing import current_evolution_id, current_trace_id


class CorrelationIds(logging.Filter):
    """Adds `trace_id` and `evolution_id` to every record. They are empty outside any trace, or about no evolution.

    The files vllm_logging.json name this class by its path, for vLLM's own processes.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        record.trace_id, record.evolution_id = current_trace_id(), current_evolution_id()
        return True


def json_formatter(service: str) -> logging.Formatter:
    """Formats a record as one JSON object: time (UTC), level, service, logger, message, the ids that `CorrelationIds`
    adds, and the traceback where there is one.
    """
    return JsonFormatter(
        ["levelname", "name", "message", "trace_id", "evolution_id"],
        rename_fields={"levelname": "level", "name": "logger", "exc_info": "exception"},
        static_fields={"service": service},
        timestamp="time",
        json_ensure_ascii=False,
    )


def configure_logging(service: str, level: str) -> None:
    """Sends this process's logs and warnings to standard error, in the form of `json_formatter`."""
    handler = logging.StreamHandler()
    handler.addFilter(CorrelationIds())
    handler.setFormatter(json_formatter(service))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    # It tells the URL of every call, in which secrets of others may stand.
    logging.getLogger("httpx").setLevel(logging.WARNING)
