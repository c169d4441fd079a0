"""`darwin profiles shadow` and `canary`: versions that are tried beside the promoted one."""

from typing import Any


def beside(profile: dict[str, Any]) -> list[str]:
    """What is tried beside the promoted version of a profile, as the gateway answers it, in lines."""
    lines: list[str] = []
    if shadow := profile.get("shadow"):
        picks, decisions = (
            _share(shadow["picks"], shadow["evolutions"]),
            _share(shadow["differing"], shadow["decisions"]),
        )
        lines.append(
            f"shadow {profile['name']}@{shadow['version']}, of {shadow['share']:g}: {shadow['evolutions']} searches "
            f"compared; other answers: {picks}; other decisions about replacement: {decisions}"
        )
    if canary := profile.get("canary"):
        arms = ", ".join(
            f"@{arm['version']}: {arm['outcomes']} outcomes"
            + ("" if arm["mean"] is None else f", mean {arm['mean']:.3f}")
            for arm in (canary["promoted"], canary["canary"])
        )
        verdict = f"{canary['verdict']}, after {canary['verdict_after']}" if canary["verdict"] else "no verdict yet"
        lines.append(
            f"canary {profile['name']}@{canary['version']}, of {canary['share']:g} by {canary['by']}: {arms}; difference "
            f"in [{canary['lower']:+.3f}, {canary['upper']:+.3f}] at level {canary['level']:g}: {verdict}"
        )
    return lines


def _share(some: int, of: int) -> str:
    return f"{some} of {of}" + (f" ({some / of:.1%})" if of else "")
