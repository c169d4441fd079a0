from random import Random

from hypothesis import given
from hypothesis import strategies as st

from services.mutation import guards
from services.mutation.demands import read
from services.mutation.templates import DEPTH, EVERY, TEMPLATES, Template, core_of, pool, rooted, wrappings
from shared.records.evolution import Message


def test_enough_templates_and_no_two_equal() -> None:
    assert len(TEMPLATES) >= 12
    assert len({template.name for template in TEMPLATES}) == len(TEMPLATES)
    assert len({guards.normalised(template.wrap("x")) for template in TEMPLATES}) == len(TEMPLATES)


def two(seed: int) -> tuple[Template, Template]:
    first, second = Random(seed).sample(TEMPLATES, 2)
    return first, second


@given(core=st.text(min_size=1).filter(str.strip), seed=st.integers(0, 1000))
def test_wrapping_keeps_the_core_and_can_be_undone(core: str, seed: int) -> None:
    first, second = two(seed)
    assert core in first.wrap(core)
    assert core_of(first.wrap(core), core) == core
    assert core_of(second.wrap(first.wrap(core)), core) == core


@given(core=st.text(min_size=1).filter(str.strip), seed=st.integers(0, 1000))
def test_mutants_of_a_wrapped_parent_keep_its_innermost_wrapping(core: str, seed: int) -> None:
    first, second = two(seed)
    assert rooted(core, core) == core
    assert rooted(first.wrap(core), core) == first.wrap(core)
    assert rooted(second.wrap(first.wrap(core)), core) == first.wrap(core)


@given(core=st.text(min_size=1).filter(str.strip), seed=st.integers(0, 1000), depth=st.integers(0, DEPTH))
def test_mutants_hold_the_core_verbatim_in_bounded_depth(core: str, seed: int, depth: int) -> None:
    parent = core
    for template in Random(seed).sample(TEMPLATES, depth):
        parent = template.wrap(parent)
    found = dict(wrappings(parent, core, Random(seed)))
    assert len(found) >= len(TEMPLATES)
    longest = len(core) + DEPTH * max(len(template.wrap("")) for template in TEMPLATES)
    assert all(core in text and text != core and len(text) <= longest for text in found)


def test_the_original_is_not_taken_apart() -> None:
    """A user may well write what a template says."""
    original = TEMPLATES[0].wrap("Name a river.")
    assert core_of(original, original) == original
    assert core_of(TEMPLATES[1].wrap(original), original) == original


def test_what_is_no_wrapping_stays() -> None:
    assert core_of("Name a river.", "Name some river.") == "Name a river."
    empty = TEMPLATES[0].wrap("")
    assert core_of(empty, "x") == empty


def test_what_a_seed_draws_stays() -> None:
    names = [name for _, name in wrappings("How do I learn to swim?", "How do I learn to swim?", Random(7))]
    assert names[:5] == ["ask_connections", "explore", "ask_steps", "ask_develop", "think_why"]
    assert names[15:17] == ["ask_reasons+ask_develop", "ask_short_then_detail+think_carefully"]
    assert len(names) == 15 + 15 * 14


def test_lines_that_impose_nothing_come_alone_and_around_the_instruction_itself() -> None:
    core = "What is a river? Answer in one sentence."
    lines = pool(read((Message("user", core),)))
    assert lines
    for parent in (core, lines[0].wrap(core)):
        found = [text for text, _ in wrappings(parent, core, Random(1), lines)]
        assert set(found) <= {line.wrap(core) for line in lines}
        assert len(found) >= len(lines) - 1


def test_no_two_lines_of_one_pool_are_equal_and_every_one_is_taken_off() -> None:
    assert len({template.line for template in EVERY}) == len(EVERY)
    for template in EVERY:
        assert core_of(template.wrap("x"), "x") == "x"


def test_the_order_is_drawn_by_the_seed() -> None:
    assert list(wrappings("x", "x", Random(3))) == list(wrappings("x", "x", Random(3)))
    assert list(wrappings("x", "x", Random(3))) != list(wrappings("x", "x", Random(4)))
    singles = [name for _, name in wrappings("x", "x", Random(3))][: len(TEMPLATES)]
    assert set(singles) == {template.name for template in TEMPLATES}
