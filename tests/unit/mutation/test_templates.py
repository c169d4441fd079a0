from random import Random

from hypothesis import given
from hypothesis import strategies as st

from services.mutation import guards
from services.mutation.templates import TEMPLATES, core_of, shuffled


def test_enough_templates_and_no_two_equal() -> None:
    assert len(TEMPLATES) >= 12
    assert len({template.name for template in TEMPLATES}) == len(TEMPLATES)
    assert len({guards.normalised(template.wrap("x")) for template in TEMPLATES}) == len(TEMPLATES)


@given(core=st.text(min_size=1).filter(str.strip), seed=st.integers(0, 1000))
def test_wrapping_keeps_the_core_and_can_be_undone(core: str, seed: int) -> None:
    first, second, *_ = shuffled(Random(seed))
    assert core in first.wrap(core)
    assert core_of(first.wrap(core), core) == core
    assert core_of(second.wrap(first.wrap(core)), core) == core


def test_the_original_is_not_taken_apart() -> None:
    """A user may well write what a template says."""
    original = TEMPLATES[0].wrap("Name a river.")
    assert core_of(original, original) == original
    assert core_of(TEMPLATES[1].wrap(original), original) == original


def test_what_is_no_wrapping_stays() -> None:
    assert core_of("Name a river.", "Name some river.") == "Name a river."
    empty = TEMPLATES[0].wrap("")
    assert core_of(empty, "x") == empty


def test_the_order_is_drawn_by_the_seed() -> None:
    assert shuffled(Random(3)) == shuffled(Random(3))
    assert shuffled(Random(3)) != shuffled(Random(4))
    assert set(shuffled(Random(3))) == set(TEMPLATES)
