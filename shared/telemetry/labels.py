"""Values of a metric's label of which there may be any number: each is a series that stays."""

OTHER = "other"


class Labels:
    """Gives the first `most` values that a process meets labels of their own, and all others `OTHER` together."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.known: set[str] = set()

    def of(self, value: str) -> str:
        """The label of a value."""
        if value not in self.known and len(self.known) < self._most:
            self.known.add(value)
        return value if value in self.known else OTHER
