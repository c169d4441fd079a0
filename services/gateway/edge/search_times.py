"""How long searches took lately, and so when a caller who found no room may come back."""

import math
from collections import OrderedDict
from statistics import median

_MOST = 100
_LEAST_S, _MOST_S = 1, 60


class SearchTimes:
    """The seconds that the searches took which this process last saw end."""

    def __init__(self) -> None:
        self._seconds: OrderedDict[str, float] = OrderedDict()

    def note(self, evolution_id: str, seconds: float) -> None:
        """Notes that a search took so long; of one that is noted again, nothing changes."""
        self._seconds.setdefault(evolution_id, seconds)
        if len(self._seconds) > _MOST:
            self._seconds.popitem(last=False)

    @property
    def retry_after_s(self) -> int:
        """The median in whole seconds, 1 to 60; 1 where no search was seen."""
        found = median(self._seconds.values()) if self._seconds else 0.0
        return min(_MOST_S, max(_LEAST_S, math.ceil(found)))
