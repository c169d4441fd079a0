"""An API key as operators see it: without its secret, with what it has spent."""

from typing import Any

from shared.records.key_terms import TERMS
from shared.records.periods import period_end
from shared.records.spending import NANOS, Unit
from shared.store.api_keys import ApiKey
from shared.store.queries import Spent


def shown_key(key: ApiKey, spent: Spent, at: float) -> dict[str, Any]:
    """An API key as `/v1/keys` and `darwin keys` show it; `spent` is what was spent and reserved at a time (Unix
    seconds)."""
    limits = {(budget.unit, budget.period): budget.limit for budget in key.budgets}
    use = [
        {
            "unit": unit,
            "period": period,
            "limit": _amount(unit, limits.get((unit, period))),
            "used": _amount(unit, standing.used),
            "reserved": _amount(unit, standing.reserved),
            "ends_at": period_end(period, at).timestamp(),
        }
        for (unit, period), standing in spent.items()
    ]
    terms = {name: getattr(key, name) for name in TERMS}
    return {
        "id": key.id,
        "tenant": key.tenant,
        "created_at": key.created_at,
        **{name: list(value) if isinstance(value, tuple) else value for name, value in terms.items()},
        "expired": key.expired,
        "previous_until": key.previous_until if key.previous_until > at else None,
        "use": use,
    }


def _amount(unit: Unit, number: int | None) -> float | None:
    """Tokens as they are, billionths as money."""
    return number if number is None or unit == "tokens" else number / NANOS
