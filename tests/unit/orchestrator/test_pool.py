"""The pool begins tasks while there is room, and ends although what Celery does at a task's end fails."""

import json
import threading
from types import SimpleNamespace
from typing import Any

from services.orchestrator.pool import LoopThread, pool_on


def test_a_pool_stops_though_the_end_of_a_task_could_not_be_told() -> None:
    loop, told = LoopThread(), list[object]()

    async def task() -> None:
        pass

    def refuse(result: Any) -> None:
        told.append(result)
        raise ConnectionError("the broker is away")

    app = SimpleNamespace(tasks={"advance": SimpleNamespace(run=task)})
    pool = pool_on(loop)(limit=1, app=app)
    pool.on_start()
    for _ in range(2):
        args = ("advance", "id", {}, json.dumps([[], {}, {}]), "application/json", "utf-8")
        pool.on_apply(None, args, callback=refuse, accept_callback=lambda pid, at: None)
    pool.on_stop()
    loop.stop()
    assert len(told) == 2


def test_no_task_begins_where_there_is_no_room() -> None:
    loop, room, begun = LoopThread(), threading.Event(), threading.Event()

    async def task() -> None:
        begun.set()

    app = SimpleNamespace(tasks={"advance": SimpleNamespace(run=task)})
    pool = pool_on(loop, room.is_set)(limit=1, app=app)
    pool.on_start()
    args = ("advance", "id", {}, json.dumps([[], {}, {}]), "application/json", "utf-8")
    told = {"callback": lambda result: None, "accept_callback": lambda pid, at: None}
    taking = threading.Thread(target=pool.on_apply, args=(None, args), kwargs=told)
    taking.start()
    assert not begun.wait(0.3)
    room.set()
    assert begun.wait(5)
    taking.join()
    pool.on_stop()
    loop.stop()
