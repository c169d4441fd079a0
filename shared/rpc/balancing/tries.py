"""The tries of one call: which replicas have failed it, and what is to be done after a failure."""

import asyncio
from typing import Literal

from grpc import StatusCode

# A server whose grace has passed cancels the calls that it still has, so CANCELLED is a lost call too.
_LOST = (StatusCode.UNAVAILABLE, StatusCode.CANCELLED)
_FULL = StatusCode.RESOURCE_EXHAUSTED
_MAX_TRIED = 5

AfterFailure = Literal["complete", "move_on", "give_up"]
"""What follows a try that failed.

The call is complete, as every sequence came back before the failure; or another replica takes what has not come back;
or the caller is given the error.
"""


class Tries:
    """The tries of one call, which may take until `ends_at`, by the clock of the running loop."""

    def __init__(self, ends_at: float) -> None:
        self.ends_at = ends_at
        # How the try at each address ended.
        self._failed: dict[str, StatusCode] = {}

    @property
    def seconds_left(self) -> float:
        return max(0.0, self.ends_at - asyncio.get_running_loop().time())

    @property
    def any_failed(self) -> bool:
        """Whether a replica has failed the call."""
        return bool(self._failed)

    def untried(self, addresses: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the addresses at which the call has not failed."""
        return tuple(address for address in addresses if address not in self._failed) if self._failed else addresses

    def failed_at(self, address: str, code: StatusCode, missing: int, serving: tuple[str, ...]) -> AfterFailure:
        """Notes a failed try and says what follows.

        `missing` is how many sequences have not come back, `serving` are the addresses that take calls now. A full
        replica makes the call move on once only: then the others are likely to be full as well.
        """
        self._failed[address] = code
        if code in _LOST and not missing:
            return "complete"
        if self.untried(serving) and len(self._failed) < _MAX_TRIED and self._may_move_on(code):
            return "move_on"
        return "give_up"

    def _may_move_on(self, code: StatusCode) -> bool:
        return code in _LOST or (code is _FULL and list(self._failed.values()).count(_FULL) == 1)
