"""The one Celery task, which performs an evolution from a version on."""

from collections.abc import Awaitable, Callable

from celery import Celery

from shared.store.queue import ADVANCE


def register(app: Celery, advance: Callable[[str, int], Awaitable[None]]) -> None:
    """Registers the task, whose body is `advance(evolution id, version)`: a coroutine, for which `pool` has a loop."""

    @app.task(name=ADVANCE, shared=False)  # type: ignore[untyped-decorator]
    async def advance_task(evolution_id: str, version: int) -> None:
        await advance(evolution_id, version)
