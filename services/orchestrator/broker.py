"""Celery as the worker uses it: one queue in Redis, which forgets a message as soon as it is taken."""

from typing import Any
from urllib.parse import quote, urlencode

from celery import Celery
from celery.app.amqp import AMQP
from kombu.connection import Connection
from redis.backoff import NoBackoff
from redis.retry import Retry

from services.orchestrator.shard_queues import ShardQueues, Transport
from shared.redis_address import RedisAddress
from shared.store.connection import TIMEOUT_S
from shared.store.queue import QUEUE

BROKER_KEYS = (QUEUE, f"_kombu.binding.{QUEUE}")
"""What kombu reads and writes in Redis."""


class _Connection(Connection):
    """Tries every 2 seconds to reach a server that is away, where kombu would wait up to 30."""

    def ensure_connection(self, *args: Any, **kwargs: Any) -> Any:
        patience = {"interval_start": 0.5, "interval_step": 0.5, "interval_max": 2}
        return super().ensure_connection(*args, **(patience | kwargs))  # type: ignore[no-untyped-call]


class _Amqp(AMQP):  # type: ignore[misc]
    Connection = _Connection


def broker_url(address: RedisAddress) -> str:
    """The URL of the same Redis for kombu, without its options: those are given apart, lest kombu read them its way."""
    login = "".join(
        (
            quote(address.login.get("username", ""), safe=""),
            f":{quote(address.login['password'], safe='')}" if "password" in address.login else "",
            "@" if address.login else "",
        )
    )
    if address.socket:
        return f"redis+socket://{login}{quote(address.socket)}?{urlencode({'virtual_host': address.database})}"
    scheme = "sentinel" if address.service else "rediss" if address.tls else "redis"
    hosts = (f"[{host}]" if ":" in host else host for host, _ in address.hosts)
    ports = (port for _, port in address.hosts)
    each = zip(hosts, ports, strict=True)
    return ";".join(f"{scheme}://{login}{host}:{port}/{address.database}" for host, port in each)


def celery_app(redis_url: str) -> Celery:
    """A Celery application over Redis. It has no result backend, because what a task did is in the record."""
    address = RedisAddress.parse(redis_url)
    app = _celery_app(broker_url(address))
    app.conf.update(
        broker_use_ssl=dict(address.tls) if address.tls else False,
        broker_transport_options=_transport_options(address),
    )
    return app


def sharded_celery_app(queues: ShardQueues) -> Celery:
    """The same over several shards."""
    app = _celery_app("shards://")
    app.conf.update(
        broker_transport=f"{Transport.__module__}:{Transport.__name__}",
        broker_transport_options={"queues": queues},
    )
    return app


def _celery_app(broker: str) -> Celery:
    app = Celery("darwin", broker=broker, amqp=_Amqp)
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
        # A server that has become a replica, or takes no writes, answers with an error: then the worker connects anew.
        broker_channel_error_retry=True,
    )
    return app


def _transport_options(address: RedisAddress) -> dict[str, Any]:
    options: dict[str, Any] = {
        # The sweep sends a message again that a worker had taken when it died, so Redis need not keep a copy.
        "ack_emulation": False,
        "priority_steps": [0],
        "socket_connect_timeout": TIMEOUT_S,
        "socket_timeout": TIMEOUT_S,
        **address.options,
    }
    if address.service:
        options["master_name"] = address.service
        timeouts = {name: value for name, value in options.items() if name.startswith("socket_")}
        tls = {"ssl": True, **address.tls} if address.tls else {}
        once = Retry(NoBackoff(), 1)
        options["sentinel_kwargs"] = {**timeouts, **address.sentinel_login, **tls, "retry": once}
    return options
