"""How many examples generating tests draw: few in the gate, which runs them day after day, and many where
HYPOTHESIS_PROFILE=long says so, as after a change of what they test.
"""

import os

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "gate")
_TIMES = {"gate": 1, "long": 20}
FEW = 50
"""As many as a test draws that says nothing else."""


def examples(count: int) -> int:
    """As many as a test draws that would draw `count` in the gate."""
    return count * _TIMES[PROFILE]
