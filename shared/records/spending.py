"""What searches and embeddings spend, what it costs, and the budgets that bound it.

Budgets count in calendar periods (`shared.records.periods`). A search counts in the periods in which it was accepted,
however long it runs.
"""

from dataclasses import dataclass
from typing import Literal, Self, get_args

Unit = Literal["tokens", "money"]
Period = Literal["month", "week", "day", "hour"]

UNITS: tuple[Unit, ...] = get_args(Unit)
PERIODS: tuple[Period, ...] = get_args(Period)
"""The longest first: whoever is over several budgets learns of the one that lasts longest."""

NANOS = 1_000_000_000
"""Money is counted in whole billionths of the currency's unit, so that sums stay exact."""


@dataclass(frozen=True)
class Spending:
    """Tokens by stage: of the conversation, sampled for rewrites, sampled for responses, computed by reward models; and
    of texts that are embedded.
    """

    prompt: int = 0
    mutation: int = 0
    generation: int = 0
    reward: int = 0
    embedding: int = 0

    @property
    def counted(self) -> int:
        """The tokens that budgets of tokens count: all that is sampled, and what is embedded."""
        return self.mutation + self.generation + self.embedding

    def __sub__(self, other: Self) -> "Spending":
        return Spending(
            self.prompt - other.prompt,
            self.mutation - other.mutation,
            self.generation - other.generation,
            self.reward - other.reward,
            self.embedding - other.embedding,
        )


NOTHING = Spending()


@dataclass(frozen=True)
class Prices:
    """Prices of a million tokens by stage, in any currency; None where tokens of a stage cost nothing."""

    prompt: float | None = None
    mutation: float | None = None
    generation: float | None = None
    reward: float | None = None
    embedding: float | None = None

    def __bool__(self) -> bool:
        return any(price is not None for price in vars(self).values())

    def cost(self, spent: Spending) -> float:
        """In units of the currency."""
        priced = (
            (spent.prompt, self.prompt),
            (spent.mutation, self.mutation),
            (spent.generation, self.generation),
            (spent.reward, self.reward),
            (spent.embedding, self.embedding),
        )
        return sum(tokens * (price or 0.0) for tokens, price in priced) / 1e6

    def nanos(self, spent: Spending) -> int:
        """The cost in whole billionths of the currency's unit."""
        return round(self.cost(spent) * NANOS)


@dataclass(frozen=True)
class Budget:
    """At most `limit` per period: tokens (`Spending.counted`), or billionths of the currency's unit."""

    unit: Unit
    period: Period
    limit: int


@dataclass(frozen=True)
class Standing:
    """What a budget's period has seen so far: `used` is spent, `reserved` is set aside for what is under way."""

    used: int = 0
    reserved: int = 0
