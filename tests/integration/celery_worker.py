"""A Celery worker within a test's process."""

import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from services.orchestrator.broker import celery_app
from services.orchestrator.pool import LoopThread, pool_on
from services.orchestrator.tasks import register


@contextmanager
def working(
    url: str,
    perform: Callable[[str, int], Awaitable[None]],
    loop: LoopThread | None = None,
    concurrency: int = 4,
    has_room: Callable[[], bool] = lambda: True,
) -> Iterator[None]:
    """Performs what is sent, up to `concurrency` at a time while it has room; on `loop`, which its owner stops, where
    there is one. It stops however the context ends: a worker that stays would take other tests' messages.
    """
    own, app = loop or LoopThread(), celery_app(url)
    register(app, perform)
    pool = pool_on(own, has_room)
    worker = app.Worker(pool=pool, concurrency=concurrency, quiet=True, without_mingle=True, without_gossip=True)
    thread = threading.Thread(target=worker.start, daemon=True)
    thread.start()
    try:
        yield
    finally:
        worker.stop()
        thread.join(20)
        if loop is None:
            own.stop()
        app.close()
    assert not thread.is_alive()
