"""The queue of evolutions that wait for a worker: messages of (id, version) in a Redis list, as Celery reads them."""

import json
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared.store.connection import Translated

ADVANCE = "darwin.advance"
QUEUE = "darwin"

_SENT_AT = "darwin-sent-at"

# When the oldest message in the queue was sent. Those of searches that have begun go ahead of the others, so it is not
# always the next one, but among the next few.
OLDEST_MESSAGE = """
local function oldest_message_at(queue)
  local oldest = math.huge
  for _, message in ipairs(redis.call('LRANGE', queue, -50, -1)) do
    local sent_at = tonumber(string.match(message, '"NAME":%s*([%d.]+)'))
    oldest = math.min(oldest, sent_at or oldest)
  end
  return oldest
end
""".replace("NAME", _SENT_AT.replace("-", "%-"))


@dataclass(frozen=True)
class Backlog:
    """How many messages no worker has taken yet, and for how many seconds the oldest of them has waited."""

    depth: int = 0
    age_s: float = 0.0


def message(evolution_id: str, version: int, delay_s: float = 0.0) -> str:
    """The message upon which a worker performs an evolution from `version` on, `delay_s` seconds from now at the
    earliest. A message that is lost is replaced by the sweep, and one that comes twice changes nothing.

    It is Celery's message (protocol 2) in kombu's envelope, as JSON. It is written here, and not by Celery, so that the
    script that saves a version can send it in the same step.
    """
    now, message_id = time.time(), str(uuid.uuid4())
    eta = datetime.fromtimestamp(now + delay_s, UTC).isoformat() if delay_s else None
    envelope = {
        "body": json.dumps([[evolution_id, version], {}, {}]),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"lang": "py", "task": ADVANCE, "id": message_id, "root_id": message_id, "eta": eta, _SENT_AT: now},
        "properties": {
            "correlation_id": message_id,
            "delivery_tag": message_id,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": QUEUE},
            "priority": 0,
        },
    }
    return json.dumps(envelope)


async def backlog(redis: Any) -> Backlog:
    """The messages that wait in the queue now. kombu keeps them in a Redis list, the oldest one last.

    Raises:
        Unavailable: Redis is away.
    """
    async with Translated(), redis.pipeline() as pipeline:
        depth, oldest = await pipeline.llen(QUEUE).lindex(QUEUE, -1).execute()
    if oldest is None:
        return Backlog()
    sent_at = json.loads(oldest)["headers"].get(_SENT_AT, time.time())
    return Backlog(depth, max(0.0, time.time() - sent_at))
