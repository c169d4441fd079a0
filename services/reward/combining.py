"""What a profile makes of its components' values beside their sum: ensembles of them, and what it requires. Pure."""

from collections.abc import Mapping
from math import fsum, sqrt
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from services.reward.specs import Name


class Ensemble(BaseModel):
    """One value of several components': their mean, the least, or the mean less `k` standard deviations (of these
    values, divided by their number). Members need not count in the sum by themselves: their weight may be 0.

    Source: Coste et al. 2023, https://arxiv.org/abs/2310.02743, with a deviation in the place of the variance, so that
    `k` has no unit.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Name
    weight: FiniteFloat
    of: tuple[Name, ...] = Field(min_length=2, max_length=32)
    combine: Literal["mean", "min", "mean-std"]
    k: FiniteFloat | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.k is not None) != (self.combine == "mean-std"):
            raise ValueError("needs k for combine: mean-std, and for no other")
        if len(set(self.of)) < len(self.of):
            raise ValueError("names a component twice")
        return self

    def value(self, values: Mapping[str, float]) -> float:
        """The ensemble's value; `values` are the components', by name."""
        found = [values[name] for name in self.of]
        if self.combine == "min":
            return min(found)
        mean = fsum(found) / len(found)
        return mean - (self.k or 0.0) * sqrt(fsum((each - mean) ** 2 for each in found) / len(found))


def broken(required: Mapping[str, float], known: Mapping[str, float]) -> str:
    """The first name that is required and has less than its least value among what is `known`; empty without one."""
    return next((name for name, least in required.items() if name in known and known[name] < least), "")
