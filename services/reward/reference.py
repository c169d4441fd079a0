"""Reference samples: what a component gives for known answers, so that its values can be told as quantiles of these.

Quantiles are comparable between components, whatever their scales, and bounded: nothing is gained beyond the best of
the sample.
"""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from shared.errors import InvalidRequest, NotFound

FEWEST, MOST = 20, 20_000
"""So many answers a sample has at least, and at most."""


class Sample(BaseModel):
    """A component's values for the answers of the sample. `component` is
    `services.reward.identity.identity_of_component` of the component that gave them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    component: str
    values: tuple[FiniteFloat, ...] = Field(min_length=FEWEST, max_length=MOST)

    def quantile(self, value: float) -> float:
        """The share of the sample's values that are less, and half of those that are equal, in [0, 1]; interpolated
        between the sample's values, and constant beyond them.
        """
        values, shares = self._knots
        return float(np.interp(value, values, shares))

    @cached_property
    def _knots(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        values, counts = np.unique(np.asarray(self.values, dtype=np.float64), return_counts=True)
        return values, (np.cumsum(counts) - counts / 2) / len(self.values)


class Reference(BaseModel):
    """The samples of a profile's components, by name; `about` says how they were taken."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    samples: dict[str, Sample]
    about: dict[str, Any] = Field(default_factory=dict)


def read_reference(file: Path) -> Reference:
    """The samples in a file of JSON; raises NotFound, or InvalidRequest where it holds none."""
    if not file.is_file():
        raise NotFound(f"no such reference sample: {file}", field="reference")
    try:
        return Reference.model_validate_json(file.read_bytes())
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]["msg"]
        raise InvalidRequest(f"{file} is no reference sample: {problem}", field="reference") from None
