from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from services.mutation import guards
from services.mutation.demands import Aspect, read
from services.mutation.line_kinds import NAMES, Kind
from services.mutation.templates import DEPTH, EVERY, TEMPLATES, Template, core_of, drawn, pool, rooted, wrappings
from shared.records.credit import Credit, Earned
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
    assert names[:5] == ["example_case", "explore", "structure", "reader", "shorten"]
    assert names[19:21] == ["answer_first+structure", "answer_first+shorten"]


def test_each_kind_comes_once_before_any_comes_twice() -> None:
    kinds = {template.kind for template in TEMPLATES}
    assert kinds == set(Kind) - {Kind.FORM, Kind.WISH}
    counts = Counter[Kind]()
    for seed in range(200):
        order = list(drawn(TEMPLATES, Random(seed)))
        assert {template.kind for template in order[: len(kinds)]} == kinds
        assert sorted(order, key=TEMPLATES.index) == list(TEMPLATES)
        counts.update(template.kind for template in order[:5])
    # Five of eight are drawn each time; the deviation of a kind's count is below seven.
    assert all(abs(counts[kind] - 200 * 5 / 8) < 35 for kind in kinds)


def test_two_lines_together_are_of_two_kinds_and_no_contradiction() -> None:
    by_name = {template.name: template for template in TEMPLATES}
    pairs = [name.split("+") for _, name in wrappings("x", "x", Random(3)) if "+" in name]
    assert ["structure", "shorten"] in pairs
    for outer, inner in pairs:
        assert by_name[outer].kind is not by_name[inner].kind
        assert Kind.SHORTEN not in {by_name[outer].kind, by_name[inner].kind} or not {
            Aspect.LENGTH,
            Aspect.PROSE,
        } & (by_name[outer].imposes | by_name[inner].imposes)


def test_a_line_that_contradicts_the_parents_takes_its_place() -> None:
    by_name = {template.name: template for template in TEMPLATES}
    parent = by_name["ask_context"].wrap("Name a river.")
    found = {name: text for text, name in wrappings(parent, "Name a river.", Random(1))}
    assert found["shorten"] == by_name["shorten"].wrap("Name a river.")
    assert found["explore"] == by_name["explore"].wrap("Name a river.")
    assert found["example"] == by_name["example"].wrap(parent)
    assert parent not in found.values()


def test_lines_that_have_earned_more_are_drawn_first_and_the_others_hardly_ever() -> None:
    """Nobody has tried the lines of the other kinds: they are drawn in proportion to what is not known of them."""
    earned = {name: Earned(-1.0, 40.0) for name in NAMES[Kind.EXTEND]} | {"shorten": Earned(1.0, 100.0)}
    firsts = Counter(next(drawn(TEMPLATES, Random(seed), Credit(earned, 1.0))).kind for seed in range(300))
    assert firsts[Kind.EXTEND] == 0
    assert firsts[Kind.SHORTEN] > 150
    assert set(drawn(TEMPLATES, Random(1), Credit(earned, 1.0))) == set(TEMPLATES)


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
