"""What a response's length predicts of its reward, which a profile may take from it.

Reward models like long answers, and so does what searches for what they like. Less its expectation at its length,
a reward says how good a response is among those as long (Huang et al. 2024, https://arxiv.org/abs/2409.17407).
"""

from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from shared.errors import InvalidRequest, NotFound

LENGTH = "length"
"""The part of a reward that is taken away."""


class LengthCurve(BaseModel):
    """The mean reward by length in characters, at knots; between those it is interpolated over log(1 + characters), and
    constant beyond.

    `components` is `services.reward.identity.identity_of_components` of the profile whose rewards these are; `about`
    says how the curve was made.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    components: str
    characters: tuple[FiniteFloat, ...] = Field(min_length=2)
    rewards: tuple[FiniteFloat, ...]
    about: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_a_curve(self) -> Self:
        if len(self.rewards) != len(self.characters):
            raise ValueError("needs a reward for each number of characters")
        if self.characters[0] < 0 or any(np.diff(self.characters) <= 0):
            raise ValueError("needs numbers of characters that ascend from at least 0")
        return self

    def predicted(self, text: str) -> float:
        """The mean reward of responses as long as `text`."""
        return float(np.interp(np.log1p(len(text)), np.log1p(self.characters), self.rewards))


def read_curve(file: Path) -> LengthCurve:
    """The curve in a file of JSON; raises NotFound, or InvalidRequest where it holds none."""
    if not file.is_file():
        raise NotFound(f"no such length curve: {file}", field="length_curve")
    try:
        return LengthCurve.model_validate_json(file.read_bytes())
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]["msg"]
        raise InvalidRequest(f"{file} is no length curve: {problem}", field="length_curve") from None
