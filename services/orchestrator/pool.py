"""A Celery pool for tasks that are coroutines: a search that waits for a model holds no thread."""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import uvloop
from celery.concurrency.base import BasePool
from celery.worker import state
from kombu.serialization import loads

log = logging.getLogger(__name__)
_LOOK_S = 0.05
T = TypeVar("T")


class LoopThread:
    """An event loop in a thread of its own, which the gRPC channels and Redis connections of all tasks belong to."""

    def __init__(self) -> None:
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="loop", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine on the loop; blocks the calling thread until it ends."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Runs a coroutine on the loop in the background."""
        asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def call_later(self, delay_s: float, call: Callable[[], None]) -> None:
        self._loop.call_soon_threadsafe(self._loop.call_later, delay_s, call)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


def pool_on(loop: LoopThread, has_room: Callable[[], bool] = lambda: True) -> type[BasePool]:
    """The pool class of a worker whose tasks run on `loop`, and that begins none while it has no room."""
    return type("LoopPool", (LoopPool,), {"loop": loop, "has_room": staticmethod(has_room)})


class LoopPool(BasePool):  # type: ignore[misc]
    """Starts each task as soon as it comes and there is room; the worker's prefetch limit bounds their number. Stops
    once all ended.
    """

    loop: LoopThread
    has_room: Callable[[], bool]
    signal_safe = False
    body_can_be_buffer = True

    def on_start(self) -> None:
        self._tasks = 0
        self._idle = threading.Condition()

    def on_stop(self) -> None:
        with self._idle:
            self._idle.wait_for(lambda: not self._tasks)

    def on_apply(
        self,
        target: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any] | None = None,
        callback: Callable[..., Any] | None = None,
        accept_callback: Callable[..., Any] | None = None,
        **_: Any,
    ) -> None:
        """Starts a task. `args` are meant for Celery's tracer: name, id, headers, body, and its type and encoding."""
        assert callback is not None
        assert accept_callback is not None
        self._wait_for_room()
        name, _id, _headers, body, content_type, encoding = args
        positional, named, _options = loads(body, content_type, encoding)  # type: ignore[no-untyped-call]
        task = self.app.tasks[name].run(*positional, **named)
        accept_callback(os.getpid(), time.monotonic())
        with self._idle:
            self._tasks += 1
        self.loop.start(self._perform(task, callback))

    def _wait_for_room(self) -> None:
        """Waits in the thread in which Celery takes messages, so that it takes no others meanwhile."""
        while not self.has_room() and state.should_stop is None and state.should_terminate is None:
            time.sleep(_LOOK_S)

    async def _perform(self, task: Coroutine[Any, Any, None], done: Callable[..., Any]) -> None:
        began = time.monotonic()
        try:
            await task
        except Exception:
            log.exception("a task failed")
        finally:
            try:
                done((0, None, time.monotonic() - began))
            finally:
                with self._idle:
                    self._tasks -= 1
                    self._idle.notify_all()
