"""What is estimated of names from the gains of populations."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orchestrator.credit.statistics import credit_of
from shared.records.credit import Gain, Observation

HALF_LIFE = 1e9
TRUE = {"good": 0.5, "plain": 0.0, "bad": -0.5}


def observation(number: int, *gains: Gain) -> Observation:
    return Observation(f"evo_{number}:1", float(number), "", gains)


def test_nothing_is_told_of_nothing() -> None:
    assert credit_of([], HALF_LIFE) is None
    assert credit_of([observation(1)], HALF_LIFE) is None
    assert credit_of([observation(1, Gain("a", 1.0, 0.0))], HALF_LIFE) is None


@pytest.mark.parametrize("slope", [0.0, 2.0])
def test_names_are_told_apart_at_equal_length_however_populations_differ(slope: float) -> None:
    """Each population lacks some name, the good one more often where all gained much: plain means would be misled."""
    rng, observations = Random(3), []
    for number in range(300):
        level = rng.gauss(0, 3)
        names = rng.choices(["plain", "bad"] if level > 0 else ["good", "plain", "bad"], k=5)
        growths = [rng.gauss(0.6 if name == "bad" else 0.0, 0.3) for name in names]
        observations.append(
            observation(
                number,
                *(
                    Gain(name, level + TRUE[name] + slope * growth + rng.gauss(0, 0.3), growth)
                    for name, growth in zip(names, growths, strict=True)
                ),
            )
        )
    credit = credit_of(observations, HALF_LIFE)
    assert credit is not None
    found = {name: credit.earned[name].mean - credit.earned["plain"].mean for name in TRUE}
    # Within populations "bad" is the longer one, which the slope takes for an effect of length in part.
    assert found["good"] == pytest.approx(0.5, abs=0.1)
    assert -0.6 < found["bad"] < -0.1
    assert 0.25 < credit.noise < 0.5
    assert sum(each.weight for each in credit.earned.values()) == pytest.approx(1500, rel=1e-3)


def test_a_reward_of_length_alone_earns_nothing_and_one_of_brevity_does() -> None:
    def difference(slope: float) -> float:
        rng, observations = Random(5), []
        for number in range(100):
            growths = [rng.gauss(mean, 0.3) for mean in (0.5, 0.5, -0.5, -0.5)]
            pairs = zip(("long", "long", "short", "short"), growths, strict=True)
            observations.append(observation(number, *(Gain(name, slope * growth, growth) for name, growth in pairs)))
        credit = credit_of(observations, HALF_LIFE)
        assert credit is not None
        return credit.earned["long"].mean - credit.earned["short"].mean

    assert abs(difference(1.0)) < 0.02
    assert difference(-1.0) < -0.9


def test_what_is_a_half_life_old_counts_half_and_cycles_of_one_search_are_of_one_age() -> None:
    gains = (Gain("a", 1.0, 0.0), Gain("b", 0.0, 0.0))
    two = [Observation("evo_1:1", 1.0, "", gains), Observation("evo_1:2", 2.0, "", gains)]
    credit = credit_of([observation(0, *gains), *two], 1.0)
    assert credit is not None
    assert credit.earned["a"].weight == 2.5


def test_shifted_preferences_win() -> None:
    rng = Random(7)

    def gains(better: str) -> tuple[Gain, ...]:
        return tuple(Gain(name, float(name == better) + rng.gauss(0, 0.5), 0.0) for name in "abab")

    observations = [observation(number, *gains("a" if number < 500 else "b")) for number in range(700)]
    credit = credit_of(observations, 60.0)
    assert credit is not None
    assert credit.earned["b"].mean > credit.earned["a"].mean + 0.5


@given(
    rewards=st.lists(st.floats(-10, 10), min_size=4, max_size=4),
    shift=st.floats(-5, 5),
    operators=st.permutations(["a", "b", "a+b", "c"]),
)
def test_what_all_gain_alike_moves_all_alike(rewards: list[float], shift: float, operators: list[str]) -> None:
    def credit(by: float) -> dict[str, float]:
        gains = [Gain(name, reward + by, 0.1) for name, reward in zip(operators, rewards, strict=True)]
        found = credit_of([observation(1, *gains)], HALF_LIFE)
        assert found is not None
        return {name: each.mean for name, each in found.earned.items()}

    plain, moved = credit(0.0), credit(shift)
    assert set(plain) == {"a", "b", "c"}
    assert moved == pytest.approx({name: mean + shift for name, mean in plain.items()}, abs=1e-6)
