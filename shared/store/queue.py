"""The queue of evolutions that wait for a worker: messages of (id, version) in a Redis list, as Celery reads them.

What has not begun comes here from `fair_queue`, a few at a time.
"""

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime

ADVANCE = "darwin.advance"
QUEUE = "darwin"

_SENT_AT = "darwin-sent-at"
SENT_AT_PATTERN = _SENT_AT.replace("-", "%-")
"""The name of the header that says when a message was sent, as a pattern of Lua's."""

# When the oldest message in the queue was sent. Those of searches that have begun stand at its end, and go ahead of the
# few others, which stand at its beginning: so it is looked for at both.
OLDEST_MESSAGE = """
local function oldest_message_at(queue)
  local oldest = math.huge
  for _, ends in ipairs({{0, 49}, {-50, -1}}) do
    for _, message in ipairs(redis.call('LRANGE', queue, ends[1], ends[2])) do
      local sent_at = tonumber(string.match(message, '"NAME":%s*([%d.]+)'))
      oldest = math.min(oldest, sent_at or oldest)
    end
  end
  return oldest
end
""".replace("NAME", SENT_AT_PATTERN)


_ENVELOPE = (
    json.dumps(
        {
            "body": '[["%s",%s],{},{}]',
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": {"ETA": "", "task": ADVANCE, "id": "%s", _SENT_AT: "SENT AT"},
            "properties": {"delivery_tag": "%s", "delivery_info": {"exchange": "", "routing_key": QUEUE}},
        },
        separators=(",", ":"),
    )
    .replace('"ETA":"",', "%s")
    .replace('"SENT AT"', "%s")
)

# In scripts that know `now`: what the function `message` below makes.
MESSAGE = """
local function message_of(id, version)
  local sent_at = string.format('%.6f', now)
  return string.format([==[ENVELOPE]==], id, version, '', id, sent_at, string.sub(id, -12) .. '.' .. sent_at)
end
""".replace("ENVELOPE", _ENVELOPE)


@dataclass(frozen=True)
class Backlog:
    """How many evolutions no worker has taken yet, and for how many seconds the oldest of them has waited."""

    depth: int = 0
    age_s: float = 0.0


def message(evolution_id: str, version: int, delay_s: float = 0.0) -> str:
    """The message upon which a worker performs an evolution from `version` on, `delay_s` seconds from now at the
    earliest. A message that is lost is replaced by the sweep, and one that comes twice changes nothing.

    It is what Celery needs of its message (protocol 2) in kombu's envelope, as JSON. It is written here, and not by
    Celery, so that the script that saves a version can send it in the same step.
    """
    now = time.time()
    eta = f'"eta":"{datetime.fromtimestamp(now + delay_s, UTC).isoformat()}",' if delay_s else ""
    tag = f"{evolution_id[-12:]}.{now:.6f}"
    return _ENVELOPE % (evolution_id, version, eta, evolution_id, f"{now:.6f}", tag)
