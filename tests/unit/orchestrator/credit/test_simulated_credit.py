"""Simulated searches of known rewards: that credit learns what pays, and earns more than drawing all lines alike."""

from functools import cache
from random import Random
from statistics import fmean, stdev

from services.mutation.line_kinds import Kind
from services.mutation.templates import TEMPLATES, Template, drawn
from services.orchestrator.credit.statistics import credit_of
from shared.records.credit import Credit, Gain, Observation

EVOLUTIONS, MUTANTS, NEAR, HALF_LIFE = 300, 5, 200, 100.0
GROWTH = {Kind.EXTEND: 0.4, Kind.REASON: 0.2, Kind.READER: 0.1, Kind.EXAMPLE: 0.1, Kind.SHORTEN: -0.6}
# A logarithmic unit of length costs a point: an answer twice as long loses 0.7.
PRICE, NOISE = 1.0, 0.5


@cache
def searches(seed: int, *, credited: bool) -> tuple[list[list[Template]], list[float]]:
    """The lines drawn in each search, and the reward of each search's best mutant over its population's level."""
    truth, draws, noise = Random(f"truth {seed}"), Random(f"draws {seed}"), Random(f"noise {seed}")
    quality = {template.name: truth.gauss(0, 0.1) for template in TEMPLATES}
    observations: list[Observation] = []
    credit: Credit | None = None
    lines, best = [], []
    for number in range(EVOLUTIONS):
        if credited and number % 10 == 0:
            credit = credit_of(observations[-NEAR:], HALF_LIFE)
        order = drawn(TEMPLATES, draws, credit)
        chosen, level, gains = [next(order) for _ in range(MUTANTS)], noise.gauss(0, 1), []
        for template in chosen:
            growth = GROWTH.get(template.kind, 0.0) + noise.gauss(0, 0.2)
            gain = quality[template.name] - PRICE * growth + noise.gauss(0, NOISE)
            gains.append(Gain(template.name, level + gain, growth))
        observations.append(Observation(f"evo_{number}:1", float(number), "", tuple(gains)))
        lines.append(chosen)
        best.append(max(gain.reward for gain in gains) - level)
    return lines, best


def test_under_a_reward_that_pays_for_brevity_lines_that_ask_for_length_are_hardly_drawn() -> None:
    for seed in range(3):
        lines, _ = searches(seed, credited=True)
        late = [template.kind for chosen in lines[-50:] for template in chosen]
        assert late.count(Kind.EXTEND) < 0.05 * len(late)
        uniform, _ = searches(seed, credited=False)
        early = [template.kind for chosen in uniform for template in chosen]
        assert early.count(Kind.EXTEND) > 0.1 * len(early)


def test_credit_beats_drawing_all_lines_alike() -> None:
    differences = []
    for seed in range(6):
        _, credited = searches(seed, credited=True)
        _, uniform = searches(seed, credited=False)
        differences.append(fmean(credited) - fmean(uniform))
    # Student's t with five degrees of freedom, 95 %.
    half = 2.571 * stdev(differences) / len(differences) ** 0.5
    assert fmean(differences) - half > 0
