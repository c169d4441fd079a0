"""The Celery application as both ends see it: one task, one queue, messages of (id, version)."""

import json
import time
from dataclasses import dataclass
from typing import Any

from celery import Celery
from celery.app.amqp import AMQP
from kombu.connection import Connection
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from shared.connection import TIMEOUT_S, Translated, is_away
from shared.errors import Unavailable

ADVANCE = "darwin.advance"
QUEUE = "darwin"
_SENT_AT = "darwin-sent-at"


@dataclass(frozen=True)
class Backlog:
    """How many messages no worker has taken, and for how many seconds the oldest waits."""

    depth: int = 0
    age_s: float = 0.0


class _Connection(Connection):
    """Comes back within seconds of its server, however long that was away; kombu would wait up to 30."""

    def ensure_connection(self, *args: Any, **kwargs: Any) -> Any:
        patience = {"interval_start": 0.5, "interval_step": 0.5, "interval_max": 2}
        return super().ensure_connection(*args, **(patience | kwargs))  # type: ignore[no-untyped-call]


class _Amqp(AMQP):  # type: ignore[misc]
    Connection = _Connection


def celery_app(redis_url: str) -> Celery:
    """A Celery application over Redis without a result backend: what happened stands in the record."""
    app = Celery("darwin", broker=redis_url, amqp=_Amqp)
    app.conf.update(
        task_default_queue=QUEUE,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            # What a dead worker had taken is sent again by the sweep, so Redis keeps no second copy of it.
            "ack_emulation": False,
            "priority_steps": [0],
            "socket_connect_timeout": TIMEOUT_S,
            "socket_timeout": TIMEOUT_S,
        },
    )
    return app


def send_advance(app: Celery, evolution_id: str, version: int, **options: Any) -> None:
    """Asks some worker to perform the next round; losing or doubling the message is harmless.

    Raises:
        Unavailable: Redis is away.
    """
    try:
        app.send_task(
            ADVANCE,
            args=[evolution_id, version],
            headers={_SENT_AT: time.time()},
            retry=True,
            retry_policy={"max_retries": 3},
            **options,
        )
    except (OperationalError, RedisError) as error:
        if isinstance(error, OperationalError) or is_away(error):
            raise Unavailable("Redis cannot be reached, or takes no writes") from error
        raise


async def backlog(redis: Any) -> Backlog:
    """What waits in the queue now; kombu keeps it as a list, whose oldest message is the last.

    Raises:
        Unavailable: Redis is away.
    """
    async with Translated(), redis.pipeline() as pipeline:
        depth, oldest = await pipeline.llen(QUEUE).lindex(QUEUE, -1).execute()
    if oldest is None:
        return Backlog()
    sent_at = json.loads(oldest)["headers"].get(_SENT_AT, time.time())
    return Backlog(depth, max(0.0, time.time() - sent_at))
