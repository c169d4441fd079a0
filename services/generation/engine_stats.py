"""What vLLM's scheduler reports after each step."""

from typing import Any


class SchedulerStats:
    """The last report: `waiting` sequences have not begun their first step, or were put back into the queue."""

    def __init__(self) -> None:
        self.waiting = 0

    def logger(self, config: Any, engine_index: int = 0) -> Any:
        """A logger for `AsyncLLM(stat_loggers=…)` that keeps the last report here.

        With any such logger vLLM also measures each sequence, and exports metrics of its own (`vllm:…`).
        """
        from vllm.v1.metrics.loggers import StatLoggerBase

        scheduler = self

        class Logger(StatLoggerBase):  # type: ignore[misc]
            def __init__(self, config: Any, engine_index: int = 0) -> None: ...

            def record(self, scheduler_stats: Any, iteration_stats: Any, *_: Any, **__: Any) -> None:
                if scheduler_stats is not None:
                    scheduler.waiting = scheduler_stats.num_waiting_reqs + scheduler_stats.num_skipped_waiting_reqs

            def log_engine_initialized(self) -> None: ...

        return Logger(config, engine_index)
