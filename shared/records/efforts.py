"""How much is spent on an answer: by the search, and by a model that thinks first."""

from typing import Literal, get_args

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
EFFORTS: tuple[Effort, ...] = get_args(Effort)
"""From least to most."""
