"""Which sequences share a padded forward pass."""

from collections.abc import Iterator, Sequence

_MAX_LENGTH_RATIO = 1.5


def groups(lengths: Sequence[int], max_padded_tokens: int) -> Iterator[list[int]]:
    """Indices whose lengths are alike, shortest first: padding may cost less than the weights read once more.

    A group's padded size keeps `max_padded_tokens`, unless it is one sequence that is longer.
    """
    group: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        length = lengths[index]
        fits = (len(group) + 1) * length <= max_padded_tokens
        if group and not (fits and length <= _MAX_LENGTH_RATIO * lengths[group[0]]):
            yield group
            group = []
        group.append(index)
    if group:
        yield group
