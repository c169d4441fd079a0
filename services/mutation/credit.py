"""Draws lines and operators by what they have earned: Thompson sampling with Gaussian posteriors. Pure.

A gain of a name is normal around the name's own mean, with one deviation for all names, the noise. The mean of a group
has a prior around the mean of all gains, and that of a name one around its group's, each worth one observation. So a
name that nobody has tried is drawn about as often as its group, and one that has lost often hardly ever (Russo et al.,
arXiv 1707.02038).
"""

from collections.abc import Sequence
from random import Random

from shared.records.credit import Credit, Earned


def posterior_of_group(credit: Credit, group: Sequence[str]) -> Earned:
    """The posterior of what the names of a group earn; its weight holds the prior's one observation."""
    return _posterior(_pooled(credit, group), _pooled(credit, list(credit.earned)).mean)


def posterior(credit: Credit, name: str, group: Sequence[str]) -> Earned:
    """The posterior of what a name of a group earns; its weight holds the prior's one observation."""
    return _posterior(_pooled(credit, [name]), posterior_of_group(credit, group).mean)


def draw_of_group(credit: Credit, group: Sequence[str], rng: Random) -> float:
    """One draw of what the names of a group earn."""
    return _drawn(credit, posterior_of_group(credit, group), rng)


def draw(credit: Credit, name: str, group: Sequence[str], rng: Random) -> float:
    """One draw of what a name of a group earns."""
    return _drawn(credit, posterior(credit, name, group), rng)


def _drawn(credit: Credit, posterior: Earned, rng: Random) -> float:
    return rng.gauss(posterior.mean, credit.noise / posterior.weight**0.5)


def _pooled(credit: Credit, names: Sequence[str]) -> Earned:
    found = [credit.earned[name] for name in names if name in credit.earned]
    weight = sum(each.weight for each in found)
    return Earned(sum(each.weight * each.mean for each in found) / weight if weight > 0 else 0.0, weight)


def _posterior(seen: Earned, prior_mean: float) -> Earned:
    weight = seen.weight + 1
    return Earned((seen.weight * seen.mean + prior_mean) / weight, weight)
