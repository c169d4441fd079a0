"""The Celery application as both ends see it: one task, one queue, messages of (id, version)."""

from typing import Any

from celery import Celery
from celery.app.amqp import AMQP
from kombu.connection import Connection
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from shared.connection import TIMEOUT_S, is_away
from shared.errors import Unavailable

ADVANCE = "darwin.advance"
QUEUE = "darwin"
# Longer than a round can last; recovery never relies on it (see the sweep).
VISIBILITY_TIMEOUT_S = 3600


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
            "visibility_timeout": VISIBILITY_TIMEOUT_S,
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
        app.send_task(ADVANCE, args=[evolution_id, version], retry=True, retry_policy={"max_retries": 3}, **options)
    except (OperationalError, RedisError) as error:
        if isinstance(error, OperationalError) or is_away(error):
            raise Unavailable("Redis cannot be reached, or takes no writes") from error
        raise
