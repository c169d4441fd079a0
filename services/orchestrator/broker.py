"""Celery as the worker uses it: one queue in Redis, which forgets a message as soon as it is taken."""

from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from celery import Celery
from celery.app.amqp import AMQP
from kombu.connection import Connection

from shared.store.connection import TIMEOUT_S
from shared.store.queue import QUEUE


class _Connection(Connection):
    """Tries every 2 seconds to reach a server that is away, where kombu would wait up to 30."""

    def ensure_connection(self, *args: Any, **kwargs: Any) -> Any:
        patience = {"interval_start": 0.5, "interval_step": 0.5, "interval_max": 2}
        return super().ensure_connection(*args, **(patience | kwargs))  # type: ignore[no-untyped-call]


class _Amqp(AMQP):  # type: ignore[misc]
    Connection = _Connection


def broker_url(redis_url: str) -> str:
    """The URL of the same Redis for kombu, which writes that of a Unix socket in another way than redis-py does."""
    parts = urlsplit(redis_url)
    if parts.scheme != "unix":
        return redis_url
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    user, password = parts.username or options.get("username", ""), parts.password or options.get("password", "")
    login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if password else ""
    return f"redis+socket://{login}{parts.path}?{urlencode({'virtual_host': options.get('db', '0')})}"


def celery_app(redis_url: str) -> Celery:
    """A Celery application over Redis. It has no result backend, because what a task did is in the record."""
    app = Celery("darwin", broker=broker_url(redis_url), amqp=_Amqp)
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
            # The sweep sends a message again that a worker had taken when it died, so Redis need not keep a copy.
            "ack_emulation": False,
            "priority_steps": [0],
            "socket_connect_timeout": TIMEOUT_S,
            "socket_timeout": TIMEOUT_S,
        },
    )
    return app
