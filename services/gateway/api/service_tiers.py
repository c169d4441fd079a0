"""OpenAI's `service_tier`: how soon a search begins, where more is asked for than workers can do."""

from typing import Annotated, Literal

from services.gateway.api.field_kinds import WithoutEffect
from shared.records.evolution import ServiceTier

Named = Literal["auto", "default", "flex", "priority", "scale", "fast", "ultrafast"]
ServiceTierField = Annotated[Named | None, WithoutEffect("auto", "default", "flex", "priority", "fast")]

SERVICE_TIER = (
    "Where searches wait for a worker, `priority` (or `fast`) goes ahead of your other searches, `flex` after them; "
    "`auto` and `default` stand between. Other tenants' searches wait no longer for it, unless the operator gave your "
    "key priority over theirs."
)

_SERVED: dict[Named, ServiceTier] = {"flex": "flex", "priority": "priority", "fast": "priority"}


def served_tier(asked: Named | None) -> ServiceTier:
    """The tier in which a request is served, as its answer says."""
    return _SERVED.get(asked or "auto", "default")
