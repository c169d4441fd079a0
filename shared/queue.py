"""The Celery application as both ends see it: one task, one queue, messages of (id, version)."""

from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from shared.connection import is_away
from shared.errors import Unavailable

ADVANCE = "darwin.advance"
QUEUE = "darwin"
# Longer than a round can last; recovery never relies on it (see the sweep).
VISIBILITY_TIMEOUT_S = 3600


def celery_app(redis_url: str) -> Celery:
    """A Celery application over Redis without a result backend: what happened stands in the record."""
    app = Celery("darwin", broker=redis_url)
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
        broker_transport_options={
            "visibility_timeout": VISIBILITY_TIMEOUT_S,
            "socket_connect_timeout": 5,
            "socket_timeout": 30,
        },
    )
    return app


def send_advance(app: Celery, evolution_id: str, version: int, **options: Any) -> None:
    """Asks some worker to perform the next round; losing or doubling the message is harmless.

    Raises:
        Unavailable: the broker cannot be reached, or takes no writes.
    """
    try:
        app.send_task(ADVANCE, args=[evolution_id, version], retry=True, retry_policy={"max_retries": 3}, **options)
    except (OperationalError, RedisError) as error:
        if isinstance(error, RedisError) and not is_away(error):
            raise
        raise Unavailable("the broker cannot be reached, or takes no writes") from error
