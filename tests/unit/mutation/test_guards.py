import time

import pytest

from services.mutation import guards
from services.mutation.messages import Reason

CORE = "Name three rivers in Peru and say where each begins."


def form(text: str, core: str = CORE, examples: tuple[str, ...] = ("Name a lake.",)) -> Reason | None:
    return guards.form(text, core, examples, {guards.normalised(core), "taken already once"})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("List three rivers of Peru and where each of them begins.", None),
        ("", Reason.EMPTY),
        (" \n ", Reason.EMPTY),
        ("name a LAKE", Reason.PROMPT_EXAMPLE),
        ("  name three rivers in Peru... and say where each begins!", Reason.DUPLICATE),
        ("Taken — already: once?", Reason.DUPLICATE),
        ("Rivers?", Reason.TOO_SHORT),
        ("Name three rivers.", Reason.TOO_SHORT),
        ("Name three rivers. " * 20, Reason.TOO_LONG),
    ],
)
def test_form(text: str, reason: Reason | None) -> None:
    assert form(text) == reason


def test_an_instruction_that_is_the_example_itself_is_a_duplicate() -> None:
    assert form("Name a lake.", core="Name a lake.") == Reason.DUPLICATE


@pytest.mark.parametrize(
    ("original", "text"),
    [
        (CORE, "Tell me the names of three rivers in Peru and where each one begins."),
        (CORE, "Name 3 rivers in Peru, and say where each begins."),
        ("How do vaccines work?", "Explain how vaccines work."),
        ("How do vaccines work?", "How do vaccines work? Describe each step in detail."),
        (
            "A car covers 90 km in 2 hours. What is its speed?",
            "What is the speed of a car that covers 90 km in 2 hours?",
        ),
        ("What's your view on tea?", "What is your view on tea?"),
        ("Don't mention prices when you describe Rome.", "Describe Rome, and do not mention prices."),
        ("Find f(2) for f(x) = 4x^3.", "Given f(x) = 4x^3, find f(2)."),
        ("Schreibe ein Gedicht über den Herbst.", "Schreibe ein kurzes Gedicht über den Herbst."),
    ],
)
def test_content_keeps_faithful_rewrites(original: str, text: str) -> None:
    assert guards.content(text, original) is None


@pytest.mark.parametrize(
    ("original", "text"),
    [
        ("How do vaccines work?", "Vaccines work by training the immune system."),
        ("How do vaccines work?", "How do vaccines work? They train the immune system."),
        ("Name two rivers.", "Here are two rivers: the Nile and the Rhine."),
        ("How do rivers shape the land?", "Rivers shape the land, and describe it in short."),
        ("How many sons has Ann?", "Count the sons that Ann has. The answer is many sons."),
        ("List a few uses of salt.", "List a few uses of salt, list a few uses of salt."),
        ("List a few uses of salt.", "List a few uses of salt and"),
        ("List a few uses of salt.", 'List a few uses of salt."}'),
    ],
)
def test_content_sees_answers_and_broken_text(original: str, text: str) -> None:
    assert guards.content(text, original) == Reason.MALFORMED


@pytest.mark.parametrize(
    ("original", "text"),
    [
        (CORE, "Name rivers in Peru and say where each begins."),
        (CORE, "Name four rivers in Peru and say where each begins."),
        (CORE, "Name three rivers in Brazil and say where each begins."),
        (CORE, "Name three rivers in Peru and Brazil and say where each begins."),
        ("Plot the points (-1, 1) and (3, 3).", "Plot the points (1, 1) and (3, 3)."),
        ("Sort in O(n) time with O(1) space.", "Sort in O(1) time with O(n) space."),
        ("Find x-y if x+y = 4z.", "Find x if y = 4z."),
        ('Start with "Once upon a time" and tell a tale.', "Start and tell a tale of one time long ago."),
        ("Describe Rome. Keep the text short.", "Describe Rome in a text."),
        ("Find a common ancestor (not LCA) of nodes.", "Find a common ancestor (LCA) of nodes."),
        ("Sort the two lists with linear complexity.", "Sort the two lists in a linear fashion."),
        ("How many roots has x^2 - 4 here?", "Find the roots of x^2 - 4 here."),
        ("Find the words that two lists share.", "Using a hash map, find the words that two lists share."),
        ("Solve this without a calculator.", "Solve this using a calculator."),
        ("Roll at least 3 with dice: how likely?", "Roll a 3 with dice: how likely?"),
    ],
)
def test_content_sees_lost_demands(original: str, text: str) -> None:
    assert guards.content(text, original) == Reason.MEANING_LOST


def test_numbers_are_equal_in_digits_and_words() -> None:
    assert guards.numbers("twelve of 1,000 at -3.5, page 9-10.") == {"12", "1000", "-3.5", "9", "10"}


def test_normalised_ignores_case_spacing_and_punctuation() -> None:
    assert guards.normalised("  Don’t —  PANIC! ") == guards.normalised("don't panic")
    assert guards.normalised("!?") == "!?"


@pytest.mark.parametrize("piece", ["“", "f(", "x", '"', "= ", "a.", "( ", "“a"])
def test_time_grows_with_the_length_of_the_text_and_not_faster(piece: str) -> None:
    text = "Name some rivers: " + piece * 50_000
    began = time.process_time()
    guards.content(text, text)
    guards.form(text, text, (), set())
    assert time.process_time() - began < 3
