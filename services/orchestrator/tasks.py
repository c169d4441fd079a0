"""The one Celery task: perform a round."""

from collections.abc import Awaitable, Callable

from celery import Celery

from services.orchestrator.round_runner import Next
from shared.store.queue import ADVANCE


def register(app: Celery, advance: Callable[[str, int], Awaitable[Next | None]]) -> None:
    """Makes `advance(evolution id, version)` the body of the task, which is a coroutine (see `pool`)."""

    @app.task(name=ADVANCE)  # type: ignore[untyped-decorator]
    async def advance_task(evolution_id: str, version: int) -> None:
        await advance(evolution_id, version)
