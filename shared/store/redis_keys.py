"""The names of redis keys (see `layout` for what they hold)."""

from shared.records.evolution import Record
from shared.records.periods import period_label
from shared.records.spending import PERIODS, Period

# In scripts that name `active` among their keys: the redis key of an evolution's hash.
RECORD_OF = """
local function record_of(id) return string.sub(active, 1, -#'active' - 1) .. 'evo:{' .. id .. '}' end
"""


class RedisKeys:
    """The names of a shard's redis keys. All of them begin with `prefix`, and so lie in one hash slot of a Redis
    Cluster where the shard has a number; where there is one shard only, it has none.
    """

    def __init__(self, number: int | None = None) -> None:
        self.prefix = "darwin:" if number is None else f"darwin:{{s{number}}}:"
        self.queue = "darwin" if number is None else self("queue")
        self.active = self("active")
        self.deadlines = self("deadlines")
        self.cancelled = self("cancelled")
        self.reserved = self("reserved")
        self.waiting = self("waiting")
        self.notices = self("webhook-notices")
        self.outbox = self("outbox")

    def __call__(self, name: str) -> str:
        """The redis key of this name."""
        return f"{self.prefix}{name}"

    def record(self, evolution_id: str) -> str:
        """Of an evolution's hash."""
        return self(f"evo:{{{evolution_id}}}")

    def events(self, evolution_id: str) -> str:
        """Of the stream of its events."""
        return f"{self.record(evolution_id)}:events"

    def attempts(self, evolution_id: str) -> str:
        """Of the stream of its attempts."""
        return f"{self.record(evolution_id)}:attempts"

    def lease(self, evolution_id: str) -> str:
        """Of who performs its round; it expires with the lease."""
        return f"{self.record(evolution_id)}:lease"

    def state(self, evolution_id: str) -> str:
        """Of the hash with the orchestrator's state."""
        return f"{self.record(evolution_id)}:state"

    def listing(self, tenant: str | None) -> str:
        """Of the list of a tenant's evolutions; None: of everybody's."""
        return self("list" if tenant is None else f"list:{tenant}")

    def active_of(self, api_key_id: str) -> str:
        """Of an API key's unfinished evolutions."""
        return self(f"key:{api_key_id}:active")

    def spent(self, api_key_id: str, period: Period, at: float) -> str:
        """Of what an API key spent in the period that a time (Unix seconds) lies in."""
        return self(f"key:{api_key_id}:spent:{period}:{period_label(period, at)}")

    def spent_by(self, record: Record) -> list[str]:
        """Of what is spent in the periods in which an evolution was accepted, in the order of `PERIODS`; none where no
        API key is charged.
        """
        return [self.spent(record.key_id, period, record.created_at) for period in PERIODS] if record.key_id else []

    def call(self, call_id: str) -> str:
        """Of what is set aside for a call that is no search."""
        return self(f"call:{call_id}")

    def idempotency(self, record: Record) -> str:
        """Of what an evolution's idempotency key stands for."""
        return self(f"idempotency:{record.idempotency.key if record.idempotency else ''}")

    def of(self, record: Record) -> dict[str, str]:
        """The redis keys that creating and saving a record both touch, by the names that the scripts give them."""
        return {
            "record": self.record(record.id),
            "events": self.events(record.id),
            "active": self.active,
            "waiting": self.waiting,
            "deadlines": self.deadlines,
            "reserved": self.reserved,
            "all_list": self.listing(None),
            "tenant_list": self.listing(record.request.tenant),
            "api_key_active": self.active_of(record.key_id),
            "idempotency": self.idempotency(record),
        }
