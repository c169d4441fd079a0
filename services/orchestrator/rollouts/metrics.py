"""What is measured of shadows and canaries."""

from shared.records.rollouts import Compared
from shared.telemetry.labels import Labels
from shared.telemetry.metrics import METER

# Versions of reward profiles with a label of their own in this process.
_PROFILES = Labels(50)
_COMPARED = METER.create_counter(
    "darwin.shadow.evolutions", "{evolution}", "Evolutions that a shadow has scored, by its version."
)
_PICKS = METER.create_counter(
    "darwin.shadow.picks", "{evolution}", "Of these, those whose answer would have been another one."
)
_DECISIONS = METER.create_counter(
    "darwin.shadow.decisions", "{decision}", "Decisions of rounds that a shadow has taken, by whether they differ."
)
_DROPPED = METER.create_counter(
    "darwin.rollouts.dropped", "{evolution}", "Evolutions that no shadow or judge has scored, by why not."
)
_JUDGED = METER.create_counter("darwin.canary.judged", "{evolution}", "Answers that a canary's judge has scored.")


def begin() -> None:
    """Reports 0, so that the counters exist from the start."""
    for counter in (_COMPARED, _PICKS, _DECISIONS, _DROPPED, _JUDGED):
        counter.add(0)


def compared(shadow: str, found: Compared) -> None:
    """A shadow, name@version, has scored an evolution."""
    profile = {"profile": _PROFILES.of(shadow)}
    _COMPARED.add(found.evolutions, profile)
    _PICKS.add(found.picks, profile)
    _DECISIONS.add(found.decisions - found.differing, {**profile, "differs": "no"})
    _DECISIONS.add(found.differing, {**profile, "differs": "yes"})


def judged(canary: str) -> None:
    """A judge has scored an answer while this version, name@version, is a canary."""
    _JUDGED.add(1, {"profile": _PROFILES.of(canary)})


def dropped(why: str) -> None:
    """An evolution is not scored: "busy", "late", or the name of an error."""
    _DROPPED.add(1, {"why": why})
