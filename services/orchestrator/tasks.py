"""The one Celery task: perform a round, send the next message."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from celery import Celery

from services.orchestrator.evolving import Next
from shared import telemetry
from shared.errors import Unavailable
from shared.queue import ADVANCE, send_advance

log = logging.getLogger(__name__)


def register(app: Celery, advance: Callable[[str, int], Awaitable[Next | None]]) -> None:
    """Makes `advance(evolution id, version)` the body of the task, which is a coroutine (see `pool`)."""

    @app.task(name=ADVANCE)  # type: ignore[untyped-decorator]
    async def advance_task(evolution_id: str, version: int) -> None:
        due = await advance(evolution_id, version)
        if due is None:
            return
        try:
            await asyncio.to_thread(send_advance, app, due.evolution_id, due.version, countdown=due.delay_s or None)
        except Unavailable as error:
            with telemetry.within(due.trace, due.evolution_id):
                log.warning("%s waits for the sweep: %s", due.evolution_id, error.message)
