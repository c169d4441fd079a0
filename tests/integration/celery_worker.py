"""A Celery worker within a test's process."""

import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from services.orchestrator.broker import celery_app
from services.orchestrator.pool import LoopThread, pool_on
from services.orchestrator.tasks import register


@contextmanager
def working(url: str, perform: Callable[[str, int], Awaitable[None]], loop: LoopThread | None = None) -> Iterator[None]:
    """Performs what is sent, four at a time; on `loop`, which its owner stops, where there is one. It stops however the
    context ends: a worker that stays would take other tests' messages.
    """
    own, app = loop or LoopThread(), celery_app(url)
    register(app, perform)
    worker = app.Worker(pool=pool_on(own), concurrency=4, quiet=True, without_mingle=True, without_gossip=True)
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
