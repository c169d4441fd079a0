"""The one Celery task: perform a round, send the next message."""

from collections.abc import Callable

from celery import Celery

from services.orchestrator.evolving import Next
from shared.queue import ADVANCE, send_advance


def register(app: Celery, advance: Callable[[str, int], Next | None]) -> None:
    """Makes `advance(evolution id, version)` the body of the task."""

    @app.task(name=ADVANCE)  # type: ignore[untyped-decorator]
    def advance_task(evolution_id: str, version: int) -> None:
        due = advance(evolution_id, version)
        if due is not None:
            send_advance(app, due.evolution_id, due.version, countdown=due.delay_s or None)
