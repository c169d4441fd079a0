"""What is tried beside a profile's promoted version, in lines for the terminal."""

from typing import Any


def beside(profile: dict[str, Any]) -> list[str]:
    """What is tried beside the promoted version of a profile, as the gateway answers it, in lines."""
    told = {"shadow": _shadow, "canary": _canary}
    return [line for what, say in told.items() if profile.get(what) for line in say(profile["name"], profile[what])]


def _shadow(name: str, shadow: dict[str, Any]) -> list[str]:
    return [
        f"shadow {name}@{shadow['version']}, of {shadow['share']:.0%} of searches: {shadow['evolutions']} compared",
        f"  other answers: {_share(shadow['picks'], shadow['evolutions'])}",
        f"  other decisions about replacement: {_share(shadow['differing'], shadow['decisions'])}",
    ]


def _canary(name: str, canary: dict[str, Any]) -> list[str]:
    metric = f"{canary['metric']} {canary['judge']}".strip()
    interval = f"[{canary['lower']:+.3f}, {canary['upper']:+.3f}]"
    verdict = f"{canary['verdict']}, after {canary['verdict_after']} outcomes" if canary["verdict"] else "none yet"
    return [
        f"canary {name}@{canary['version']}, for {canary['share']:.0%} by {canary['by']}, by {metric}",
        *(f"  @{arm['version']}: {_outcomes(arm)}" for arm in (canary["promoted"], canary["canary"])),
        f"  difference in {interval} at level {canary['level']:g}; verdict: {verdict}",
    ]


def _outcomes(arm: dict[str, Any]) -> str:
    return f"{arm['outcomes']} outcomes" + (f", mean {arm['mean']:.3f}" if arm["outcomes"] else "")


def _share(some: int, of: int) -> str:
    return f"{some} of {of}" + (f" ({some / of:.1%})" if of else "")
